//! A waiting room under a crowd: people join, poll when told to, leave, cheat, and reserve once they are admitted; then everything
//! that they were told is held against each other, Redis and the books.
//!
//! [`crowd`] says who comes, [`person`] what one does next, [`street`] carries them, [`watch`] looks on and breaks things,
//! [`judge`] counts what is wrong, [`figures`] what happened. [`run()`] puts them together; [`forge`] tries false tickets.

pub mod view;

pub mod crowd;
pub mod person;
pub mod street;
pub mod watch;

pub mod eta;
pub mod figures;
pub mod judge;
pub mod order;

mod drawn;
mod numbers;

pub mod forge;

mod run;
mod salvo;

use std::time::Duration;

use crate::plan::Offer;

pub use run::run;

/// One run.
#[derive(Debug, Clone)]
pub struct LinePlan {
    pub offer: Offer,
    pub people: u32,
    /// Share that comes before the sale opens.
    pub early: f64,
    /// Share that goes away without a word while it waits.
    pub leavers: f64,
    /// People, of all, who are bots.
    pub bots: u32,
    /// How long people arrive, before the opening and again after it.
    pub arriving: Duration,
    pub trouble: Trouble,
    pub engines: usize,
    /// Keep-alive connections to all engines together.
    pub connections: usize,
    pub seed: u64,
}

/// What breaks while the line moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Redis is emptied.
    RedisLost,
    /// Redis stands still for a while, and everyone asks again.
    RedisHangs,
    /// The first engine is killed.
    EngineKilled,
}

impl Trouble {
    /// In words, if there is any.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Trouble::None => None,
            Trouble::RedisLost => Some("redis emptied"),
            Trouble::RedisHangs => Some("redis stood still"),
            Trouble::EngineKilled => Some("an engine killed"),
        }
    }
}

impl LinePlan {
    pub fn early_people(&self) -> u32 {
        (f64::from(self.people) * self.early).round() as u32
    }
}

#[cfg(test)]
mod tests;
