//! How a search is answered fast. Pure.
//!
//! A bounded count of what the filters leave together, and of what each word may be in, says whether that is rare: then all of it is
//! looked at and sorted. Filters that leave much are answered from an index that has the wanted order and all that they ask.
//! Words that are common, each, are `common`'s. No way trusts the index of grams alone: each row is held against the whole search.

use super::limits::{CANDIDATES_MAX, PROBES_MAX};
use super::text::grams;

/// What is asked of every product of a page.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    /// Each is in its search text.
    pub(crate) needles: Vec<String>,
    /// It is in one of these; empty: in any.
    pub(crate) categories: Vec<String>,
    pub(crate) seller: Option<String>,
    pub(crate) currency: Option<String>,
    pub(crate) price_min: Option<i64>,
    pub(crate) price_max: Option<i64>,
    /// A sale sells it at this moment.
    pub(crate) in_sale: bool,
}

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Driver {
    /// Products with a gram that begins so.
    Gram(String),
    /// Those that pass the filters: by the index of sellers, of categories, of prices.
    Seller,
    Categories,
    Price,
    /// Those that a sale sells at this moment.
    InSale,
    /// So many of the first in the wanted order, of those that pass the filters.
    Window(u32),
    /// All of them, until the page is full.
    Order,
}

impl Conditions {
    /// What may be rare enough to begin with; how often each occurs is worth a count. The longest grams are the rarest, mostly.
    pub(crate) fn probes(&self) -> Vec<Driver> {
        if self.in_sale {
            // A sale has at most some hundred skus, and sales are few.
            return vec![Driver::InSale];
        }
        let mut found: Vec<&str> = self
            .needles
            .iter()
            .flat_map(|needle| grams(needle))
            .collect();
        found.sort_by_key(|gram| std::cmp::Reverse(gram.len()));
        found.truncate(PROBES_MAX);
        let mut probes: Vec<Driver> = found
            .into_iter()
            .map(|gram| Driver::Gram(gram.to_owned()))
            .collect();
        probes.extend(self.filter());
        probes
    }

    /// What all filters together leave, by an index: each has what the next one has.
    pub(crate) fn filter(&self) -> Option<Driver> {
        if self.seller.is_some() {
            Some(Driver::Seller)
        } else if !self.categories.is_empty() {
            Some(Driver::Categories)
        } else {
            self.currency.as_ref().map(|_| Driver::Price)
        }
    }
}

/// Where a page of so many rows begins; `counts` are those of `probes`, each counted to one more than [`CANDIDATES_MAX`] at most. `None`:
/// with words that are all common.
pub(crate) fn first(
    conditions: &Conditions,
    probes: &[Driver],
    counts: &[u64],
    rows: u32,
) -> Option<Driver> {
    match rarest(probes, counts) {
        Some((Driver::InSale, _)) => Some(Driver::InSale),
        Some((driver, count)) if count <= u64::from(CANDIDATES_MAX) => Some(driver),
        _ if conditions.needles.is_empty() => Some(Driver::Window(rows)),
        _ => None,
    }
}

/// For each word the most telling of what an index has of it: the longest, where it is several.
pub(crate) fn words(conditions: &Conditions) -> Vec<Driver> {
    let longest = |needle: &String| {
        let longest = grams(needle).into_iter().max_by_key(|gram| gram.len())?;
        Some(longest.to_owned())
    };
    let mut words: Vec<String> = conditions.needles.iter().filter_map(longest).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.truncate(PROBES_MAX);
    words.into_iter().map(Driver::Gram).collect()
}

fn rarest(probes: &[Driver], counts: &[u64]) -> Option<(Driver, u64)> {
    let counted = probes.iter().zip(counts);
    let (driver, count) = counted.min_by_key(|(_, count)| **count)?;
    Some((driver.clone(), *count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gram(gram: &str) -> Driver {
        Driver::Gram(gram.to_owned())
    }

    #[test]
    fn the_rarest_condition_is_where_to_begin_unless_all_are_common() {
        let conditions = Conditions {
            needles: vec![" mug".to_owned(), "머그".to_owned()],
            categories: vec!["mugs".to_owned()],
            seller: Some("maru".to_owned()),
            ..Conditions::default()
        };
        let probes = conditions.probes();
        assert_eq!(
            probes,
            [gram("머그"), gram("mug"), gram("그"), Driver::Seller]
        );
        let common = u64::from(CANDIDATES_MAX) + 1;
        let begin = |counts: &[u64]| first(&conditions, &probes, counts, 21);
        assert_eq!(begin(&[common, 3, common, 5]), Some(gram("mug")));
        assert_eq!(begin(&[common, common, common, 5]), Some(Driver::Seller));
        assert_eq!(begin(&[common; 4]), None);
    }

    #[test]
    fn filters_alone_are_answered_by_one_window() {
        let filters = Conditions {
            currency: Some("KRW".to_owned()),
            ..Conditions::default()
        };
        let probes = filters.probes();
        assert_eq!(probes, [Driver::Price]);
        let common = u64::from(CANDIDATES_MAX) + 1;
        let window = first(&filters, &probes, &[common], 21);
        assert_eq!(window, Some(Driver::Window(21)));
        let nothing_asked = Conditions::default();
        let window = first(&nothing_asked, &[], &[], 21);
        assert_eq!(window, Some(Driver::Window(21)));
    }

    #[test]
    fn of_each_word_the_longest_beginning_is_listed_and_of_many_words_the_longest() {
        let needles = |needles: &[&str]| Conditions {
            needles: needles.iter().map(|&needle| needle.to_owned()).collect(),
            ..Conditions::default()
        };
        let listed = words(&needles(&[" mug", "머그", "무선이어폰"]));
        assert_eq!(listed, [gram("선이어폰"), gram("머그"), gram("mug")]);
        let many = needles(&[" aaaaa", " bbbb", " ccc", " dd", " e"]);
        assert_eq!(words(&many).len(), PROBES_MAX);
    }
}
