//! What buyers ask about their orders: what one would come to, how they stand, and to be let out. Handlers only parse, call and answer.

use axum::Json;
use axum::extract::State as AxumState;
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use super::basis;
use super::body::QuoteBody;
use super::deliveries;
use super::limits::{CANCEL_POLL, PLACE_WAIT};
use super::model::State;
use super::page::{OrdersPage, OwnOrdersQuery, page};
use super::saga;
use super::store;
use super::view::{AmountsView, LineView, OrderView, Viewer, show};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, OrderPath, StrictJson, StrictQuery};
use crate::orders::error::Refusal;

/// What an order would come to, now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuoteView {
    #[schema(example = "drop-1")]
    pub sale: String,
    #[schema(format = Uuid)]
    pub reservation: String,
    pub lines: Vec<LineView>,
    pub amounts: AmountsView,
}

/// What a hold would come to; changes nothing
#[utoipa::path(post, path = "/v1/quotes", tag = "buyers", request_body = QuoteBody, security(("token" = [])), responses(
    (status = 200, body = QuoteView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_sale, unknown_reservation, unknown_coupon", body = Problem),
    (status = 409, description = "hold_ended, already_ordered, insufficient_points, coupon_unusable", body = Problem),
    (status = 503, description = "recovering", body = Problem)))]
pub(crate) async fn quote(
    AxumState(app): AxumState<App>,
    caller: Caller,
    StrictJson(body): StrictJson<QuoteBody>,
) -> Result<Json<QuoteView>, ApiError> {
    let wanted = body.validate()?;
    let quoted = basis::quoted(&app, &caller.user, &wanted).await?;
    let quote = &quoted.quote;
    let lines = quoted.lines.into_iter().zip(&quote.shares);
    Ok(Json(QuoteView {
        sale: wanted.sale.to_string(),
        reservation: wanted.reservation.to_string(),
        lines: lines
            .map(|(line, share)| LineView {
                sku: line.line.sku.to_string(),
                title: line.title,
                seller: line.seller,
                quantity: line.line.quantity,
                unit: line.line.unit,
                coupon: share.coupon,
                points: share.points,
            })
            .collect(),
        amounts: AmountsView {
            currency: quote.currency.to_string(),
            lines: quote.lines,
            shipping: quote.shipping,
            coupon: quote.coupon,
            points: quote.points,
            total: quote.total,
            captured: 0,
            refunded: 0,
            points_returned: 0,
            points_earned: 0,
        },
    }))
}

/// The bearer's orders, newest first
#[utoipa::path(get, path = "/v1/orders", tag = "buyers", params(OwnOrdersQuery), security(("token" = [])), responses(
    (status = 200, body = OrdersPage),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn list(
    AxumState(app): AxumState<App>,
    caller: Caller,
    StrictQuery(query): StrictQuery<OwnOrdersQuery>,
) -> Result<Json<OrdersPage>, ApiError> {
    page(&app, query.of(&caller.user)).await.map(Json)
}

/// One of the bearer's orders, with its timeline
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "buyers", params(("id" = String, Path, format = Uuid)), security(("token" = [])), responses(
    (status = 200, body = OrderView),
    (status = 404, description = "unknown_order", body = Problem)))]
pub(crate) async fn read(
    AxumState(app): AxumState<App>,
    caller: Caller,
    OrderPath(id): OrderPath,
) -> Result<Json<OrderView>, ApiError> {
    let viewer = Viewer::Buyer(&caller.user);
    show(&app, id, viewer).await.map(Json)
}

/// Cancels an order that has not been sent; repeatable without effect
///
/// What is under way is finished or called off first, and then everything that was paid goes back; `state` says how far that is.
#[utoipa::path(post, path = "/v1/orders/{id}/cancel", tag = "buyers", params(("id" = String, Path, format = Uuid)), security(("token" = [])), responses(
    (status = 200, description = "It is, or will be, cancelled: at most two seconds later this tells how far it is", body = OrderView),
    (status = 404, description = "unknown_order", body = Problem),
    (status = 409, description = "already_sent", body = Problem)))]
pub(crate) async fn cancel(
    AxumState(app): AxumState<App>,
    caller: Caller,
    OrderPath(id): OrderPath,
) -> Result<Json<OrderView>, ApiError> {
    let viewer = Viewer::Buyer(&caller.user);
    let mut tx = app.books.begin().await?;
    let order = saga::store::lock(&mut tx, id).await?;
    let order = order.filter(|order| order.user == caller.user);
    let order = order.ok_or(ApiError::Order(Refusal::UnknownOrder))?;
    let is_over = matches!(order.state, State::Cancelled | State::Refunded);
    if !is_over && deliveries::store::has_left(&mut *tx, id).await? {
        return Err(ApiError::Order(Refusal::AlreadySent));
    }
    if is_over || order.cancel_asked {
        tx.rollback().await?;
        return show(&app, id, viewer).await.map(Json);
    }
    store::ask_to_cancel(&mut tx, id).await?;
    tx.commit().await?;
    tracing::info!(order = %id, state = json!(order.state).as_str(), "a buyer cancels an order");
    app.saga.wake();
    let until = Instant::now() + PLACE_WAIT;
    loop {
        sleep(CANCEL_POLL).await;
        let order = show(&app, id, viewer).await?;
        let is_done = ["cancelled", "refunded", "parked"].contains(&order.state.as_str());
        if is_done || Instant::now() >= until {
            return Ok(Json(order));
        }
    }
}
