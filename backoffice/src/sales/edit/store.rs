//! SQL of edits of drafts. Called by `edit`, and by whoever schedules or publishes one. Times are bound without a zone, as in `sales::store`.

use doorbuster_core::clock;
use doorbuster_core::ids::SaleId;
use serde_json::json;
use sqlx::mysql::MySqlConnection;
use sqlx::{query, query_scalar};

use crate::error::ApiError;
use crate::sales::draft::Sale;
use crate::sales::store::{self, StoredSale};

/// Of a draft that nobody has edited.
pub(crate) const FIRST_VERSION: u32 = 1;

/// The sale as it is now, with its row locked until the transaction ends.
///
/// # Errors
/// [`ApiError::UnknownSale`] where there is none.
pub(crate) async fn lock(tx: &mut MySqlConnection, id: &SaleId) -> Result<StoredSale, ApiError> {
    let found: Option<i64> =
        query_scalar("-- lock\nselect 1 from sales where sale_id = ? for update")
            .bind(id.as_str())
            .fetch_optional(&mut *tx)
            .await?;
    found.ok_or(ApiError::UnknownSale)?;
    // Nothing has been read before the lock was there, so this sees what was committed last.
    store::find_on(tx, id).await
}

/// The version of a sale whose row is locked.
pub(crate) async fn version(tx: &mut MySqlConnection, id: &SaleId) -> sqlx::Result<u32> {
    let version: Option<u32> =
        query_scalar("-- version\nselect version from sale_edits where sale_id = ?")
            .bind(id.as_str())
            .fetch_optional(tx)
            .await?;
    Ok(version.unwrap_or(FIRST_VERSION))
}

/// Makes a locked draft what it is to be.
pub(super) async fn update(tx: &mut MySqlConnection, sale: &Sale) -> sqlx::Result<()> {
    query(
        "-- update\nupdate sales set title = ?, opens_at = ?, closes_at = ?, hold_seconds = ?, payment_seconds = ?, waiting_room = ?
        where sale_id = ?",
    )
    .bind(&sale.title)
    .bind(sale.opens_at.naive_utc())
    .bind(sale.closes_at.naive_utc())
    .bind(sale.hold_seconds)
    .bind(sale.payment_seconds)
    .bind(sale.line.is_some())
    .bind(sale.id.as_str())
    .execute(&mut *tx)
    .await?;
    replace_line(tx, sale).await?;
    query("-- update\ndelete from sale_items where sale_id = ?")
        .bind(sale.id.as_str())
        .execute(&mut *tx)
        .await?;
    store::insert_items(tx, sale).await?;
    raise(tx, &sale.id).await
}

/// A draw that was pledged, by an opening that went no further, stays pledged.
async fn replace_line(tx: &mut MySqlConnection, sale: &Sale) -> sqlx::Result<()> {
    let Some(line) = &sale.line else {
        return query("-- replace_line\ndelete from sale_lines where sale_id = ?")
            .bind(sale.id.as_str())
            .execute(tx)
            .await
            .map(drop);
    };
    query(
        "-- replace_line\ninsert into sale_lines (sale_id, settings) values (?, ?) on duplicate key update settings = values(settings)",
    )
    .bind(sale.id.as_str())
    .bind(json!(line).to_string())
    .execute(tx)
    .await
    .map(drop)
}

async fn raise(tx: &mut MySqlConnection, id: &SaleId) -> sqlx::Result<()> {
    query(
        "-- raise\ninsert into sale_edits (sale_id, version, edited_at) values (?, ?, ?)
        on duplicate key update version = version + 1, edited_at = values(edited_at)",
    )
    .bind(id.as_str())
    .bind(FIRST_VERSION + 1)
    .bind(clock::now().naive_utc())
    .execute(tx)
    .await
    .map(drop)
}
