//! What a replay has seen of each reservation, and what it may conclude from it: pure. Called by `replay`.

use std::collections::{HashMap, HashSet};

use doorbuster_core::record::Status;

/// What has been told of reservations so far, by the numbers of the events that began them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) begun: HashSet<u64>,
    /// Paid for after their end, but there is no unit for them any more.
    pub(super) without_units: HashSet<u64>,
    /// What was last told of each.
    pub(super) last: HashMap<u64, Status>,
    /// Some number before is lost: what nobody has told of since the books may have been anything.
    pub(super) has_gap: bool,
}

impl Seen {
    pub(super) fn has(&self, began: u64, books_seq: u64) -> bool {
        began <= books_seq || self.begun.contains(&began)
    }

    /// Whether units of it can come back: that it was paid for was told, or is in the books and was followed by no gap.
    pub(super) fn is_paid(&self, began: u64, books_seq: u64) -> bool {
        match self.last.get(&began) {
            Some(status) => *status == Status::Paid,
            None => began <= books_seq && !self.has_gap,
        }
    }

    /// One that has ended takes units again by an event of its own, which may be lost.
    pub(super) fn has_units(&self, began: u64) -> bool {
        let ended = matches!(self.last.get(&began), Some(Status::Released(_)));
        !ended && !self.without_units.contains(&began)
    }
}
