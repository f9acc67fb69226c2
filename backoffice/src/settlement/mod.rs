//! Settlement: what a day or a month comes to for each seller, with statements, fees and payouts.
//!
//! A tour. `period` and `fee` are pure, `statement` writes CSV and HTML; `run` closes a period and works its statements out, from the ledger's
//! postings alone; `command` is `doorbuster-backoffice settle`. Handlers only parse, call and answer. Times and days are UTC, amounts minor units.

pub mod command;
pub(crate) mod error;
mod export;
mod fee;
pub(crate) mod fees;
pub(crate) mod limits;
pub(crate) mod openapi;
mod payouts_store;
pub mod period;
pub(crate) mod routes;
mod run;
mod runs_store;
mod statement;
mod store;
pub(crate) mod trace;
mod trace_store;
mod view;

use askama::Template as _;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use doorbuster_core::clock;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, PeriodPath, StrictJson, StrictQuery};
use crate::ledger::check::{self, LedgerView};
use crate::ledger::rules::Account;
use crate::ledger::{job, store as ledger};
use crate::limits::PAGE_ROWS_MAX;
use error::Refusal;
use limits::{REFERENCE_CHARS_MAX, STATEMENT_ENTRIES_MAX};
use period::Period;
use statement::{Page, Whose, Writing};
pub(crate) use view::{SettlementView, SettlementsView};

/// A period to be closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"period": "2026-11"}))]
pub(crate) struct SettleBody {
    /// A month, or a day; it must be over
    pub period: String,
}

/// Whose statement is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatementQuery {
    #[param(example = "house")]
    pub seller: String,
    #[param(example = "KRW")]
    pub currency: String,
    /// csv, with every entry, or html, to be printed
    #[param(example = "csv")]
    pub format: String,
}

/// A transfer that was made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"seller": "house", "currency": "KRW", "reference": "SEB-2026-12-01/7"}))]
pub(crate) struct PayoutBody {
    pub seller: String,
    pub currency: String,
    /// The bank's
    #[schema(min_length = 1, max_length = 100)]
    pub reference: String,
}

/// Closed periods, the latest first
#[utoipa::path(get, path = "/admin/v1/settlements", tag = "settlement", security(("token" = [])), responses(
    (status = 200, description = "At most a hundred", body = SettlementsView)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<SettlementsView>, ApiError> {
    let runs = runs_store::runs(&app.books, PAGE_ROWS_MAX).await?;
    Ok(Json(view::of_runs(runs)))
}

/// Closes a period and settles it; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/settlements", tag = "settlement", request_body = SettleBody, security(("token" = [])), responses(
    (status = 200, description = "Settled, now or before, to the same bytes", body = SettlementView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 409, description = "not_over; later_closed; earlier_open: a month before it has sales and is not settled, or a run before it did not come to its end; event_refused: something that happened in it is not in the ledger; settlement_altered: it does not come to what it came to before", body = Problem)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    StrictJson(body): StrictJson<SettleBody>,
) -> Result<Json<SettlementView>, ApiError> {
    let period = parse(&body.period)?;
    if !period.is_over(clock::now()) {
        return Err(Refusal::NotOver.into());
    }
    run::settle(&app.books, Some(&caller), period, None).await?;
    shown(&app, period).await.map(Json)
}

/// A closed period: statements and payouts
#[utoipa::path(get, path = "/admin/v1/settlements/{id}", tag = "settlement", params(("id" = String, Path, example = "2026-11")), security(("token" = [])), responses(
    (status = 200, body = SettlementView),
    (status = 404, description = "unknown_settlement", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    PeriodPath(period): PeriodPath,
) -> Result<Json<SettlementView>, ApiError> {
    shown(&app, period).await.map(Json)
}

/// A seller's statement as CSV or as a page to be printed
#[utoipa::path(get, path = "/admin/v1/settlements/{id}/statement", tag = "settlement", params(("id" = String, Path, example = "2026-11"), StatementQuery), security(("token" = [])), responses(
    (status = 200, description = "Amounts are minor units", content((String = "text/csv"), (String = "text/html"))),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_settlement, unknown_statement", body = Problem),
    (status = 409, description = "statement_too_long: the command line writes it; settlement_altered: its entries do not come to what it was written with", body = Problem)))]
