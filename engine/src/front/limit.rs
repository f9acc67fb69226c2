//! Rate limits: per user and in all. Refused at once, never queued.
//!
//! Users fall into a fixed number of buckets by a keyed hash, so memory is bounded by construction and nobody can
//! choose whose bucket to share.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use doorbuster_core::ids::UserId;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use metrics::counter;

use super::problem::Refusal;
use crate::limits::USER_BUCKETS;
use crate::metrics as names;

/// Both limits; either may be off.
#[derive(Debug)]
pub struct Limiter {
    total: Option<DefaultDirectRateLimiter>,
    users: Option<DefaultKeyedRateLimiter<u64>>,
    bucket: RandomState,
    clock: DefaultClock,
}

impl Limiter {
    /// Requests a second, with bursts of twice that; 0 turns a limit off.
    pub(crate) fn new(per_user: u32, total: u32) -> Self {
        let quota = |per_second: u32| {
            let rate = NonZeroU32::new(per_second)?;
            Some(Quota::per_second(rate).allow_burst(rate.saturating_mul(TWICE)))
        };
        Self {
            total: quota(total).map(RateLimiter::direct),
            users: quota(per_user).map(RateLimiter::keyed),
            bucket: RandomState::new(),
            clock: DefaultClock::default(),
        }
    }

    pub(crate) fn check_total(&self) -> Result<(), Refusal> {
        let Some(total) = &self.total else {
            return Ok(());
        };
        total.check().map_err(|not_until| {
            counter!(names::SHED, "reason" => "rate_total").increment(1);
            Refusal::RateLimited {
                wait: not_until.wait_time_from(self.clock.now()),
            }
        })
    }

    pub(crate) fn check_user(&self, user: &UserId) -> Result<(), Refusal> {
        let Some(users) = &self.users else {
            return Ok(());
        };
        let bucket = self.bucket.hash_one(user.as_str()) % USER_BUCKETS;
        users.check_key(&bucket).map_err(|not_until| {
            counter!(names::SHED, "reason" => "rate_user").increment(1);
            Refusal::RateLimited {
                wait: not_until.wait_time_from(self.clock.now()),
            }
        })
    }

    /// Forgets users at rest: the library's map only grows.
    pub(crate) fn purge(&self) {
        if let Some(users) = &self.users {
            users.retain_recent();
            users.shrink_to_fit();
        }
    }
}

const TWICE: NonZeroU32 = NonZeroU32::new(2).expect("two is not zero");

/// Whole seconds to announce for a wait, at least one.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    #[test]
    fn a_user_gets_a_burst_of_twice_the_rate_and_others_are_not_touched() {
        let limiter = Limiter::new(5, 0);
        let passed = (0..20)
            .filter(|_| limiter.check_user(&user("ann")).is_ok())
            .count();
        assert_eq!(passed, 10);
        assert!(limiter.check_user(&user("bob")).is_ok());
        assert!(matches!(
            limiter.check_user(&user("ann")),
            Err(Refusal::RateLimited { .. })
        ));
    }

    #[test]
    fn the_total_is_shared_by_all() {
        let limiter = Limiter::new(0, 5);
        assert_eq!(
            (0..20).filter(|_| limiter.check_total().is_ok()).count(),
            10
        );
        assert!(limiter.check_user(&user("ann")).is_ok());
    }

    #[test]
    fn zero_is_off() {
        let limiter = Limiter::new(0, 0);
        assert!(
            (0..1_000)
                .all(|_| limiter.check_total().is_ok() && limiter.check_user(&user("ann")).is_ok())
        );
    }

    #[test]
    fn waits_are_announced_in_whole_seconds_rounded_up() {
        for (ms, seconds) in [(1, 1), (999, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(ms)), seconds);
        }
    }
}
