//! How a search is answered fast. Pure.
//!
//! A bounded count of what the filters leave together, and of what each word may be in, says whether that is rare: then all of it is
//! looked at and sorted. Filters that leave much are answered from an index that has the wanted order and all that they ask. For
//! words the first products of that order are looked at: where the words go with the filters, they fill the page. Where they mostly
//! do not (mugs among the tents), what was found says how many more to look at; or the rarest word is taken after all, if that
//! is less. No way trusts the index of grams alone: each row is held against the whole search.

use super::text::grams;
use crate::limits::{CANDIDATES_MAX, COMMON_MAX, PROBES_MAX, WINDOW_ROWS, WINDOW_ROWS_MAX};

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
        // Each of these indexes has what the next one has.
        if self.seller.is_some() {
            probes.push(Driver::Seller);
        } else if !self.categories.is_empty() {
            probes.push(Driver::Categories);
        } else if self.currency.is_some() {
            probes.push(Driver::Price);
        }
        probes
    }
}

/// Where a page of so many rows begins; `counts` are those of `probes`, each counted to one more than [`CANDIDATES_MAX`] at most.
pub(crate) fn first(
    conditions: &Conditions,
    probes: &[Driver],
    counts: &[u64],
    rows: u32,
) -> Driver {
    match rarest(probes, counts) {
        Some((Driver::InSale, _)) => Driver::InSale,
        Some((driver, count)) if count <= u64::from(CANDIDATES_MAX) => driver,
        _ if conditions.needles.is_empty() => Driver::Window(rows),
        _ => Driver::Window(WINDOW_ROWS),
    }
}

/// Whether the page is all there is, or more has to be looked at.
pub(crate) fn is_whole(conditions: &Conditions, tried: &Driver, found: usize, rows: u32) -> bool {
    let is_window = matches!(tried, Driver::Window(_));
    !is_window || conditions.needles.is_empty() || found >= rows as usize
}

/// Where it is looked for further, once a window of so many has brought `found` rows; `words` and `counts` are the grams among the
/// probes, each counted to one more than [`COMMON_MAX`] at most.
pub(crate) fn next(
    words: &[Driver],
    counts: &[u64],
    (tried, found): (u32, usize),
    rows: u32,
) -> Driver {
    let (word, count) = rarest(words, counts)
        .filter(|(_, count)| *count <= u64::from(COMMON_MAX))
        .unwrap_or((Driver::Order, u64::MAX));
    // As many as bring the rest if it goes on like this, and half as many again.
    let promising = (u64::from(tried) * u64::from(rows) * 3 / 2)
        .checked_div(found as u64)
        .filter(|wanted| *wanted < count.min(u64::from(WINDOW_ROWS_MAX)))
        .and_then(|wanted| u32::try_from(wanted).ok());
    match promising {
        Some(wanted) if tried == WINDOW_ROWS => Driver::Window(wanted),
        _ => word,
    }
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
        assert_eq!(begin(&[common, 3, common, 5]), gram("mug"));
        assert_eq!(begin(&[common, common, common, 5]), Driver::Seller);
        assert_eq!(begin(&[common; 4]), Driver::Window(WINDOW_ROWS));
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
        assert_eq!(window, Driver::Window(21));
        assert!(is_whole(&filters, &window, 3, 21), "that is all of them");
        let nothing_asked = Conditions::default();
        assert_eq!(first(&nothing_asked, &[], &[], 21), Driver::Window(21));
    }

    #[test]
    fn a_window_that_does_not_fill_the_page_is_widened_or_given_up_for_what_is_less() {
        let conditions = Conditions {
            needles: vec!["머그".to_owned()],
            ..Conditions::default()
        };
        let begun = Driver::Window(WINDOW_ROWS);
        assert!(is_whole(&conditions, &begun, 21, 21));
        assert!(!is_whole(&conditions, &begun, 20, 21));
        assert!(is_whole(&conditions, &gram("머그"), 0, 21));

        let after = |count, tried| next(&[gram("머그")], &[count], tried, 21);
        let common = u64::from(COMMON_MAX) + 1;
        let wider = WINDOW_ROWS * 21 * 3 / 2 / 10;
        let tenth = (WINDOW_ROWS, 10);
        assert_eq!(after(common, tenth), Driver::Window(wider));
        assert_eq!(after(u64::from(wider), tenth), gram("머그"));
        for found in [0, 1] {
            assert_eq!(after(8_000, (WINDOW_ROWS, found)), gram("머그"));
            assert_eq!(after(common, (WINDOW_ROWS, found)), Driver::Order);
        }
        assert_eq!(after(8_000, (wider, 15)), gram("머그"), "not a third one");
        assert_eq!(after(common, (wider, 15)), Driver::Order);
    }
}
