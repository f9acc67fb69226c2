//! What a sale's orders go by: late payments, shipping, points. Set by staff at any time; an order keeps what it was placed under.

pub(crate) mod store;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::limits::SHIPPING_MAX;
use super::model::Late;
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, SalePath, StrictJson};
use crate::validate::Problems;
use crate::{live, sales};

/// What a sale's orders go by. A sale for which nobody has said anything: reacquire, nothing for shipping, no points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"late_payment": "reacquire", "shipping_fee": 3000, "free_from": 50000, "earn_per_mille": 10}))]
pub(crate) struct SalePolicy {
    pub late_payment: Late,
    /// Minor units of the sale's currency
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub shipping_fee: i64,
    /// Nothing is charged for shipping where the lines, before coupon and points, come to this or more; null: always
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9_000_000_000_i64)]
    pub free_from: Option<i64>,
    /// Points that a delivered order earns, in thousandths of what was paid without shipping
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1000)]
    pub earn_per_mille: u32,
}

impl SalePolicy {
    fn validate(&self) -> Result<(), ApiError> {
        let mut problems = Problems::default();
        let mut within = |pointer: &str, value: i64, most: i64| {
            if !(0..=most).contains(&value) {
                problems.add(pointer, format_args!("must be 0 to {most}"));
            }
        };
        within("/shipping_fee", self.shipping_fee, SHIPPING_MAX);
        within(
            "/free_from",
            self.free_from.unwrap_or(0),
            crate::limits::AMOUNT_MAX,
        );
        within("/earn_per_mille", i64::from(self.earn_per_mille), 1_000);
        problems.none()
    }
}

/// What the orders of a sale go by
#[utoipa::path(get, path = "/admin/v1/sales/{id}/policy", tag = "orders", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = SalePolicy),
    (status = 404, description = "unknown_sale", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    SalePath(id): SalePath,
) -> Result<Json<SalePolicy>, ApiError> {
    sales::store::find(&app.books, &id).await?;
    Ok(Json(store::find(&app.books, &id).await?))
}

/// Sets what the orders of a sale go by, from the next order on; repeatable without effect
#[utoipa::path(put, path = "/admin/v1/sales/{id}/policy", tag = "orders", params(("id" = String, Path)), request_body = SalePolicy, security(("token" = [])), responses(
    (status = 200, body = SalePolicy),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 404, description = "unknown_sale", body = Problem)))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    SalePath(id): SalePath,
    StrictJson(policy): StrictJson<SalePolicy>,
) -> Result<Json<SalePolicy>, ApiError> {
    policy.validate()?;
    let live = doorbuster_core::ids::LiveId::Sale(id.clone());
    let mut tx = app.books.begin().await?;
    let is_there = live::store::lock_published(&mut tx, &live).await?;
    is_there.ok_or(ApiError::UnknownSale)?;
    let before = store::find(&mut *tx, &id).await?;
    if before != policy {
        store::set(&mut tx, &id, &policy).await?;
        let change = Change {
            action: "sale.policy",
            subject: live.tag(),
            before: Some(json!(before)),
            after: Some(json!(policy)),
        };
        audit_log::in_transaction(&mut tx, &caller, change).await?;
        tx.commit().await?;
    }
    Ok(Json(policy))
}
