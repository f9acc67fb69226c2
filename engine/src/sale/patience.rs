//! How long a request may wait in a queue before it is shed instead of served.
//!
//! A queue that a batch empties is doing its work, however long a pause of Redis has made it: everybody in it is served
//! late rather than sent away. A queue of which batch after batch leaves something behind is overload: those who waited
//! longer than a moment are sent away at once, so that those who are served are served soon, and the work done is not
//! for people who have left (controlled delay: Nichols & Jacobson, RFC 8289; for servers, Maurer, ACM Queue 13(8)). How long
//! a queue that stands makes its requests wait is also what limits how many are let in (`crate::load`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::limits::{QUEUE_STANDS_AFTER, QUEUE_WAIT_MAX, QUEUE_WAIT_STANDING_MAX};

/// Knows since when batches have left something behind.
#[derive(Debug)]
pub(super) struct Patience {
    since: Instant,
    /// In ms since `since`; [`EMPTIED`] where the last batch emptied the queue.
    left_behind: AtomicU64,
}

const EMPTIED: u64 = u64::MAX;

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            left_behind: AtomicU64::new(EMPTIED),
        }
    }

    /// A batch was taken, and the queue is empty after it or not.
    pub(super) fn taken(&self, now: Instant, is_empty: bool) {
        let next = match self.left_behind.load(Ordering::Relaxed) {
            _ if is_empty => EMPTIED,
            EMPTIED => self.ms(now),
            before => before,
        };
        self.left_behind.store(next, Ordering::Relaxed);
    }

    /// How long a request may have waited by now.
    pub(super) fn at(&self, now: Instant) -> Duration {
        if self.stands(now) {
            QUEUE_WAIT_STANDING_MAX
        } else {
            QUEUE_WAIT_MAX
        }
    }

    /// Whether batches have left something behind for so long that it is overload.
    pub(super) fn stands(&self, now: Instant) -> bool {
        let left_behind = self.left_behind.load(Ordering::Relaxed);
        let stood_for = self.ms(now).saturating_sub(left_behind);
        Duration::from_millis(stood_for) > QUEUE_STANDS_AFTER
    }

    fn ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.since).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::clock;

    use super::*;

    #[test]
    fn patience_ends_when_batches_go_on_leaving_something_behind() {
        let start = clock::instant();
        let (patience, at) = (Patience::new(start), |ms| start + Duration::from_millis(ms));
        let stands = QUEUE_STANDS_AFTER.as_millis() as u64;
        patience.taken(at(0), false);
        patience.taken(at(stands), false);
        assert_eq!(patience.at(at(stands)), QUEUE_WAIT_MAX);
        assert_eq!(patience.at(at(stands + 1)), QUEUE_WAIT_STANDING_MAX);
        patience.taken(at(stands + 2), true);
        assert_eq!(patience.at(at(2 * stands)), QUEUE_WAIT_MAX);
    }

    #[test]
    fn those_who_come_during_one_long_call_are_served_late() {
        let start = clock::instant();
        let (patience, at) = (Patience::new(start), |ms| start + Duration::from_millis(ms));
        let stall = 5 * QUEUE_STANDS_AFTER.as_millis() as u64;
        patience.taken(at(0), true);
        // One call took all that time; what gathered meanwhile takes some batches.
        assert_eq!(patience.at(at(stall)), QUEUE_WAIT_MAX);
        patience.taken(at(stall), false);
        assert_eq!(patience.at(at(stall + 10)), QUEUE_WAIT_MAX);
        patience.taken(at(stall + 20), true);
    }
}
