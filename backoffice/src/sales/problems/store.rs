//! SQL of what a sale needs around it. Called by `problems`, and by those who watch a sale.

use std::time::Duration;

use sqlx::mysql::MySqlPool;
use sqlx::query_scalar;

/// Engines that have given a sign of life within `silent`, by MySQL's clock.
pub(crate) async fn engines_alive(books: &MySqlPool, silent: Duration) -> sqlx::Result<i64> {
    query_scalar("-- engines_alive\nselect count(*) from engines where seen_at > utc_timestamp(3) - interval ? second")
        .bind(silent.as_secs())
        .fetch_one(books)
        .await
}

pub(crate) async fn is_writer_stopped(books: &MySqlPool, sale: &str) -> sqlx::Result<bool> {
    query_scalar("-- is_writer_stopped\nselect count(*) > 0 from writer_stops where sale_id = ?")
        .bind(sale)
        .fetch_one(books)
        .await
}
