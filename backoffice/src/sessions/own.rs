//! A user's own sign-ins: which there are, from what kind of program, and the end of one of them. Every look and change is by user and id
//! together: another's sign-in is not there.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use doorbuster_core::clock;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::EndReason;
use super::store::{self, OpenFamily};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem, no_content};
use crate::extract::{Caller, SessionPath};
use crate::revocations;
use crate::users::change::subject;

/// A sign-in that goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenSession {
    /// As `session_id` in what signing in answered
    #[schema(format = Uuid)]
    pub id: String,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it last yielded an access token
    #[schema(format = DateTime)]
    pub last_used_at: String,
    /// When it ends at the latest
    #[schema(format = DateTime)]
    pub expires_at: String,
    pub agent: AgentView,
}

/// The kind of program that signed in, as far as it said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentView {
    /// chrome, edge, firefox, safari, samsung, whale, opera, curl or other
    #[schema(example = "chrome")]
    pub program: String,
    /// android, ios, windows, macos, linux, chromeos or other
    #[schema(example = "android")]
    pub platform: String,
}

/// All sign-ins of a user that go on, the one used last first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionsView {
    pub sessions: Vec<OpenSession>,
}

/// The bearer's sign-ins
#[utoipa::path(get, path = "/v1/me/sessions", tag = "people", security(("token" = [])), responses((status = 200, body = SessionsView)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<SessionsView>, ApiError> {
    let families = store::open_of(&app.books, &caller.user).await?;
    let sessions = families.into_iter().map(view).collect();
    Ok(Json(SessionsView { sessions }))
}

/// Ends one of the bearer's sign-ins, on every engine within a second
#[utoipa::path(delete, path = "/v1/me/sessions/{id}", tag = "people", params(("id" = String, Path, format = Uuid)), security(("token" = [])), responses(
    (status = 204, description = "Ended, or had ended. All access tokens of the user are good for nothing within a second; his other sign-ins get new ones"),
    (status = 404, description = "unknown_session", body = Problem),
    (status = 503, description = "unavailable: ended, but Redis could not be told yet; it will be", body = Problem)))]
pub(crate) async fn end(
    State(app): State<App>,
    caller: Caller,
    SessionPath(id): SessionPath,
) -> Result<Response, ApiError> {
    let mut tx = app.books.begin().await?;
    store::lock_user(&mut tx, &caller.user).await?;
    let ended_before = store::has_ended(&mut tx, &caller.user, id).await?;
    if ended_before.ok_or(ApiError::UnknownSession)? {
        return Ok(no_content());
    }
    store::end(&mut tx, id, EndReason::Logout).await?;
    let generation = revocations::store::raise(&mut tx, &caller.user).await?;
    let change = Change {
        action: "session.end",
        subject: subject(&caller.user),
        before: None,
        after: Some(json!({"family": id, "generation": generation})),
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    revocations::publish(&app, &caller.user, generation).await?;
    Ok(no_content())
}

fn view(family: OpenFamily) -> OpenSession {
    let written = |at| clock::rfc3339(clock::to_ms(at));
    OpenSession {
        id: family.family_id.to_string(),
        created_at: written(family.created_at),
        last_used_at: written(family.refreshed_at),
        expires_at: written(family.expires_at),
        agent: AgentView {
            program: family.program,
            platform: family.platform,
        },
    }
}
