//! How long a request may wait in a queue before it is shed instead of served.
//!
//! A queue that a batch empties is doing its work, however long a pause of Redis has made it: everybody in it is served
//! late rather than sent away. A queue of which batch after batch leaves somebody behind, or has to send somebody away, is
//! overload: those who waited longer than a moment are sent away at once, so that those who are served are served soon, and
//! the work done is not for people who have left (controlled delay: Nichols & Jacobson, RFC 8289; for servers, Maurer, ACM
//! Queue 13(8)). That sending away may be what empties the queue says nothing good of it. How long
//! a queue that stands makes its requests wait is also what limits how many are let in (`crate::load`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::limits::{
    QUEUE_STANDS_AFTER, QUEUE_STOOD_LIFE, QUEUE_WAIT_MAX, QUEUE_WAIT_STANDING_MAX,
};

/// Knows since when batches have not served everybody.
#[derive(Debug)]
pub(super) struct Patience {
    since: Instant,
    /// Since when, in ms since `since`; [`SERVED`] where the last batch served all that there were.
    unserved: AtomicU64,
    /// When a batch last did not.
    last_unserved: AtomicU64,
}

const SERVED: u64 = u64::MAX;

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            unserved: AtomicU64::new(SERVED),
            last_unserved: AtomicU64::new(0),
        }
    }

    /// A batch was taken: `serves_all` if nobody was left behind for the next one, nor sent away.
    pub(super) fn taken(&self, now: Instant, serves_all: bool) {
        if serves_all {
            self.unserved.store(SERVED, Ordering::Relaxed);
            return;
        }
        let since = self.unserved.load(Ordering::Relaxed);
        if since == SERVED || self.is_forgotten(now) {
            self.unserved.store(self.ms(now), Ordering::Relaxed);
        }
        self.last_unserved.store(self.ms(now), Ordering::Relaxed);
    }

    /// How long a request may have waited by now.
    pub(super) fn at(&self, now: Instant) -> Duration {
        if self.stands(now) {
            QUEUE_WAIT_STANDING_MAX
        } else {
            QUEUE_WAIT_MAX
        }
    }

    /// Whether batches have not served everybody for so long that it is overload.
    pub(super) fn stands(&self, now: Instant) -> bool {
        let unserved = self.unserved.load(Ordering::Relaxed);
        let stood_for = self.ms(now).saturating_sub(unserved);
        Duration::from_millis(stood_for) > QUEUE_STANDS_AFTER && !self.is_forgotten(now)
    }

    /// Whether the last batch that did not serve everybody is so long ago that it says nothing any more.
    fn is_forgotten(&self, now: Instant) -> bool {
        let last = self.last_unserved.load(Ordering::Relaxed);
        Duration::from_millis(self.ms(now).saturating_sub(last)) > QUEUE_STOOD_LIFE
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
    fn patience_ends_when_batches_go_on_serving_some_only() {
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
    fn a_queue_that_stood_before_it_was_left_alone_is_forgotten() {
        let start = clock::instant();
        let (patience, at) = (Patience::new(start), |ms| start + Duration::from_millis(ms));
        let (stands, life) = (
            QUEUE_STANDS_AFTER.as_millis() as u64 + 1,
            QUEUE_STOOD_LIFE.as_millis() as u64,
        );
        patience.taken(at(0), false);
        patience.taken(at(stands), false);
        assert!(patience.stands(at(stands + life)));
        let later = stands + life + 1;
        assert_eq!(patience.at(at(later)), QUEUE_WAIT_MAX);
        patience.taken(at(later), false);
        assert!(
            !patience.stands(at(later + 1)),
            "it stands only from then on"
        );
        patience.taken(at(later + stands), false);
        assert!(patience.stands(at(later + stands)));
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
