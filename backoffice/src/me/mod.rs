//! What buyers may ask about themselves. One operation so far: their reservations, for one who lost the page.

pub(crate) mod page;
pub(crate) mod store;

use axum::Json;
use axum::extract::State;
use doorbuster_core::clock;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, StrictQuery};
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use page::Position;

/// Which page is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first
    pub cursor: Option<String>,
}

/// A page of the buyer's reservations, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReservationsPage {
    pub reservations: Vec<ReservationView>,
    /// For the next page; null where this is the last
    pub next_cursor: Option<String>,
}

/// A reservation as the books have it, a moment after Redis.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReservationView {
    #[schema(format = Uuid)]
    pub id: String,
    #[schema(example = "drop-1")]
    pub sale: String,
    #[schema(example = "ann")]
    pub user: String,
    pub items: Vec<ReservedItem>,
    /// held, paying, paid or released
    #[schema(example = "held")]
    pub status: String,
    /// Why it was released: expired, cancelled, payment_failed or refunded
    pub reason: Option<String>,
    #[schema(format = DateTime)]
    pub hold_expires_at: String,
    #[schema(example = 7)]
    pub seq: u64,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
}

/// Units of one sku.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReservedItem {
    #[schema(example = "tee-m")]
    pub sku: String,
    #[schema(example = 1)]
    pub quantity: u32,
}

/// The bearer's own reservations, newest first
#[utoipa::path(get, path = "/v1/me/reservations", tag = "buyers", params(PageQuery), security(("token" = [])), responses(
    (status = 200, body = ReservationsPage),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn reservations(
    State(app): State<App>,
    caller: Caller,
    StrictQuery(query): StrictQuery<PageQuery>,
) -> Result<Json<ReservationsPage>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        return Err(ApiError::InvalidRequest(format!(
            "limit must be 1 to {PAGE_ROWS_MAX}"
        )));
    }
    let after = query.cursor.as_deref().map(Position::parse).transpose()?;
    let mut rows = store::reservations(&app.books, &caller.user, after, limit + 1).await?;
    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows
        .last()
        .filter(|_| !is_last)
        .map(|row| row.position().to_string());
    let items = store::items(&app.books, &rows).await?;
    let reservations = rows.into_iter().map(|row| view(row, &items)).collect();
    Ok(Json(ReservationsPage {
        reservations,
        next_cursor,
    }))
}

fn view(row: store::ReservationRow, items: &store::Items) -> ReservationView {
    let written = |at| clock::rfc3339(clock::to_ms(at));
    let items = items.get(&row.id).map_or(&[][..], Vec::as_slice);
    ReservationView {
        id: row.id.hyphenated().to_string(),
        sale: row.sale_id,
        user: row.user_id,
        items: items
            .iter()
            .map(|(sku, quantity)| ReservedItem {
                sku: sku.clone(),
                quantity: *quantity,
            })
            .collect(),
        status: row.status,
        reason: row.reason,
        hold_expires_at: written(row.deadline),
        seq: row.seq,
        created_at: written(row.created_at),
        ended_at: row.ended_at.map(written),
    }
}
