//! SQL of throttles. Called by `throttle`, and by the sweep.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{query, query_as};

use super::Row;
use crate::limits::{SWEEP_ROWS_MAX, THROTTLE_FORGOTTEN};

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
