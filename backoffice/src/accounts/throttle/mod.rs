//! How often something may be tried: per account, per account from one address, and per address. Kept in MySQL, so that it holds over all
//! back-offices and their restarts.
//!
//! An attempt is counted before it is looked at, so that many at once are not more than a few; one that succeeds is taken back. Past the free ones each
//! waits twice as long as the one before. A stranger who fails on purpose cannot keep somebody from his account for long: from any one place the wait
//! grows to [`PAIR`]'s cap, for the account as a whole only to [`ACCOUNT`]'s.

mod store;

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sha2::{Digest as _, Sha256};
use sqlx::mysql::MySqlPool;

use super::email::Email;
use crate::error::ApiError;
use crate::limits::{
    THROTTLE_ACCOUNT_FREE, THROTTLE_ACCOUNT_WAIT_MAX, THROTTLE_ADDRESS_FREE,
    THROTTLE_ADDRESS_REFILL, THROTTLE_MAIL_FREE, THROTTLE_PAIR_FREE, THROTTLE_PERSON_REFILL,
    THROTTLE_WAIT_MAX,
};

pub(crate) use store::sweep;

/// What a kind of attempt may cost.
#[derive(Debug, Clone, Copy)]
struct Rule {
    kind: &'static str,
    /// Failures that cost nothing.
    free: u32,
    /// After so long one failure is held against nobody any more.
    refill: Duration,
    wait_max: Duration,
}

/// Guesses at one account from one place.
const PAIR: Rule = Rule {
    kind: "pair",
    free: THROTTLE_PAIR_FREE,
    refill: THROTTLE_PERSON_REFILL,
    wait_max: THROTTLE_WAIT_MAX,
};
/// Guesses at one account from anywhere.
const ACCOUNT: Rule = Rule {
    kind: "account",
    free: THROTTLE_ACCOUNT_FREE,
    refill: THROTTLE_ACCOUNT_WAIT_MAX,
    wait_max: THROTTLE_ACCOUNT_WAIT_MAX,
};
/// Anything from one place.
const ADDRESS: Rule = Rule {
    kind: "address",
    free: THROTTLE_ADDRESS_FREE,
    refill: THROTTLE_ADDRESS_REFILL,
    wait_max: THROTTLE_WAIT_MAX,
};
/// Mails to one mailbox.
const MAIL: Rule = Rule {
    kind: "mail",
    free: THROTTLE_MAIL_FREE,
    refill: THROTTLE_PERSON_REFILL,
    wait_max: THROTTLE_WAIT_MAX,
};

/// One thing that is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    rule: Rule,
    hash: [u8; 32],
}

impl Subject {
    fn new(rule: Rule, value: &str) -> Self {
        let hash = Sha256::digest(format!("{}|{value}", rule.kind)).into();
        Self { rule, hash }
    }
}

/// What an attempt to sign in as `email` from `address` counts for.
pub(crate) fn sign_in(email: &Email, address: IpAddr) -> Vec<Subject> {
    let place = place(address);
    vec![
        Subject::new(PAIR, &format!("{}|{place}", email.as_str())),
        Subject::new(ACCOUNT, email.as_str()),
        Subject::new(ADDRESS, &place),
    ]
}

/// What a request from `address` counts for that makes us work or write.
pub(crate) fn request(address: IpAddr) -> Vec<Subject> {
    vec![Subject::new(ADDRESS, &place(address))]
}

/// What a mail to `email` counts for.
pub(crate) fn mail(email: &Email) -> Vec<Subject> {
    vec![Subject::new(MAIL, email.as_str())]
}

/// A household has a /64 of IPv6, and all of it is one place.
fn place(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x}", address.to_bits() >> 64),
    }
}

