//! Rate limits: in all, per address, per user and per sale. Refused at once, never queued.
//!
//! Whoever is counted falls into a fixed number of buckets by a keyed hash ([`super::buckets`]), so memory is bounded by construction and
//! nobody can choose whose bucket to share.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use doorbuster_core::address;
use doorbuster_core::ids::{LiveId, UserId};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use metrics::counter;

use super::buckets::{Bucket, Buckets};
use super::problem::Refusal;
use crate::metrics as names;

/// Requests a second of each kind; 0 turns a limit off.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    pub total: u32,
    pub per_address: u32,
    pub per_user: u32,
    /// Of reservations and claims.
    pub per_sale: u32,
}

/// What a limit allows, as those who are past it are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub name: &'static str,
    pub per_second: u32,
    /// As the metric of what is shed names it.
    reason: &'static str,
}

/// All limits; each may be off.
#[derive(Debug)]
pub struct Limiter {
    total: Option<Limit<DefaultDirectRateLimiter>>,
    addresses: Option<Limit<Keyed>>,
    users: Option<Limit<Keyed>>,
    sales: Option<Limit<Keyed>>,
    bucket: RandomState,
    clock: DefaultClock,
}

type Keyed = RateLimiter<Bucket, Buckets, DefaultClock>;

fn keyed(quota: Quota) -> Keyed {
    RateLimiter::new(quota, Buckets::default(), DefaultClock::default())
}

#[derive(Debug)]
struct Limit<L> {
    limiter: L,
    policy: Policy,
}

impl<L> Limit<L> {
    /// With bursts of twice the rate.
    fn new(
        name: &'static str,
        reason: &'static str,
        per_second: u32,
        limiter: fn(Quota) -> L,
    ) -> Option<Self> {
        let rate = NonZeroU32::new(per_second)?;
        let quota = Quota::per_second(rate).allow_burst(rate.saturating_mul(TWICE));
        Some(Self {
            limiter: limiter(quota),
            policy: Policy {
                name,
                per_second,
                reason,
            },
        })
    }
}

impl Limiter {
    pub(crate) fn new(rates: Rates) -> Self {
        Self {
            total: Limit::new("total", "rate_total", rates.total, RateLimiter::direct),
            addresses: Limit::new("address", "rate_address", rates.per_address, keyed),
            users: Limit::new("user", "rate_user", rates.per_user, keyed),
            sales: Limit::new("sale", "rate_sale", rates.per_sale, keyed),
            bucket: RandomState::new(),
            clock: DefaultClock::default(),
        }
    }

    pub(crate) fn check_total(&self) -> Result<(), Refusal> {
        let Some(total) = &self.total else {
            return Ok(());
        };
        total.limiter.check().map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            refused(total.policy, wait)
        })
    }

    /// `address` is found out only if there is a limit.
    pub(crate) fn check_address(&self, address: impl FnOnce() -> IpAddr) -> Result<(), Refusal> {
        match &self.addresses {
            None => Ok(()),
            Some(limit) => self.check(limit, address::network(address())),
        }
    }

    pub(crate) fn check_user(&self, user: &UserId) -> Result<(), Refusal> {
        match &self.users {
            None => Ok(()),
            Some(limit) => self.check(limit, user.as_str()),
        }
    }

    pub(crate) fn check_sale(&self, live: &LiveId) -> Result<(), Refusal> {
        match &self.sales {
            None => Ok(()),
            Some(limit) => self.check(limit, live),
        }
    }

    fn check(&self, limit: &Limit<Keyed>, whose: impl Hash) -> Result<(), Refusal> {
        let bucket = Bucket::of(self.bucket.hash_one(whose));
        limit.limiter.check_key(&bucket).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            refused(limit.policy, wait)
        })
    }
}

fn refused(policy: Policy, wait: Duration) -> Refusal {
    counter!(names::SHED, "reason" => policy.reason).increment(1);
    Refusal::RateLimited { wait, policy }
}

const TWICE: NonZeroU32 = NonZeroU32::new(2).expect("two is not zero");

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::{CouponId, SaleId};

    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn passed(mut check: impl FnMut() -> Result<(), Refusal>) -> usize {
        (0..20).filter(|_| check().is_ok()).count()
    }

    #[test]
    fn a_user_gets_a_burst_of_twice_the_rate_and_others_are_not_touched() {
        let limiter = Limiter::new(Rates {
            per_user: 5,
            ..Rates::default()
        });
        assert_eq!(passed(|| limiter.check_user(&user("ann"))), 10);
        assert!(limiter.check_user(&user("bob")).is_ok());
        let Err(Refusal::RateLimited { policy, .. }) = limiter.check_user(&user("ann")) else {
            panic!("ann is past her rate");
        };
        assert_eq!((policy.name, policy.per_second), ("user", 5));
    }

    #[test]
    fn an_address_is_a_host_of_four_bytes_or_a_network_of_eight() {
        let limiter = Limiter::new(Rates {
            per_address: 5,
            ..Rates::default()
        });
        let ask = |text: &str| limiter.check_address(|| text.parse().unwrap());
        assert_eq!(passed(|| ask("192.0.2.1")), 10);
        assert!(
            ask("::ffff:192.0.2.1").is_err(),
            "the same, written otherwise"
        );
        assert!(ask("192.0.2.2").is_ok());
        let mut host = 0;
        let within_one = || {
            host += 1;
            ask(&format!("2001:db8:0:1::{host:x}"))
        };
        assert_eq!(passed(within_one), 10);
        assert!(ask("2001:db8:0:2::1").is_ok());
    }

    #[test]
    fn a_sale_is_not_the_coupon_of_the_same_name() {
        let limiter = Limiter::new(Rates {
            per_sale: 5,
            ..Rates::default()
        });
        let sale = LiveId::Sale(SaleId::parse("drop").unwrap());
        assert_eq!(passed(|| limiter.check_sale(&sale)), 10);
        let coupon = LiveId::Coupon(CouponId::parse("drop").unwrap());
        assert!(limiter.check_sale(&coupon).is_ok());
    }

    #[test]
    fn the_total_is_shared_by_all() {
        let limiter = Limiter::new(Rates {
            total: 5,
            ..Rates::default()
        });
        assert_eq!(passed(|| limiter.check_total()), 10);
        assert!(limiter.check_user(&user("ann")).is_ok());
    }

    #[test]
    fn zero_is_off() {
        let limiter = Limiter::new(Rates::default());
        let address = || panic!("nobody asks for it");
        assert!((0..1_000).all(|_| limiter.check_total().is_ok()
            && limiter.check_user(&user("ann")).is_ok()
            && limiter.check_address(address).is_ok()));
    }
}
