//! How far the books of a sale are behind: the age of the last look at Redis whose events they have all reached.
//!
//! By this machine's monotonic clock alone, so that no two clocks have to agree.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use doorbuster_core::ids::LiveId;

use crate::limits::{LAG_LOOK_EVERY, LAG_LOOKS_MAX};

/// The looks at each sale that the books have not reached yet.
#[derive(Debug, Default)]
pub(super) struct Lags(HashMap<LiveId, VecDeque<(Instant, u64)>>);

impl Lags {
    /// A look at `now` found the journal at `seq` and the books at `flushed`; returns how far these are behind.
    pub(super) fn look(&mut self, live: &LiveId, now: Instant, seq: u64, flushed: u64) -> Duration {
        if flushed >= seq {
            self.0.remove(live);
            return Duration::ZERO;
        }
        let ahead = self.0.entry(live.clone()).or_default();
        while ahead.front().is_some_and(|(_, seen)| *seen <= flushed) {
            ahead.pop_front();
        }
        // One that has seen nothing new would say nothing.
        let due = |last: &(Instant, u64)| {
            now.saturating_duration_since(last.0) >= LAG_LOOK_EVERY && seq > last.1
        };
        if ahead.len() < LAG_LOOKS_MAX && ahead.back().is_none_or(due) {
            ahead.push_back((now, seq));
        }
        ahead
            .front()
            .map_or(Duration::ZERO, |(at, _)| now.saturating_duration_since(*at))
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::clock;
    use doorbuster_core::ids::SaleId;

    use super::*;

    #[test]
    fn the_lag_is_the_age_of_the_oldest_look_that_the_books_have_not_reached() {
        let (live, start) = (LiveId::Sale(SaleId::parse("s").unwrap()), clock::instant());
        let mut lags = Lags::default();
        let mut look = |s, seq, flushed| {
            let now = start + Duration::from_secs(s);
            lags.look(&live, now, seq, flushed).as_secs()
        };
        assert_eq!(look(1, 10, 0), 0);
        assert_eq!(look(2, 20, 0), 1);
        assert_eq!(look(3, 30, 10), 1);
        assert_eq!(look(4, 40, 25), 1);
        assert_eq!(look(5, 40, 40), 0);
        assert_eq!(look(6, 50, 40), 0);
    }
}
