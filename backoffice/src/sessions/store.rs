//! SQL of sign-ins. Called by `sessions`, and by all that ends them.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::EndReason;
use crate::accounts::agent::Agent;
use crate::accounts::keys::{Hash, RefreshToken};
use crate::limits::{
    SESSION_IDLE_MAX, SESSION_LIFE_MAX, SESSIONS_KEPT, SESSIONS_PER_USER_MAX, SWEEP_ROWS_MAX,
};

/// A sign-in in the books.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Family {
    pub(crate) family_id: Uuid,
    /// Of its newest token, counted from 1; the books call it generation, which elsewhere is that of a user's access tokens.
    pub(crate) number: u32,
    token_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    pub(crate) refreshed_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

impl Family {
    /// Whether `token` is the newest of it.
    pub(crate) fn is_newest(&self, token: &RefreshToken) -> bool {
        token.number == self.number && self.token_hash == token.hash()
    }

    /// Whether `token` is the one before the newest.
    pub(crate) fn is_previous(&self, token: &RefreshToken) -> bool {
        token.number.checked_add(1) == Some(self.number)
            && self.previous_hash.as_deref() == Some(&token.hash()[..])
    }
}

/// Locks the user's row, if he has one.
pub(crate) async fn lock_user(tx: &mut MySqlConnection, user: &UserId) -> sqlx::Result<()> {
    let _: Option<String> =
        query_scalar("-- lock_user\nselect user_id from users where user_id = ? for update")
            .bind(user.as_str())
            .fetch_optional(tx)
            .await?;
    Ok(())
}

/// A sign-in that goes on, with what it came from.
#[derive(Debug, FromRow)]
pub(crate) struct OpenFamily {
    pub(crate) family_id: Uuid,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) refreshed_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) program: String,
    pub(crate) platform: String,
}

/// The user's, the one used last first; [`SESSIONS_PER_USER_MAX`] bounds them.
pub(crate) async fn open_of(books: &MySqlPool, user: &UserId) -> sqlx::Result<Vec<OpenFamily>> {
    let now = clock::now();
    query_as(
        "-- open_of\nselect f.family_id, f.created_at, f.refreshed_at, f.expires_at,
            coalesce(a.program, 'other') as program, coalesce(a.platform, 'other') as platform
        from refresh_families f left join session_agents a on a.family_id = f.family_id
        where f.user_id = ? and f.ended_at is null and f.expires_at > ? and f.refreshed_at >= ?
        order by f.refreshed_at desc, f.family_id",
    )
    .bind(user.as_str())
    .bind(now.naive_utc())
    .bind((now - SESSION_IDLE_MAX).naive_utc())
    .fetch_all(books)
    .await
}

/// Whether this family of the user has ended; `None` where he has none of this id. The user's row is locked.
pub(crate) async fn has_ended(
    tx: &mut MySqlConnection,
    user: &UserId,
    family: Uuid,
) -> sqlx::Result<Option<bool>> {
    let ended_at: Option<Option<DateTime<Utc>>> = query_scalar(
        "-- has_ended\nselect ended_at from refresh_families where family_id = ? and user_id = ? for update",
    )
    .bind(family)
    .bind(user.as_str())
    .fetch_optional(tx)
    .await?;
    Ok(ended_at.map(|ended_at| ended_at.is_some()))
}

/// Begins a family with `token`; past the most that one user may have, his oldest ends. The user's row is locked.
pub(crate) async fn begin(
    tx: &mut MySqlConnection,
    user: &UserId,
    token: &RefreshToken,
    agent: Agent,
) -> sqlx::Result<Family> {
    let now = clock::now();
    let expires_at = now + SESSION_LIFE_MAX;
    query(
        "-- begin\ninsert into refresh_families (family_id, user_id, generation, token_hash, created_at, refreshed_at, expires_at)
        values (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(token.family)
    .bind(user.as_str())
    .bind(token.number)
    .bind(&token.hash()[..])
    .bind(now.naive_utc())
    .bind(now.naive_utc())
    .bind(expires_at.naive_utc())
    .execute(&mut *tx)
    .await?;
    query("-- begin\ninsert into session_agents (family_id, program, platform) values (?, ?, ?)")
        .bind(token.family)
        .bind(agent.program)
        .bind(agent.platform)
        .execute(&mut *tx)
        .await?;
    let surplus: Vec<Uuid> = query_scalar(
        "-- begin\nselect family_id from refresh_families where user_id = ? and ended_at is null
        order by created_at desc, family_id limit 100 offset ?",
    )
    .bind(user.as_str())
    .bind(SESSIONS_PER_USER_MAX)
    .fetch_all(&mut *tx)
    .await?;
    for family in surplus {
        end(&mut *tx, family, EndReason::Evicted).await?;
    }
    Ok(Family {
        family_id: token.family,
        number: token.number,
        token_hash: token.hash().to_vec(),
        previous_hash: None,
        refreshed_at: now,
        expires_at,
        ended_at: None,
    })
}

/// Whose family this is, without a lock: the user's row comes first.
pub(crate) async fn owner(books: &MySqlPool, family: Uuid) -> sqlx::Result<Option<String>> {
    query_scalar("-- owner\nselect user_id from refresh_families where family_id = ?")
        .bind(family)
        .fetch_optional(books)
        .await
}

pub(crate) async fn lock(tx: &mut MySqlConnection, family: Uuid) -> sqlx::Result<Option<Family>> {
    query_as(
        "-- lock\nselect family_id, generation as number, token_hash, previous_hash, refreshed_at, expires_at, ended_at
        from refresh_families where family_id = ? for update",
    )
    .bind(family)
    .fetch_optional(tx)
    .await
}

/// `next` is the newest from here on, and `previous` the one before it.
pub(crate) async fn rotate(
    tx: &mut MySqlConnection,
    next: &RefreshToken,
    previous: &Hash,
) -> sqlx::Result<()> {
    query(
        "-- rotate\nupdate refresh_families set generation = ?, token_hash = ?, previous_hash = ?, refreshed_at = ? where family_id = ?",
    )
    .bind(next.number)
    .bind(&next.hash()[..])
    .bind(&previous[..])
    .bind(clock::now().naive_utc())
    .bind(next.family)
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) async fn end(
    tx: &mut MySqlConnection,
    family: Uuid,
    why: EndReason,
) -> sqlx::Result<()> {
    query("-- end\nupdate refresh_families set ended_at = ?, end_reason = ? where family_id = ? and ended_at is null")
        .bind(clock::now().naive_utc())
        .bind(why.word())
        .bind(family)
        .execute(tx)
        .await
        .map(drop)
}

/// Ends all of a user. His row is locked, so none begins meanwhile.
pub(crate) async fn end_all(
    tx: &mut MySqlConnection,
    user: &UserId,
    why: EndReason,
) -> sqlx::Result<()> {
    query("-- end_all\nupdate refresh_families set ended_at = ?, end_reason = ? where user_id = ? and ended_at is null")
        .bind(clock::now().naive_utc())
        .bind(why.word())
        .bind(user.as_str())
        .execute(tx)
        .await
        .map(drop)
}

/// Removes families that are long over; how many.
pub(crate) async fn sweep(books: &MySqlPool) -> sqlx::Result<u64> {
    let past = clock::now() - SESSIONS_KEPT;
    query("-- sweep\ndelete from refresh_families where expires_at < ? order by expires_at limit ?")
        .bind(past.naive_utc())
        .bind(SWEEP_ROWS_MAX)
        .execute(books)
        .await
        .map(|done| done.rows_affected())
}
