//! SQL of throttles. Called by `throttle`, and by the sweep.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{MySql, QueryBuilder, query, query_as, query_scalar};

use super::Row;
use crate::accounts::keys::Hash;
use crate::bulk::push_in;
use crate::limits::{
    KNOWN_PLACES_KEPT, KNOWN_PLACES_PER_USER_MAX, SWEEP_ROWS_MAX, THROTTLE_FORGOTTEN,
};

/// The row, there from now on, and locked until the transaction ends.
pub(super) async fn lock(
    tx: &mut MySqlConnection,
    subject: &[u8; 32],
    now: DateTime<Utc>,
) -> sqlx::Result<Row> {
    query(
        "-- lock\ninsert into throttles (subject, failures, failed_at, blocked_until) values (?, 0, ?, ?)
        on duplicate key update subject = subject",
    )
    .bind(&subject[..])
    .bind(now.naive_utc())
    .bind(now.naive_utc())
    .execute(&mut *tx)
    .await?;
    let (failures, failed_at, blocked_until) = query_as(
        "-- lock\nselect failures, failed_at, blocked_until from throttles where subject = ? for update",
    )
    .bind(&subject[..])
    .fetch_one(tx)
    .await?;
    Ok(Row {
        failures,
        failed_at,
        blocked_until,
    })
}

/// Those of them that are blocked at `now`, and until when.
pub(super) async fn blocked(
    books: &MySqlPool,
    subjects: impl Iterator<Item = [u8; 32]>,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<(Vec<u8>, DateTime<Utc>)>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- blocked\nselect subject, blocked_until from throttles where blocked_until > ",
    );
    statement.push_bind(now.naive_utc());
    statement.push(" and subject in (");
    push_in(&mut statement, subjects.map(|hash| hash.to_vec()));
    statement.build_query_as().fetch_all(books).await
}

pub(super) async fn count(
    tx: &mut MySqlConnection,
    subject: &[u8; 32],
    row: Row,
) -> sqlx::Result<()> {
    query("-- count\nupdate throttles set failures = ?, failed_at = ?, blocked_until = ? where subject = ?")
        .bind(row.failures)
        .bind(row.failed_at.naive_utc())
        .bind(row.blocked_until.naive_utc())
        .bind(&subject[..])
        .execute(tx)
        .await
        .map(drop)
}

pub(super) async fn forget(books: &MySqlPool, subject: &[u8; 32]) -> sqlx::Result<()> {
    query("-- forget\ndelete from throttles where subject = ?")
        .bind(&subject[..])
        .execute(books)
        .await
        .map(drop)
}

pub(super) async fn take_back_one(books: &MySqlPool, subject: &[u8; 32]) -> sqlx::Result<()> {
    query("-- take_back_one\nupdate throttles set failures = failures - 1 where subject = ? and failures > 0")
        .bind(&subject[..])
        .execute(books)
        .await
        .map(drop)
}

/// Removes rows of the past; how many.
pub(crate) async fn sweep(books: &MySqlPool) -> sqlx::Result<u64> {
    let past = clock::now() - THROTTLE_FORGOTTEN;
    query("-- sweep\ndelete from throttles where failed_at < ? order by failed_at limit ?")
        .bind(past.naive_utc())
        .bind(SWEEP_ROWS_MAX)
        .execute(books)
        .await
        .map(|done| done.rows_affected())
}

/// Whether one of these is a place that its account is used from.
pub(super) async fn is_known(books: &MySqlPool, hashes: &[Hash]) -> sqlx::Result<bool> {
    let mut statement: QueryBuilder<MySql> =
        QueryBuilder::new("-- is_known\nselect count(*) from known_places where seen_at >= ");
    statement.push_bind((clock::now() - KNOWN_PLACES_KEPT).naive_utc());
    statement.push(" and place_hash in (");
    push_in(&mut statement, hashes.iter().map(|hash| &hash[..]));
    let count: i64 = statement.build_query_scalar().fetch_one(books).await?;
    Ok(count > 0)
}

/// The user's account is used from this place; past the most that are kept, the one seen longest ago goes.
pub(super) async fn remember(
    tx: &mut MySqlConnection,
    user: &UserId,
    hash: &Hash,
) -> sqlx::Result<()> {
    query(
        "-- remember\ninsert into known_places (place_hash, user_id, seen_at) values (?, ?, ?)
        on duplicate key update user_id = values(user_id), seen_at = values(seen_at)",
    )
    .bind(&hash[..])
    .bind(user.as_str())
    .bind(clock::now().naive_utc())
    .execute(&mut *tx)
    .await?;
    let surplus: Vec<Vec<u8>> = query_scalar(
        "-- remember\nselect place_hash from known_places where user_id = ? order by seen_at desc, place_hash limit 100 offset ?",
    )
    .bind(user.as_str())
    .bind(KNOWN_PLACES_PER_USER_MAX)
    .fetch_all(&mut *tx)
    .await?;
    for place in surplus {
        query("-- remember\ndelete from known_places where place_hash = ?")
            .bind(place)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Forgets places that nobody came from for long; how many.
pub(crate) async fn sweep_known(books: &MySqlPool) -> sqlx::Result<u64> {
    query("-- sweep_known\ndelete from known_places where seen_at < ? order by seen_at limit ?")
        .bind((clock::now() - KNOWN_PLACES_KEPT).naive_utc())
        .bind(SWEEP_ROWS_MAX)
        .execute(books)
        .await
        .map(|done| done.rows_affected())
}
