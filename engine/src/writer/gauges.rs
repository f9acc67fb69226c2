//! What each live sale looks like from outside: lag in events and the conservation law, once a second. A sale whose stock is not what
//! it must be decides nothing; its vouch is taken back here, so that it is found rewound and rebuilt.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::reads::Backlog;
use doorbuster_core::gate::snapshot::Snapped;
use doorbuster_core::ids::LiveId;
use doorbuster_core::journal::StreamId;
use metrics::gauge;
use tokio_util::sync::CancellationToken;

use super::roster::Roster;
use crate::limits::{GAUGES_EVERY, GAUGES_EVERY_IDLE};
use crate::metrics as names;

/// Looks at every published sale until told to stop.
pub(crate) async fn run(gate: &Gate, roster: Roster, stop: &CancellationToken) {
    let mut looked: HashMap<LiveId, (u64, Instant)> = HashMap::new();
    while stop
        .run_until_cancelled(tokio::time::sleep(GAUGES_EVERY))
        .await
        .is_some()
    {
        let (sales, backlog_max) = (roster.latest(), gate.backlog_max());
        for (live, backlog) in sales.iter() {
            let Some(backlog) = backlog else { continue };
            let nothing_happened = |(seq, at): &(u64, Instant)| {
                *seq == backlog.seq && backlog.events() == 0 && at.elapsed() < GAUGES_EVERY_IDLE
            };
            if looked.get(live).is_some_and(nothing_happened) {
                continue;
            }
            looked.insert(live.clone(), (backlog.seq, clock::instant()));
            let sale = live.book_id();
            let lag = backlog.events();
            gauge!(names::BACKLOG_USED, "sale" => sale.clone())
                .set(backlog_max.used(lag, backlog.bytes));
            gauge!(names::WRITER_LAG_EVENTS, "sale" => sale.clone()).set(lag as f64);
            let behind = if lag == 0 {
                0.0
            } else {
                oldest_seconds(gate, live, backlog).await
            };
            gauge!(names::WRITER_LAG_SECONDS, "sale" => sale.clone()).set(behind);
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
            if snapshot.is_vouched() && (difference != 0 || snapshot.stock.is_empty()) {
                // Failing, it is done at the next look.
                let _ = gate.withdraw(live).await;
            }
            let behind_ms = snapshot.last_now_ms.saturating_sub(snapshot.now_ms);
            gauge!(names::CLOCK_BEHIND_SECONDS, "sale" => sale).set(behind_ms as f64 / 1_000.0);
        }
        if looked.len() > sales.len() {
            let awake: HashSet<&LiveId> = sales.iter().map(|(live, _)| live).collect();
            looked.retain(|live, _| awake.contains(live));
        }
    }
}

/// Age of the oldest event that is not in the books: the entry after the cursor's own, which stays.
async fn oldest_seconds(gate: &Gate, live: &LiveId, backlog: &Backlog) -> f64 {
    let entries = gate
        .journal(live, &StreamId::start(), 2)
        .await
        .unwrap_or_default();
    let oldest = entries
        .iter()
        .find(|entry| entry.last_seq() > backlog.flushed_seq);
    oldest.map_or(0.0, |entry| {
        clock::now_ms().saturating_sub(entry.at_ms) as f64 / 1_000.0
    })
}
