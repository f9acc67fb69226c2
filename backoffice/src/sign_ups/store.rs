//! SQL of sign-ups. Called by `sign_ups`, and by the sweep.

use doorbuster_core::clock;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};

use super::SignUp;
use crate::accounts::keys::Hash;
use crate::limits::{SIGN_UP_LIFE, SWEEP_ROWS_MAX};

/// A sign-up that is confirmed.
#[derive(FromRow)]
pub(crate) struct Row {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) language: String,
}

pub(crate) async fn insert(
    tx: &mut MySqlConnection,
    token: &Hash,
    sign_up: &SignUp,
) -> sqlx::Result<()> {
    query(
        "-- insert\ninsert into sign_ups (token_hash, email, name, language, expires_at) values (?, ?, ?, ?, ?)",
    )
    .bind(&token[..])
    .bind(sign_up.email.as_str())
    .bind(&sign_up.name)
    .bind(sign_up.language.code())
    .bind((clock::now() + SIGN_UP_LIFE).naive_utc())
    .execute(tx)
    .await
    .map(drop)
}

/// The address of the sign-up with this token, if it has not expired.
pub(crate) async fn email(books: &MySqlPool, token: &Hash) -> sqlx::Result<Option<String>> {
    query_scalar("-- email\nselect email from sign_ups where token_hash = ? and expires_at > ?")
        .bind(&token[..])
        .bind(clock::now().naive_utc())
        .fetch_optional(books)
        .await
}

/// The sign-up with this token, if it has not expired; it is gone with the transaction.
pub(crate) async fn take(tx: &mut MySqlConnection, token: &Hash) -> sqlx::Result<Option<Row>> {
    let row = query_as(
        "-- take\nselect email, name, language from sign_ups where token_hash = ? and expires_at > ? for update",
    )
    .bind(&token[..])
    .bind(clock::now().naive_utc())
    .fetch_optional(&mut *tx)
    .await?;
    query("-- take\ndelete from sign_ups where token_hash = ?")
        .bind(&token[..])
        .execute(tx)
        .await?;
    Ok(row)
}

/// All of an address: their links are void.
pub(crate) async fn forget(tx: &mut MySqlConnection, email: &str) -> sqlx::Result<()> {
    query("-- forget\ndelete from sign_ups where email = ?")
        .bind(email)
        .execute(tx)
        .await
        .map(drop)
}

/// Removes those that have expired; how many.
pub(crate) async fn sweep(books: &MySqlPool) -> sqlx::Result<u64> {
    query("-- sweep\ndelete from sign_ups where expires_at < ? order by expires_at limit ?")
        .bind(clock::now().naive_utc())
        .bind(SWEEP_ROWS_MAX)
        .execute(books)
        .await
        .map(|done| done.rows_affected())
}
