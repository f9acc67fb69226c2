//! Points: what a buyer has earned and may spend instead of money. One point is one minor unit of its currency.
//!
//! An account is a balance and a version; every entry raises both in the transaction of what brought it about, under the account's row lock.
//! Entries are never changed, each names its cause, and no cause has two: whatever is repeated moves points once. What was earned is lost
//! some time later unless it was spent; those that end first are spent first, so what is lost follows from sums alone (`expiry`).
//! `store` is the SQL, `job` takes away what has expired and holds balances against their entries.

pub(crate) mod expiry;
pub(crate) mod job;
pub(crate) mod store;

use axum::Json;
use axum::extract::State;
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_core::money::Currency;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::audit_log::{self, Change};
use crate::derived;
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, Key, StrictJson, StrictQuery, UserPath};
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, POINTS_MAX, REASON_CHARS_MAX};
use crate::orders::error::Refusal;
use crate::validate::Problems;
use store::{Entry, EntryRow, Kind, Posted};

/// Which page of which account is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PointsQuery {
    /// ISO 4217
    #[param(pattern = "^[A-Z]{3}$", example = "KRW")]
    pub currency: String,
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first
    pub cursor: Option<String>,
}

/// Points of one currency, and how they came and went, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PointsView {
    #[schema(example = "KRW")]
    pub currency: String,
    #[schema(example = 1500)]
    pub balance: i64,
    pub entries: Vec<EntryView>,
    /// For the next page; null where this is the last
    #[schema(example = "7")]
    pub next_cursor: Option<String>,
}

/// One entry.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryView {
    /// Numbers the entries of the account
    #[schema(example = 3)]
    pub version: u32,
    /// earn, spend, return, expire or adjust
    #[schema(example = "spend")]
    pub kind: String,
    #[schema(example = -500)]
    pub amount: i64,
    /// After it
    #[schema(example = 1500)]
    pub balance: i64,
    /// What brought it about
    #[schema(example = "spend:0b2c8f6e-5d1a-8c3e-9f00-3f1d7a9b2c4d")]
    pub cause: String,
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    pub reason: Option<String>,
    #[schema(format = DateTime)]
    pub at: String,
}

/// Points to be given or taken by a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"currency": "KRW", "by": 1000, "reason": "for the parcel that was late"}))]
pub(crate) struct AdjustPoints {
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
    /// Less than 0 takes points away
    #[schema(minimum = -1_000_000_000_000_i64, maximum = 1_000_000_000_000_i64)]
    pub by: i64,
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// The bearer's points
#[utoipa::path(get, path = "/v1/me/points", tag = "buyers", params(PointsQuery), security(("token" = [])), responses(
    (status = 200, body = PointsView),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn mine(
    State(app): State<App>,
    caller: Caller,
    StrictQuery(query): StrictQuery<PointsQuery>,
) -> Result<Json<PointsView>, ApiError> {
    show(&app, &caller.user, &query).await
}

/// A buyer's points, who may be the shop's own
#[utoipa::path(get, path = "/admin/v1/users/{id}/points", tag = "points", params(("id" = String, Path), PointsQuery), security(("token" = [])), responses(
    (status = 200, body = PointsView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_user: it cannot be one", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    UserPath(user): UserPath,
    StrictQuery(query): StrictQuery<PointsQuery>,
) -> Result<Json<PointsView>, ApiError> {
    show(&app, &user, &query).await
}

/// Gives or takes points, once for each key
#[utoipa::path(post, path = "/admin/v1/users/{id}/points/adjust", tag = "points", request_body = AdjustPoints, security(("token" = [])),
    params(("id" = String, Path), ("Idempotency-Key" = String, Header, min_length = 1, max_length = 255)), responses(
    (status = 200, description = "Done, or done before under this key", body = PointsView),
    (status = 400, description = "invalid_request, missing_idempotency_key", body = Problem),
    (status = 404, description = "unknown_user: it cannot be one", body = Problem),
    (status = 409, description = "insufficient_points", body = Problem),
    (status = 422, description = "idempotency_mismatch", body = Problem)))]
