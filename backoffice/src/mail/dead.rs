//! Mails that could not be sent, for staff to look at and, their cause being mended, to send after all. Handlers only parse, call and answer.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::store::{self, DeadRow};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, MailPath, StrictQuery};
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};

/// Which page is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeadMailsQuery {
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first
    pub cursor: Option<String>,
}

/// Dead mails, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadMailsPage {
    pub mails: Vec<DeadMailView>,
    /// For the next page; null where this is the last
    #[schema(example = "4711")]
    pub next_cursor: Option<String>,
}

/// A mail that was not sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadMailView {
    #[schema(example = "4711")]
    pub id: String,
    /// confirm_email, has_account, reset_password, password_changed, change_email, email_in_use, email_changed
    #[schema(example = "confirm_email")]
    pub kind: String,
    #[schema(example = "ann@shop.example")]
    pub recipient: String,
    /// refused: by the mail server, for good; unreachable, timeout, deferred: tried as often as it may be; expired: it waited until it told of
    /// something that is over; unfit: no mail can be made of it
    #[schema(example = "refused")]
    pub error: Option<String>,
    #[schema(example = 12)]
    pub tries: u32,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// After this it tells of something that is over, and is sent no more
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// What becomes of a mail.
#[derive(Serialize, ToSchema)]
pub(crate) struct MailOutcome {
    #[schema(example = "4711")]
    pub id: String,
    /// waiting: it is sent as soon as it can be
    #[schema(example = "waiting")]
    pub outcome: &'static str,
}

/// Mails that could not be sent; the oldest are removed after a week
#[utoipa::path(get, path = "/admin/v1/dead-mails", tag = "users", params(DeadMailsQuery), security(("token" = [])), responses(
    (status = 200, body = DeadMailsPage),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<DeadMailsQuery>,
) -> Result<Json<DeadMailsPage>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        return Err(ApiError::InvalidRequest(format!(
            "limit must be 1 to {PAGE_ROWS_MAX}"
        )));
    }
    let before = query.cursor.map(|cursor| cursor.parse()).transpose();
    let before = before.map_err(|_| {
        ApiError::InvalidRequest("cursor must be the next_cursor of another page".to_owned())
    })?;
    let mut rows = store::dead(&app.books, before, limit + 1).await?;
    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    let mails: Vec<DeadMailView> = rows.into_iter().map(view).collect();
    let next_cursor = mails
        .last()
        .filter(|_| !is_last)
        .map(|mail| mail.id.clone());
    Ok(Json(DeadMailsPage { mails, next_cursor }))
}

/// Sends a dead mail after all, its cause being mended; repeatable without effect while it waits
#[utoipa::path(post, path = "/admin/v1/dead-mails/{id}/retry", tag = "users", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "It waits to be sent, or did before", body = MailOutcome),
    (status = 404, description = "unknown_mail: never was, sent, or removed", body = Problem),
    (status = 409, description = "mail_expired: what it tells of is over", body = Problem)))]
pub(crate) async fn retry(
    State(app): State<App>,
    caller: Caller,
    MailPath(id): MailPath,
) -> Result<Json<MailOutcome>, ApiError> {
    let mut tx = app.books.begin().await?;
    let mail = store::lock(&mut tx, id).await?;
    let mail = mail.ok_or(ApiError::UnknownMail)?;
    if mail.is_dead {
        if mail.expires_at <= clock::now() {
            return Err(ApiError::MailExpired);
        }
        store::revive(&mut tx, id).await?;
        let change = Change {
            action: "mail.retry",
            subject: format!("mail:{id}"),
            before: Some(json!({"kind": mail.kind, "error": mail.error, "tries": mail.tries})),
            after: None,
        };
        audit_log::in_transaction(&mut tx, &caller, change).await?;
        tx.commit().await?;
        app.people.mail_written.notify_one();
    }
    Ok(Json(MailOutcome {
        id: id.to_string(),
        outcome: "waiting",
    }))
}

fn view(row: DeadRow) -> DeadMailView {
    let written = |at: DateTime<Utc>| clock::rfc3339(clock::to_ms(at));
    DeadMailView {
        id: row.mail_id.to_string(),
        kind: row.kind,
        recipient: row.recipient,
        error: row.error,
        tries: row.tries,
        created_at: written(row.created_at),
        expires_at: written(row.expires_at),
    }
}
