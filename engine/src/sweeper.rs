//! The sweeper: ends overdue holds, so that their units are back on sale within two seconds of their deadline.
//!
//! Each sweep says before when no further hold can be due, so an idle sale costs nothing. Any number of sweepers may run:
//! a hold is ended by the script that finds it overdue, once, and a cancel that comes first leaves nothing to end.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::gate::reads::Backlog;
use doorbuster_core::gate::sweep::Swept;
use doorbuster_core::gate::{Fenced, Gate};
use doorbuster_core::ids::LiveId;
use metrics::{counter, gauge};
use tokio_util::sync::CancellationToken;

use crate::crash;
use crate::limits::{SWEEP_EVERY_MAX, SWEEP_EVERY_MIN};
use crate::metrics as names;
use crate::writer::roster::Roster;

/// Refusals that pass as soon as a writer has vouched, or are told elsewhere; any other is said once, until the sale is swept again.
const PASSING: [&str; 3] = ["run_id", "epoch", "clock"];

/// Sweeps until told to stop.
pub(crate) async fn run(gate: &Gate, roster: Roster, stop: &CancellationToken) {
    let mut due: HashMap<LiveId, Instant> = HashMap::new();
    let mut stuck: HashSet<LiveId> = HashSet::new();
    while stop
        .run_until_cancelled(tokio::time::sleep(SWEEP_EVERY_MIN))
        .await
        .is_some()
    {
        let sales = roster.latest();
        if due.len() > sales.len() {
            let awake: HashSet<&LiveId> = sales.iter().map(|(live, _)| live).collect();
            due.retain(|live, _| awake.contains(live));
            stuck.retain(|live| awake.contains(live));
        }
        for (live, backlog) in sales.iter() {
            let (LiveId::Sale(_), Some(backlog)) = (live, backlog) else {
                continue;
            };
            if due.get(live).is_none_or(|at| *at <= clock::instant()) {
                let pause = sweep(gate, live, backlog, &mut stuck).await;
                due.insert(live.clone(), clock::instant() + pause);
            }
        }
    }
}

/// Ends all that is due; returns how long nothing more will be.
async fn sweep(
    gate: &Gate,
    live: &LiveId,
    backlog: &Backlog,
    stuck: &mut HashSet<LiveId>,
) -> Duration {
    loop {
        crash::point("sweeper.before_sweep");
        match gate.sweep(live, backlog.epoch).await {
            Ok(Swept::Swept(swept)) => {
                crash::point("sweeper.after_sweep");
                stuck.remove(live);
                if swept.released > 0 {
                    counter!(names::SWEPT).increment(swept.released);
                    let late_ms = swept.now_ms.saturating_sub(swept.oldest_ms);
                    gauge!(names::SWEEPER_LAG_SECONDS, "sale" => live.book_id())
                        .set(late_ms as f64 / 1_000.0);
                }
                if swept.next_ms > swept.now_ms {
                    let pause = Duration::from_millis(swept.next_ms - swept.now_ms);
                    return pause.clamp(SWEEP_EVERY_MIN, SWEEP_EVERY_MAX);
                }
            }
            Ok(Swept::Fenced(fenced)) => {
                if fenced == Fenced::Recovering("clock".into()) {
                    names::clock_alarm(live);
                }
                match &fenced {
                    Fenced::Recovering(why)
                        if !PASSING.contains(&why.as_str()) && stuck.insert(live.clone()) =>
                    {
                        tracing::warn!(sale = %live, ?fenced, "holds of a sale cannot be ended");
                    }
                    _ => tracing::trace!(sale = %live, ?fenced, "not swept"),
                }
                return SWEEP_EVERY_MIN;
            }
            Err(e) => {
                tracing::debug!(sale = %live, error = %e, "not swept");
                return SWEEP_EVERY_MIN;
            }
        }
    }
}
