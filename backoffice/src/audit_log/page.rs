//! The audit log as staff read it: newest first, a page at a time, by subject or by actor.

use axum::Json;
use axum::extract::State;
use doorbuster_core::hex::to_hex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::chain::{Head, Row};
use super::store::{self, Wanted};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::StrictQuery;
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};

/// Which page is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Only changes of this, e.g. sale:drop-1
    pub subject: Option<String>,
    /// Only changes by this user; `scheduler` is what opens sales at their time
    pub actor: Option<String>,
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first
    pub cursor: Option<String>,
}

/// A page of the log, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// For the next page; null where this is the last
    pub next_cursor: Option<String>,
}

/// Who changed what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    #[schema(example = 17)]
    pub id: u64,
    #[schema(format = DateTime)]
    pub at: String,
    #[schema(example = "olga")]
    pub actor: String,
    #[schema(example = "sale.pause")]
    pub action: String,
    #[schema(example = "sale:drop-1")]
    pub subject: String,
    pub request_id: String,
    /// Null where there was nothing before
    pub before: Value,
    /// Null where there is nothing after
    pub after: Value,
    /// Place in the chain of hashes that `audit-check` goes along; null for a row of an older version, until the next migrate
    #[schema(example = 17)]
    pub position: Option<u64>,
    /// SHA-256 of the hash before it and of this entry, in hex
    pub hash: Option<String>,
}

/// Who changed what, newest first
#[utoipa::path(get, path = "/admin/v1/audit-log", tag = "audit log", params(AuditQuery), security(("token" = [])), responses(
    (status = 200, body = AuditPage),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<AuditQuery>,
) -> Result<Json<AuditPage>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        return Err(ApiError::InvalidRequest(format!(
            "limit must be 1 to {PAGE_ROWS_MAX}"
        )));
    }
    // Names in the log are ASCII, and MySQL compares them with nothing else.
    let is_name = |text: &Option<String>| text.as_ref().is_none_or(|text| text.is_ascii());
    if !is_name(&query.subject) || !is_name(&query.actor) {
        return Err(ApiError::InvalidRequest(
            "subject and actor must be ASCII".to_owned(),
        ));
    }
    let wanted = Wanted {
        subject: query.subject.as_deref(),
        actor: query.actor.as_deref(),
        before_id: query.cursor.as_deref().map(parse_cursor).transpose()?,
    };
    let mut rows = store::page(&app.books, &wanted, limit + 1).await?;
    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    let oldest = rows.last().map(|(row, _)| row.id.to_string());
    Ok(Json(AuditPage {
        next_cursor: oldest.filter(|_| !is_last),
        entries: rows.into_iter().map(entry).collect(),
    }))
}

fn parse_cursor(text: &str) -> Result<u64, ApiError> {
    let id = text.parse().ok().filter(|id: &u64| id.to_string() == text);
    id.ok_or_else(|| {
        ApiError::InvalidRequest("cursor must be the next_cursor of another page".to_owned())
    })
}

fn entry((row, head): (Row, Option<Head>)) -> AuditEntry {
    AuditEntry {
        id: row.id,
        at: row.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        request_id: row.request_id,
        before: row.before.unwrap_or_default(),
        after: row.after.unwrap_or_default(),
        position: head.map(|head| head.position),
        hash: head.map(|head| to_hex(&head.hash)),
    }
}
