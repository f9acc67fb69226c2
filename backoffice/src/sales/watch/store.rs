//! SQL of what those who watch a sale see beside Redis. Called by `watch`.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlPool;
use sqlx::query_as;

/// How many were told what, over all engines.
pub(super) async fn answers(books: &MySqlPool, sale: &str) -> sqlx::Result<BTreeMap<String, u64>> {
    let rows: Vec<(String, u64)> =
        query_as("-- answers\nselect code, answers from sale_answers where sale_id = ?")
            .bind(sale)
            .fetch_all(books)
            .await?;
    Ok(rows.into_iter().collect())
}
