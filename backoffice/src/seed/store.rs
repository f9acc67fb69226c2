//! SQL that adds many products at once. Called by `seed`.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use doorbuster_core::clock;
use serde_json::json;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{MySql, QueryBuilder, query};

use super::goods::{CATEGORIES, SELLERS, product, product_id};
use crate::audit_log::{self, Change};
use crate::catalog::listing::Listing;
use crate::catalog::products::draft::Product;
use crate::extract::Caller;
use crate::limits::SEED_ROWS;
use crate::shop::search::text::grams;

/// Sellers, categories and a notice that are not there yet; how many of each were added.
pub(crate) async fn shop(books: &MySqlPool) -> sqlx::Result<(u64, u64, u64)> {
    let now = clock::now().naive_utc();
    let (mut sellers, mut categories) = (0, 0);
    for (id, ko, en) in SELLERS {
        let added = query(
            "-- shop\ninsert into sellers (seller_id, name_ko, name_en, version, created_at, updated_at)
            select ?, ?, ?, 1, ?, ? from (select 1) one where not exists (select 1 from sellers s where s.seller_id = ?)",
        );
        let added = added
            .bind(id)
            .bind(ko)
            .bind(en)
            .bind(now)
            .bind(now)
            .bind(id)
            .execute(books)
            .await?;
        sellers += added.rows_affected();
    }
    for (position, (id, parent, ko, en)) in (0_u32..).zip(CATEGORIES) {
        let added = query(
            "-- shop\ninsert into categories
                (category_id, parent_id, title_ko, title_en, position, version, created_at, updated_at)
            select ?, ?, ?, ?, ?, 1, ?, ? from (select 1) one
            where not exists (select 1 from categories c where c.category_id = ?)",
        );
        let added = added
            .bind(id)
            .bind(parent)
            .bind(ko)
            .bind(en)
            .bind(position)
            .bind(now)
            .bind(now)
            .bind(id);
        categories += added.execute(books).await?.rows_affected();
    }
    let notice = query(
        "-- shop\ninsert into notices
            (notice_id, title_ko, title_en, body_ko, body_en, starts_at, ends_at, version, created_at, updated_at)
        select 'welcome', '문을 열었습니다', 'We are open', '첫 판매는 금요일에 시작합니다.', 'The first sale begins on Friday.',
            '2026-01-01', '2099-01-01', 1, ?, ? from (select 1) one
        where not exists (select 1 from notices n where n.notice_id = 'welcome')",
    );
    let notices = notice
        .bind(now)
        .bind(now)
        .execute(books)
        .await?
        .rows_affected();
    Ok((sellers, categories, notices))
}

/// Those of these products that are not there yet, published, in one transaction; how many were added.
pub(crate) async fn products(
    books: &MySqlPool,
    caller: &Caller,
    wanted: Range<usize>,
) -> sqlx::Result<u64> {
    let mut tx = books.begin().await?;
    let there = numbers(&mut tx, wanted.clone()).await?;
    let there: HashSet<String> = there.into_iter().map(|(id, _)| id).collect();
    let new: Vec<(String, Product)> = wanted
        .clone()
        .map(|i| (product_id(i), product(i)))
        .filter(|(id, _)| !there.contains(id))
        .collect();
    if new.is_empty() {
        return Ok(0);
    }
    for rows in new.chunks(SEED_ROWS) {
        insert(&mut tx, rows).await?;
    }
    let numbers: HashMap<String, u32> = numbers(&mut tx, wanted).await?.into_iter().collect();
    let mut listed: Vec<(u32, &str, &Product, Listing)> = Vec::with_capacity(new.len());
    for (id, product) in &new {
        // Both are always there: it has just been inserted, with skus.
        let known = numbers.get(id).copied().zip(Listing::of(product));
        listed.extend(known.map(|(no, listing)| (no, id.as_str(), product, listing)));
    }
    for rows in listed.chunks(SEED_ROWS) {
        insert_skus(&mut tx, rows).await?;
        list(&mut tx, rows).await?;
    }
    insert_grams(&mut tx, &listed).await?;
    let change = Change {
        action: "catalog.seed",
        subject: "catalog".to_owned(),
        before: None,
        after: Some(json!({"products": new.len()})),
    };
    audit_log::in_transaction(&mut tx, caller, change).await?;
    tx.commit().await?;
    Ok(new.len() as u64)
}

