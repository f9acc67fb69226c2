//! Compares by itself, so often: one back-office of all, and what it found is kept, counted and, where it is something, an alarm.

use std::time::Duration;

use anyhow::Result;
use doorbuster_core::clock;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::store;
use super::view::Kind;
use crate::app::App;
use crate::limits::MONEY_LOOK_EVERY;
use crate::metrics;
use crate::orders::settled;

/// Until `stop`; `every` 0 s: never.
pub(crate) async fn run(app: App, every: Duration, stop: CancellationToken) {
    if every.is_zero() {
        return;
    }
    let mut last = None;
    loop {
        let slot = clock::now_s() / every.as_secs().max(1);
        if last != Some(slot) {
            match one(&app, slot).await {
                Ok(()) => last = Some(slot),
                Err(error) => tracing::warn!(%error, "orders and money could not be compared"),
            }
        }
        let pause = sleep(MONEY_LOOK_EVERY.min(every));
        if stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

/// The run of that time, if no other back-office has it.
async fn one(app: &App, slot: u64) -> Result<()> {
    if !store::begin_run(&app.books, slot).await? {
        return Ok(());
    }
    let report = super::reconcile(&app.books, &app.payments, true).await?;
    let units: Vec<_> = report
        .differences
        .iter()
        .filter(|difference| difference.kind == Kind::Units)
        .filter_map(|difference| difference.order)
        .collect();
    settled::doubt(&app.books, &units).await?;
    let found = report.differences.len() as u64;
    metrics::money_differences(found);
    if found > 0 {
        tracing::error!(
            alarm = "money_differences",
            found,
            first = %report.differences[0],
            "orders and money contradict each other: GET /admin/v1/reconciliation"
        );
    }
    store::end_run(&app.books, slot, found, &serde_json::to_string(&report)?).await
}
