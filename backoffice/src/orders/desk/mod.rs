//! What staff does about orders: look at them, give money back, send goods, decide what waits for a person. Handlers only parse, call and answer.
//! Operators see to orders and deliveries, finance to money; every change is in the audit log.

pub(crate) mod decide;
pub(crate) mod delivery;
pub(crate) mod refund;

use axum::Json;
use axum::extract::State;

use super::page::{OrdersPage, OrdersQuery, page};
use super::view::{OrderView, Viewer, show};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::{OrderPath, StrictQuery};

/// Orders, newest first
#[utoipa::path(get, path = "/admin/v1/orders", tag = "orders", params(OrdersQuery), security(("token" = [])), responses(
    (status = 200, body = OrdersPage),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<OrdersQuery>,
) -> Result<Json<OrdersPage>, ApiError> {
    page(&app, query).await.map(Json)
}

/// One order, with its refunds and its timeline
#[utoipa::path(get, path = "/admin/v1/orders/{id}", tag = "orders", params(("id" = String, Path, format = Uuid)), security(("token" = [])), responses(
    (status = 200, body = OrderView),
    (status = 404, description = "unknown_order", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    OrderPath(id): OrderPath,
) -> Result<Json<OrderView>, ApiError> {
    show(&app, id, Viewer::Staff).await.map(Json)
}
