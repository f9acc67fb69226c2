//! Every bound of searches: what is looked at, listed and kept. Part of the crate's limits, in a file of its own beside them.

use std::time::Duration;

use crate::limits::{PAGE_ROWS_MAX, REQUEST_TIMEOUT};

/// Characters of a search.
pub(crate) const SEARCH_CHARS_MAX: usize = 100;
/// Words of a search.
pub(crate) const SEARCH_WORDS_MAX: usize = 8;
/// Products that are all looked at and sorted for one page, where a search leaves no more: some 5 ms.
pub(crate) const CANDIDATES_MAX: u32 = 3_000;
/// Products of one word, or that pass the filters, whose numbers are listed: some 5 ms. A word that is in more is looked for along the order.
pub(crate) const LISTED_MAX: u32 = 50_000;
/// Products that pass the filters and are listed beside those with the words: some 3 ms. More of them go with the words, mostly.
pub(crate) const FILTERED_MAX: u32 = 25_000;
/// Bytes of a list of numbers.
pub(crate) const LIST_BYTES_MAX: u32 = 11 * (LISTED_MAX + 1);
/// Of the wanted order, how many are looked at first where a word is in more than can be listed: some 2 ms.
pub(crate) const WINDOW_ROWS: u32 = 1_000;
/// Bytes of such lists that are kept: some two thousand of a shop of 100,000 products, a bit each.
pub(crate) const LISTS_BYTES_MAX: u64 = 32 << 20;
/// For how long one is kept; no longer than a page that is kept, because a notice may be lost.
pub(crate) const LISTS_LIFE: Duration = Duration::from_secs(30);
/// For how long a changed product is looked at in every search: longer than any list lives that was read before the change.
pub(crate) const LISTS_CHANGES_KEPT: Duration = Duration::from_secs(60);
/// How many of them; past it all lists are read anew instead. Some 2 ms of a search.
pub(crate) const LISTS_CHANGES_MAX: usize = 1_000;
/// Grams of a search that are counted, to begin with the rarest.
pub(crate) const PROBES_MAX: usize = 4;

const _: () = {
    assert!(
        CANDIDATES_MAX <= FILTERED_MAX && FILTERED_MAX <= LISTED_MAX && PAGE_ROWS_MAX < WINDOW_ROWS,
        "a search looks at more only where less did not do"
    );
    assert!(LISTS_LIFE.as_millis() + REQUEST_TIMEOUT.as_millis() < LISTS_CHANGES_KEPT.as_millis());
};
