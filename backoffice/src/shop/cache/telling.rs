//! Changes that the other back-offices are told, and told again: Redis may not take one at once, and whoever has just lost his connection
//! has not subscribed anew yet when Redis is back. Called by `cache`, and by its `tend`.
//!
//! One that is told late is worth telling for as long as anything older may be kept; after that all of it has ended by itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use doorbuster_core::clock;
use doorbuster_core::gate::cache::Changed;
use tokio::sync::Notify;

use crate::limits::{CACHE_FLOOR_LIFE, CACHE_FLOORS_MAX, CACHE_TELL_AGAIN, CACHE_TELLS};

/// By name.
#[derive(Debug, Default)]
pub(super) struct Telling {
    waiting: Mutex<HashMap<String, Waiting>>,
    some: Notify,
}

#[derive(Debug)]
struct Waiting {
    /// The newest.
    version: u64,
    /// Since when there is this version.
    since: Instant,
    /// How often Redis has taken it.
    told: u32,
    due: Instant,
}

impl Telling {
    /// A change, and whether Redis has taken it for the first time. Where too many wait it is left to the lives of what it concerns.
    pub(super) fn add(&self, changed: &Changed, is_told: bool) {
        let mut waiting = self.waiting();
        let has_room = waiting.len() < CACHE_FLOORS_MAX || waiting.contains_key(&changed.name);
        let is_newest = waiting
            .get(&changed.name)
            .is_none_or(|one| changed.version > one.version);
        if has_room && is_newest {
            let now = clock::instant();
            let one = Waiting {
                version: changed.version,
                since: now,
                told: 0,
                due: now,
            };
            waiting.insert(changed.name.clone(), one);
        }
        drop(waiting);
        if is_told {
            self.told(changed);
        }
        self.some.notify_one();
    }

    /// Waits until any are there, and returns those that are due; they stay until they have been told often enough.
    pub(super) async fn due(&self) -> Vec<Changed> {
        loop {
            let notified = self.some.notified();
            if let Some(due) = self.due_now() {
                return due;
            }
            notified.await;
        }
    }

    /// `None` where nothing waits at all.
    fn due_now(&self) -> Option<Vec<Changed>> {
        let mut waiting = self.waiting();
        waiting.retain(|_, one| one.since.elapsed() < CACHE_FLOOR_LIFE);
        (!waiting.is_empty()).then(|| due_of(&waiting))
    }

    /// Redis has taken it; it is due again after twice the time of before. Nothing where there is a newer one by now.
    pub(super) fn told(&self, changed: &Changed) {
        let mut waiting = self.waiting();
        let Some(one) = waiting.get_mut(&changed.name) else {
            return;
        };
        if one.version > changed.version {
            return;
        }
        one.due = clock::instant() + CACHE_TELL_AGAIN * (1 << one.told);
        one.told += 1;
        if one.told >= CACHE_TELLS {
            waiting.remove(&changed.name);
        }
    }

    /// Never held while anything is awaited.
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn due_of(waiting: &HashMap<String, Waiting>) -> Vec<Changed> {
    let now = clock::instant();
    let due = waiting.iter().filter(|(_, one)| one.due <= now);
    let changes = due.map(|(name, one)| Changed {
        name: name.clone(),
        version: one.version,
    });
    changes.collect()
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
        let telling = Telling::default();
        for version in [4, 6, 5] {
            telling.add(&changed(version), false);
        }
        assert_eq!(telling.due().await, [changed(6)]);
        telling.told(&changed(5));
        assert_eq!(telling.due().await, [changed(6)], "6 was not told");
        telling.told(&changed(6));
        assert!(telling.due().await.is_empty(), "it is told again later");
        telling.add(&changed(7), false);
        assert_eq!(telling.due().await, [changed(7)], "a newer one at once");
    }

    #[tokio::test]
    async fn a_change_is_told_a_few_times_and_then_no_more() {
        let telling = Telling::default();
        telling.add(&changed(1), true);
        assert!(telling.due().await.is_empty(), "told a moment ago");
        for told in 1..CACHE_TELLS {
            assert_eq!(telling.waiting().len(), 1, "{told}");
            telling.told(&changed(1));
        }
        assert!(telling.waiting().is_empty());
    }
}