pub(crate) async fn adjust(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
    Key(key): Key,
    StrictJson(body): StrictJson<AdjustPoints>,
) -> Result<Json<PointsView>, ApiError> {
    let (currency, reason) = body.validate()?;
    let id = derived::uuid(
        "points",
        &[user.as_str().as_bytes(), key.as_str().as_bytes()],
    );
    let entry = Entry {
        user: &user,
        currency,
        kind: Kind::Adjust,
        amount: body.by,
        cause: format!("adjust:{id}"),
        expires_at: None,
        reason: Some(&reason),
    };
    post_by_person(&app, &caller, &entry).await?;
    let query = PointsQuery {
        currency: currency.to_string(),
        limit: None,
        cursor: None,
    };
    show(&app, &user, &query).await
}

/// With its row of the audit log. The transaction ends here: whoever looks afterwards takes another connection.
async fn post_by_person(app: &App, caller: &Caller, entry: &Entry<'_>) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    match store::post(&mut tx, entry).await? {
        Posted::Insufficient => Err(ApiError::Order(Refusal::InsufficientPoints)),
        Posted::Already(row)
            if row.amount != entry.amount || row.reason.as_deref() != entry.reason =>
        {
            Err(ApiError::IdempotencyMismatch)
        }
        Posted::Already(_) => Ok(()),
        Posted::Done { balance } => {
            let change = Change {
                action: "points.adjust",
                subject: format!("user:{}", entry.user),
                before: Some(
                    json!({"balance": balance - entry.amount, "currency": entry.currency}),
                ),
                after: Some(json!({"balance": balance, "reason": entry.reason})),
            };
            audit_log::in_transaction(&mut tx, caller, change).await?;
            Ok(tx.commit().await?)
        }
    }
}

impl AdjustPoints {
    fn validate(&self) -> Result<(Currency, String), ApiError> {
        let mut problems = Problems::default();
        let currency = problems.parsed("/currency", Currency::parse(&self.currency));
        if self.by == 0 || self.by.unsigned_abs() > POINTS_MAX.unsigned_abs() {
            problems.add(
                "/by",
                format_args!("must be {} to {POINTS_MAX}, and not 0", -POINTS_MAX),
            );
        }
        let reason = problems.line("/reason", &self.reason, 1..=REASON_CHARS_MAX);
        problems.none()?;
        let missing = "a field is missing only together with a problem";
        Ok((currency.expect(missing), reason.expect(missing)))
    }
}

async fn show(app: &App, user: &UserId, query: &PointsQuery) -> Result<Json<PointsView>, ApiError> {
    let currency = Currency::parse(&query.currency)
        .map_err(|e| ApiError::InvalidRequest(format!("currency: {e}")))?;
    let limit = query.limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        return Err(ApiError::InvalidRequest(format!(
            "limit must be 1 to {PAGE_ROWS_MAX}"
        )));
    }
    let before = query.cursor.as_ref().map(|cursor| cursor.parse::<u32>());
    let before = before.transpose().map_err(|_| {
        ApiError::InvalidRequest("cursor must be the next_cursor of another page".to_owned())
    })?;
    let balance = store::balance(&app.books, user, currency).await?;
    let mut rows = store::entries(&app.books, user, currency, (before, limit + 1)).await?;
    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows
        .last()
        .filter(|_| !is_last)
        .map(|row| row.version.to_string());
    Ok(Json(PointsView {
        currency: currency.to_string(),
        balance,
        entries: rows.into_iter().map(view).collect(),
        next_cursor,
    }))
}

fn view(row: EntryRow) -> EntryView {
    let written = |at| clock::rfc3339(clock::to_ms(at));
    EntryView {
        version: row.version,
        kind: row.kind,
        amount: row.amount,
        balance: row.balance,
        cause: row.cause,
        expires_at: row.expires_at.map(written),
        reason: row.reason,
        at: written(row.at),
    }
}
