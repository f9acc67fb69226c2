//! How many were told what, of one sale: one relaxed addition for each who asked for something. Called by the handlers that decide; taken once
//! a second by `tallies`, which adds it up in MySQL for those who watch.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::front::problem::Refusal;

/// What an answer is counted as: the first two are nearly all there are. What is none of these is the last.
const CODES: [&str; 18] = [
    "ok",
    "sold_out",
    "limit_reached",
    "not_admitted",
    "rate_limited",
    "overloaded",
    "backlog",
    "not_open",
    "paused",
    "closed",
    "recovering",
    "unavailable",
    "already_claimed",
    "idempotency_mismatch",
    "unknown_sku",
    "unauthorized",
    "invalid_request",
    "other",
];

/// Answers since they were last taken, by code.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; CODES.len()]);

impl Tally {
    pub(crate) fn note<T>(&self, answer: &Result<T, Refusal>) {
        self.count(match answer {
            Ok(_) => "ok",
            Err(refusal) => refusal.code(),
        });
    }

    pub(crate) fn count(&self, code: &str) {
        let place = CODES.iter().position(|known| *known == code);
        self.0[place.unwrap_or(CODES.len() - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted since the last time, and what was counted is gone.
    pub(crate) fn take(&self) -> Vec<(&'static str, u64)> {
        let counts = CODES.iter().zip(&self.0);
        let taken = counts.map(|(code, count)| (*code, count.swap(0, Ordering::Relaxed)));
        taken.filter(|(_, count)| *count > 0).collect()
    }

    /// What was taken could not be put anywhere.
    pub(crate) fn put_back(&self, code: &str, count: u64) {
        let place = CODES.iter().position(|known| *known == code);
        self.0[place.unwrap_or(CODES.len() - 1)].fetch_add(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_taken_once_and_can_be_put_back() {
        let tally = Tally::default();
        tally.note(&Ok(()));
        tally.note::<()>(&Err(Refusal::Paused));
        tally.note::<()>(&Err(Refusal::Paused));
        tally.note::<()>(&Err(Refusal::BodyTooSlow));
        let taken = tally.take();
        assert_eq!(taken, [("ok", 1), ("paused", 2), ("other", 1)]);
        assert_eq!(tally.take(), []);
        for (code, count) in &taken {
            tally.put_back(code, *count);
        }
        assert_eq!(tally.take(), taken);
    }
}
