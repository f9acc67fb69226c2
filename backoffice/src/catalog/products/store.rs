//! SQL of products as staff write them. Called by the handlers of `products`. JSON goes as text: MariaDB has no such type on the wire.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::SkuId;
use doorbuster_core::money::{Currency, Money};
use serde::de::DeserializeOwned;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as, query_scalar};

use super::State;
use super::draft::{Product, Sku};
use crate::bulk::{parts, push_in};
use crate::catalog::error::Refusal;
use crate::catalog::ids::{CategoryId, Named as _, ProductId, SellerId};
use crate::catalog::text::Text;
use crate::error::ApiError;

/// A product in the books.
#[derive(Debug, Clone)]
pub(crate) struct StoredProduct {
    pub(crate) no: u32,
    pub(crate) id: String,
    pub(crate) product: Product,
    pub(crate) state: State,
    pub(crate) version: u32,
    pub(crate) page_version: u64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) published_at: Option<DateTime<Utc>>,
}

/// One line of the list of staff.
#[derive(Debug, FromRow)]
pub(crate) struct ProductRow {
    pub(crate) product_id: String,
    pub(crate) seller_id: String,
    pub(crate) category_id: String,
    pub(crate) state: String,
    pub(crate) title_ko: String,
    pub(crate) title_en: String,
    pub(crate) version: u32,
    pub(crate) updated_at: DateTime<Utc>,
}

/// # Errors
/// [`Refusal::ProductExists`], [`Refusal::UnknownSeller`], [`Refusal::UnknownCategory`], [`Refusal::SkuTaken`].
pub(crate) async fn insert(
    tx: &mut MySqlConnection,
    id: &ProductId,
    product: &Product,
) -> Result<(), ApiError> {
    let now = clock::now().naive_utc();
    let inserted = query(
        "-- insert\ninsert into products
            (product_id, seller_id, category_id, title_ko, title_en, description_ko, description_en, keywords, options,
             images, state, version, page_version, created_at, updated_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'draft', 1, 1, ?, ?)",
    )
    .bind(id.as_str())
    .bind(product.seller.as_str())
    .bind(product.category.as_str())
    .bind(&product.title.ko)
    .bind(&product.title.en)
    .bind(&product.description.ko)
    .bind(&product.description.en)
    .bind(json(&product.keywords))
    .bind(json(&product.options))
    .bind(json(&product.images))
    .bind(now)
    .bind(now)
    .execute(&mut *tx)
    .await;
    let inserted = match inserted {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => {
            return Err(Refusal::ProductExists.into());
        }
        other => other.map_err(unknown_parts)?,
    };
    // The number is an `int unsigned` in its column.
    let no = u32::try_from(inserted.last_insert_id()).map_err(|e| ApiError::Internal(e.into()))?;
    insert_skus(tx, no, &product.skus).await
}

/// A foreign key names what is not there.
fn unknown_parts(error: sqlx::Error) -> ApiError {
    match &error {
        sqlx::Error::Database(e)
            if e.is_foreign_key_violation() && e.message().contains("products_seller") =>
        {
            Refusal::UnknownSeller.into()
        }
        sqlx::Error::Database(e) if e.is_foreign_key_violation() => Refusal::UnknownCategory.into(),
        _ => error.into(),
    }
}

/// Skus of a new product, or those that an edit adds.
async fn insert_skus(tx: &mut MySqlConnection, no: u32, skus: &[Sku]) -> Result<(), ApiError> {
    if skus.is_empty() {
        return Ok(());
    }
    let mut taken: QueryBuilder<MySql> =
        QueryBuilder::new("-- insert_skus\nselect sku from skus where sku in (");
    push_in(&mut taken, skus.iter().map(|sku| sku.sku.as_str()));
    taken.push(" limit 1");
    let taken: Option<String> = taken.build_query_scalar().fetch_optional(&mut *tx).await?;
    if let Some(sku) = taken {
        return Err(Refusal::SkuTaken(sku).into());
    }
    let placed: Vec<(u32, &Sku)> = (0..).zip(skus).collect();
    for part in parts(&placed) {
        let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
            "-- insert_skus\ninsert into skus (sku, product_no, position, choices, amount, currency) ",
        );
        statement.push_values(part, |mut row, (position, sku)| {
            row.push_bind(sku.sku.as_str())
                .push_bind(no)
                .push_bind(position)
                .push_bind(json(&sku.choices))
                .push_bind(sku.price.amount)
                .push_bind(sku.price.currency.to_string());
        });
        match statement.build().execute(&mut *tx).await {
            // Another product has taken one of them since the look.
            Err(sqlx::Error::Database(e)) if e.is_unique_violation() => {
                return Err(Refusal::SkuTaken(part[0].1.sku.to_string()).into());
            }
            other => other.map(drop)?,
        }
    }
    Ok(())
}

