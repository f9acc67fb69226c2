//! SQL of periods: which are closed, and what keeps one from being closed.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};

use super::period::Period;

/// Locks the end of what is closed until the transaction ends: nobody posts meanwhile.
pub(super) async fn lock_head(tx: &mut MySqlConnection) -> sqlx::Result<NaiveDate> {
    query_scalar("-- lock_head\nselect closed_through from ledger_head where id = 1 for update")
        .fetch_one(tx)
        .await
}

pub(super) async fn set_head(tx: &mut MySqlConnection, day: NaiveDate) -> sqlx::Result<()> {
    query("-- set_head\nupdate ledger_head set closed_through = ? where id = 1 and closed_through < ?")
        .bind(day)
        .bind(day)
        .execute(tx)
        .await
        .map(drop)
}

/// A period that is closed.
#[derive(Debug, Clone, FromRow)]
pub(super) struct RunRow {
    pub(super) period: String,
    pub(super) closed_by: String,
    pub(super) closed_at: DateTime<Utc>,
    /// None while its first run has not come to its end.
    pub(super) digest: Option<Vec<u8>>,
}

pub(super) async fn run(books: &MySqlPool, period: Period) -> sqlx::Result<Option<RunRow>> {
    query_as(
        "-- run\nselect period, closed_by, closed_at, digest from settlement_runs where period = ?",
    )
    .bind(period.to_string())
    .fetch_optional(books)
    .await
}

/// The newest first.
pub(super) async fn runs(books: &MySqlPool, rows: u32) -> sqlx::Result<Vec<RunRow>> {
    query_as(
        "-- runs\nselect period, closed_by, closed_at, digest from settlement_runs
        order by last_day desc, period limit ?",
    )
    .bind(rows)
    .fetch_all(books)
    .await
}

pub(super) async fn is_later_month_closed(
    tx: &mut MySqlConnection,
    period: Period,
) -> sqlx::Result<bool> {
    let one: Option<i64> = query_scalar(
        "-- is_later_month_closed\nselect 1 from settlement_runs where first_day > ? and char_length(period) = 7 limit 1",
    )
    .bind(period.last)
    .fetch_optional(tx)
    .await?;
    Ok(one.is_some())
}

/// Whether somebody closed it, seen under the head's lock.
pub(super) async fn is_closed(tx: &mut MySqlConnection, period: Period) -> sqlx::Result<bool> {
    let one: Option<i64> =
        query_scalar("-- is_closed\nselect 1 from settlement_runs where period = ?")
            .bind(period.to_string())
            .fetch_optional(tx)
            .await?;
    Ok(one.is_some())
}

/// Locks a closed period: its statements are written by one at a time.
pub(super) async fn lock_run(tx: &mut MySqlConnection, period: Period) -> sqlx::Result<()> {
    query("-- lock_run\nselect period from settlement_runs where period = ? for update")
        .bind(period.to_string())
        .execute(tx)
        .await
        .map(drop)
}

/// An earlier period that was closed and whose run has not come to its end: what it leaves is not known yet.
pub(super) async fn unfinished_before(
    tx: &mut MySqlConnection,
    period: Period,
) -> sqlx::Result<Option<String>> {
    query_scalar(
        "-- unfinished_before\nselect period from settlement_runs where first_day < ? and digest is null order by first_day, period limit 1",
    )
    .bind(period.first)
    .fetch_optional(tx)
    .await
}

/// The last day of the last month before it that is closed.
pub(super) async fn settled_through(
    tx: &mut MySqlConnection,
    period: Period,
) -> sqlx::Result<Option<NaiveDate>> {
    query_scalar(
        "-- settled_through\nselect max(last_day) from settlement_runs where last_day < ? and char_length(period) = 7",
    )
    .bind(period.first)
    .fetch_one(tx)
    .await
}

pub(super) async fn insert_run(
    tx: &mut MySqlConnection,
    period: Period,
    by: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    query(
        "-- insert_run\ninsert into settlement_runs (period, first_day, last_day, closed_by, closed_at) values (?, ?, ?, ?, ?)",
    )
    .bind(period.to_string())
    .bind(period.first)
    .bind(period.last)
    .bind(by)
    .bind(at.naive_utc())
    .execute(tx)
    .await
    .map(drop)
}

pub(super) async fn set_digest(
    tx: &mut MySqlConnection,
    period: Period,
    digest: &[u8; 32],
) -> sqlx::Result<()> {
    query(
        "-- set_digest\nupdate settlement_runs set digest = ? where period = ? and digest is null",
    )
    .bind(digest.as_slice())
    .bind(period.to_string())
    .execute(tx)
    .await
    .map(drop)
}
