//! Searches for words that are common, each. Called by `search`, where no condition alone is rare.
//!
//! Indexes tell which products have the words, and which pass the filters, as bare lists of numbers, which are kept for a while (`lists`); what is in all
//! of them, or was changed since, is found here, without a look at any product's row. If that is little, its rows are looked at and sorted. If it is
//! much, MySQL goes along the index of the wanted order with it, as bits, until there are as many as the page has; no row is looked at on that way either.

use sqlx::mysql::MySqlPool;

use super::ids::IdSet;
use super::limits::{CANDIDATES_MAX, FILTERED_MAX, LISTED_MAX, WINDOW_ROWS};
use super::lists::Reading;
use super::plan::{Conditions, Driver, words};
use super::store::{self, ListedRow, Page};

pub(crate) async fn page(
    books: &MySqlPool,
    lists: &Reading<'_>,
    page: &mut Page<'_>,
) -> sqlx::Result<Vec<ListedRow>> {
    let Some(found) = in_all(lists, page.conditions).await? else {
        return of_a_large_shop(books, page).await;
    };
    if found.len() <= CANDIDATES_MAX as usize {
        return store::of(books, page, &found.ids()).await;
    }
    // Most of what has a word's first letters has the word; what was changed need not.
    let wanted = 2 * page.rows as usize + lists.changed.len();
    let first = store::first_of(books, page, &found, wanted).await?;
    let rows = store::of(books, page, &first).await?;
    if rows.len() >= page.rows as usize || first.len() < wanted {
        return Ok(rows);
    }
    page.driver = Driver::Order;
    store::page(books, page).await
}

/// Products with all words that pass the filters, as far as indexes tell, and those that were changed; `None` where each of the words is too common to be
/// listed.
async fn in_all(lists: &Reading<'_>, conditions: &Conditions) -> sqlx::Result<Option<IdSet>> {
    let words = lists.lists(&words(conditions), LISTED_MAX).await?;
    let mut words = words.iter().filter_map(|list| list.listed());
    let Some(first) = words.next() else {
        return Ok(None);
    };
    let mut found = words.fold(first.clone(), IdSet::and);
    if let Some(filter) = conditions.filter() {
        let filtered = lists.lists(&[filter], FILTERED_MAX).await?;
        let filtered = filtered.iter().filter_map(|list| list.listed());
        found = filtered.fold(found, IdSet::and);
    }
    found.extend(lists.changed.iter().copied());
    Ok(Some(found))
}

/// A shop so large that lists would be too long: the first of the wanted order, then all of it until the page is full.
async fn of_a_large_shop(books: &MySqlPool, page: &mut Page<'_>) -> sqlx::Result<Vec<ListedRow>> {
    for driver in [Driver::Window(WINDOW_ROWS), Driver::Order] {
        page.driver = driver;
        let found = store::page(books, page).await?;
        if found.len() >= page.rows as usize || page.driver == Driver::Order {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}
