//! How often something may be tried: per account, per account from one place, and per place. Kept in MySQL, so that it holds over all
//! back-offices and their restarts.
//!
//! An attempt is counted before it is looked at, so that many at once are not more than a few; one that succeeds is taken back. Past the free ones each
//! waits twice as long as the one before. A stranger who fails on purpose cannot keep somebody from his account for long: from any one place the wait
//! grows to [`PAIR`]'s cap, for the account as a whole only to [`ACCOUNT`]'s; and who comes from a place that the account is used from
//! ([`known`]) is not counted among strangers at all.

pub(crate) mod known;
mod store;

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use sha2::{Digest as _, Sha256};
use sqlx::mysql::MySqlPool;

use super::email::Email;
use crate::app::App;
use crate::error::ApiError;
use crate::limits::{
    THROTTLE_ACCOUNT_FREE, THROTTLE_ACCOUNT_WAIT_MAX, THROTTLE_MAIL_FREE, THROTTLE_PAIR_FREE,
    THROTTLE_PERSON_REFILL, THROTTLE_PLACE_FREE, THROTTLE_PLACE_REFILL, THROTTLE_SIGN_INS_FREE,
    THROTTLE_WAIT_MAX,
};
use crate::mail::Kind;

pub(crate) use store::{sweep, sweep_known};

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
/// Guesses at one account from anywhere but the places that are known.
const ACCOUNT: Rule = Rule {
    kind: "account",
    free: THROTTLE_ACCOUNT_FREE,
    refill: THROTTLE_ACCOUNT_WAIT_MAX,
    wait_max: THROTTLE_ACCOUNT_WAIT_MAX,
};
/// Anything from one place.
const PLACE: Rule = Rule {
    kind: "place",
    free: THROTTLE_PLACE_FREE,
    refill: THROTTLE_PLACE_REFILL,
    wait_max: THROTTLE_WAIT_MAX,
};
/// Sign-ins of one user that succeeded: each may end in a revocation, which every engine keeps for a day.
const SIGN_INS: Rule = Rule {
    kind: "sign_ins",
    free: THROTTLE_SIGN_INS_FREE,
    refill: THROTTLE_PERSON_REFILL,
    wait_max: THROTTLE_WAIT_MAX,
};
/// Mails of one kind to one mailbox.
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

/// What a password that is tried on the account of `email` from `ip` counts for, beside what any request does.
pub(crate) fn guess(email: &Email, ip: IpAddr, is_known: bool) -> Vec<Subject> {
    let mut subjects = vec![Subject::new(
        PAIR,
        &format!("{}|{}", email.as_str(), place(ip)),
    )];
    if !is_known {
        subjects.push(Subject::new(ACCOUNT, email.as_str()));
    }
    subjects
}

/// What a request from `ip` counts for that makes us work or write.
pub(crate) fn request(ip: IpAddr) -> Vec<Subject> {
    vec![Subject::new(PLACE, &place(ip))]
}

/// What a sign-in of this user counts for.
pub(crate) fn sign_in(user: &UserId) -> Vec<Subject> {
    vec![Subject::new(SIGN_INS, user.as_str())]
}

/// What a mail of this kind to `email` counts for; `known` is a place that the account is used from, which strangers can use up nothing of.
pub(crate) fn mail(kind: Kind, email: &Email, known: Option<IpAddr>) -> Vec<Subject> {
    let place = known.map(place).unwrap_or_default();
    vec![Subject::new(
        MAIL,
        &format!("{}|{}|{place}", kind.word(), email.as_str()),
    )]
}

/// A household has a /64 of IPv6, and all of it is one place.
fn place(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("{:x}", ip.to_bits() >> 64),
    }
}

/// Whether a password may be tried on the account of `email` from `ip` at all now; nothing is counted, and nobody waits for a row.
///
/// # Errors
/// [`ApiError::RateLimited`] where it may not.
pub(crate) async fn check(app: &App, email: &Email, ip: IpAddr) -> Result<(), ApiError> {
    let mut subjects = request(ip);
    subjects.extend(guess(email, ip, false));
    let now = clock::now();
    let hashes = subjects.iter().map(|subject| subject.hash);
    let blocked = store::blocked(&app.books, hashes, now).await?;
    for subject in &subjects {
        let found = blocked
            .iter()
            .find(|(hash, _)| hash[..] == subject.hash[..]);
        if let Some((_, until)) = found
            && (subject.rule.kind != ACCOUNT.kind || !known::is_known(app, email, ip).await?)
        {
            return Err(refused(*until, now));
        }
    }
    Ok(())
}

fn refused(until: DateTime<Utc>, now: DateTime<Utc>) -> ApiError {
    let wait = (until - now).to_std().unwrap_or_default();
    ApiError::RateLimited {
        wait_s: wait.as_secs() + 1,
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
            return Err(refused(row.blocked_until, now));
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

/// Counts a password that is tried on the account of `email` from `ip`, if it may be; what it was counted for.
///
/// # Errors
/// [`ApiError::RateLimited`] where it may not; nothing is counted then.
pub(crate) async fn count_guess(
    app: App,
    email: Email,
    ip: IpAddr,
) -> Result<Vec<Subject>, ApiError> {
    let mut counted = request(ip);
    let is_known = known::is_known(&app, &email, ip).await?;
    counted.extend(guess(&email, ip, is_known));
    admit(&app.books, counted.clone()).await?;
    Ok(counted)
}

/// Takes back what a successful attempt was counted for: of its account all, of its place this one.
pub(crate) async fn forgive(books: &MySqlPool, subjects: &[Subject]) -> sqlx::Result<()> {
    for subject in subjects {
        match subject.rule.kind {
            "place" => store::take_back_one(books, &subject.hash).await?,
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
    use std::collections::HashSet;

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
            .map(|ip| place(ip.parse().unwrap()));
        assert_eq!(one, two);
        assert_ne!(one, other);
    }

    #[test]
    fn subjects_of_different_kinds_are_different_and_name_nobody() {
        let email = Email::parse("ann@shop.example").unwrap();
        let ip = "1.2.3.4".parse().unwrap();
        let mut subjects = guess(&email, ip, false);
        for kind in [Kind::ConfirmEmail, Kind::ResetPassword] {
            subjects.extend(mail(kind, &email, None));
            subjects.extend(mail(kind, &email, Some(ip)));
        }
        let hashes: HashSet<[u8; 32]> = subjects.iter().map(|subject| subject.hash).collect();
        assert_eq!(hashes.len(), 6);
        assert_eq!(guess(&email, ip, true).len(), 1);
        assert!(!format!("{subjects:?}").contains("ann"));
    }
}
