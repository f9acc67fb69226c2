//! SQL of addresses. Called by `addresses`. A user's row is locked while one of his addresses changes, so that one is the default and never two.

use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::AddressView;
use super::draft::Address;
use crate::error::ApiError;
use crate::limits::ADDRESSES_PER_USER_MAX;

#[derive(FromRow)]
struct Row {
    address_id: Uuid,
    recipient: String,
    phone: String,
    country: String,
    postal_code: String,
    line1: String,
    line2: String,
    is_default: bool,
}

impl From<Row> for AddressView {
    fn from(row: Row) -> Self {
        Self {
            id: row.address_id.hyphenated().to_string(),
            recipient: row.recipient,
            phone: row.phone,
            country: row.country,
            postal_code: row.postal_code,
            line1: row.line1,
            line2: row.line2,
            is_default: row.is_default,
        }
    }
}

pub(crate) async fn of(books: &MySqlPool, user: &UserId) -> sqlx::Result<Vec<AddressView>> {
    let rows: Vec<Row> = query_as(
        "-- of\nselect address_id, recipient, phone, country, postal_code, line1, line2, is_default from addresses
        where user_id = ? order by is_default desc, created_at desc, address_id",
    )
    .bind(user.as_str())
    .fetch_all(books)
    .await?;
    Ok(rows.into_iter().map(AddressView::from).collect())
}

/// # Errors
/// [`ApiError::UnknownAddress`] where the user has none of this id.
pub(crate) async fn find(
    books: &MySqlPool,
    user: &UserId,
    id: Uuid,
) -> Result<AddressView, ApiError> {
    let row: Option<Row> = query_as(
        "-- find\nselect address_id, recipient, phone, country, postal_code, line1, line2, is_default from addresses
        where user_id = ? and address_id = ?",
    )
    .bind(user.as_str())
    .bind(id)
    .fetch_optional(books)
    .await?;
    row.map(AddressView::from).ok_or(ApiError::UnknownAddress)
}

/// # Errors
/// [`ApiError::TooManyAddresses`].
pub(crate) async fn insert(
    tx: &mut MySqlConnection,
    user: &UserId,
    id: Uuid,
    address: &Address,
) -> Result<(), ApiError> {
    let count: i64 = query_scalar("-- insert\nselect count(*) from addresses where user_id = ?")
        .bind(user.as_str())
        .fetch_one(&mut *tx)
        .await?;
    if count >= i64::from(ADDRESSES_PER_USER_MAX) {
        return Err(ApiError::TooManyAddresses);
    }
    let is_default = address.is_default || count == 0;
    if is_default {
        unset_default(&mut *tx, user).await?;
    }
    query(
        "-- insert\ninsert into addresses (address_id, user_id, recipient, phone, country, postal_code, line1, line2, is_default, created_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id)
    .bind(user.as_str())
    .bind(&address.recipient)
    .bind(&address.phone)
    .bind(&address.country)
    .bind(&address.postal_code)
    .bind(&address.line1)
    .bind(&address.line2)
    .bind(is_default)
    .bind(clock::now().naive_utc())
    .execute(tx)
    .await?;
    Ok(())
}

/// The default stays one until another is made so.
///
/// # Errors
/// [`ApiError::UnknownAddress`] where the user has none of this id.
pub(crate) async fn update(
    tx: &mut MySqlConnection,
    user: &UserId,
    id: Uuid,
    address: &Address,
) -> Result<(), ApiError> {
    let was_default = lock(&mut *tx, user, id).await?;
    if address.is_default {
        unset_default(&mut *tx, user).await?;
    }
    query(
        "-- update\nupdate addresses set recipient = ?, phone = ?, country = ?, postal_code = ?, line1 = ?, line2 = ?, is_default = ?
        where user_id = ? and address_id = ?",
    )
    .bind(&address.recipient)
    .bind(&address.phone)
    .bind(&address.country)
    .bind(&address.postal_code)
    .bind(&address.line1)
    .bind(&address.line2)
    .bind(was_default || address.is_default)
    .bind(user.as_str())
    .bind(id)
    .execute(tx)
    .await?;
    Ok(())
}

/// # Errors
/// [`ApiError::UnknownAddress`] where the user has none of this id.
pub(crate) async fn delete(
    tx: &mut MySqlConnection,
    user: &UserId,
    id: Uuid,
) -> Result<(), ApiError> {
    let was_default = lock(&mut *tx, user, id).await?;
    query("-- delete\ndelete from addresses where user_id = ? and address_id = ?")
        .bind(user.as_str())
        .bind(id)
        .execute(&mut *tx)
        .await?;
    if was_default {
        query("-- delete\nupdate addresses set is_default = true where user_id = ? order by created_at desc, address_id limit 1")
            .bind(user.as_str())
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// Whether it is the default.
async fn lock(tx: &mut MySqlConnection, user: &UserId, id: Uuid) -> Result<bool, ApiError> {
    let is_default: Option<bool> = query_scalar(
        "-- lock\nselect is_default from addresses where user_id = ? and address_id = ? for update",
    )
    .bind(user.as_str())
    .bind(id)
    .fetch_optional(tx)
    .await?;
    is_default.ok_or(ApiError::UnknownAddress)
}

async fn unset_default(tx: &mut MySqlConnection, user: &UserId) -> sqlx::Result<()> {
    query("-- unset_default\nupdate addresses set is_default = false where user_id = ? and is_default")
        .bind(user.as_str())
        .execute(tx)
        .await
        .map(drop)
}