#[derive(FromRow)]
struct WholeRow {
    product_no: u32,
    product_id: String,
    seller_id: String,
    category_id: String,
    state: String,
    title_ko: String,
    title_en: String,
    description_ko: String,
    description_en: String,
    keywords: String,
    options: String,
    images: String,
    version: u32,
    page_version: u64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    published_at: Option<DateTime<Utc>>,
}

const FIND: &str = "-- find\nselect product_no, product_id, seller_id, category_id, state, title_ko, title_en, description_ko,
        description_en, cast(keywords as char) keywords, cast(options as char) options, cast(images as char) images, version, page_version,
        created_at, updated_at, published_at
    from products where product_id = ?";
const LOCK: &str = "-- lock\nselect product_no, product_id, seller_id, category_id, state, title_ko, title_en, description_ko,
        description_en, cast(keywords as char) keywords, cast(options as char) options, cast(images as char) images, version, page_version,
        created_at, updated_at, published_at
    from products where product_id = ? for update";

/// # Errors
/// [`Refusal::UnknownProduct`] where there is none.
pub(crate) async fn find(books: &MySqlPool, id: &ProductId) -> Result<StoredProduct, ApiError> {
    let row: Option<WholeRow> = query_as(FIND)
        .bind(id.as_str())
        .fetch_optional(books)
        .await?;
    let row = row.ok_or(Refusal::UnknownProduct)?;
    let skus = skus(books, row.product_no).await?;
    stored(row, skus)
}

/// The same, with its row locked until the transaction ends.
///
/// # Errors
/// [`Refusal::UnknownProduct`]; [`Refusal::VersionConflict`] where `version` is asked for and not the present one.
pub(crate) async fn lock(
    tx: &mut MySqlConnection,
    id: &ProductId,
    version: Option<u32>,
) -> Result<StoredProduct, ApiError> {
    let row: Option<WholeRow> = query_as(LOCK)
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    let row = row.ok_or(Refusal::UnknownProduct)?;
    if version.is_some_and(|version| version != row.version) {
        return Err(Refusal::VersionConflict {
            version: row.version,
        }
        .into());
    }
    let skus = skus(tx, row.product_no).await?;
    stored(row, skus)
}

async fn skus(books: impl MySqlExecutor<'_>, no: u32) -> Result<Vec<Sku>, ApiError> {
    let rows: Vec<(String, String, i64, String)> = query_as(
        "-- skus\nselect sku, cast(choices as char), amount, currency from skus where product_no = ? order by position",
    )
    .bind(no)
    .fetch_all(books)
    .await?;
    let sku = |(sku, choices, amount, currency): (String, String, i64, String)| {
        let price = Money {
            amount,
            currency: Currency::parse(&currency).map_err(|e| ApiError::Internal(e.into()))?,
        };
        let sku = SkuId::parse(sku).map_err(|e| ApiError::Internal(e.into()))?;
        let choices = parsed(&choices)?;
        Ok(Sku {
            sku,
            choices,
            price,
        })
    };
    rows.into_iter().map(sku).collect()
}

fn stored(row: WholeRow, skus: Vec<Sku>) -> Result<StoredProduct, ApiError> {
    let broken = |e: doorbuster_core::ids::IdError| ApiError::Internal(e.into());
    let product = Product {
        seller: SellerId::parse(row.seller_id).map_err(broken)?,
        category: CategoryId::parse(row.category_id).map_err(broken)?,
        title: Text {
            ko: row.title_ko,
            en: row.title_en,
        },
        description: Text {
            ko: row.description_ko,
            en: row.description_en,
        },
        keywords: parsed(&row.keywords)?,
        options: parsed(&row.options)?,
        skus,
        images: parsed(&row.images)?,
    };
    Ok(StoredProduct {
        no: row.product_no,
        id: row.product_id,
        product,
        state: State::parse(&row.state),
        version: row.version,
        page_version: row.page_version,
        created_at: row.created_at,
        updated_at: row.updated_at,
        published_at: row.published_at,
    })
}

