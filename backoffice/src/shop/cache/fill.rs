//! How a miss is filled: from Redis, or from MySQL and then into Redis. Called by `cache`, once for all who wait.

use std::sync::Arc;

use axum::body::Bytes;
use serde::Serialize;

use super::{Entry, Name, ShopCache, far, store};
use crate::app::App;
use crate::catalog::ids::ProductId;
use crate::catalog::{categories, notices};
use crate::error::ApiError;
use crate::limits::CACHE_LOADS_MAX;
use crate::metrics;
use crate::shop::front::{CategoryTree, CurrentNotices};
use crate::shop::products;
use crate::shop::products::view::PageView;

/// # Errors
/// [`ApiError`] of MySQL.
pub(crate) async fn fill(
    cache: &ShopCache,
    app: &App,
    name: &Name,
) -> Result<Arc<Entry>, ApiError> {
    let key = name.key();
    if let Some(entry) = cache.far.get(&key).await
        && cache.floors.allow(&key, entry.version)
    {
        metrics::cache_read(name.kind(), "far");
        return Ok(Arc::new(entry));
    }
    metrics::cache_read(name.kind(), "books");
    let mut entry = load(app, name).await?;
    for _ in 1..CACHE_LOADS_MAX {
        if cache.floors.allow(&key, entry.version) || entry.body.is_none() {
            break;
        }
        // It was changed while we read: the change is committed, so another look sees it.
        entry = load(app, name).await?;
    }
    cache.far.offer(&key, &entry).await;
    Ok(Arc::new(entry))
}

/// # Errors
/// [`ApiError`] of MySQL.
pub(crate) async fn load(app: &App, name: &Name) -> Result<Entry, ApiError> {
    match name {
        Name::Product(id) => product(app, id).await,
        Name::Categories => {
            // The version first: what is read after it is at least as new.
            let version = store::version(&app.books, store::CATEGORIES).await?;
            let categories = categories::store::tree(&app.books).await?.branches();
            let is_empty = categories.is_empty();
            let entry = entry(version, 0, &CategoryTree { categories })?;
            Ok(if is_empty {
                entry.for_a_moment()
            } else {
                entry
            })
        }
        Name::Notices => {
            let version = store::version(&app.books, store::NOTICES).await?;
            let notices = notices::store::current(&app.books).await?;
            let is_empty = notices.is_empty();
            let next = notices::store::next_turn(&app.books).await?;
            let entry = entry(version, 0, &CurrentNotices { notices })?.until(next);
            Ok(if is_empty {
                entry.for_a_moment()
            } else {
                entry
            })
        }
    }
}

async fn product(app: &App, id: &ProductId) -> Result<Entry, ApiError> {
    match products::store::find(&app.books, id).await? {
        Some(row) => {
            let (version, product_no) = (row.page_version, row.product_no);
            let page = PageView::of(row)?;
            Ok(entry(version, product_no, &page)?.until(page.ends_ms))
        }
        None => {
            let absent = Entry {
                // Below any floor: a product that is about to be published is looked for again.
                version: 0,
                body: None,
                product_no: 0,
                ends_ms: None,
                life: far::near_life(),
                is_shared: false,
            };
            Ok(absent.for_a_moment())
        }
    }
}

fn entry(version: u64, product_no: u32, view: &impl Serialize) -> Result<Entry, ApiError> {
    let body = serde_json::to_vec(view).map_err(|e| ApiError::Internal(e.into()))?;
    Ok(Entry {
        version,
        body: Some(Bytes::from(body)),
        product_no,
        ends_ms: None,
        life: far::near_life(),
        is_shared: true,
    })
}