async fn numbers(
    tx: &mut MySqlConnection,
    wanted: Range<usize>,
) -> sqlx::Result<Vec<(String, u32)>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- numbers\nselect product_id, product_no from products where product_id in (",
    );
    let mut list = statement.separated(", ");
    for i in wanted {
        list.push_bind(product_id(i));
    }
    statement.push(")");
    statement.build_query_as().fetch_all(tx).await
}

async fn insert(tx: &mut MySqlConnection, rows: &[(String, Product)]) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- insert\ninsert into products
            (product_id, seller_id, category_id, title_ko, title_en, description_ko, description_en, keywords, options, images,
             state, version, page_version, created_at, updated_at, published_at) ",
    );
    statement.push_values(rows, |mut row, (id, product)| {
        row.push_bind(id)
            .push_bind(product.seller.as_str())
            .push_bind(product.category.as_str())
            .push_bind(&product.title.ko)
            .push_bind(&product.title.en)
            .push_bind(&product.description.ko)
            .push_bind(&product.description.en)
            .push_bind(json!(product.keywords).to_string())
            .push_bind(json!(product.options).to_string())
            .push_bind(json!(product.images).to_string())
            .push("'published', 1, 1")
            .push_bind(now)
            .push_bind(now)
            .push_bind(now);
    });
    statement.build().execute(tx).await.map(drop)
}

async fn insert_skus(
    tx: &mut MySqlConnection,
    rows: &[(u32, &str, &Product, Listing)],
) -> sqlx::Result<()> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- insert_skus\ninsert into skus (sku, product_no, position, choices, amount, currency) ",
    );
    let skus = rows
        .iter()
        .flat_map(|(no, _, product, _)| (0_u32..).zip(&product.skus).map(move |sku| (*no, sku)));
    statement.push_values(skus, |mut row, (no, (position, sku))| {
        row.push_bind(sku.sku.as_str())
            .push_bind(no)
            .push_bind(position)
            .push_bind(json!(sku.choices).to_string())
            .push_bind(sku.price.amount)
            .push_bind(sku.price.currency.to_string());
    });
    statement.build().execute(tx).await.map(drop)
}

async fn list(
    tx: &mut MySqlConnection,
    rows: &[(u32, &str, &Product, Listing)],
) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- list\ninsert into shop_products
            (product_no, product_id, seller_id, category_id, title_ko, title_en, image_url, amount, currency, published_at, score,
             search_text) ",
    );
    statement.push_values(rows, |mut row, (no, id, product, listing)| {
        row.push_bind(no)
            .push_bind(id)
            .push_bind(product.seller.as_str())
            .push_bind(product.category.as_str())
            .push_bind(&product.title.ko)
            .push_bind(&product.title.en)
            .push_bind(&listing.image_url)
            .push_bind(listing.price.amount)
            .push_bind(listing.price.currency.to_string())
            .push_bind(now)
            .push_bind(0_u64)
            .push_bind(&listing.search_text);
    });
    statement.build().execute(tx).await.map(drop)
}

/// In the order of the index, which is several times faster than in any other.
async fn insert_grams(
    tx: &mut MySqlConnection,
    rows: &[(u32, &str, &Product, Listing)],
) -> sqlx::Result<()> {
    let of = |(no, _, _, listing): &(u32, &str, &Product, Listing)| {
        let no = *no;
        let grams = grams(&listing.search_text).into_iter();
        grams
            .map(move |gram| (gram.as_bytes().to_vec(), no))
            .collect::<Vec<_>>()
    };
    let mut pairs: Vec<(Vec<u8>, u32)> = rows.iter().flat_map(of).collect();
    pairs.sort_unstable();
    for chunk in pairs.chunks(SEED_ROWS * 10) {
        let mut statement: QueryBuilder<MySql> =
            QueryBuilder::new("-- insert_grams\ninsert into search_grams (gram, product_no) ");
        statement.push_values(chunk, |mut row, (gram, no)| {
            row.push_bind(gram).push_bind(no);
        });
        statement.push(" on duplicate key update product_no = values(product_no)");
        statement.build().execute(&mut *tx).await?;
    }
    Ok(())
}
