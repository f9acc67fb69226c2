//! `POST /admin/v1/orders/{id}/refunds`: what of a paid order goes back, line by line, and what becomes of the units.

use axum::Json;
use axum::extract::State as AxumState;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::audit_log::{self, Change};
use crate::derived;
use crate::error::{ApiError, FieldProblem, Problem};
use crate::extract::{Caller, Key, OrderPath, StrictJson};
use crate::limits::{REASON_CHARS_MAX, UNITS_MAX};
use crate::orders::deliveries;
use crate::orders::error::Refusal;
use crate::orders::limits::{CANCEL_POLL, PLACE_WAIT};
use crate::orders::model::{Event, Order, State};
use crate::orders::refunds::store::{self as refunds, NewRefund};
use crate::orders::refunds::{Units, Unworkable, Worked, all_of, work_out};
use crate::orders::saga::store::{Move, advance, seize};
use crate::orders::view::{OrderView, Viewer, show};
use crate::validate::Problems;

/// What is to go back.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"lines": [{"sku": "tee-m", "quantity": 1, "units": "restock"}], "shipping": false, "reason": "came back unopened"}))]
pub(crate) struct RefundBody {
    /// Absent: all that is left, units on sale again, shipping included
    #[serde(default)]
    #[schema(min_items = 1, max_items = 256)]
    pub lines: Option<Vec<RefundLineBody>>,
    /// Whether what was paid for shipping goes back; where `lines` are absent, it does
    #[serde(default)]
    pub shipping: bool,
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Units whose money goes back.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundLineBody {
    #[schema(example = "tee-m")]
    pub sku: String,
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub quantity: i64,
    /// What becomes of them
    pub units: Units,
}

type Wanted = Vec<(String, u32, Units)>;

/// Gives money and points of a paid order back, once for each key
///
/// One refund of an order is done at a time. The order is `refunded` when nothing of it is left.
#[utoipa::path(post, path = "/admin/v1/orders/{id}/refunds", tag = "orders", request_body = RefundBody, security(("token" = [])),
    params(("id" = String, Path, format = Uuid), ("Idempotency-Key" = String, Header, min_length = 1, max_length = 255)), responses(
    (status = 200, description = "Asked for, now or before under this key; `refunds` says how far it is after at most two seconds", body = OrderView),
    (status = 400, description = "invalid_request, missing_idempotency_key", body = Problem),
    (status = 404, description = "unknown_order", body = Problem),
    (status = 409, description = "not_paid, or in_flight: another refund of it is", body = Problem),
    (status = 422, description = "idempotency_mismatch", body = Problem)))]
pub(crate) async fn create(
    AxumState(app): AxumState<App>,
    caller: Caller,
    OrderPath(id): OrderPath,
    Key(key): Key,
    StrictJson(body): StrictJson<RefundBody>,
) -> Result<Json<OrderView>, ApiError> {
    let (wanted, reason) = body.validate()?;
    let refund = derived::uuid("refund", &[id.as_bytes(), key.as_str().as_bytes()]);
    let canonical = json!([wanted, body.shipping, reason]).to_string();
    let hash = derived::body_hash("refund", &canonical);
    ask(
        &app,
        &caller,
        (id, refund, hash),
        (wanted, body.shipping, &reason),
    )
    .await?;
    app.saga.wake();
    let until = Instant::now() + PLACE_WAIT;
    loop {
        let order = show(&app, id, Viewer::Staff).await?;
        let text = refund.hyphenated().to_string();
        let of = order.refunds.iter().flatten().find(|row| row.id == text);
        let is_over = of.is_some_and(|row| row.state == "done" || row.state == "refused");
        if is_over || Instant::now() >= until {
            return Ok(Json(order));
        }
        sleep(CANCEL_POLL).await;
    }
}

