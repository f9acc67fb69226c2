//! Which products each common word has, and each common choice of filters leaves: kept in this process. Called by `search`, `common`, and the cache of
//! the shop, which hears of changes.
//!
//! Counting and listing what is common is most of what a search for it costs, and the same words come again with other filters and in other orders. A
//! kept list may be older than the books. So what was changed since is looked at beside whatever lists have in common, and each row is held against the
//! whole search as ever: a list that is old makes a search look at more, and never answer otherwise. A change of another back-office that is not heard
//! of costs staleness until the lists end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use doorbuster_core::clock;
use moka::future::Cache;
use sqlx::mysql::MySqlPool;

use super::ids::IdSet;
use super::limits::{
    CANDIDATES_MAX, LISTS_BYTES_MAX, LISTS_CHANGES_KEPT, LISTS_CHANGES_MAX, LISTS_LIFE,
};
use super::plan::{Conditions, Driver};
use super::store;

/// The lists of one back-office.
#[derive(Debug)]
pub(crate) struct Lists {
    kept: Cache<(u64, Key), Arc<Kept>>,
    changes: Mutex<Changes>,
}

/// What lists may lack.
#[derive(Debug, Default)]
struct Changes {
    /// Raised when they were too many: lists of another generation are never looked at again.
    generation: u64,
    /// Products that were changed lately, and when that was heard.
    heard: HashMap<u32, Instant>,
}

/// The lists as one search sees them: all of one generation, and what was changed by its beginning.
pub(crate) struct Reading<'a> {
    lists: &'a Lists,
    books: &'a MySqlPool,
    conditions: &'a Conditions,
    generation: u64,
    /// Products that are looked at in any case: a list may not have their change.
    pub(crate) changed: Vec<u32>,
}

/// Which list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Gram(String),
    Filters {
        categories: Vec<String>,
        seller: Option<String>,
        currency: Option<String>,
        price_min: Option<i64>,
        price_max: Option<i64>,
    },
}

/// What is known of what leaves more than [`CANDIDATES_MAX`].
#[derive(Debug)]
pub(crate) enum Kept {
    Common,
    /// More than may be listed.
    TooMany,
    Listed(IdSet),
}

impl Key {
    /// `None` for what no index has.
    fn of(probe: &Driver, conditions: &Conditions) -> Option<Self> {
        match probe {
            Driver::Gram(gram) => Some(Self::Gram(gram.clone())),
            Driver::Seller | Driver::Categories | Driver::Price => Some(Self::Filters {
                categories: conditions.categories.clone(),
                seller: conditions.seller.clone(),
                currency: conditions.currency.clone(),
                price_min: conditions.price_min,
                price_max: conditions.price_max,
            }),
            Driver::InSale | Driver::Window(_) | Driver::Order => None,
        }
    }

    /// Bytes that it takes, with what an entry costs beside its list.
    fn size(&self) -> usize {
        let of_categories = match self {
            Self::Gram(_) => 0,
            Self::Filters { categories, .. } => {
                let sizes = categories.iter().map(|one| size_of::<String>() + one.len());
                sizes.sum()
            }
        };
        300 + of_categories
    }
}

impl Default for Lists {
    fn default() -> Self {
        let weight = |(_, key): &(u64, Key), kept: &Arc<Kept>| {
            let ids = kept.listed().map_or(0, IdSet::size);
            u32::try_from(key.size() + ids).unwrap_or(u32::MAX)
        };
        Self {
            kept: Cache::builder()
                .max_capacity(LISTS_BYTES_MAX)
                .weigher(weight)
                .time_to_live(LISTS_LIFE)
                .build(),
            changes: Mutex::default(),
        }
    }
}

