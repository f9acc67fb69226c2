//! SQL of the tokens by which a password is set. Called by `passwords`, `admin` and the sweep.

use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{query, query_as, query_scalar};

use crate::accounts::email::Email;
use crate::accounts::keys::Hash;
use crate::error::ApiError;
use crate::limits::{PASSWORD_RESET_LIFE, SWEEP_ROWS_MAX};

pub(crate) async fn insert(
    tx: &mut MySqlConnection,
    token: &Hash,
    user: &UserId,
    email: &Email,
) -> sqlx::Result<()> {
    query(
        "-- insert\ninsert into one_time_tokens (token_hash, purpose, user_id, email, expires_at) values (?, 'reset_password', ?, ?, ?)",
    )
    .bind(&token[..])
    .bind(user.as_str())
    .bind(email.as_str())
    .bind((clock::now() + PASSWORD_RESET_LIFE).naive_utc())
    .execute(tx)
    .await
    .map(drop)
}

/// Whose token this is, and to which address it went, if it has not expired.
pub(crate) async fn owner(
    books: impl MySqlExecutor<'_>,
    token: &Hash,
) -> Result<Option<(UserId, String)>, ApiError> {
    let owner: Option<(String, String)> = query_as(
        "-- owner\nselect user_id, email from one_time_tokens where token_hash = ? and purpose = 'reset_password' and expires_at > ?",
    )
    .bind(&token[..])
    .bind(clock::now().naive_utc())
    .fetch_optional(books)
    .await?;
    let owner = owner.map(|(id, email)| UserId::parse(id).map(|id| (id, email)));
    let owner = owner.transpose();
    owner.map_err(|e| ApiError::Internal(e.into()))
}

/// The address that this token went to; it is gone with the transaction.
pub(crate) async fn take(tx: &mut MySqlConnection, token: &Hash) -> sqlx::Result<Option<String>> {
    let sent_to =
        query_scalar("-- take\nselect email from one_time_tokens where token_hash = ? for update")
            .bind(&token[..])
            .fetch_optional(&mut *tx)
            .await?;
    query("-- take\ndelete from one_time_tokens where token_hash = ?")
        .bind(&token[..])
        .execute(tx)
        .await?;
    Ok(sent_to)
}

/// All of a user: their links are void.
pub(crate) async fn forget(tx: &mut MySqlConnection, user: &UserId) -> sqlx::Result<()> {
    query("-- forget\ndelete from one_time_tokens where user_id = ?")
        .bind(user.as_str())
        .execute(tx)
        .await
        .map(drop)
}

/// Removes those that have expired; how many.
pub(crate) async fn sweep(books: &MySqlPool) -> sqlx::Result<u64> {
    query("-- sweep\ndelete from one_time_tokens where expires_at < ? order by expires_at limit ?")
        .bind(clock::now().naive_utc())
        .bind(SWEEP_ROWS_MAX)
        .execute(books)
        .await
        .map(|done| done.rows_affected())
}