impl RefundBody {
    fn validate(&self) -> Result<(Option<Wanted>, String), ApiError> {
        let mut problems = Problems::default();
        let reason = problems.line("/reason", &self.reason, 1..=REASON_CHARS_MAX);
        let mut wanted: Option<Wanted> = None;
        for (i, line) in self.lines.iter().flatten().enumerate() {
            let at = format!("/lines/{i}/quantity");
            let quantity = problems.number(&at, line.quantity, 1..=UNITS_MAX);
            let wanted = wanted.get_or_insert_default();
            if wanted.iter().any(|(sku, ..)| *sku == line.sku) {
                problems.add(format!("/lines/{i}/sku"), "must not be there twice");
            }
            if let Some(quantity) = quantity {
                wanted.push((line.sku.clone(), quantity, line.units));
            }
        }
        if self.lines.as_ref().is_some_and(Vec::is_empty) && !self.shipping {
            problems.add("/lines", "must not be empty where shipping stays");
        }
        problems.none()?;
        let wanted = wanted.or_else(|| self.lines.as_ref().map(|_| Vec::new()));
        Ok((
            wanted,
            reason.expect("a field is missing only together with a problem"),
        ))
    }
}

/// Written down, and due at once; a repeat changes nothing.
async fn ask(
    app: &App,
    caller: &Caller,
    (id, refund, hash): (Uuid, Uuid, [u8; 16]),
    (wanted, shipping, reason): (Option<Wanted>, bool, &str),
) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    let order = seize(&mut tx, id).await?;
    let mut order: Order = order.ok_or(ApiError::Order(Refusal::UnknownOrder))?;
    match refunds::body_hash(&mut *tx, refund).await? {
        Some(known) if known == hash => return Ok(()),
        Some(_) => return Err(ApiError::IdempotencyMismatch),
        None => {}
    }
    if order.state != State::Paid {
        return Err(ApiError::Order(Refusal::NotPaid));
    }
    // Where the goods had left, nobody cancels it any more.
    let is_cancelled = order.cancel_asked && !deliveries::store::has_left(&mut *tx, id).await?;
    if is_cancelled || refunds::under_way(&mut *tx, id).await?.is_some() {
        return Err(ApiError::Order(Refusal::InFlight));
    }
    let lines = refunds::left(&mut *tx, id).await?;
    let paid_for_shipping = refunds::shipping_left(&mut *tx, id).await?;
    let with_shipping = shipping || wanted.is_none();
    let back = if with_shipping { paid_for_shipping } else { 0 };
    let wanted = wanted.unwrap_or_else(|| all_of(&lines, Units::Restock));
    let worked: Worked = work_out(&lines, &wanted, back).map_err(refuse)?;
    let new = NewRefund {
        id: refund,
        worked: &worked,
        reason,
        asked_by: caller.user.as_str(),
        body_hash: hash,
    };
    refunds::insert(&mut tx, &order, &new).await?;
    let data = json!({"refund": refund, "lines": worked.lines, "shipping": back, "reason": reason});
    let asked = Event::of("refund_asked", refund).data(data.clone());
    let to = Move {
        next_in: Some(std::time::Duration::ZERO),
        ..Move::to(State::Paid)
    };
    advance(&mut tx, &mut order, to, &[asked]).await?;
    let change = Change {
        action: "order.refund",
        subject: format!("order:{id}"),
        before: None,
        after: Some(json!({"amount": worked.amount, "points": worked.points, "refund": data})),
    };
    audit_log::in_transaction(&mut tx, caller, change).await?;
    Ok(tx.commit().await?)
}

fn refuse(why: Unworkable) -> ApiError {
    let detail = match why {
        Unworkable::UnknownSku(sku) => format!("{sku} is not in the order"),
        Unworkable::TooMany { sku, left } => format!("of {sku} only {left} units are left"),
        Unworkable::Nothing => "nothing is left to go back".to_owned(),
    };
    ApiError::InvalidFields(vec![FieldProblem {
        pointer: "/lines".to_owned(),
        detail,
    }])
}
