//! How seldom a sale may be looked at: pure.

use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::gate::reads::Backlog;

use crate::limits::{LOOKS_PER_SECOND_MAX, REST_AFTER, REST_AFTER_REBUILD};

/// Whether nobody can buy any more: closed, or its window has ended by any clock. With nothing left to write, no hold left to end and
/// no payment under way (`Gate::orders` counts both), only staff can still change it.
pub(super) fn is_over(backlog: &Backlog) -> bool {
    let after_ms = backlog
        .closes_ms
        .saturating_add(REST_AFTER.as_millis() as u64);
    backlog.events() == 0 && (backlog.is_closed || clock::now_ms() > after_ms)
}

/// Until when a sale is not to rest for having been rebuilt: a generation that was not `before`, the last one seen with that time, is new,
/// and only the first was not rebuilt.
pub(super) fn awake_until(before: Option<(u32, Instant)>, epoch: u32, now: Instant) -> Instant {
    match before {
        Some((seen, until)) if seen == epoch => until,
        _ if epoch > 1 => now + REST_AFTER_REBUILD,
        _ => now,
    }
}

/// Between two looks at a sale without backlog, where there are `sales`.
pub(super) fn pause(sales: usize) -> Duration {
    Duration::from_micros(sales as u64 * 1_000_000 / LOOKS_PER_SECOND_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(is_closed: bool, closes_ms: u64, seq: u64) -> Backlog {
        Backlog {
            epoch: 1,
            run_id: "r".into(),
            seq,
            flushed_seq: 5,
            bytes: 0,
            is_closed,
            closes_ms,
        }
    }

    #[test]
    fn a_sale_is_over_once_it_is_closed_or_long_past_and_in_the_books() {
        let now_ms = clock::now_ms();
        assert!(is_over(&backlog(true, now_ms + 60_000, 5)));
        assert!(!is_over(&backlog(true, now_ms + 60_000, 6)));
        assert!(
            !is_over(&backlog(false, now_ms - 60_000, 5)),
            "clocks differ"
        );
        assert!(is_over(&backlog(false, now_ms - 180_000, 5)));
    }

    #[test]
    fn a_rebuilt_sale_stays_awake_for_its_receipts() {
        let now = clock::instant();
        let later = now + Duration::from_secs(1);
        assert_eq!(awake_until(None, 1, now), now);
        let until = now + REST_AFTER_REBUILD;
        assert_eq!(awake_until(Some((1, now)), 2, now), until);
        assert_eq!(awake_until(Some((2, until)), 2, later), until);
        assert_eq!(awake_until(None, 3, now), until, "nobody knows since when");
    }

    #[test]
    fn many_sales_share_the_looks() {
        assert_eq!(pause(1_000), Duration::from_millis(200));
        assert!(pause(1) < Duration::from_millis(1));
    }
}
