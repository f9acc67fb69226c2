//! Searches for words that are common, each. Called by `search`, where no condition alone is rare.
//!
//! Indexes tell which products have the words, and which pass the filters, as bare lists of numbers; what is in all of them is found here, without a
//! look at any product's row. If that is little, its rows are looked at and sorted. If it is much, MySQL goes along the index of the wanted
//! order with it, as bits, until there are as many as the page has; no row is looked at on that way either.

use sqlx::mysql::MySqlPool;

use super::ids::IdSet;
use super::plan::{Conditions, Driver, words};
use super::store::{self, ListedRow, Page};
use crate::limits::{CANDIDATES_MAX, FILTERED_MAX, LISTED_MAX, WINDOW_ROWS};

pub(crate) async fn page(books: &MySqlPool, page: &mut Page<'_>) -> sqlx::Result<Vec<ListedRow>> {
    let Some(found) = in_all(books, page.conditions).await? else {
        return of_a_large_shop(books, page).await;
    };
    if found.len() <= CANDIDATES_MAX as usize {
        return store::of(books, page, &found.ids()).await;
    }
    // Most of what has a word's first letters has the word.
    let wanted = 2 * page.rows;
    let first = store::first_of(books, page, &found, wanted).await?;
    let rows = store::of(books, page, &first).await?;
    if rows.len() >= page.rows as usize || first.len() < wanted as usize {
        return Ok(rows);
    }
    page.driver = Driver::Order;
    store::page(books, page).await
}

/// Products with all words that pass the filters, as far as indexes tell; `None` where each of the words is too common to be listed.
async fn in_all(books: &MySqlPool, conditions: &Conditions) -> sqlx::Result<Option<IdSet>> {
    let listed = store::lists(books, &words(conditions), conditions, LISTED_MAX).await?;
    let sets = listed.into_iter().flatten().map(IdSet::from_iter);
    let Some(found) = sets.reduce(|all, next| all.and(&next)) else {
        return Ok(None);
    };
    let Some(filter) = conditions.filter() else {
        return Ok(Some(found));
    };
    let mut listed = store::lists(books, &[filter], conditions, FILTERED_MAX).await?;
    Ok(Some(match listed.pop().flatten() {
        Some(ids) => found.and(&IdSet::from_iter(ids)),
        None => found,
    }))
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
