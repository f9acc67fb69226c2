//! The last rebuild of a sale as staff see it beside the sale: why it is recovering, or what a loss has cost.

use doorbuster_core::clock;
use doorbuster_core::ids::LiveId;
use serde::Serialize;
use serde_json::Value;
use sqlx::mysql::MySqlPool;
use utoipa::ToSchema;

use super::store;
use crate::error::ApiError;

/// A sale that Redis lost, or had older than the books, is put together again; here is how far that is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RebuildView {
    /// requested, asked (engines hand over what they remember), loading, done, or waits: for a person, `why` says for what
    #[schema(example = "waits")]
    pub state: String,
    #[schema(example = "1 dead letters are open: the books are not whole")]
    pub why: String,
    /// The generation that it makes
    #[schema(example = 2)]
    pub epoch: u32,
    #[schema(format = DateTime)]
    pub began_at: Option<String>,
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// What was found, taken over and lost; null before it is done
    #[schema(value_type = Option<Object>)]
    pub report: Value,
}

/// `None` for a sale that never needed one.
pub(crate) async fn last(
    books: &MySqlPool,
    live: &LiveId,
) -> Result<Option<RebuildView>, ApiError> {
    let row = store::last(books, live).await?;
    let at =
        |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| clock::rfc3339(clock::to_ms(at)));
    Ok(row.map(|row| RebuildView {
        began_at: at(row.began_at),
        ended_at: at(row.ended_at),
        report: report(row.report.as_deref()),
        epoch: row.epoch,
        state: row.state,
        why: row.why,
    }))
}

pub(super) fn report(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(Value::Null)
}
