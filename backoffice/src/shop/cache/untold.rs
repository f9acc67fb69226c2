//! Changes that Redis did not take at once, to be told to the other back-offices again. Called by `cache`, and by its `tend`.
//!
//! One that is told late is worth telling for as long as anything older may be kept; after that all of it has ended by itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use doorbuster_core::clock;
use doorbuster_core::gate::cache::Changed;
use tokio::sync::Notify;

use crate::limits::{CACHE_FLOOR_LIFE, CACHE_FLOORS_MAX};

/// By name: the newest version, and since when it waits.
#[derive(Debug, Default)]
pub(super) struct Untold {
    waiting: Mutex<HashMap<String, (u64, Instant)>>,
    some: Notify,
}

impl Untold {
    /// Where too many wait it is left to the lives of what it concerns.
    pub(super) fn add(&self, changed: &Changed) {
        let mut waiting = self.waiting();
        if waiting.len() < CACHE_FLOORS_MAX || waiting.contains_key(&changed.name) {
            let now = clock::instant();
            let newest = waiting
                .entry(changed.name.clone())
                .or_insert((changed.version, now));
            if changed.version > newest.0 {
                *newest = (changed.version, now);
            }
        }
        drop(waiting);
        self.some.notify_one();
    }

    /// Until there are some; told or not, they stay until [`Untold::told`].
    pub(super) async fn some(&self) -> Vec<Changed> {
        loop {
            let notified = self.some.notified();
            let changes = self.changes();
            if !changes.is_empty() {
                return changes;
            }
            notified.await;
        }
    }

    /// Unless there is a newer one by now.
    pub(super) fn told(&self, changed: &Changed) {
        let mut waiting = self.waiting();
        let is_newest = waiting
            .get(&changed.name)
            .is_some_and(|(version, _)| *version <= changed.version);
        if is_newest {
            waiting.remove(&changed.name);
        }
    }

    fn changes(&self) -> Vec<Changed> {
        let mut waiting = self.waiting();
        waiting.retain(|_, (_, since)| since.elapsed() < CACHE_FLOOR_LIFE);
        let changes = waiting.iter().map(|(name, (version, _))| Changed {
            name: name.clone(),
            version: *version,
        });
        changes.collect()
    }

    /// Never held while anything is awaited.
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, (u64, Instant)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(version: u64) -> Changed {
        Changed {
            name: "product:mug".to_owned(),
            version,
        }
    }

    #[tokio::test]
    async fn the_newest_of_a_name_waits_until_it_is_told() {
        let untold = Untold::default();
        for version in [4, 6, 5] {
            untold.add(&changed(version));
        }
        let some = untold.some().await;
        assert_eq!(some.len(), 1);
        assert_eq!(some[0].version, 6);
        untold.told(&changed(5));
        assert_eq!(untold.changes().len(), 1, "6 was not told");
        untold.told(&changed(6));
        assert!(untold.changes().is_empty());
    }
}
