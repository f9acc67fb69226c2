//! Fee schedules, as finance sets and reads them. A schedule begins on an open day, so what is settled never changes.

use axum::Json;
use axum::extract::State;
use chrono::NaiveDate;
use doorbuster_core::ids::SkuId;
use doorbuster_core::money::Currency;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::fee::Schedule;
use super::limits::FEE_FIXED_MAX;
use super::{runs_store, store};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, StrictJson};
use crate::validate::Problems;

/// What is kept of a seller's sales from a day on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"seller": "*", "currency": "KRW", "valid_from": "2026-12-01", "basis_points": 1000, "fixed": 100}))]
pub(crate) struct FeeBody {
    /// `*`: everybody without a schedule of his own
    pub seller: String,
    pub currency: String,
    /// A day (UTC) that is not closed
    pub valid_from: String,
    /// Of each sale, rounded to the nearest minor unit, halves up; of what comes back the share that was taken of it is given back
    #[schema(minimum = 0, maximum = 10000)]
    pub basis_points: u32,
    /// For each order, in minor units; not given back
    #[schema(minimum = 0)]
    pub fixed: i64,
}

/// All schedules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeesView {
    pub fees: Vec<FeeBody>,
}

/// Fee schedules
#[utoipa::path(get, path = "/admin/v1/fees", tag = "settlement", security(("token" = [])), responses((status = 200, body = FeesView)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<FeesView>, ApiError> {
    shown(&app).await.map(Json)
}

/// Sets what is kept of a seller's sales from a day on; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/fees", tag = "settlement", request_body = FeeBody, security(("token" = [])), responses(
    (status = 200, description = "Set; another one of the same seller, currency and day is replaced", body = FeesView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem)))]
pub(crate) async fn set(
    State(app): State<App>,
    caller: Caller,
    StrictJson(body): StrictJson<FeeBody>,
) -> Result<Json<FeesView>, ApiError> {
    let mut tx = app.books.begin().await?;
    let closed_through = runs_store::lock_head(&mut tx).await?;
    let schedule = validate(&body, closed_through)?;
    let before = store::schedule(&mut tx, &schedule).await?;
    store::put_schedule(&mut tx, &schedule).await?;
    let change = Change {
        action: "fee.set",
        subject: format!("fee:{}:{}", schedule.seller, schedule.currency),
        before: before.map(|(basis_points, fixed)| {
            json!({"valid_from": body.valid_from, "basis_points": basis_points, "fixed": fixed})
        }),
        after: Some(json!(body)),
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    shown(&app).await.map(Json)
}

fn validate(body: &FeeBody, closed_through: NaiveDate) -> Result<Schedule, ApiError> {
    let mut problems = Problems::default();
    if body.seller != "*" && SkuId::parse(body.seller.as_str()).is_err() {
        problems.add(
            "/seller",
            "must be * or 1 to 64 characters of A-Z a-z 0-9 _ -",
        );
    }
    if Currency::parse(&body.currency).is_err() {
        problems.add("/currency", "must be three capital letters");
    }
    let valid_from: Option<NaiveDate> = body.valid_from.parse().ok();
    if valid_from.is_none_or(|day| day <= closed_through) {
        problems.add(
            "/valid_from",
            format_args!("must be a day after {closed_through}"),
        );
    }
    if body.basis_points > 10_000 {
        problems.add("/basis_points", "must be 0 to 10000");
    }
    if !(0..=FEE_FIXED_MAX).contains(&body.fixed) {
        problems.add("/fixed", format_args!("must be 0 to {FEE_FIXED_MAX}"));
    }
    problems.none()?;
    Ok(Schedule {
        seller: body.seller.clone(),
        currency: body.currency.clone(),
        valid_from: valid_from.unwrap_or(closed_through),
        basis_points: body.basis_points,
        fixed: body.fixed,
    })
}

async fn shown(app: &App) -> Result<FeesView, ApiError> {
    let mut schedules = store::schedules(&app.books).await?.0;
    schedules.sort_by(|a, b| {
        let key = |one: &Schedule| (one.seller.clone(), one.currency.clone(), one.valid_from);
        key(a).cmp(&key(b))
    });
    let fee = |one: Schedule| FeeBody {
        seller: one.seller,
        currency: one.currency,
        valid_from: one.valid_from.to_string(),
        basis_points: one.basis_points,
        fixed: one.fixed,
    };
    Ok(FeesView {
        fees: schedules.into_iter().map(fee).collect(),
    })
}
