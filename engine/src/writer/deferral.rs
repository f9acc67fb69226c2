//! Lets the books of a sale lag while buyers keep this process busy, up to a time and a number of events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use doorbuster_core::ids::LiveId;

use crate::limits::{DEFERRED_EVENTS_MAX, LAG_GRACE};
use crate::pressure::Pressure;

/// Since when each sale's events wait.
#[derive(Debug)]
pub(super) struct Deferral {
    pressure: Arc<Pressure>,
    lag_max: Duration,
    events_max: u64,
    since: Mutex<HashMap<LiveId, Instant>>,
}

impl Deferral {
    /// `backlog_max`: events at which buyers are shed.
    pub(super) fn new(pressure: Arc<Pressure>, lag_max: Duration, backlog_max: u64) -> Self {
        Self {
            pressure,
            lag_max,
            events_max: DEFERRED_EVENTS_MAX.min(backlog_max / 2),
            since: Mutex::default(),
        }
    }

    /// Whether `events` of `live` may go on waiting at `now`, while the books lag by `lag`: those that lag too far from an earlier rush
    /// are not let wait for the length of another.
    pub(super) fn defers(&self, live: &LiveId, events: u64, lag: Duration, now: Instant) -> bool {
        if lag > self.lag_max {
            return false;
        }
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if self.lag_max.is_zero() || events == 0 || !self.pressure.is_high() {
            since.remove(live);
            return false;
        }
        let began = *since.entry(live.clone()).or_insert(now);
        events < self.events_max && now.saturating_duration_since(began) < self.lag_max
    }

    /// The books of all sales lag by at most `lag`; `written` says that they can be written at all: without MySQL buyers are
    /// served until the backlog is full, and not slowed for nothing.
    pub(super) fn lagged(&self, lag: Duration, written: bool) {
        let beyond = if written {
            lag.saturating_sub(self.lag_max + LAG_GRACE)
        } else {
            Duration::ZERO
        };
        self.pressure.books_lag(beyond);
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::clock;
    use doorbuster_core::ids::SaleId;

    use super::*;
    use crate::limits::{LAG_SLOWING, PACE_MAX, PRESSED_BATCH_REQUESTS};

    const NONE: Duration = Duration::ZERO;

    #[test]
    fn books_lag_under_pressure_for_a_time_and_a_number_of_events() {
        let (live, now) = (LiveId::Sale(SaleId::parse("s").unwrap()), clock::instant());
        let pressure = Arc::new(Pressure::default());
        let deferral = Deferral::new(Arc::clone(&pressure), Duration::from_secs(5), u64::MAX);
        assert!(!deferral.defers(&live, 9, NONE, now), "nobody is busy");
        pressure.batch(PRESSED_BATCH_REQUESTS);
        assert!(deferral.defers(&live, 9, NONE, now));
        assert!(deferral.defers(&live, 9, NONE, now + Duration::from_secs(4)));
        assert!(!deferral.defers(&live, 9, NONE, now + Duration::from_secs(5)));
        assert!(!deferral.defers(&live, DEFERRED_EVENTS_MAX, NONE, now));
        assert!(
            !deferral.defers(&live, 9, Duration::from_secs(6), now),
            "an earlier rush is not in the books yet"
        );
        assert!(
            !deferral.defers(&live, 0, NONE, now),
            "nothing waits any more"
        );
        assert!(deferral.defers(&live, 9, NONE, now + Duration::from_secs(6)));
        let small = Deferral::new(Arc::clone(&pressure), Duration::from_secs(5), 18);
        assert!(
            !small.defers(&live, 9, NONE, now),
            "half of what sheds buyers"
        );
        let never = Deferral::new(pressure, Duration::ZERO, u64::MAX);
        assert!(!never.defers(&live, 9, NONE, now));
    }

    #[test]
    fn buyers_are_slowed_past_the_grace_and_not_for_books_that_cannot_be_written() {
        let pressure = Arc::new(Pressure::default());
        let deferral = Deferral::new(Arc::clone(&pressure), Duration::from_secs(5), u64::MAX);
        deferral.lagged(Duration::from_secs(5) + LAG_GRACE, true);
        assert_eq!(pressure.pace(), Duration::ZERO);
        deferral.lagged(Duration::from_secs(5) + LAG_GRACE + LAG_SLOWING, true);
        assert_eq!(pressure.pace(), PACE_MAX);
        deferral.lagged(Duration::from_secs(60), false);
        assert_eq!(pressure.pace(), Duration::ZERO);
    }
}
