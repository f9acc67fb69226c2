//! The versions below which nothing is shown any more: what a change has been told of, until all that is older has ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use doorbuster_core::clock;

use crate::limits::{CACHE_FLOOR_LIFE, CACHE_FLOORS_MAX};

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

    /// `false` where there were too many, and all are forgotten: the caller must forget what it keeps.
    pub(crate) fn raise(&self, name: &str, version: u64) -> bool {
        let mut floors = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        floors.retain(|_, (_, since)| since.elapsed() < CACHE_FLOOR_LIFE);
        let has_room = floors.len() < CACHE_FLOORS_MAX || floors.contains_key(name);
        if !has_room {
            floors.clear();
        }
        let floor = floors
            .entry(name.to_owned())
            .or_insert((version, clock::instant()));
        // A notice may overtake another.
        *floor = (floor.0.max(version), clock::instant());
        self.count.store(floors.len(), Ordering::Release);
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_older_than_a_change_passes_in_whatever_order_changes_are_told() {
        let floors = Floors::default();
        assert!(floors.allow("a", 0));
        assert!(floors.raise("a", 5));
        assert!(floors.raise("a", 4));
        assert!(floors.allow("a", 5) && !floors.allow("a", 4) && floors.allow("b", 0));
    }

    #[test]
    fn too_many_changes_are_said_to_be_too_many() {
        let floors = Floors::default();
        for i in 0..CACHE_FLOORS_MAX {
            assert!(floors.raise(&i.to_string(), 1));
        }
        assert!(floors.raise("0", 2));
        assert!(!floors.raise("one more", 1));
        assert!(floors.allow("0", 1) && !floors.allow("one more", 0));
    }
}
