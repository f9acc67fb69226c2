//! Signing in, staying signed in, and signing out. Handlers only parse, call and answer.
//!
//! A sign-in is a family of refresh tokens: each is good for one refresh, which yields the next. One that comes a second time was stolen, or its
//! successor was: the family ends. Access tokens live for minutes; signing out raises the user's generation, by which every engine knows within a second.

pub(crate) mod own;
pub(crate) mod refresh;
pub(crate) mod sign_in;
pub(crate) mod store;
pub(crate) mod view;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use doorbuster_core::claims::Claims;
use doorbuster_core::clock;
use doorbuster_core::limits::REVOCATIONS_KEPT;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::accounts::email::Email;
use crate::accounts::secret::{Password, Secret};
use crate::accounts::throttle::{self, Subject};
use crate::accounts::turns::{self, Turn};
use crate::accounts::visit::Visit;
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem, created, no_content};
use crate::extract::{Caller, StrictJson};
use crate::revocations::{self, Revoked};
use crate::users::change::subject;
use crate::validate::Problems;
use view::SessionView;

/// Why a sign-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    Logout,
    LogoutAll,
    /// The user has begun as many since as he may have.
    Evicted,
    Reuse,
    Password,
    Role,
    Deactivated,
    Erased,
}

impl EndReason {
    fn word(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutAll => "logout_all",
            Self::Evicted => "evicted",
            Self::Reuse => "reuse",
            Self::Password => "password",
            Self::Role => "role",
            Self::Deactivated => "deactivated",
            Self::Erased => "erased",
        }
    }
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ann@shop.example", "password": "correct horse battery"}))]
pub(crate) struct SignInBody {
    #[schema(format = Email, max_length = 254)]
    pub email: String,
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 128)]
    pub password: Secret,
}

/// The refresh token of a sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "ZsKPRz1sR3y8m1w2o0N9cQAAAAFt0bq3…"}))]
pub(crate) struct RefreshBody {
    #[schema(value_type = String)]
    pub refresh_token: Secret,
}

/// Signs in
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", request_body = SignInBody, responses(
    (status = 201, description = "A short access token, and a refresh token for the next one", body = SessionView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 401, description = "wrong_credentials: said alike, and as late, of a wrong password and of an account that is not there", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem),
    (status = 503, description = "overloaded", body = Problem)))]
pub(crate) async fn create(
    State(app): State<App>,
    visit: Visit,
    StrictJson(body): StrictJson<SignInBody>,
) -> Result<Response, ApiError> {
    let mut problems = Problems::default();
    let email = problems.parsed("/email", Email::parse(&body.email));
    let password = Password::claimed(&mut problems, "/password", body.password);
    problems.none()?;
    let (Some(email), Some(password)) = (email, password) else {
        return Err(ApiError::WrongCredentials);
    };
    let session = sign_in::sign_in(&app, &visit, &email, password).await?;
    Ok(created("/v1/me", session))
}

/// Trades a refresh token for a new access token and the next refresh token; the same token again within ten seconds yields the same
#[utoipa::path(post, path = "/v1/sessions/refresh", tag = "sessions", request_body = RefreshBody, responses(
    (status = 200, body = SessionView),
    (status = 401, description = "session_ended: unknown, expired, signed out, or used before, which ends the sign-in", body = Problem)))]
pub(crate) async fn refresh(
    State(app): State<App>,
    visit: Visit,
    StrictJson(body): StrictJson<RefreshBody>,
) -> Result<Json<SessionView>, ApiError> {
    let token = app.people.keys.refresh_token(&body.refresh_token);
    let token = token.ok_or(ApiError::SessionEnded)?;
    refresh::refresh(&app, &visit, &token).await.map(Json)
}

/// Ends one sign-in; the refresh token is proof enough, also of one that ended before
#[utoipa::path(post, path = "/v1/sessions/log-out", tag = "sessions", request_body = RefreshBody, responses(
    (status = 204, description = "Ended, or had ended, or never was. Access tokens of the user are good for nothing within a second; his other sign-ins get new ones"),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem),
    (status = 503, description = "unavailable: ended, but Redis could not be told yet; it will be", body = Problem)))]
pub(crate) async fn log_out(
    State(app): State<App>,
    visit: Visit,
    StrictJson(body): StrictJson<RefreshBody>,
) -> Result<Response, ApiError> {
    if let Some(token) = app.people.keys.refresh_token(&body.refresh_token) {
        admit(&app, &visit).await?;
        refresh::log_out(&app, &visit, &token).await?;
    }
    Ok(no_content())
}

/// Ends every sign-in of the bearer, on every engine within a second
#[utoipa::path(post, path = "/v1/sessions/log-out-everywhere", tag = "sessions", security(("token" = [])), responses(
    (status = 200, description = "No token that the user has now is good any more; a shop that signs its own goes on with this generation", body = Revoked),
    (status = 503, description = "unavailable: ended, but Redis could not be told yet; it will be", body = Problem)))]
pub(crate) async fn log_out_everywhere(
    State(app): State<App>,
    caller: Caller,
    Extension(claims): Extension<Claims>,
) -> Result<Json<Revoked>, ApiError> {
    let mut tx = app.books.begin().await?;
    // A user of the shop's own has no row to lock, and no sign-ins here.
    store::lock_user(&mut tx, &caller.user).await?;
    let since = clock::now() - REVOCATIONS_KEPT;
    let raised = revocations::store::lock_since(&mut tx, &caller.user, since).await?;
    if raised > claims.generation {
        // Of many at once with one token the first did it.
        return Ok(Json(Revoked::new(&caller.user, raised)));
    }
    store::end_all(&mut tx, &caller.user, EndReason::LogoutAll).await?;
    let generation = revocations::store::raise(&mut tx, &caller.user).await?;
    let change = Change {
        action: "session.log_out_everywhere",
        subject: subject(&caller.user),
        before: None,
        after: Some(json!({"generation": generation})),
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    revocations::publish(&app, &caller.user, generation).await?;
    Ok(Json(Revoked::new(&caller.user, generation)))
}

/// What an attempt may cost its place, beside what a sign-in costs.
pub(crate) async fn admit(app: &App, visit: &Visit) -> Result<(), ApiError> {
    throttle::admit(&app.books, throttle::request(visit.ip)).await
}

/// A password that may be tried: the turn for it, and what it counts for until it turns out to be right.
pub(crate) struct Attempt {
    turn: Turn,
    counted: Vec<Subject>,
}

impl Attempt {
    /// Whoever may not ask at all takes no room, and who finds none is not held to have tried. Nothing else is done before there is a turn.
    ///
    /// # Errors
    /// [`ApiError::RateLimited`], [`ApiError::Overloaded`].
    pub(crate) async fn begin(app: &App, visit: &Visit, email: &Email) -> Result<Self, ApiError> {
        let check = throttle::check(app, email, visit.ip);
        app.people.turns.look(visit.ip, check).await?;
        let turn = app.people.turns.wait(visit.ip).await?;
        let counting = throttle::count_guess(app.clone(), email.clone(), visit.ip);
        let counted = turns::counted(app, counting).await?;
        Ok(Self { turn, counted })
    }

    /// The turn, and what is taken back once the password turns out to be right.
    pub(crate) fn split(self) -> (Turn, Vec<Subject>) {
        (self.turn, self.counted)
    }
}