/// Counts an attempt, if it may be made now.
///
/// # Errors
/// [`ApiError::RateLimited`] where it may not; nothing is counted then.
pub(crate) async fn admit(books: &MySqlPool, mut subjects: Vec<Subject>) -> Result<(), ApiError> {
    // In one order everywhere, so that two attempts never wait for each other.
    subjects.sort_by_key(|subject| subject.hash);
    let now = clock::now();
    let mut tx = books.begin().await?;
    for subject in &subjects {
        let row = store::lock(&mut tx, &subject.hash, now).await?;
        if row.blocked_until > now {
            let wait = (row.blocked_until - now).to_std().unwrap_or_default();
            return Err(ApiError::RateLimited {
                wait_s: wait.as_secs() + 1,
            });
        }
        let (failures, failed_at) = row.left_at(now, subject.rule.refill);
        let counted = Row {
            failures: failures.saturating_add(1),
            failed_at,
            blocked_until: now + wait_after(subject.rule, failures.saturating_add(1)),
        };
        store::count(&mut tx, &subject.hash, counted).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Takes back what a successful attempt was counted for: of its account all, of its place this one.
pub(crate) async fn forgive(books: &MySqlPool, subjects: &[Subject]) -> sqlx::Result<()> {
    for subject in subjects {
        match subject.rule.kind {
            "address" => store::take_back_one(books, &subject.hash).await?,
            _ => store::forget(books, &subject.hash).await?,
        }
    }
    Ok(())
}

fn wait_after(rule: Rule, failures: u32) -> Duration {
    let Some(past) = failures.checked_sub(rule.free) else {
        return Duration::ZERO;
    };
    Duration::from_secs(1_u64.checked_shl(past).unwrap_or(u64::MAX)).min(rule.wait_max)
}

/// What is known of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    failures: u32,
    /// From here on the failures wear off, one after the other.
    failed_at: DateTime<Utc>,
    blocked_until: DateTime<Utc>,
}

impl Row {
    /// The failures that have not worn off by `now`, and from where on those wear off.
    fn left_at(&self, now: DateTime<Utc>, refill: Duration) -> (u32, DateTime<Utc>) {
        let passed = (now - self.failed_at).to_std().unwrap_or_default();
        let worn = u32::try_from(passed.as_secs() / refill.as_secs().max(1)).unwrap_or(u32::MAX);
        match self.failures.checked_sub(worn) {
            Some(left) if left > 0 => (left, self.failed_at + refill * worn),
            _ => (0, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_past_the_free_attempts_and_end_at_the_cap() {
        let waits = |rule: Rule, range: std::ops::RangeInclusive<u32>| -> Vec<u64> {
            range.map(|n| wait_after(rule, n).as_secs()).collect()
        };
        let free = PAIR.free;
        assert_eq!(waits(PAIR, 1..=free - 1), vec![0; free as usize - 1]);
        assert_eq!(waits(PAIR, free..=free + 3), [1, 2, 4, 8]);
        assert_eq!(wait_after(PAIR, free + 63), THROTTLE_WAIT_MAX);
        assert_eq!(wait_after(PAIR, u32::MAX), THROTTLE_WAIT_MAX);
        assert_eq!(wait_after(ACCOUNT, u32::MAX), THROTTLE_ACCOUNT_WAIT_MAX);
    }

    #[test]
    fn failures_wear_off_one_by_one_also_under_a_steady_trickle() {
        let start = doorbuster_core::clock::from_ms(1_700_000_000_000);
        let row = Row {
            failures: 3,
            failed_at: start,
            blocked_until: start,
        };
        let left = |s: i64| {
            row.left_at(
                start + chrono::Duration::seconds(s),
                Duration::from_secs(10),
            )
        };
        assert_eq!(left(9), (3, start));
        assert_eq!(left(25), (1, start + chrono::Duration::seconds(20)));
        assert_eq!(left(30), (0, start + chrono::Duration::seconds(30)));
        assert_eq!(left(-5).0, 3);
    }

    #[test]
    fn a_place_is_an_address_or_a_household() {
        for listened in ["1.2.3.4", "::ffff:1.2.3.4"] {
            assert_eq!(place(listened.parse().unwrap()), "1.2.3.4");
        }
        let [one, two, other] = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::", "2001:db8:0:2::1"]
            .map(|address| place(address.parse().unwrap()));
        assert_eq!(one, two);
        assert_ne!(one, other);
    }

    #[test]
    fn subjects_of_different_kinds_are_different_and_name_nobody() {
        let email = Email::parse("ann@shop.example").unwrap();
        let subjects = sign_in(&email, "1.2.3.4".parse().unwrap());
        assert_ne!(subjects[0].hash, subjects[1].hash);
        assert_ne!(mail(&email)[0].hash, subjects[1].hash);
        assert!(!format!("{subjects:?}").contains("ann"));
    }
}
