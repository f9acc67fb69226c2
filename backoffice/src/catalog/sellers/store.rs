//! SQL of sellers. Called by the handlers of `sellers`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as};

use super::SellerView;
use crate::catalog::error::Refusal;
use crate::catalog::ids::SellerId;
use crate::catalog::text::Text;
use crate::error::ApiError;

#[derive(FromRow)]
struct SellerRow {
    seller_id: String,
    name_ko: String,
    name_en: String,
    version: u32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<SellerRow> for SellerView {
    fn from(row: SellerRow) -> Self {
        let written = |at| clock::rfc3339(clock::to_ms(at));
        Self {
            id: row.seller_id,
            name: Text {
                ko: row.name_ko,
                en: row.name_en,
            },
            version: row.version,
            created_at: written(row.created_at),
            updated_at: written(row.updated_at),
        }
    }
}

/// # Errors
/// [`Refusal::SellerExists`] where the id is taken.
pub(crate) async fn insert(
    tx: &mut MySqlConnection,
    id: &SellerId,
    name: &Text,
) -> Result<(), ApiError> {
    let now = clock::now().naive_utc();
    let inserted = query(
        "-- insert\ninsert into sellers (seller_id, name_ko, name_en, version, created_at, updated_at)
        values (?, ?, ?, 1, ?, ?)",
    )
    .bind(id.as_str())
    .bind(&name.ko)
    .bind(&name.en)
    .bind(now)
    .bind(now)
    .execute(tx)
    .await;
    match inserted {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => {
            Err(Refusal::SellerExists.into())
        }
        other => Ok(other.map(drop)?),
    }
}

/// # Errors
/// [`Refusal::UnknownSeller`] where there is none.
pub(crate) async fn find(books: &MySqlPool, id: &SellerId) -> Result<SellerView, ApiError> {
    let row: Option<SellerRow> = query_as(
        "-- find\nselect seller_id, name_ko, name_en, version, created_at, updated_at from sellers where seller_id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(books)
    .await?;
    Ok(row.ok_or(Refusal::UnknownSeller)?.into())
}

pub(crate) async fn page(
    books: &MySqlPool,
    after: Option<&SellerId>,
    rows: u32,
) -> sqlx::Result<Vec<SellerView>> {
    let found: Vec<SellerRow> = query_as(
        "-- page\nselect seller_id, name_ko, name_en, version, created_at, updated_at from sellers
        where seller_id > ? order by seller_id limit ?",
    )
    .bind(after.map_or("", SellerId::as_str))
    .bind(rows)
    .fetch_all(books)
    .await?;
    Ok(found.into_iter().map(SellerView::from).collect())
}

/// The name so far, with its row locked until the transaction ends.
///
/// # Errors
/// [`Refusal::UnknownSeller`]; [`Refusal::VersionConflict`] where `version` is not the present one.
pub(crate) async fn lock(
    tx: &mut MySqlConnection,
    id: &SellerId,
    version: u32,
) -> Result<Text, ApiError> {
    let row: Option<(u32, String, String)> = query_as(
        "-- lock\nselect version, name_ko, name_en from sellers where seller_id = ? for update",
    )
    .bind(id.as_str())
    .fetch_optional(tx)
    .await?;
    match row.ok_or(Refusal::UnknownSeller)? {
        (present, ko, en) if present == version => Ok(Text { ko, en }),
        (version, ..) => Err(Refusal::VersionConflict { version }.into()),
    }
}

pub(crate) async fn update(
    tx: &mut MySqlConnection,
    id: &SellerId,
    name: &Text,
) -> sqlx::Result<()> {
    query("-- update\nupdate sellers set name_ko = ?, name_en = ?, version = version + 1, updated_at = ? where seller_id = ?")
        .bind(&name.ko)
        .bind(&name.en)
        .bind(clock::now().naive_utc())
        .bind(id.as_str())
        .execute(tx)
        .await
        .map(drop)
}
