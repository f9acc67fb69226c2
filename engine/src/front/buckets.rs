//! What the limits of users, addresses and sales know of those whom they count: eight bytes for each of a fixed number of buckets, in pages
//! that come into being when somebody falls into them.
//!
//! A map by bucket would have to be locked, hashed into and grown; with every buyer a new one, that cost more than the limit itself.

use std::sync::OnceLock;

use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};

use crate::limits::{RATE_BUCKETS, RATE_BUCKETS_A_PAGE};

/// One of [`RATE_BUCKETS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Bucket(usize);

impl Bucket {
    /// That of a hash.
    pub(super) fn of(hash: u64) -> Self {
        Self((hash % RATE_BUCKETS as u64) as usize)
    }
}

/// All buckets of one limit.
#[derive(Debug)]
pub(super) struct Buckets(Box<[OnceLock<Page>]>);

type Page = Box<[InMemoryState; RATE_BUCKETS_A_PAGE]>;

impl Default for Buckets {
    fn default() -> Self {
        let pages = RATE_BUCKETS / RATE_BUCKETS_A_PAGE;
        Self((0..pages).map(|_| OnceLock::new()).collect())
    }
}

impl StateStore for Buckets {
    type Key = Bucket;

    fn measure_and_replace<T, F, E>(&self, Bucket(number): &Bucket, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let page = self.0[number / RATE_BUCKETS_A_PAGE].get_or_init(page);
        page[number % RATE_BUCKETS_A_PAGE].measure_and_replace(&NotKeyed::NonKey, f)
    }
}

fn page() -> Page {
    Box::new(std::array::from_fn(|_| InMemoryState::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_has_a_state_of_its_own() {
        let buckets = Buckets::default();
        let seen = |number: usize| {
            let seen = buckets.measure_and_replace(&Bucket::of(number as u64), |before| {
                Ok::<_, ()>((before, Nanos::from(1 + number as u64)))
            });
            seen.map(|before| before.map(|nanos| nanos.as_u64()))
        };
        let numbers = [0, 1, RATE_BUCKETS_A_PAGE, RATE_BUCKETS - 1];
        for number in numbers {
            assert_eq!(seen(number), Ok(None));
        }
        for number in numbers {
            assert_eq!(seen(number), Ok(Some(1 + number as u64)));
        }
        // More than there are fall into the same again.
        assert_eq!(seen(RATE_BUCKETS), Ok(Some(1)));
        let pages = buckets.0.iter().filter(|page| page.get().is_some());
        assert_eq!(pages.count(), 3);
    }
}
