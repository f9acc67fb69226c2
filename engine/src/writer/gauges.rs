//! What each live sale looks like from outside: lag in events and the conservation law, once a second.

use doorbuster_core::gate::Gate;
use doorbuster_core::gate::snapshot::Snapped;
use metrics::gauge;
use tokio_util::sync::CancellationToken;

use super::roster::Roster;
use crate::limits::GAUGES_EVERY;
use crate::metrics as names;

/// Looks at every published sale until told to stop.
pub(crate) async fn run(gate: &Gate, roster: Roster, stop: &CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(GAUGES_EVERY))
        .await
        .is_some()
    {
        for (live, backlog) in roster.latest().iter() {
            let Some(backlog) = backlog else { continue };
            let sale = live.book_id();
            let lag = backlog.seq.saturating_sub(backlog.flushed_seq);
            gauge!(names::WRITER_LAG_EVENTS, "sale" => sale.clone()).set(lag as f64);
            if lag == 0 {
                gauge!(names::WRITER_LAG_SECONDS, "sale" => sale.clone()).set(0.0);
            }
            let Ok(Snapped::Snapshot(snapshot)) = gate.snapshot(live).await else {
                continue;
            };
            let difference: u64 = snapshot
                .stock
                .values()
                .map(|stock| stock.difference().unsigned_abs())
                .sum();
            if difference != 0 {
                tracing::error!(
                    alarm = "conservation",
                    sale,
                    difference,
                    "stocked = left + held + sold does not hold"
                );
            }
            gauge!(names::CONSERVATION, "sale" => sale.clone()).set(difference as f64);
            let behind_ms = snapshot.last_now_ms.saturating_sub(snapshot.now_ms);
            gauge!(names::CLOCK_BEHIND_SECONDS, "sale" => sale).set(behind_ms as f64 / 1_000.0);
        }
    }
}
