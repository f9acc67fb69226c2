//! SQL of changes of address. Called by `email_changes`, by whatever makes their links void, and by the sweep.

use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{query, query_scalar};

use crate::accounts::email::Email;
use crate::accounts::keys::Hash;
use crate::error::ApiError;
use crate::limits::{EMAIL_CHANGE_LIFE, SWEEP_ROWS_MAX};

pub(crate) async fn insert(
    tx: &mut MySqlConnection,
    token: &Hash,
    user: &UserId,
    email: &Email,
) -> sqlx::Result<()> {
    query("-- insert\ninsert into email_changes (token_hash, user_id, email, expires_at) values (?, ?, ?, ?)")
        .bind(&token[..])
        .bind(user.as_str())
        .bind(email.as_str())
        .bind((clock::now() + EMAIL_CHANGE_LIFE).naive_utc())
        .execute(tx)
        .await
        .map(drop)
}

/// Whose token this is, if it has not expired; without a lock, because the user's row comes first.
pub(crate) async fn owner(books: &MySqlPool, token: &Hash) -> Result<Option<UserId>, ApiError> {
    let owner: Option<String> = query_scalar(
        "-- owner\nselect user_id from email_changes where token_hash = ? and expires_at > ?",
    )
    .bind(&token[..])
    .bind(clock::now().naive_utc())
    .fetch_optional(books)
    .await?;
    let owner = owner.map(UserId::parse).transpose();
    owner.map_err(|e| ApiError::Internal(e.into()))
}

/// The address that this token confirms.
pub(crate) async fn lock(tx: &mut MySqlConnection, token: &Hash) -> sqlx::Result<Option<String>> {
    query_scalar("-- lock\nselect email from email_changes where token_hash = ? for update")
        .bind(&token[..])
        .fetch_optional(tx)
        .await
}

/// All of a user: their links are void, and their mails need not be sent.
pub(crate) async fn forget(tx: &mut MySqlConnection, user: &UserId) -> sqlx::Result<()> {
    // Looked up first: a delete with a query inside it reads, and locks, every mail there is. Locked, so that it sees what was written since
    // the transaction began.
    let pending: Vec<String> =
        query_scalar("-- forget\nselect email from email_changes where user_id = ? for update")
            .bind(user.as_str())
            .fetch_all(&mut *tx)
            .await?;
    if pending.is_empty() {
        return Ok(());
    }
    for email in &pending {
        query("-- forget\ndelete from mails where recipient = ? and kind in ('change_email', 'email_in_use')")
            .bind(email.as_str())
            .execute(&mut *tx)
            .await?;
    }
    query("-- forget\ndelete from email_changes where user_id = ?")
        .bind(user.as_str())
        .execute(tx)
        .await
        .map(drop)
}

/// Gives the user this address; false where another has it.
pub(crate) async fn set(
    tx: &mut MySqlConnection,
    user: &UserId,
    email: &Email,
) -> Result<bool, ApiError> {
    let updated = query("-- set\nupdate users set email = ? where user_id = ?")
        .bind(email.as_str())
        .bind(user.as_str())
        .execute(tx)
        .await;
    match updated {
        // What MySQL says of it names the address, and must not be logged.
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Ok(false),
        other => Ok(other.map(|_| true)?),
    }
}

/// Removes those that have expired; how many.
pub(crate) async fn sweep(books: &MySqlPool) -> sqlx::Result<u64> {
    query("-- sweep\ndelete from email_changes where expires_at < ? order by expires_at limit ?")
        .bind(clock::now().naive_utc())
        .bind(SWEEP_ROWS_MAX)
        .execute(books)
        .await
        .map(|done| done.rows_affected())
}