/// `q` is looked for in every row: only staff asks so, and drafts are in no index.
pub(crate) async fn page(
    books: &MySqlPool,
    q: Option<&str>,
    state: Option<State>,
    after: Option<&ProductId>,
    rows: u32,
) -> sqlx::Result<Vec<ProductRow>> {
    let state = state.map(State::as_str);
    query_as(
        "-- page\nselect product_id, seller_id, category_id, state, title_ko, title_en, version, updated_at from products
        where product_id > ? and (? is null or state = ?)
            and (? is null or instr(lower(concat_ws('\n', product_id, title_ko, title_en)), lower(?)) > 0)
        order by product_id limit ?",
    )
    .bind(after.map_or("", ProductId::as_str))
    .bind(state)
    .bind(state)
    .bind(q)
    .bind(q)
    .bind(rows)
    .fetch_all(books)
    .await
}

/// Makes a locked product what it is to be.
///
/// # Errors
/// [`Refusal::UnknownSeller`], [`Refusal::UnknownCategory`], [`Refusal::SkuTaken`], [`Refusal::SkuInUse`].
pub(crate) async fn update(
    tx: &mut MySqlConnection,
    before: &StoredProduct,
    product: &Product,
) -> Result<(), ApiError> {
    let updated = query(
        "-- update\nupdate products
        set seller_id = ?, category_id = ?, title_ko = ?, title_en = ?, description_ko = ?, description_en = ?,
            keywords = ?, options = ?, images = ?, version = version + 1, page_version = page_version + 1, updated_at = ?
        where product_no = ?",
    )
    .bind(product.seller.as_str())
    .bind(product.category.as_str())
    .bind(&product.title.ko)
    .bind(&product.title.en)
    .bind(&product.description.ko)
    .bind(&product.description.en)
    .bind(json(&product.keywords))
    .bind(json(&product.options))
    .bind(json(&product.images))
    .bind(clock::now().naive_utc())
    .bind(before.no)
    .execute(&mut *tx)
    .await;
    updated.map_err(unknown_parts)?;
    if before.product.skus == product.skus {
        return Ok(());
    }
    replace_skus(tx, before, &product.skus).await
}

/// Those that stay keep their rows, because carts refer to them.
async fn replace_skus(
    tx: &mut MySqlConnection,
    before: &StoredProduct,
    skus: &[Sku],
) -> Result<(), ApiError> {
    for old in &before.product.skus {
        let kept = skus.iter().find(|new| new.sku == old.sku);
        if kept.is_none_or(|new| new.price.currency != old.price.currency)
            && is_for_sale(tx, &old.sku).await?
        {
            return Err(Refusal::SkuInUse(old.sku.to_string()).into());
        }
        if kept.is_none() {
            query("-- replace_skus\ndelete from skus where sku = ?")
                .bind(old.sku.as_str())
                .execute(&mut *tx)
                .await?;
        }
    }
    let is_new = |sku: &Sku| before.product.skus.iter().all(|old| old.sku != sku.sku);
    let added: Vec<Sku> = skus.iter().filter(|sku| is_new(sku)).cloned().collect();
    insert_skus(&mut *tx, before.no, &added).await?;
    for (position, sku) in (0_u32..).zip(skus) {
        query("-- replace_skus\nupdate skus set position = ?, choices = ?, amount = ?, currency = ? where sku = ?")
            .bind(position)
            .bind(json(&sku.choices))
            .bind(sku.price.amount)
            .bind(sku.price.currency.to_string())
            .bind(sku.sku.as_str())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

async fn is_for_sale(tx: &mut MySqlConnection, sku: &SkuId) -> sqlx::Result<bool> {
    let found: Option<i64> =
        query_scalar("-- is_for_sale\nselect 1 from sale_items where sku = ? limit 1")
            .bind(sku.as_str())
            .fetch_optional(tx)
            .await?;
    Ok(found.is_some())
}

pub(crate) async fn set_state(
    tx: &mut MySqlConnection,
    no: u32,
    state: State,
    published_at: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    query("-- set_state\nupdate products set state = ?, published_at = ?, version = version + 1, page_version = page_version + 1, updated_at = ? where product_no = ?")
        .bind(state.as_str())
        .bind(published_at.map(|at| at.naive_utc()))
        .bind(clock::now().naive_utc())
        .bind(no)
        .execute(tx)
        .await
        .map(drop)
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("lists of texts and numbers are JSON")
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text).map_err(|e| ApiError::Internal(e.into()))
}