pub(crate) async fn show_statement(
    State(app): State<App>,
    PeriodPath(period): PeriodPath,
    StrictQuery(query): StrictQuery<StatementQuery>,
) -> Result<Response, ApiError> {
    let all = store::statements(&app.books, &period.to_string()).await?;
    let (seller, currency) = (query.seller, query.currency);
    let found = all
        .into_iter()
        .find(|row| row.seller_id == seller && row.currency == currency);
    let row = found.ok_or(Refusal::UnknownStatement)?.written;
    let whose = Whose { seller, currency };
    match query.format.as_str() {
        "html" => {
            let digest = row.digest.as_slice().try_into().unwrap_or([0; 32]);
            let (totals, carried_in) = (row.totals(), row.carried_in);
            let page = Page::new(
                period.to_string(),
                &whose,
                totals,
                carried_in,
                &digest,
                false,
            );
            let html = page.render().map_err(|e| ApiError::Internal(e.into()))?;
            let policy = (header::CONTENT_SECURITY_POLICY, statement::POLICY);
            Ok(([policy], Html(html)).into_response())
        }
        "csv" if row.entries > u64::from(STATEMENT_ENTRIES_MAX) => {
            Err(Refusal::StatementTooLong.into())
        }
        "csv" => {
            let schedules = store::schedules(&app.books).await?;
            let entries =
                store::entries(&app.books, period, &whose, None, STATEMENT_ENTRIES_MAX).await?;
            let (mut writing, mut csv) = Writing::begin(&whose, &schedules);
            csv += &writing.add(&entries);
            let (end, _, digest) = writing.end();
            csv += &end;
            if row.digest != digest {
                let what = format!("{} {}", whose.seller, whose.currency);
                return Err(Refusal::Altered(what).into());
            }
            let name = format!(
                "attachment; filename=\"{period}-{}-{}.csv\"",
                whose.seller, whose.currency
            );
            let head = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            Ok((head, csv).into_response())
        }
        _ => Err(ApiError::InvalidRequest(
            "format must be csv or html".to_owned(),
        )),
    }
}

/// Says that a month's payout was transferred; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/settlements/{id}/payout", tag = "settlement", params(("id" = String, Path, example = "2026-11")), request_body = PayoutBody, security(("token" = [])), responses(
    (status = 200, description = "Paid, now or before, under this reference", body = SettlementView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_settlement", body = Problem),
    (status = 409, description = "nothing_due: nothing is to be paid out, or it was paid under another reference", body = Problem)))]
pub(crate) async fn pay_out(
    State(app): State<App>,
    caller: Caller,
    PeriodPath(period): PeriodPath,
    StrictJson(body): StrictJson<PayoutBody>,
) -> Result<Json<SettlementView>, ApiError> {
    let reference = body.reference.trim();
    if !(1..=REFERENCE_CHARS_MAX).contains(&reference.chars().count()) {
        return Err(ApiError::InvalidRequest(
            "reference must be 1 to 100 characters".to_owned(),
        ));
    }
    let whose = Whose {
        seller: body.seller,
        currency: body.currency,
    };
    let now = clock::now();
    let mut tx = ledger::begin(&app.books).await?;
    let closed_through = ledger::closed_through(&mut tx).await?;
    let due = payouts_store::lock_payout(&mut tx, period, &whose).await?;
    match due {
        Some((amount, state, _)) if state == "due" => {
            let paid = (reference, caller.user.as_str(), now);
            payouts_store::set_paid(&mut tx, period, &whose, paid).await?;
            let (day, _) = job::counts_on(now.date_naive(), closed_through);
            let legs = [(Account::SellerPayable, amount), (Account::Bank, -amount)];
            let postings = run::postings("payout", period, &whose, day, legs);
            ledger::insert(&mut tx, &postings).await?;
            let change = Change {
                action: "settlement.payout",
                subject: format!("settlement:{period}"),
                before: Some(json!({"state": "due"})),
                after: Some(
                    json!({"state": "paid", "seller": whose.seller, "currency": whose.currency,
                    "amount": amount, "reference": reference}),
                ),
            };
            audit_log::in_transaction(&mut tx, &caller, change).await?;
            tx.commit().await?;
        }
        Some((_, _, known)) if known.as_deref() == Some(reference) => {}
        _ => return Err(Refusal::NothingDue.into()),
    }
    shown(&app, period).await.map(Json)
}

/// Whether the ledger balances, and its accounts
#[utoipa::path(get, path = "/admin/v1/ledger", tag = "settlement", security(("token" = [])), responses((status = 200, body = LedgerView)))]
pub(crate) async fn show_ledger(State(app): State<App>) -> Result<Json<LedgerView>, ApiError> {
    Ok(Json(check::check(&app.books).await?))
}

fn parse(text: &str) -> Result<Period, ApiError> {
    text.parse()
        .map_err(|what| ApiError::InvalidRequest(format!("period {what}")))
}

async fn shown(app: &App, period: Period) -> Result<SettlementView, ApiError> {
    let run = runs_store::run(&app.books, period).await?;
    let run = run.ok_or(Refusal::UnknownSettlement)?;
    let statements = store::statements(&app.books, &run.period).await?;
    Ok(view::of_run(&run, statements))
}
