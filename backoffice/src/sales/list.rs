//! The list of all sales, newest first, each with its state. Called by its handler. States are Redis's, asked for all sales of a page at once.

use axum::Json;
use axum::extract::State;
use doorbuster_core::clock;
use doorbuster_core::gate::snapshot::Snapped;
use serde::Serialize;
use tokio::task::JoinSet;
use utoipa::ToSchema;

use super::store::{self, ListedSale};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::StrictQuery;
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use crate::live::state::{Phase, phase};
use crate::me::PageQuery;

/// A page of sales, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SalesPage {
    pub sales: Vec<SaleRow>,
    /// For the next page; null where this is the last
    pub next_cursor: Option<String>,
}

/// A sale in the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SaleRow {
    #[schema(example = "drop-1")]
    pub id: String,
    #[schema(example = "한정판 티셔츠")]
    pub title: String,
    pub state: Phase,
    #[schema(format = DateTime)]
    pub opens_at: String,
    #[schema(format = DateTime)]
    pub closes_at: String,
    pub waiting_room: bool,
    /// Over all skus, from Redis; null where Redis does not have the sale
    #[schema(example = 97)]
    pub left: Option<u64>,
    #[schema(example = 100)]
    pub stocked: Option<u64>,
}

/// All sales, newest first
#[utoipa::path(get, path = "/admin/v1/sales", tag = "sales", params(PageQuery), security(("token" = [])), responses(
    (status = 200, body = SalesPage),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<PageQuery>,
) -> Result<Json<SalesPage>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        return Err(ApiError::InvalidRequest(format!(
            "limit must be 1 to {PAGE_ROWS_MAX}"
        )));
    }
    let after = query.cursor.as_deref().map(parse_cursor).transpose()?;
    let mut rows = store::list(&app.books, after, limit + 1).await?;
    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| !is_last).map(cursor);
    Ok(Json(SalesPage {
        sales: with_states(&app, rows).await?,
        next_cursor,
    }))
}

/// At most a page of looks at a time.
async fn with_states(app: &App, rows: Vec<ListedSale>) -> Result<Vec<SaleRow>, ApiError> {
    let mut looks = JoinSet::new();
    for (place, row) in rows.into_iter().enumerate() {
        let app = app.clone();
        looks.spawn(async move { (place, with_state(&app, row).await) });
    }
    let mut rows = looks.join_all().await;
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}

async fn with_state(app: &App, row: ListedSale) -> Result<SaleRow, ApiError> {
    let snapped = if row.subject.published {
        Some(app.gate.snapshot(&row.subject.live).await?)
    } else {
        None
    };
    let (now_ms, stock) = match &snapped {
        Some(Snapped::Snapshot(s)) => (s.now_ms, Some(&s.stock)),
        _ => (clock::now_ms(), None),
    };
    let sum = |of: fn(&doorbuster_core::gate::snapshot::Stock) -> u64| {
        stock.map(|stock| stock.values().map(of).sum())
    };
    Ok(SaleRow {
        id: row.subject.live.book_id(),
        title: row.title,
        state: phase(&row.subject, snapped.as_ref(), now_ms),
        opens_at: clock::rfc3339(row.subject.window.opens_ms),
        closes_at: clock::rfc3339(row.subject.window.closes_ms),
        waiting_room: row.waiting_room,
        left: sum(|stock| stock.left),
        stocked: sum(|stock| stock.stocked),
    })
}

/// Microseconds of its writing, and its id.
fn cursor(row: &ListedSale) -> String {
    format!(
        "{}.{}",
        row.created_at.timestamp_micros(),
        row.subject.live.book_id()
    )
}

fn parse_cursor(text: &str) -> Result<(chrono::DateTime<chrono::Utc>, String), ApiError> {
    let parsed = text.split_once('.').and_then(|(us, id)| {
        let at = chrono::DateTime::from_timestamp_micros(us.parse().ok()?)?;
        let id = doorbuster_core::ids::SaleId::parse(id).ok()?;
        Some((at, id.to_string()))
    });
    let ours = parsed.filter(|(at, id)| format!("{}.{id}", at.timestamp_micros()) == text);
    ours.ok_or_else(|| {
        ApiError::InvalidRequest("cursor must be the next_cursor of another page".to_owned())
    })
}
