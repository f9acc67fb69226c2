//! How long a request may wait in a queue before it is shed instead of served.
//!
//! A queue that is emptied now and then is doing its work: a pause of Redis makes it long for a moment, and everybody in
//! it is served late rather than sent away. A queue that has not been empty for a while is overload: those who waited
//! longer than a moment are sent away at once, so that those who are served are served soon, and the work done is not
//! for people who have left (controlled delay: Nichols & Jacobson, RFC 8289; for servers, Maurer, ACM Queue 13(8)).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::limits::{QUEUE_STANDS_AFTER, QUEUE_WAIT_MAX, QUEUE_WAIT_STANDING_MAX};

/// Knows when the queue was last empty.
#[derive(Debug)]
pub(super) struct Patience {
    since: Instant,
    /// In ms since `since`.
    emptied: AtomicU64,
}

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            emptied: AtomicU64::new(0),
        }
    }

    /// The queue is empty now.
    pub(super) fn emptied(&self, now: Instant) {
        self.emptied.store(self.ms(now), Ordering::Relaxed);
    }

    /// How long a request may have waited by now.
    pub(super) fn at(&self, now: Instant) -> Duration {
        let full_for = self
            .ms(now)
            .saturating_sub(self.emptied.load(Ordering::Relaxed));
        if Duration::from_millis(full_for) > QUEUE_STANDS_AFTER {
            QUEUE_WAIT_STANDING_MAX
        } else {
            QUEUE_WAIT_MAX
        }
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
    fn patience_ends_when_the_queue_stands_and_returns_when_it_has_been_empty() {
        let start = clock::instant();
        let (patience, at) = (Patience::new(start), |ms| start + Duration::from_millis(ms));
        let stands = QUEUE_STANDS_AFTER.as_millis() as u64;
        assert_eq!(patience.at(at(stands)), QUEUE_WAIT_MAX);
        assert_eq!(patience.at(at(stands + 1)), QUEUE_WAIT_STANDING_MAX);
        patience.emptied(at(stands + 2));
        assert_eq!(patience.at(at(2 * stands)), QUEUE_WAIT_MAX);
        assert_eq!(patience.at(at(2 * stands + 3)), QUEUE_WAIT_STANDING_MAX);
    }
}
