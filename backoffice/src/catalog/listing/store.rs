//! SQL of the rows that lists and searches read. Called with every edit of a product.

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlConnection;
use sqlx::{MySql, QueryBuilder, query, query_scalar};

use super::Listing;
use crate::bulk::{parts, push_in};
use crate::catalog::products::draft::Product;
use crate::limits::STATEMENT_ROWS_MAX;
use crate::shop::search::text::grams;

/// Takes the product out of all lists.
pub(crate) async fn withdraw(tx: &mut MySqlConnection, product_no: u32) -> sqlx::Result<()> {
    let Some(text) = listed_text(tx, product_no).await? else {
        return Ok(());
    };
    delete_grams(tx, product_no, &grams(&text)).await?;
    query("-- withdraw\ndelete from shop_products where product_no = ?")
        .bind(product_no)
        .execute(tx)
        .await
        .map(drop)
}

/// Puts the product, as it is now, into all lists; it keeps its score.
pub(crate) async fn list(
    tx: &mut MySqlConnection,
    product_no: u32,
    product_id: &str,
    published_at: DateTime<Utc>,
    product: &Product,
) -> sqlx::Result<()> {
    let Some(listing) = Listing::of(product) else {
        return withdraw(tx, product_no).await;
    };
    let before = listed_text(tx, product_no).await?;
    let old = before.as_deref().map(grams).unwrap_or_default();
    let new = grams(&listing.search_text);
    let gone: Vec<&str> = old
        .iter()
        .copied()
        .filter(|gram| new.binary_search(gram).is_err())
        .collect();
    let come: Vec<&str> = new
        .iter()
        .copied()
        .filter(|gram| old.binary_search(gram).is_err())
        .collect();
    delete_grams(tx, product_no, &gone).await?;
    insert_grams(tx, product_no, &come).await?;
    query(
        "-- list\ninsert into shop_products
            (product_no, product_id, seller_id, category_id, title_ko, title_en, image_url, amount, currency, published_at,
             score, search_text)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
             coalesce((select s.score from product_statistics s where s.product_no = ?), 0), ?)
        on duplicate key update seller_id = values(seller_id), category_id = values(category_id),
            title_ko = values(title_ko), title_en = values(title_en), image_url = values(image_url),
            amount = values(amount), currency = values(currency), search_text = values(search_text)",
    )
    .bind(product_no)
    .bind(product_id)
    .bind(product.seller.as_str())
    .bind(product.category.as_str())
    .bind(&product.title.ko)
    .bind(&product.title.en)
    .bind(&listing.image_url)
    .bind(listing.price.amount)
    .bind(listing.price.currency.to_string())
    .bind(published_at.naive_utc())
    .bind(product_no)
    .bind(&listing.search_text)
    .execute(tx)
    .await
    .map(drop)
}

/// What it is found by so far. The lock of its product keeps it so: one of its own would lock the gap where there is no row yet, and
/// publications at once would wait for each other's.
async fn listed_text(tx: &mut MySqlConnection, product_no: u32) -> sqlx::Result<Option<String>> {
    query_scalar("-- listed_text\nselect search_text from shop_products where product_no = ?")
        .bind(product_no)
        .fetch_optional(tx)
        .await
}

async fn delete_grams(
    tx: &mut MySqlConnection,
    product_no: u32,
    grams: &[&str],
) -> sqlx::Result<()> {
    for chunk in grams.chunks(STATEMENT_ROWS_MAX) {
        let mut statement: QueryBuilder<MySql> =
            QueryBuilder::new("-- delete_grams\ndelete from search_grams where product_no = ");
        statement.push_bind(product_no).push(" and gram in (");
        push_in(&mut statement, chunk.iter().map(|gram| gram.as_bytes()));
        statement.build().execute(&mut *tx).await?;
    }
    Ok(())
}

async fn insert_grams(
    tx: &mut MySqlConnection,
    product_no: u32,
    grams: &[&str],
) -> sqlx::Result<()> {
    for part in parts(grams) {
        let mut statement: QueryBuilder<MySql> =
            QueryBuilder::new("-- insert_grams\ninsert into search_grams (gram, product_no) ");
        statement.push_values(part, |mut row, gram| {
            row.push_bind(gram.as_bytes()).push_bind(product_no);
        });
        // Left behind by another version, whose grams were others.
        statement.push(" on duplicate key update product_no = values(product_no)");
        statement.build().execute(&mut *tx).await?;
    }
    Ok(())
}
