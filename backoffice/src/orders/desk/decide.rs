//! `POST /admin/v1/orders/{id}/decide`: what becomes of an order that waits for a person.

use axum::Json;
use axum::extract::State as AxumState;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::mysql::MySqlConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::audit_log::{self, Change};
use crate::coupons::redeem;
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, OrderPath, StrictJson};
use crate::limits::REASON_CHARS_MAX;
use crate::orders::deliveries;
use crate::orders::error::Refusal;
use crate::orders::model::{Event, Late, Order, State, Why};
use crate::orders::refunds::store::keep_odd;
use crate::orders::saga::attempts;
use crate::orders::saga::refund::ask_all_back;
use crate::orders::saga::store::{Move, advance, lock, seize};
use crate::orders::saga::undo::ask_back;
use crate::orders::settled::{self, Again};
use crate::orders::store::set_late;
use crate::orders::view::{OrderView, Viewer, show};
use crate::validate::Problems;

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    /// Its units are taken again, if there are any, and it is paid; else its money goes back. One that had been paid, and whose units others have
    /// since a loss, stays as it is where there are none (units_gone). Of one of which some went back before, all are taken for a moment (units_short
    /// where there are not as many), and those are on sale again at once
    Reacquire,
    /// Everything goes back; units that others have since a loss stay theirs
    Refund,
    /// Of money in another currency, which nothing here gives back: a person has done so at the provider, and the order ends
    SettledByHand,
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "refund", "reason": "the buyer was told so by phone"}))]
pub(crate) struct DecideBody {
    pub decision: Decision,
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Decides what becomes of a parked order
#[utoipa::path(post, path = "/admin/v1/orders/{id}/decide", tag = "orders", params(("id" = String, Path, format = Uuid)), request_body = DecideBody, security(("token" = [])), responses(
    (status = 200, description = "Decided; `state` says how far it is", body = OrderView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_order", body = Problem),
    (status = 409, description = "not_parked; settle_by_hand: the provider captured another currency, so that only `settled_by_hand` can be decided, after it; units_gone: a paid order's units are others', and there are none to be taken again; units_short: some of its units went back before, and there are not as many as it had with them; undecidable", body = Problem),
    (status = 503, description = "recovering, unavailable: whether there are units cannot be told at the moment; nothing is decided", body = Problem)))]
pub(crate) async fn decide(
    AxumState(app): AxumState<App>,
    caller: Caller,
    OrderPath(id): OrderPath,
    StrictJson(body): StrictJson<DecideBody>,
) -> Result<Json<OrderView>, ApiError> {
    let mut problems = Problems::default();
    let reason = problems.line("/reason", &body.reason, 1..=REASON_CHARS_MAX);
    problems.none()?;
    if body.decision == Decision::Reacquire {
        take_units(&app, id).await?;
    }
    let mut tx = app.books.begin().await?;
    let order = seize(&mut tx, id).await?;
    let mut order = order.ok_or(ApiError::Order(Refusal::UnknownOrder))?;
    if order.state != State::Parked {
        return Err(ApiError::Order(Refusal::NotParked));
    }
    let data = json!({"decision": body.decision, "reason": reason, "by": caller.user});
    let decided = Event {
        cause: format!("decided:{}", order.version),
        ..Event::once("decided")
    };
    let due = |to| Move {
        next_in: Some(std::time::Duration::ZERO),
        ..to
    };
    let before = json!({"state": "parked", "reason": order.reason});
    // One that had been paid has a delivery, and units that were sold.
    let was_paid = deliveries::store::lock(&mut tx, id).await?.is_some();
    fits(&mut tx, &order, body.decision, was_paid).await?;
    let to = match (body.decision, was_paid) {
        (Decision::Reacquire, true) => Move {
            is_well: true,
            ..Move::to(State::Paid)
        },
        (Decision::Reacquire, false) => {
            set_late(&mut tx, id, Late::Reacquire).await?;
            Move::to(State::Captured)
        }
        (Decision::Refund | Decision::SettledByHand, true) => {
            let by = caller.user.as_str();
            keep_odd(&mut tx, id).await?;
            ask_all_back(&mut tx, &order, Why::ByStaff, by).await?;
            Move::to(State::Paid)
        }
        // Of what was settled by hand nothing was captured here, so nothing is asked back.
        (Decision::Refund | Decision::SettledByHand, false) => {
            let why = match body.decision {
                Decision::SettledByHand => Why::SettledByHand,
                _ => Why::ByStaff,
            };
            ask_back(&mut tx, &order, why).await?;
            Move::to(State::Undoing).why(why)
        }
    };
    let decided = decided.data(data.clone());
    advance(&mut tx, &mut order, due(to), &[decided]).await?;
    let change = Change {
        action: "order.decide",
        subject: format!("order:{id}"),
        before: Some(before),
        after: Some(data),
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    app.saga.wake();
    show(&app, id, Viewer::Staff).await.map(Json)
}

/// One that had been paid is so again only where it has its units: they are asked for before it is moved. Whoever decides otherwise meanwhile gives
/// them back.
async fn take_units(app: &App, id: Uuid) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    let order = lock(&mut tx, id).await?;
    let order = order.ok_or(ApiError::Order(Refusal::UnknownOrder))?;
    if order.state != State::Parked {
        return Err(ApiError::Order(Refusal::NotParked));
    }
    let was_paid = deliveries::store::lock(&mut tx, id).await?.is_some();
    fits(&mut tx, &order, Decision::Reacquire, was_paid).await?;
    tx.rollback().await?;
    if !was_paid {
        return Ok(());
    }
    match settled::again(app, &order).await? {
        Again::Has => Ok(()),
        Again::Gone => Err(ApiError::Order(Refusal::UnitsGone)),
        Again::Short => Err(ApiError::Order(Refusal::UnitsShort)),
    }
}

/// Whether it may be decided so, by what the books have of the order.
async fn fits(
    tx: &mut MySqlConnection,
    order: &Order,
    decision: Decision,
    was_paid: bool,
) -> Result<(), ApiError> {
    let is_captured = attempts::store::provider_ref(&mut *tx, order)
        .await?
        .is_some();
    let is_foreign = is_captured && order.captured == 0;
    match decision {
        Decision::SettledByHand if is_foreign => return Ok(()),
        Decision::SettledByHand => return undecidable("the provider has no other currency of it"),
        _ if is_foreign => return Err(ApiError::Order(Refusal::SettleByHand)),
        // What had been paid once need not be looked at for what it comes to.
        Decision::Reacquire if !was_paid => {}
        _ => return Ok(()),
    }
    if order.captured != order.total || order.refunded > 0 {
        return undecidable("the provider does not have just what it comes to");
    }
    if order.points_returned > 0 {
        return undecidable("its points went back");
    }
    let has_coupon = match order.claim {
        Some(claim) => redeem::store::is_redeemed(tx, claim, order.id).await?,
        None => true,
    };
    if !has_coupon {
        return undecidable("its coupon went back");
    }
    Ok(())
}

fn undecidable(why: &'static str) -> Result<(), ApiError> {
    Err(ApiError::Order(Refusal::Undecidable(why)))
}
