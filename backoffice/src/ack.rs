//! How safe a payment is before anybody is told of it: the deployment's ack level, kept by back-offices as engines keep it.
//!
//! At level `replica` whatever a script promises about a reservation (that its payment has begun, that it is paid or released, that units came back)
//! counts only once a replica has it; the saga asks again until then. At level `mysql` an order is paid once the books have its reservation's payment
//! too, and not merely the order's own row: a sale that is rebuilt then knows its units to be sold. What else an order does needs no such wait: its own
//! row is committed before, and says what is to be told again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use doorbuster_core::ids::LiveId;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::limits::{ACK_LOOK_EVERY, BOOKS_LOOK_EVERY};
use crate::metrics;

/// The last event of a sale that somebody waits for: its generation and number.
pub(crate) type At = (u32, u64);

/// What the last look found.
#[derive(Debug, Default)]
pub(crate) struct AckStand {
    met: AtomicBool,
    verified: AtomicBool,
}

impl AckStand {
    pub(crate) fn is_met(&self) -> bool {
        self.met.load(Ordering::Relaxed)
    }

    /// False where a managed server hides its settings: then the level is declared.
    pub(crate) fn is_verified(&self) -> bool {
        self.verified.load(Ordering::Relaxed)
    }
}

/// Looks every so often whether Redis keeps the level, as engines do; what level `mysql` asks of MySQL they check alone. Until `stop`.
pub(crate) async fn keep(app: App, stop: CancellationToken) {
    let (level, mut last) = (app.ack_level, None);
    loop {
        let found = app.gate.look_at_durability(level).await;
        let is_met = found.is_met();
        app.ack_stand.met.store(is_met, Ordering::Relaxed);
        app.ack_stand
            .verified
            .store(found.verified, Ordering::Relaxed);
        metrics::ack_met(is_met);
        // Not by what was found: how far a replica is behind is another number each time.
        if last != Some((is_met, found.verified)) {
            if is_met {
                tracing::info!(ack_level = level.as_str(), verified = found.verified, advice = ?found.advice, "the ack level is kept");
            } else {
                tracing::warn!(ack_level = level.as_str(), problems = ?found.problems, "the ack level is not kept");
            }
            last = Some((is_met, found.verified));
        }
        let pause = if is_met {
            ACK_LOOK_EVERY
        } else {
            ACK_LOOK_EVERY / 10
        };
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// Whether the books have the sale up to there, after `wait` at the latest; they are looked at once at least.
pub(crate) async fn is_in_books(app: &App, live: &LiveId, awaited: At, wait: Duration) -> bool {
    let deadline = Instant::now() + wait;
    loop {
        let has = app.gate.flushed(live).await.ok().flatten();
        if is_there(has, awaited) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(BOOKS_LOOK_EVERY).await;
    }
}

/// Of another generation nothing is known: what happened in the former one may be lost.
fn is_there(has: Option<At>, (in_epoch, up_to): At) -> bool {
    has.is_some_and(|(epoch, seq)| epoch == in_epoch && seq >= up_to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_have_it_when_they_are_as_far_in_the_same_generation() {
        assert!(is_there(Some((1, 7)), (1, 7)));
        assert!(is_there(Some((1, 8)), (1, 7)));
        for has in [Some((1, 6)), Some((2, 9)), None] {
            assert!(!is_there(has, (1, 7)));
        }
    }
}
