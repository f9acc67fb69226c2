//! `POST /v1/orders`: writes an order down, once for its key, hands it to the saga of this process, and waits a moment for its end.
//!
//! The order's id follows from user and key: a repeat finds it, and one with another body is refused. Of a hold there is one order, ever: one
//! that fails gives the hold up. Whether a refused request is a repeat is looked up only when it is refused, so that nobody else pays for it.

use axum::Json;
use axum::extract::State as AxumState;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::basis::{self, Quoted};
use super::body::{ChosenAddress, NewOrder, OrderBody, copy};
use super::limits::PLACE_WAIT;
use super::model::{Order, State};
use super::saga::New;
use super::store;
use super::view::{OrderView, Viewer, show};
use crate::addresses;
use crate::app::App;
use crate::derived;
use crate::error::{ApiError, Problem, created};
use crate::extract::{Caller, Key, StrictJson};

/// Orders a hold and pays for it
#[utoipa::path(post, path = "/v1/orders", tag = "buyers", request_body = OrderBody, security(("token" = [])),
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 255)), responses(
    (status = 201, description = "Written down; `state` says how far it is after at most two seconds: paid, cancelled, or still on its way", body = OrderView),
    (status = 200, description = "The same key and request again: the order as it is now", body = OrderView),
    (status = 400, description = "invalid_request, missing_idempotency_key", body = Problem),
    (status = 404, description = "unknown_sale, unknown_reservation, unknown_coupon, unknown_address", body = Problem),
    (status = 409, description = "hold_ended, already_ordered, insufficient_points, coupon_unusable", body = Problem),
    (status = 422, description = "idempotency_mismatch", body = Problem),
    (status = 503, description = "recovering, payments_off, unavailable: the same key tells what became of it", body = Problem)))]
pub(crate) async fn create(
    AxumState(app): AxumState<App>,
    caller: Caller,
    Key(key): Key,
    StrictJson(body): StrictJson<OrderBody>,
) -> Result<Response, ApiError> {
    let new = body.validate()?;
    let parts = [caller.user.as_str().as_bytes(), key.as_str().as_bytes()];
    let id = derived::uuid("order", &parts);
    let hash = new.body_hash();
    match place(&app, &caller, (id, hash), new).await {
        Ok(until) => {
            let _ = timeout(PLACE_WAIT, until).await;
            let order = show(&app, id, Viewer::Buyer(&caller.user)).await?;
            Ok(created(&format!("/v1/orders/{id}"), order))
        }
        Err(refused) => match store::body_hash(&app.books, id).await? {
            Some(known) if known == hash => {
                let order = show(&app, id, Viewer::Buyer(&caller.user)).await?;
                Ok(Json(order).into_response())
            }
            Some(_) => Err(ApiError::IdempotencyMismatch),
            None => Err(refused),
        },
    }
}

/// Written down together with all that come at the same time.
async fn place(
    app: &App,
    caller: &Caller,
    (id, body_hash): (Uuid, [u8; 16]),
    new: NewOrder,
) -> Result<oneshot::Receiver<()>, ApiError> {
    let quoted = basis::quoted(app, &caller.user, &new.wanted).await?;
    if quoted.quote.total > 0 && !app.payments.is_on() {
        return Err(ApiError::PaymentsOff);
    }
    let address = address(app, caller, &new.address).await?;
    let (told, until) = oneshot::channel();
    let new = New {
        order: order(caller, id, new, &quoted),
        body_hash,
        quoted,
        address: address.map(|address| address.to_string()),
        told,
    };
    app.saga.place(new).await;
    // A program that ends tells nobody: the same key finds out.
    until
        .await
        .unwrap_or_else(|ended| Err(ApiError::Unavailable(ended.into())))
}

fn order(caller: &Caller, id: Uuid, new: NewOrder, quoted: &Quoted) -> Order {
    let quote = &quoted.quote;
    Order {
        id,
        user: caller.user.clone(),
        sale: new.wanted.sale,
        reservation: new.wanted.reservation,
        state: State::Placed,
        reason: None,
        currency: quote.currency,
        total: quote.total,
        points: quote.points,
        coupon: quote.coupon,
        captured: 0,
        refunded: 0,
        points_returned: 0,
        coupon_id: new.wanted.coupon.map(|coupon| coupon.to_string()),
        claim: quoted.claim,
        late: quoted.late,
        method: new.method,
        token: Some(new.token),
        pay_until: None,
        cancel_asked: false,
        events: 1,
        version: 1,
        tries: 0,
    }
}

async fn address(
    app: &App,
    caller: &Caller,
    chosen: &ChosenAddress,
) -> Result<Option<Value>, ApiError> {
    let saved = match chosen {
        ChosenAddress::None => return Ok(None),
        ChosenAddress::Given(address) => return Ok(Some(copy(address))),
        ChosenAddress::Saved(id) => {
            Some(addresses::store::find(&app.books, &caller.user, *id).await?)
        }
        ChosenAddress::Default => addresses::store::of(&app.books, &caller.user)
            .await?
            .into_iter()
            .find(|address| address.is_default),
    };
    Ok(saved.map(|address| {
        json!({"recipient": address.recipient, "phone": address.phone, "country": address.country, "postal_code": address.postal_code,
            "line1": address.line1, "line2": address.line2})
    }))
}
