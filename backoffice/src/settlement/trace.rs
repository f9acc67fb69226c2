//! `GET /admin/v1/orders/{id}/postings`: one order in the ledger, from its first posting to the payouts that its sales went into.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::trace_store::{self, Row};
use super::view::PayoutView;
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::orders::error::Refusal;

/// An order's postings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TraceView {
    #[schema(format = Uuid)]
    pub order: String,
    /// In the order of its events
    pub postings: Vec<PostingView>,
    /// Numbers of events that wait to be posted
    pub waiting: Vec<u32>,
    /// Numbers of events that contradict the books
    pub refused: Vec<u32>,
}

/// A leg. Debits are positive, credits negative
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PostingView {
    /// The number of the order's event
    #[schema(example = 4)]
    pub event: u32,
    #[schema(example = "paid")]
    pub kind: String,
    #[schema(example = "seller_payable")]
    pub account: String,
    /// Of seller_payable
    pub seller: Option<String>,
    #[schema(example = "KRW")]
    pub currency: String,
    /// Minor units
    pub amount: i64,
    /// The day (UTC) that it counts in
    #[schema(example = "2026-11-21")]
    pub day: String,
    /// The day on which it happened, where that was closed when it came
    pub belongs_to: Option<String>,
    /// The closed month that it counts in
    #[schema(example = "2026-11")]
    pub period: Option<String>,
    /// SHA-256 of the seller's statement of that month, which it is in
    pub statement: Option<String>,
    /// What that statement pays out
    pub payout: Option<PayoutView>,
}

/// What an order came to in the ledger, and in which payouts
#[utoipa::path(get, path = "/admin/v1/orders/{id}/postings", tag = "settlement", params(("id" = String, Path, format = Uuid)), security(("token" = [])), responses(
    (status = 200, body = TraceView),
    (status = 404, description = "unknown_order", body = Problem)))]
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<TraceView>, ApiError> {
    let unknown = || ApiError::Order(Refusal::UnknownOrder);
    let order: Uuid = id.parse().map_err(|_| unknown())?;
    if !trace_store::is_there(&app.books, order).await? {
        return Err(unknown());
    }
    let unposted = trace_store::unposted(&app.books, order).await?;
    let of = |how: u8| {
        let those = unposted.iter().filter(|(_, posted)| *posted == how);
        those.map(|(n, _)| *n).collect()
    };
    let postings = trace_store::postings(&app.books, order).await?;
    Ok(Json(TraceView {
        order: order.to_string(),
        postings: postings.into_iter().map(posting).collect(),
        waiting: of(0),
        refused: of(2),
    }))
}

fn posting(row: Row) -> PostingView {
    PostingView {
        event: row.n,
        kind: row.kind,
        account: row.account,
        seller: Some(row.seller_id).filter(|seller| !seller.is_empty()),
        currency: row.currency,
        amount: row.amount,
        day: row.day.to_string(),
        belongs_to: row.belongs_to.map(|day| day.to_string()),
        period: row.period,
        statement: row.digest.as_deref().map(super::view::hex),
        payout: PayoutView::of(row.payout),
    }
}
