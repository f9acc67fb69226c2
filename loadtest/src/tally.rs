//! Counts while a run is under way, for the progress line. The results are counted anew from the histories.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::history::Answer;

/// Counters that all users share.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
    cancelled: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests on the wire, repetitions included.
    pub sent: u64,
    pub accepted: u64,
    pub refused: u64,
    /// Errands whose user gave up.
    pub unanswered: u64,
    pub cancelled: u64,
}

impl Tally {
    pub fn count_sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_cancelled(&self) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an errand by what it was told in the end.
    pub fn count(&self, verdict: Option<&Answer>) {
        let counter = match verdict {
            Some(answer) if answer.is_acceptance() => &self.accepted,
            Some(_) => &self.refused,
            None => &self.unanswered,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            sent: read(&self.sent),
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            unanswered: read(&self.unanswered),
            cancelled: read(&self.cancelled),
        }
    }
}
