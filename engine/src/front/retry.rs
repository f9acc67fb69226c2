//! When a client that was refused for now should come again, and why: the one place where `Retry-After` and the fields of
//! draft-ietf-httpapi-ratelimit-headers (10) are made.
//!
//! Spread in turn, not at random: of those who are refused together equally many return in each of the seconds, whoever they are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use super::limit::Policy;
use crate::limits::{RETRY_AFTER_MIN_S, RETRY_SPREAD_LOAD_S, RETRY_SPREAD_RATE_S};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// To one who is past a rate: which it is, and that nothing of it is left until then. Said only here, where it has run out: on every
/// answer they would be two more texts to make and to send, on the way that must be short.
pub(super) fn past_rate(headers: &mut HeaderMap, wait: Duration, policy: Policy) {
    let seconds = after(wait, RETRY_SPREAD_RATE_S);
    headers.insert(RETRY_AFTER, seconds.into());
    let Policy {
        name, per_second, ..
    } = policy;
    let fields = [
        (RATELIMIT_POLICY, format!("\"{name}\";q={per_second};w=1")),
        (RATELIMIT, format!("\"{name}\";r=0;t={seconds}")),
    ];
    for (field, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(field, value);
        }
    }
}

/// To one who asks for a place too often: each has a time of one's own already, so nothing is spread.
pub(super) fn too_early(headers: &mut HeaderMap, wait: Duration) {
    headers.insert(RETRY_AFTER, whole_seconds(wait).into());
}

/// To one who met what is too much, or broken, for all.
pub(super) fn overloaded(headers: &mut HeaderMap) {
    headers.insert(RETRY_AFTER, overload_s().into());
}

/// The same for an answer that is written by hand.
pub(super) fn overload_s() -> u64 {
    after(Duration::ZERO, RETRY_SPREAD_LOAD_S)
}

/// Whole seconds, no less than `wait`, and up to `spread` more.
fn after(wait: Duration, spread: u64) -> u64 {
    static TURN: AtomicU64 = AtomicU64::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed) % (spread + 1);
    whole_seconds(wait).max(RETRY_AFTER_MIN_S) + turn
}

/// Rounded up.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_announced_in_whole_seconds_rounded_up() {
        for (ms, seconds) in [(1, 1), (999, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(ms)), seconds);
        }
    }

    #[test]
    fn nobody_is_called_too_early_and_not_all_at_once() {
        let said: Vec<u64> = (0..300)
            .map(|_| after(Duration::from_millis(1_500), 2))
            .collect();
        for seconds in 2..=4 {
            let so_many = said.iter().filter(|s| **s == seconds).count();
            assert!((50..=150).contains(&so_many), "{seconds} s: {so_many}");
        }
        assert!(said.iter().all(|s| (2..=4).contains(s)));
        assert_eq!(after(Duration::ZERO, 0), RETRY_AFTER_MIN_S);
    }
}
