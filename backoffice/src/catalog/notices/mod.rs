//! Notices to all shoppers, as staff keep them. Handlers only parse, call and answer.

pub(crate) mod store;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::ids::{IdPath, NoticeId};
use super::page::{ListQuery, cut};
use super::text::{Text, checked, new_id, seen_version};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem, created};
use crate::extract::{Caller, StrictJson, StrictQuery};
use crate::limits::PROSE_CHARS_MAX;
use crate::shop::cache::{self, Name};
use crate::validate::Problems;
use crate::window::window;

/// A notice to be written down, or as it is to be from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"id": "holiday", "title": {"ko": "추석 연휴 배송 안내", "en": "Holiday deliveries"},
    "body": {"ko": "연휴 동안 배송이 쉬어 갑니다.", "en": "Nothing is delivered during the holidays."},
    "starts_at": "2030-09-10T00:00:00Z", "ends_at": "2030-09-20T00:00:00Z"}))]
pub(crate) struct NoticeDraft {
    /// 1 to 64 characters of A-Z a-z 0-9 _ -; needed in a POST
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub id: Option<String>,
    /// Needed in a PUT: the one that was read
    pub version: Option<u32>,
    pub title: Text,
    #[serde(default)]
    pub body: Text,
    /// In the past: shown at once
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// A notice that may be kept.
#[derive(Debug, Serialize)]
pub(crate) struct Notice {
    pub(crate) title: Text,
    pub(crate) body: Text,
    pub(crate) starts_at: DateTime<Utc>,
    pub(crate) ends_at: DateTime<Utc>,
}

/// A notice.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoticeView {
    #[schema(example = "holiday")]
    pub id: String,
    pub title: Text,
    pub body: Text,
    #[schema(format = DateTime)]
    pub starts_at: String,
    #[schema(format = DateTime)]
    pub ends_at: String,
    #[schema(example = 1)]
    pub version: u32,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A page of notices, in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoticesPage {
    pub notices: Vec<NoticeView>,
    /// For the next page; null where this is the last
    pub next_cursor: Option<String>,
}

impl NoticeDraft {
    fn validate(self, problems: &mut Problems) -> Option<Notice> {
        let title = self.title.title(problems, "/title");
        let body = self.body.prose(problems, "/body", PROSE_CHARS_MAX);
        let window = window(
            problems,
            ("/starts_at", self.starts_at),
            ("/ends_at", self.ends_at),
            clock::now(),
        );
        let (starts_at, ends_at) = window?;
        Some(Notice {
            title: title?,
            body: body?,
            starts_at,
            ends_at,
        })
    }
}

/// Writes a notice down; shoppers see it while its time lasts
#[utoipa::path(post, path = "/admin/v1/notices", tag = "catalog", request_body = NoticeDraft, security(("token" = [])), responses(
    (status = 201, description = "Location names it", body = NoticeView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 409, description = "notice_exists", body = Problem)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    StrictJson(mut draft): StrictJson<NoticeDraft>,
) -> Result<Response, ApiError> {
    let mut problems = Problems::default();
    let id = new_id::<NoticeId>(&mut problems, draft.id.take(), draft.version);
    let notice = draft.validate(&mut problems);
    let (id, notice) = checked(problems, id.zip(notice))?;
    let mut tx = app.books.begin().await?;
    store::insert(&mut tx, &id, &notice).await?;
    let change = Change {
        action: "notice.create",
        subject: subject(&id),
        before: None,
        after: Some(json!(notice)),
    };
    let seen_from = cache::store::raise(&mut tx, cache::store::NOTICES).await?;
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    app.shop.written(&app, &Name::Notices, seen_from).await;
    let view = store::find(&app.books, &id).await?;
    Ok(created(&format!("/admin/v1/notices/{id}"), view))
}

/// Notices, also past and coming ones
#[utoipa::path(get, path = "/admin/v1/notices", tag = "catalog", params(ListQuery), security(("token" = [])), responses(
    (status = 200, body = NoticesPage),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<ListQuery>,
) -> Result<Json<NoticesPage>, ApiError> {
    let wanted = query.wanted::<NoticeId>()?;
    let mut notices = store::page(&app.books, wanted.after.as_ref(), wanted.limit + 1).await?;
    let next_cursor = cut(&mut notices, wanted.limit, |notice| notice.id.clone());
    Ok(Json(NoticesPage {
        notices,
        next_cursor,
    }))
}

/// A notice
#[utoipa::path(get, path = "/admin/v1/notices/{id}", tag = "catalog", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = NoticeView),
    (status = 404, description = "unknown_notice", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    IdPath(id): IdPath<NoticeId>,
) -> Result<Json<NoticeView>, ApiError> {
    store::find(&app.books, &id).await.map(Json)
}

/// Edits a notice
#[utoipa::path(put, path = "/admin/v1/notices/{id}", tag = "catalog", request_body = NoticeDraft, params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = NoticeView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_notice", body = Problem),
    (status = 409, description = "version_conflict", body = Problem)))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    IdPath(id): IdPath<NoticeId>,
    StrictJson(draft): StrictJson<NoticeDraft>,
) -> Result<Json<NoticeView>, ApiError> {
    let mut problems = Problems::default();
    let version = seen_version(
        &mut problems,
        id.as_str(),
        draft.id.as_deref(),
        draft.version,
    );
    let notice = draft.validate(&mut problems);
    let (version, notice) = checked(problems, version.zip(notice))?;
    let mut tx = app.books.begin().await?;
    let before = store::lock(&mut tx, &id, Some(version)).await?;
    store::update(&mut tx, &id, &notice).await?;
    let change = Change {
        action: "notice.update",
        subject: subject(&id),
        before: Some(json!(before)),
        after: Some(json!(notice)),
    };
    let seen_from = cache::store::raise(&mut tx, cache::store::NOTICES).await?;
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    app.shop.written(&app, &Name::Notices, seen_from).await;
    store::find(&app.books, &id).await.map(Json)
}

/// Takes a notice away
#[utoipa::path(delete, path = "/admin/v1/notices/{id}", tag = "catalog", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "As it was", body = NoticeView),
    (status = 404, description = "unknown_notice", body = Problem)))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    IdPath(id): IdPath<NoticeId>,
) -> Result<Json<NoticeView>, ApiError> {
    let view = store::find(&app.books, &id).await?;
    let mut tx = app.books.begin().await?;
    let before = store::lock(&mut tx, &id, None).await?;
    store::delete(&mut tx, &id).await?;
    let change = Change {
        action: "notice.delete",
        subject: subject(&id),
        before: Some(json!(before)),
        after: None,
    };
    let seen_from = cache::store::raise(&mut tx, cache::store::NOTICES).await?;
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    app.shop.written(&app, &Name::Notices, seen_from).await;
    Ok(Json(view))
}

fn subject(id: &NoticeId) -> String {
    format!("notice:{id}")
}
