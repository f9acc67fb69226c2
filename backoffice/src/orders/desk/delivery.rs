//! `PUT /admin/v1/orders/{id}/delivery`: goods are sent, or will be at a time; or have arrived.

use axum::Json;
use axum::extract::State as AxumState;
use chrono::{DateTime, SubsecRound as _, Utc};
use doorbuster_core::clock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, OrderPath, StrictJson};
use crate::orders::deliveries::step::{Parcel, deliver, may_be_sent, ship};
use crate::orders::deliveries::store::{self, DeliveryRow};
use crate::orders::error::Refusal;
use crate::orders::limits::{CARRIER_CHARS_MAX, TRACKING_CHARS_MAX};
use crate::orders::model::State;
use crate::orders::saga::store::seize;
use crate::orders::view::{OrderView, Viewer, show};
use crate::validate::Problems;

/// Where the goods are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// With `ships_at`: sent by itself then
    Preparing,
    Shipped,
    Delivered,
}

/// How the goods go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"state": "shipped", "carrier": "CJ대한통운", "tracking_number": "6540-1234-5678"}))]
pub(crate) struct DeliveryBody {
    pub state: Stage,
    /// Needed for shipping, now or by itself
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub carrier: Option<String>,
    #[serde(default)]
    #[schema(pattern = "^[0-9A-Za-z-]{1,64}$")]
    pub tracking_number: Option<String>,
    /// Of `preparing`: when it counts as sent
    #[serde(default)]
    pub ships_at: Option<DateTime<Utc>>,
}

/// Sends the goods of a paid order, now or by itself later, or says that they have arrived; repeatable without effect
#[utoipa::path(put, path = "/admin/v1/orders/{id}/delivery", tag = "orders", params(("id" = String, Path, format = Uuid)), request_body = DeliveryBody, security(("token" = [])), responses(
    (status = 200, body = OrderView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_order", body = Problem),
    (status = 409, description = "not_paid; already_sent: it cannot go back to being prepared; in_flight: it is being cancelled, or money of it is on its way back", body = Problem)))]
pub(crate) async fn put(
    AxumState(app): AxumState<App>,
    caller: Caller,
    OrderPath(id): OrderPath,
    StrictJson(body): StrictJson<DeliveryBody>,
) -> Result<Json<OrderView>, ApiError> {
    let parcel = body.validate()?;
    let mut tx = app.books.begin().await?;
    let order = seize(&mut tx, id).await?;
    let mut order = order.ok_or(ApiError::Order(Refusal::UnknownOrder))?;
    if order.state != State::Paid {
        return Err(ApiError::Order(Refusal::NotPaid));
    }
    let delivery = store::lock(&mut tx, id)
        .await?
        .ok_or(ApiError::Order(Refusal::NotPaid))?;
    if delivery.state == "preparing" && !may_be_sent(&mut tx, &order).await? {
        return Err(ApiError::Order(Refusal::InFlight));
    }
    let before = delivery.clone();
    match (body.state, delivery.state.as_str()) {
        (Stage::Preparing, "preparing") => {
            let delivery = DeliveryRow {
                carrier: parcel.as_ref().map(|parcel| parcel.carrier.clone()),
                tracking_number: parcel.map(|parcel| parcel.tracking_number),
                next_at: body.ships_at.map(|at| at.trunc_subsecs(3)),
                ..delivery
            };
            store::set(&mut tx, id, &delivery).await?;
        }
        (Stage::Shipped, "preparing") => {
            let parcel = parcel.or_else(|| known(&delivery));
            let parcel = parcel.ok_or_else(needs_parcel)?;
            ship(&mut tx, &mut order, parcel).await?;
        }
        (Stage::Delivered, "shipped") => {
            deliver(&mut tx, &mut order, delivery).await?;
        }
        (Stage::Shipped, "shipped") | (Stage::Delivered, "delivered") => {
            tx.rollback().await?;
            return show(&app, id, Viewer::Staff).await.map(Json);
        }
        (Stage::Delivered, "preparing") => return Err(ApiError::Order(Refusal::NotSent)),
        _ => return Err(ApiError::Order(Refusal::AlreadySent)),
    }
    let change = Change {
        action: "order.delivery",
        subject: format!("order:{id}"),
        before: Some(json!({"state": before.state, "next_at": written(before.next_at)})),
        after: Some(json!({"state": body.state, "ships_at": written(body.ships_at)})),
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    app.people.mail_written.notify_one();
    show(&app, id, Viewer::Staff).await.map(Json)
}

fn written(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(|at| clock::rfc3339(clock::to_ms(at)))
}

fn known(delivery: &DeliveryRow) -> Option<Parcel> {
    Some(Parcel {
        carrier: delivery.carrier.clone()?,
        tracking_number: delivery.tracking_number.clone()?,
    })
}

fn needs_parcel() -> ApiError {
    let mut problems = Problems::default();
    problems.add("/carrier", "must be there, with tracking_number");
    problems
        .none()
        .err()
        .unwrap_or(ApiError::Order(Refusal::NotSent))
}

impl DeliveryBody {
    fn validate(&self) -> Result<Option<Parcel>, ApiError> {
        let mut problems = Problems::default();
        let carrier = (self.carrier.as_ref())
            .and_then(|text| problems.line("/carrier", text, 1..=CARRIER_CHARS_MAX));
        let is_number = |text: &String| {
            (1..=TRACKING_CHARS_MAX).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if self
            .tracking_number
            .as_ref()
            .is_some_and(|text| !is_number(text))
        {
            problems.add(
                "/tracking_number",
                format_args!("must be 1 to {TRACKING_CHARS_MAX} of 0-9 A-Z a-z -"),
            );
        }
        if self.carrier.is_some() != self.tracking_number.is_some() {
            problems.add("/tracking_number", "must be there exactly where carrier is");
        }
        if self.ships_at.is_some() {
            if self.state != Stage::Preparing {
                problems.add("/ships_at", "is for `preparing` alone");
            } else if self.carrier.is_none() {
                problems.add("/carrier", "must be there, with tracking_number");
            }
        }
        problems.none()?;
        Ok(carrier
            .zip(self.tracking_number.clone())
            .map(|(carrier, tracking_number)| Parcel {
                carrier,
                tracking_number,
            }))
    }
}
