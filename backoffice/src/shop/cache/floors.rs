//! The versions below which nothing is shown any more: what a change has been told of, until all that is older has ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use doorbuster_core::clock;

use crate::limits::{CACHE_FLOOR_LIFE, CACHE_FLOORS_MAX};

/// What became of a floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Raised {
    /// It is as high already.
    Not,
    Here,
    /// There were too many, and all others are forgotten: the caller must forget what it keeps.
    AndAllForgotten,
}

/// By name.
#[derive(Debug, Default)]
pub(crate) struct Floors {
    by_name: RwLock<HashMap<String, (u64, Instant)>>,
    /// How many there are, for readers, who mostly find none.
    count: AtomicUsize,
}

impl Floors {
    pub(crate) fn allow(&self, name: &str, version: u64) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return true;
        }
        let floors = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        floors.get(name).is_none_or(|(floor, _)| version >= *floor)
    }

    pub(crate) fn raise(&self, name: &str, version: u64) -> Raised {
        let mut floors = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        floors.retain(|_, (_, since)| since.elapsed() < CACHE_FLOOR_LIFE);
        if (floors.get(name)).is_some_and(|(floor, _)| *floor >= version) {
            // A notice may overtake another, or come again.
            return Raised::Not;
        }
        let has_room = floors.len() < CACHE_FLOORS_MAX || floors.contains_key(name);
        if !has_room {
            floors.clear();
        }
        floors.insert(name.to_owned(), (version, clock::instant()));
        self.count.store(floors.len(), Ordering::Release);
        if has_room {
            Raised::Here
        } else {
            Raised::AndAllForgotten
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_older_than_a_change_passes_in_whatever_order_changes_are_told() {
        let floors = Floors::default();
        assert!(floors.allow("a", 0));
        assert_eq!(floors.raise("a", 5), Raised::Here);
        for late in [4, 5] {
            assert_eq!(floors.raise("a", late), Raised::Not);
        }
        assert!(floors.allow("a", 5) && !floors.allow("a", 4) && floors.allow("b", 0));
    }

    #[test]
    fn too_many_changes_are_said_to_be_too_many() {
        let floors = Floors::default();
        for i in 0..CACHE_FLOORS_MAX {
            assert_eq!(floors.raise(&i.to_string(), 1), Raised::Here);
        }
        assert_eq!(floors.raise("0", 2), Raised::Here);
        assert_eq!(floors.raise("one more", 1), Raised::AndAllForgotten);
        assert!(floors.allow("0", 1) && !floors.allow("one more", 0));
    }
}
