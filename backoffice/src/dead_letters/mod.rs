//! Events that MySQL refused, for a person to look at: the list, another try, and, for one that can never be applied, its discard.
//!
//! The journal has every such event, and Redis has decided it: what is missing is its projection in reservations, lines or
//! claims. A letter is open as long as its row is in `dead_letters`; its case tells what was done about it.

mod id;
mod settle;
mod store;

use axum::Json;
use axum::extract::State;
use doorbuster_core::clock;
use doorbuster_core::ids::{LiveId, ReservationId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, StrictJson, StrictQuery};
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, REASON_CHARS_MAX};
use crate::validate::Problems;
use id::{LetterId, LetterPath};
use settle::Wish;

/// Which letters are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LettersQuery {
    /// Only of this sale, or coupon:<id>
    pub sale: Option<String>,
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first
    pub cursor: Option<String>,
}

/// Open letters in the order of sales and events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LettersPage {
    pub letters: Vec<LetterView>,
    /// For the next page; null where this is the last
    pub next_cursor: Option<String>,
    /// Sales that no writer works on: too many of their events were refused. They go on by themselves once no letter of
    /// theirs is open and their next events can be applied
    pub stopped: Vec<StopView>,
}

/// An event that the books could not take.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LetterView {
    #[schema(example = "drop-1:42")]
    pub id: String,
    #[schema(example = "drop-1")]
    pub sale: String,
    /// The event's number in the sale's journal
    #[schema(example = 42)]
    pub seq: u64,
    pub epoch: u32,
    /// What happened: held, expired, claimed, …; unreadable where this version cannot tell
    #[schema(example = "held")]
    pub kind: Option<String>,
    #[schema(format = Uuid)]
    pub reservation: Option<String>,
    #[schema(example = "ann")]
    pub user: Option<String>,
    /// What MySQL said at the last try
    pub error: String,
    /// How often a person has had it tried again
    pub tries: u32,
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// A sale that no writer works on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StopView {
    #[schema(example = "drop-1")]
    pub sale: String,
    pub why: String,
    #[schema(format = DateTime)]
    pub stopped_at: String,
}

/// How a letter's case ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutcomeView {
    #[schema(example = "drop-1:42")]
    pub id: String,
    /// applied: the books have it now; discarded: they go without it
    #[schema(example = "applied")]
    pub outcome: String,
}

/// Why an event is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "a test of ours wrote it past the scripts"}))]
pub(crate) struct DiscardBody {
    /// For the audit log
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Events that MySQL refused and that are not in the books yet
#[utoipa::path(get, path = "/admin/v1/dead-letters", tag = "dead letters", params(LettersQuery), security(("token" = [])), responses(
    (status = 200, body = LettersPage),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<LettersQuery>,
) -> Result<Json<LettersPage>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        return Err(ApiError::InvalidRequest(format!(
            "limit must be 1 to {PAGE_ROWS_MAX}"
        )));
    }
    let sale = query.sale.as_deref().map(LiveId::from_book_id).transpose();
    let sale = sale.map_err(|e| ApiError::InvalidRequest(format!("sale {e}")))?;
    let after = query.cursor.as_deref().map(LetterId::parse);
    let after = after.map(|id| {
        id.ok_or_else(|| {
            ApiError::InvalidRequest("cursor must be the next_cursor of another page".to_owned())
        })
    });
    let after = after.transpose()?;
    let mut rows = store::page(&app.books, sale.as_ref(), after.as_ref(), limit + 1).await?;
    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    let letters: Vec<LetterView> = rows.into_iter().map(view).collect();
    let next_cursor = letters.last().filter(|_| !is_last).map(|l| l.id.clone());
    let stops = store::stops(&app.books, sale.as_ref()).await?;
    let stopped = stops.into_iter().map(|(sale, why, at)| StopView {
        sale,
        why,
        stopped_at: clock::rfc3339(clock::to_ms(at)),
    });
    Ok(Json(LettersPage {
        letters,
        next_cursor,
        stopped: stopped.collect(),
    }))
}

/// Applies an event to the books, its cause being mended; repeatable without effect
///
/// Its reservation is brought to where the journal's last word puts it, whichever of its events were applied before.
#[utoipa::path(post, path = "/admin/v1/dead-letters/{id}/retry", tag = "dead letters", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "Applied, or settled before", body = OutcomeView),
    (status = 404, description = "unknown_dead_letter", body = Problem),
    (status = 409, description = "still_refused: it stays open, with the new error and one try more", body = Problem)))]
pub(crate) async fn retry(
    State(app): State<App>,
    caller: Caller,
    LetterPath(id): LetterPath,
) -> Result<Json<OutcomeView>, ApiError> {
    let outcome = settle::settle(&app, &caller, &id, &Wish::Retry).await?;
    Ok(Json(outcome_view(&id, outcome)))
}

/// Gives up an event that can never be applied; repeatable without effect
///
/// It is tried once more first, and applied if it can be. The journal keeps it, and Redis has counted it: `reconcile` goes on
/// reporting what reservations and journal differ by, until the units are put right.
#[utoipa::path(post, path = "/admin/v1/dead-letters/{id}/discard", tag = "dead letters", params(("id" = String, Path)), request_body = DiscardBody,
    security(("token" = [])), responses(
    (status = 200, description = "Discarded, or settled before, or applied after all", body = OutcomeView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_dead_letter", body = Problem)))]
pub(crate) async fn discard(
    State(app): State<App>,
    caller: Caller,
    LetterPath(id): LetterPath,
    StrictJson(body): StrictJson<DiscardBody>,
) -> Result<Json<OutcomeView>, ApiError> {
    let mut problems = Problems::default();
    let fits = (1..=REASON_CHARS_MAX).contains(&body.reason.chars().count());
    if !fits || body.reason.trim().is_empty() {
        problems.add(
            "/reason",
            format_args!("must be 1 to {REASON_CHARS_MAX} characters, not all spaces"),
        );
    }
    problems.none()?;
    let wish = Wish::Discard {
        reason: body.reason,
    };
    let outcome = settle::settle(&app, &caller, &id, &wish).await?;
    Ok(Json(outcome_view(&id, outcome)))
}

fn outcome_view(id: &LetterId, outcome: String) -> OutcomeView {
    OutcomeView {
        id: id.to_string(),
        outcome,
    }
}

fn view(row: store::LetterRow) -> LetterView {
    let reservation = row
        .reservation_id
        .map(|id| ReservationId::from_bytes(*id.as_bytes()).to_string());
    LetterView {
        id: format!("{}:{}", row.sale_id, row.seq),
        sale: row.sale_id,
        seq: row.seq,
        epoch: row.epoch,
        kind: row.kind,
        reservation,
        user: row.user_id,
        error: row.error,
        tries: row.tries,
        created_at: clock::rfc3339(clock::to_ms(row.created_at)),
    }
}
