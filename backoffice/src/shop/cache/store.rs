//! SQL of the cache: versions of what is no row of its own, and what is worth being warm. Called by `cache` and by the edits of staff.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::SaleId;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{query, query_as, query_scalar};

use crate::limits::CACHE_WARM_PRODUCTS;

/// The tree of categories.
pub(crate) const CATEGORIES: &str = "categories";
/// The notices of the moment.
pub(crate) const NOTICES: &str = "notices";

/// In the transaction of a change: the version from which it is seen.
pub(crate) async fn raise(tx: &mut MySqlConnection, name: &str) -> sqlx::Result<u64> {
    query("-- raise\ninsert into shop_versions (name, version) values (?, 1) on duplicate key update version = version + 1")
        .bind(name)
        .execute(&mut *tx)
        .await?;
    query_scalar("-- raise\nselect version from shop_versions where name = ?")
        .bind(name)
        .fetch_one(tx)
        .await
}

/// 0 where nothing has changed yet.
pub(crate) async fn version(books: &MySqlPool, name: &str) -> sqlx::Result<u64> {
    let version: Option<u64> =
        query_scalar("-- version\nselect version from shop_versions where name = ?")
            .bind(name)
            .fetch_optional(books)
            .await?;
    Ok(version.unwrap_or(0))
}

/// Products whose pages show the sale, each with the version from which it is seen.
pub(crate) async fn sale_changed(
    books: &MySqlPool,
    sale: &SaleId,
) -> sqlx::Result<Vec<(String, u64)>> {
    query(
        "-- sale_changed\nupdate products p
        join (select distinct k.product_no from sale_items i join skus k on k.sku = i.sku where i.sale_id = ?) t
            on t.product_no = p.product_no
        set p.page_version = p.page_version + 1",
    )
    .bind(sale.as_str())
    .execute(books)
    .await?;
    query_as(
        "-- sale_changed\nselect distinct p.product_id, p.page_version
        from sale_items i join skus k on k.sku = i.sku join products p on p.product_no = k.product_no
        where i.sale_id = ? and p.state = 'published'",
    )
    .bind(sale.as_str())
    .fetch_all(books)
    .await
}

/// The most popular products.
pub(crate) async fn popular(books: &MySqlPool) -> sqlx::Result<Vec<String>> {
    query_scalar("-- popular\nselect product_id from shop_products order by score desc, product_no desc limit ?")
        .bind(CACHE_WARM_PRODUCTS)
        .fetch_all(books)
        .await
}

/// Products of sales that are open, or open before `until`.
pub(crate) async fn on_sale_before(
    books: &MySqlPool,
    until: DateTime<Utc>,
) -> sqlx::Result<Vec<String>> {
    query_scalar(
        "-- on_sale_before\nselect distinct l.product_id
        from sales s join sale_items i on i.sale_id = s.sale_id join skus k on k.sku = i.sku
        join shop_products l on l.product_no = k.product_no
        where s.state = 'published' and s.opens_at < ? and s.closes_at > ? limit ?",
    )
    .bind(until.naive_utc())
    .bind(clock::now().naive_utc())
    .bind(CACHE_WARM_PRODUCTS)
    .fetch_all(books)
    .await
}
