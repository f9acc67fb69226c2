//! Which stream of events of each number is the last: one client cannot hold many. As large as there are streams.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use doorbuster_core::ticket::Place;

#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<Turns>);

#[derive(Debug, Default)]
struct Turns {
    next: u64,
    last: HashMap<Place, u64>,
}

impl Listeners {
    pub(super) fn begins(&self, number: Place) -> u64 {
        let mut turns = self.lock();
        turns.next += 1;
        let turn = turns.next;
        turns.last.insert(number, turn);
        turn
    }

    pub(super) fn is_last(&self, number: Place, turn: u64) -> bool {
        self.lock().last.get(&number) == Some(&turn)
    }

    pub(super) fn ends(&self, number: Place, turn: u64) {
        let mut turns = self.lock();
        if turns.last.get(&number) == Some(&turn) {
            turns.last.remove(&number);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_stream_ends_the_one_before_and_nobody_elses() {
        let (listeners, ann, bob) = (Listeners::default(), Place::general(1), Place::invite(1));
        let (first, other) = (listeners.begins(ann), listeners.begins(bob));
        let second = listeners.begins(ann);
        assert!(!listeners.is_last(ann, first) && listeners.is_last(ann, second));
        listeners.ends(ann, first);
        assert!(listeners.is_last(ann, second) && listeners.is_last(bob, other));
        listeners.ends(ann, second);
        assert!(!listeners.is_last(ann, second));
        assert_eq!(listeners.lock().last.len(), 1);
    }
}
