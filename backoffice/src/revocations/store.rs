//! SQL of revocations. Called by `revocations`, and by whoever raises a generation or issues a token of it.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{query, query_as, query_scalar};

use crate::limits::REVOCATIONS_CHUNK;

/// The generation of a user's tokens: 0 where none was ever revoked.
pub(crate) async fn generation(books: impl MySqlExecutor<'_>, user: &UserId) -> sqlx::Result<u64> {
    let generation: Option<u64> =
        query_scalar("-- generation\nselect generation from revocations where user_id = ?")
            .bind(user.as_str())
            .fetch_optional(books)
            .await?;
    Ok(generation.unwrap_or(0))
}

/// The same, of what was raised since then.
pub(crate) async fn generation_since(
    books: &MySqlPool,
    user: &UserId,
    since: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let generation: Option<u64> = query_scalar(
        "-- generation_since\nselect generation from revocations where user_id = ? and raised_at >= ?",
    )
    .bind(user.as_str())
    .bind(since.naive_utc())
    .fetch_optional(books)
    .await?;
    Ok(generation.unwrap_or(0))
}

/// The same, there from now on, and locked until the transaction ends.
pub(crate) async fn lock_since(
    tx: &mut MySqlConnection,
    user: &UserId,
    since: DateTime<Utc>,
) -> sqlx::Result<u64> {
    // Of many at once nobody waits for a gap. Never raised: as long ago as anything here, and nothing that Redis has to be told.
    query(
        "-- lock_since\ninsert into revocations (user_id, generation, raised_at, published_at) values (?, 0, '2000-01-01', '2000-01-01')
        on duplicate key update generation = generation",
    )
    .bind(user.as_str())
    .execute(&mut *tx)
    .await?;
    let (generation, raised_at): (u64, DateTime<Utc>) = query_as(
        "-- lock_since\nselect generation, raised_at from revocations where user_id = ? for update",
    )
    .bind(user.as_str())
    .fetch_one(tx)
    .await?;
    Ok(if raised_at >= since { generation } else { 0 })
}

/// Raises it; lower ones are revoked. Locks its row until the transaction ends.
pub(crate) async fn raise(tx: &mut MySqlConnection, user: &UserId) -> sqlx::Result<u64> {
    let now = clock::now().naive_utc();
    query(
        "-- raise\ninsert into revocations (user_id, generation, raised_at) values (?, 1, ?)
        on duplicate key update generation = generation + 1, raised_at = ?, published_at = null",
    )
    .bind(user.as_str())
    .bind(now)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    generation(tx, user).await
}

/// Redis has this generation; a later one still has to be told.
pub(crate) async fn set_published(
    books: &MySqlPool,
    user: &UserId,
    generation: u64,
) -> sqlx::Result<()> {
    query("-- set_published\nupdate revocations set published_at = ? where user_id = ? and generation = ?")
        .bind(clock::now().naive_utc())
        .bind(user.as_str())
        .bind(generation)
        .execute(books)
        .await
        .map(drop)
}

type Rows = anyhow::Result<Vec<(UserId, u64)>>;

/// What Redis has not been told yet.
pub(crate) async fn unpublished(books: &MySqlPool) -> Rows {
    let rows = query_as(
        "-- unpublished\nselect user_id, generation from revocations where published_at is null order by user_id limit ?",
    )
    .bind(REVOCATIONS_CHUNK)
    .fetch_all(books)
    .await?;
    parsed(rows)
}

/// What was raised since then, after that user.
pub(crate) async fn raised(
    books: &MySqlPool,
    since: DateTime<Utc>,
    after: Option<&UserId>,
) -> Rows {
    let rows = query_as(
        "-- raised\nselect user_id, generation from revocations where raised_at >= ? and user_id > ? order by user_id limit ?",
    )
    .bind(since.naive_utc())
    .bind(after.map_or("", UserId::as_str))
    .bind(REVOCATIONS_CHUNK)
    .fetch_all(books)
    .await?;
    parsed(rows)
}

fn parsed(rows: Vec<(String, u64)>) -> Rows {
    rows.into_iter()
        .map(|(user, generation)| Ok((UserId::parse(user)?, generation)))
        .collect()
}
