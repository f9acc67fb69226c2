//! Holds the provider's list against orders, orders against reservations, and both against what buyers were told.
//!
//! Like the audit of units, a pure function of facts. The rule behind it: every won that the provider took is either for an order that is paid, or has
//! gone back in full; every hold ends once; whatever a buyer was told of his order is so.
//!
//! - `unsettled`: captures whose order is neither paid nor refunded in full, or is both.
//! - `overcharged`: orders charged more than once, or another amount than was asked for, or refunded more than was captured.
//! - `stuck`: orders and refunds that have not come to an end, those that wait for a person included.
//! - `lost`: orders told to a buyer that the books do not have, or that say something worse now.
//! - `phantom`: captures of no order, orders of no hold, orders under one key with two ids.
//! - `misposted`: events that are not in the ledger once, postings that do not sum to 0 or have no event, and what they come to where the provider
//!   says otherwise, or something of an order that has ended is open.
//! - `differences`: fields in which provider, books, live sale and buyers contradict each other.

pub mod facts;
mod judge;
mod ledger;
pub mod provider;
pub mod source;
pub mod store;

use std::iter::Sum;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

pub use judge::judge;

use crate::limits::FINDINGS_KEPT_MAX;

/// The numbers of money; all zero, or the run failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyNumbers {
    pub unsettled: u64,
    pub overcharged: u64,
    pub stuck: u64,
    pub lost: u64,
    pub phantom: u64,
    /// Absent in what an older harness wrote.
    #[serde(default)]
    pub misposted: u64,
    pub differences: u64,
}

/// All that is wrong, and the first of it in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub numbers: MoneyNumbers,
    pub findings: Vec<String>,
}

impl MoneyNumbers {
    pub fn are_zero(&self) -> bool {
        *self == Self::default()
    }

    pub fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("unsettled", self.unsettled),
            ("overcharged", self.overcharged),
            ("stuck", self.stuck),
            ("lost", self.lost),
            ("phantom", self.phantom),
            ("misposted", self.misposted),
            ("differences", self.differences),
        ]
    }
}

impl AddAssign for MoneyNumbers {
    fn add_assign(&mut self, other: Self) {
        self.unsettled += other.unsettled;
        self.overcharged += other.overcharged;
        self.stuck += other.stuck;
        self.lost += other.lost;
        self.phantom += other.phantom;
        self.misposted += other.misposted;
        self.differences += other.differences;
    }
}

impl Sum for MoneyNumbers {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, numbers| {
            sum += numbers;
            sum
        })
    }
}

impl Verdict {
    fn note(&mut self, number: fn(&mut MoneyNumbers) -> &mut u64, text: impl FnOnce() -> String) {
        *number(&mut self.numbers) += 1;
        if self.findings.len() < FINDINGS_KEPT_MAX {
            self.findings.push(text());
        }
    }
}

#[cfg(test)]
mod tests;
