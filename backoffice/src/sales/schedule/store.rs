//! SQL of schedules. Called by `schedule`. Now is MySQL's, so that all back-offices have one clock.

use std::time::Duration;

use chrono::{DateTime, Utc};
use doorbuster_core::ids::SaleId;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};

/// One schedule.
#[derive(Debug, FromRow)]
pub(crate) struct ScheduleRow {
    pub(crate) publish_at: DateTime<Utc>,
    pub(crate) tries: u32,
    pub(crate) problem: Option<String>,
    pub(crate) done_at: Option<DateTime<Utc>>,
}

/// A schedule whose time has come.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) sale: SaleId,
    /// Before this one.
    pub(crate) tries: u32,
}

pub(crate) async fn find(
    books: impl MySqlExecutor<'_>,
    id: &SaleId,
) -> sqlx::Result<Option<ScheduleRow>> {
    query_as(
        "-- find\nselect publish_at, tries, problem, done_at from sale_schedules where sale_id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(books)
    .await
}

/// Whether it is still to be done, and its time has come.
pub(crate) async fn is_due(books: &MySqlPool, id: &SaleId) -> sqlx::Result<bool> {
    let due: Option<i64> = query_scalar(
        "-- is_due\nselect 1 from sale_schedules where sale_id = ? and done_at is null and publish_at <= utc_timestamp(3)",
    )
    .bind(id.as_str())
    .fetch_optional(books)
    .await?;
    Ok(due.is_some())
}

/// In the place of the one there is, with all its tries forgotten.
pub(crate) async fn set(
    tx: &mut MySqlConnection,
    id: &SaleId,
    publish_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    query(
        "-- set\ninsert into sale_schedules (sale_id, publish_at, tries) values (?, ?, 0)
        on duplicate key update publish_at = values(publish_at), taken_until = null, tries = 0, problem = null, done_at = null",
    )
    .bind(id.as_str())
    .bind(publish_at.naive_utc())
    .execute(tx)
    .await
    .map(drop)
}

/// Whether there was one that had not been done.
pub(crate) async fn unset(tx: &mut MySqlConnection, id: &SaleId) -> sqlx::Result<bool> {
    query("-- unset\ndelete from sale_schedules where sale_id = ? and done_at is null")
        .bind(id.as_str())
        .execute(tx)
        .await
        .map(|done| done.rows_affected() > 0)
}

/// Those whose time has come and whom nobody has taken, the oldest first.
pub(crate) async fn due(books: &MySqlPool, rows_max: u32) -> sqlx::Result<Vec<Due>> {
    let rows: Vec<(String, u32)> = query_as(
        "-- due\nselect sale_id, tries from sale_schedules
        where done_at is null and publish_at <= utc_timestamp(3) and (taken_until is null or taken_until < utc_timestamp(3))
        order by publish_at, sale_id limit ?",
    )
    .bind(rows_max)
    .fetch_all(books)
    .await?;
    let due = |(id, tries): (String, u32)| {
        Some(Due {
            sale: SaleId::parse(id).ok()?,
            tries,
        })
    };
    Ok(rows.into_iter().filter_map(due).collect())
}

/// Whether this call took it: nobody else does for `lease`.
pub(crate) async fn take(books: &MySqlPool, id: &SaleId, lease: Duration) -> sqlx::Result<bool> {
    query(
        "-- take\nupdate sale_schedules set taken_until = utc_timestamp(3) + interval ? second, tries = tries + 1
        where sale_id = ? and done_at is null and (taken_until is null or taken_until < utc_timestamp(3))",
    )
    .bind(lease.as_secs())
    .bind(id.as_str())
    .execute(books)
    .await
    .map(|done| done.rows_affected() == 1)
}

/// It was done, or there is a problem for good; an edit or a person who has written it down anew since it was taken has the last word.
pub(crate) async fn done(
    books: &MySqlPool,
    id: &SaleId,
    problem: Option<&str>,
) -> sqlx::Result<()> {
    query("-- done\nupdate sale_schedules set done_at = utc_timestamp(3), problem = ? where sale_id = ? and taken_until is not null")
        .bind(problem)
        .bind(id.as_str())
        .execute(books)
        .await
        .map(drop)
}

/// It is tried again after `pause`, by anybody.
pub(crate) async fn failed(
    books: &MySqlPool,
    id: &SaleId,
    problem: &str,
    pause: Duration,
) -> sqlx::Result<()> {
    query(
        "-- failed\nupdate sale_schedules set taken_until = utc_timestamp(3) + interval ? second, problem = ?
        where sale_id = ? and done_at is null",
    )
    .bind(pause.as_secs())
    .bind(problem)
    .bind(id.as_str())
    .execute(books)
    .await
    .map(drop)
}
