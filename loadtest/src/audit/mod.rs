//! Holds what clients were told against what Redis and MySQL say, and counts what is wrong. All of it zero, or the run failed.
//!
//! The judgement is a pure function of three facts, gathered by [`redis`], [`store`] and the run itself. The rule behind
//! it: whatever was answered with yes is there, and nothing is there that was neither answered with yes nor left open.
//!
//! - `oversold`: units in buyers' hands above what was stocked, per sku the worst of Redis, the books, the clients, and any
//!   moment of the journal.
//! - `undersold`: units left at the end that someone was refused as sold out although the journal has them on sale, enough
//!   for that request, all the time from a second before it was sent until it was answered.
//! - `lost`: acceptances told to a client whose reservation is missing in Redis or in MySQL.
//! - `phantom`: reservations there that no client asked for, or whose client was told no and left no request open.
//! - `duplicated`: keys with two outcomes, ids or numbers that two reservations share, gaps and repeats in the journal.
//! - `limit_breaches`: users who at some moment had more units of a sku than one user may have.
//! - `differences`: fields in which clients, Redis and MySQL contradict each other, and sums that do not add up.

pub mod facts;

pub mod ledger;

mod clients;
mod stock;
mod stores;

pub mod line;
pub mod money;
pub mod redis;
pub mod settle;
pub mod store;

use std::iter::Sum;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::limits::FINDINGS_KEPT_MAX;
use facts::{Books, LiveState};
use ledger::Ledger;

/// The audit numbers, as the contract names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    pub oversold: u64,
    pub undersold: u64,
    pub lost: u64,
    pub phantom: u64,
    pub duplicated: u64,
    pub limit_breaches: u64,
    pub differences: u64,
}

/// Which number something counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    Oversold,
    Undersold,
    Lost,
    Phantom,
    Duplicated,
    LimitBreaches,
    Differences,
}

/// Something wrong, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub wrong: Wrong,
    pub count: u64,
    pub text: String,
}

/// All that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub numbers: Numbers,
    /// The first of them in words.
    pub findings: Vec<Finding>,
}

impl Numbers {
    pub fn are_zero(&self) -> bool {
        *self == Self::default()
    }

    /// With their names, in the contract's order.
    pub fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("oversold", self.oversold),
            ("undersold", self.undersold),
            ("lost", self.lost),
            ("phantom", self.phantom),
            ("duplicated", self.duplicated),
            ("limit_breaches", self.limit_breaches),
            ("differences", self.differences),
        ]
    }

    fn of(&mut self, wrong: Wrong) -> &mut u64 {
        match wrong {
            Wrong::Oversold => &mut self.oversold,
            Wrong::Undersold => &mut self.undersold,
            Wrong::Lost => &mut self.lost,
            Wrong::Phantom => &mut self.phantom,
            Wrong::Duplicated => &mut self.duplicated,
            Wrong::LimitBreaches => &mut self.limit_breaches,
            Wrong::Differences => &mut self.differences,
        }
    }
}

impl AddAssign for Numbers {
    fn add_assign(&mut self, other: Self) {
        let Self {
            oversold,
            undersold,
            lost,
            phantom,
            duplicated,
            limit_breaches,
            differences,
        } = other;
        self.oversold += oversold;
        self.undersold += undersold;
        self.lost += lost;
        self.phantom += phantom;
        self.duplicated += duplicated;
        self.limit_breaches += limit_breaches;
        self.differences += differences;
    }
}

impl Sum for Numbers {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, numbers| {
            sum += numbers;
            sum
        })
    }
}

impl Verdict {
    /// Counts one thing that is wrong.
    fn note(&mut self, wrong: Wrong, text: impl FnOnce() -> String) {
        self.note_many(wrong, 1, text);
    }

    fn note_many(&mut self, wrong: Wrong, count: u64, text: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        *self.numbers.of(wrong) += count;
        if self.findings.len() < FINDINGS_KEPT_MAX {
            self.findings.push(Finding {
                wrong,
                count,
                text: text(),
            });
        }
    }

    /// Notes where two say something else about the same thing.
    fn compare<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: impl FnOnce() -> String,
        one: &T,
        other: &T,
    ) {
        if one != other {
            self.note(Wrong::Differences, || {
                format!("{}: {one:?} against {other:?}", what())
            });
        }
    }
}

/// Judges a run that has come to rest.
///
/// # Errors
/// If the history itself is not one, as a file that was tampered with.
pub fn judge(
    history: &History,
    live: &LiveState,
    books: &Books,
) -> anyhow::Result<(Verdict, Ledger)> {
    let mut verdict = Verdict::default();
    let ledger = ledger::replay(books, &mut verdict);
    stores::compare(live, books, &ledger, &mut verdict);
    let claims = clients::examine(
        history,
        &clients::Stores {
            live,
            books,
            ledger: &ledger,
        },
        &mut verdict,
    )?;
    stock::oversold(live, books, &ledger, &claims, &mut verdict);
    stock::undersold(history, &ledger, live, &mut verdict);
    Ok((verdict, ledger))
}

/// Judges what Redis and MySQL say alone, where no client was told anything.
pub fn judge_stores(live: &LiveState, books: &Books) -> Verdict {
    let mut verdict = Verdict::default();
    let ledger = ledger::replay(books, &mut verdict);
    stores::compare(live, books, &ledger, &mut verdict);
    verdict
}

#[cfg(test)]
pub(crate) mod tests;