impl Lists {
    pub(crate) fn read<'a>(
        &'a self,
        books: &'a MySqlPool,
        conditions: &'a Conditions,
    ) -> Reading<'a> {
        let mut changes = self.changes();
        (changes.heard).retain(|_, heard| heard.elapsed() < LISTS_CHANGES_KEPT);
        Reading {
            lists: self,
            books,
            conditions,
            generation: changes.generation,
            changed: changes.heard.keys().copied().collect(),
        }
    }

    /// Somebody has changed this product.
    pub(crate) async fn heard(&self, books: &MySqlPool, product_id: &str) {
        match store::product_no(books, product_id).await {
            Ok(Some(product_no)) => self.note(product_no),
            // It was never written down, so no list has it.
            Ok(None) => {}
            Err(error) => {
                tracing::info!(%error, product_id, "which product was changed is not known: all lists are read anew");
                self.forget(&mut self.changes());
            }
        }
    }

    fn note(&self, product_no: u32) {
        let mut changes = self.changes();
        let is_full = changes.heard.len() >= LISTS_CHANGES_MAX;
        if is_full && !changes.heard.contains_key(&product_no) {
            self.forget(&mut changes);
        } else {
            changes.heard.insert(product_no, clock::instant());
        }
    }

    /// What is read from here on has all that was changed.
    fn forget(&self, changes: &mut Changes) {
        changes.generation += 1;
        changes.heard.clear();
        self.kept.invalidate_all();
    }

    /// Never held while anything is awaited.
    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading<'_> {
    /// How many products each probe begins with, counted to one more than [`CANDIDATES_MAX`] at most. What was common a moment ago is taken to be.
    pub(crate) async fn counts(&self, probes: &[Driver]) -> sqlx::Result<Vec<u64>> {
        let common = u64::from(CANDIDATES_MAX) + 1;
        let mut counts = Vec::with_capacity(probes.len());
        for probe in probes {
            counts.push(self.kept(probe).await.map(|_| common));
        }
        let unknown = unknown(probes, &counts);
        let counted = store::counts(self.books, &unknown, self.conditions, CANDIDATES_MAX).await?;
        for (probe, _) in unknown.iter().zip(&counted).filter(|(_, n)| **n >= common) {
            self.keep(probe, Kept::Common).await;
        }
        Ok(filled(counts, counted))
    }

    /// The products that each of these begins with, all common; none where they are more than `bound`.
    pub(crate) async fn lists(
        &self,
        probes: &[Driver],
        bound: u32,
    ) -> sqlx::Result<Vec<Arc<Kept>>> {
        let mut lists = Vec::with_capacity(probes.len());
        for probe in probes {
            let kept = self.kept(probe).await;
            lists.push(kept.filter(|kept| !matches!(**kept, Kept::Common)));
        }
        let unknown = unknown(probes, &lists);
        let mut read = Vec::with_capacity(unknown.len());
        let listed = store::lists(self.books, &unknown, self.conditions, bound).await?;
        for (probe, ids) in unknown.iter().zip(listed) {
            let list = ids.map_or(Kept::TooMany, |ids| Kept::Listed(ids.into_iter().collect()));
            read.push(self.keep(probe, list).await);
        }
        Ok(filled(lists, read))
    }

    async fn kept(&self, probe: &Driver) -> Option<Arc<Kept>> {
        let key = Key::of(probe, self.conditions)?;
        self.lists.kept.get(&(self.generation, key)).await
    }

    async fn keep(&self, probe: &Driver, kept: Kept) -> Arc<Kept> {
        let kept = Arc::new(kept);
        if let Some(key) = Key::of(probe, self.conditions) {
            let key = (self.generation, key);
            self.lists.kept.insert(key, Arc::clone(&kept)).await;
        }
        kept
    }
}

impl Kept {
    pub(crate) fn listed(&self) -> Option<&IdSet> {
        match self {
            Self::Listed(ids) => Some(ids),
            Self::Common | Self::TooMany => None,
        }
    }
}

/// Those probes of which nothing was found.
fn unknown<T>(probes: &[Driver], found: &[Option<T>]) -> Vec<Driver> {
    let unknown = probes.iter().zip(found).filter(|(_, one)| one.is_none());
    unknown.map(|(probe, _)| probe.clone()).collect()
}

/// What was found, and in the place of what was not, in order, what was read.
fn filled<T>(found: Vec<Option<T>>, read: Vec<T>) -> Vec<T> {
    let mut read = read.into_iter();
    let filled = found.into_iter().map(|one| one.or_else(|| read.next()));
    filled.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_are_looked_at_until_there_are_too_many_and_then_no_old_list_is() {
        let (lists, conditions) = (Lists::default(), Conditions::default());
        let books = MySqlPool::connect_lazy("mysql://nobody@localhost/none").unwrap();
        let most = u32::try_from(LISTS_CHANGES_MAX).unwrap();
        let gram = Driver::Gram("머그".to_owned());
        let before = lists.read(&books, &conditions);
        before.keep(&gram, Kept::Common).await;
        for no in 0..most {
            lists.note(no);
        }
        lists.note(0);
        let now = lists.read(&books, &conditions);
        assert_eq!(now.changed.len(), LISTS_CHANGES_MAX);
        assert!(now.kept(&gram).await.is_some());
        lists.note(most);
        let now = lists.read(&books, &conditions);
        assert!(now.changed.is_empty() && now.kept(&gram).await.is_none());
        // It was being read meanwhile.
        before.keep(&gram, Kept::Common).await;
        assert!(now.kept(&gram).await.is_none());
    }

    #[test]
    fn filters_are_told_apart_by_all_that_they_ask() {
        let of = |price_max| {
            let conditions = Conditions {
                currency: Some("KRW".to_owned()),
                price_max,
                ..Conditions::default()
            };
            Key::of(&Driver::Price, &conditions)
        };
        assert_eq!(of(Some(5)), of(Some(5)));
        assert_ne!(of(Some(5)), of(None));
        assert_eq!(Key::of(&Driver::InSale, &Conditions::default()), None);
    }
}
