//! SQL of rebuilds: the request, and what came of the last one. Called by the command and by whoever shows a sale.

use chrono::{DateTime, Utc};
use doorbuster_core::ids::LiveId;
use sqlx::mysql::{MySqlExecutor, MySqlPool};
use sqlx::{FromRow, query, query_scalar};

/// The last rebuild of a sale.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Row {
    pub(crate) epoch: u32,
    pub(crate) state: String,
    pub(crate) why: String,
    /// JSON, as the writer wrote it.
    pub(crate) report: Option<String>,
    pub(crate) requested_at: Option<DateTime<Utc>>,
    pub(crate) began_at: Option<DateTime<Utc>>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

pub(crate) async fn is_published(books: &MySqlPool, live: &LiveId) -> sqlx::Result<bool> {
    let count: i64 =
        query_scalar("-- is_published\nselect count(*) from journal_cursor where sale_id = ?")
            .bind(live.book_id())
            .fetch_one(books)
            .await?;
    Ok(count > 0)
}

/// Asks the writers for it. A second request before the first is answered is the same one.
pub(crate) async fn request(books: &MySqlPool, live: &LiveId) -> sqlx::Result<()> {
    query(
        "-- request\ninsert into rebuilds (sale_id, epoch, ask, state, why, requested_at) values (?, 0, 0, 'requested', '', utc_timestamp(6))
        on duplicate key update requested_at = coalesce(requested_at, values(requested_at))",
    )
    .bind(live.book_id())
    .execute(books)
    .await
    .map(drop)
}

pub(crate) async fn last(
    books: impl MySqlExecutor<'_>,
    live: &LiveId,
) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "-- last\nselect epoch, state, why, cast(report as char) as report, requested_at, began_at, ended_at
        from rebuilds where sale_id = ?",
    )
    .bind(live.book_id())
    .fetch_optional(books)
    .await
}
