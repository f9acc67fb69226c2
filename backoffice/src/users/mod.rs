//! The operations of staff on people: look them up, give roles, sign them out, deactivate, erase. Handlers only parse, call and answer.
//!
//! Operators deal with buyers; whatever concerns other staff, and roles and erasure of anybody, is for admins. The last active admin stays one.

pub(crate) mod change;
pub(crate) mod page;
pub(crate) mod store;
pub(crate) mod view;

use axum::Json;
use axum::extract::State as AxumState;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::accounts::person::{RoleWord, State};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::{Caller, StrictJson, StrictQuery, UserPath};
use crate::limits::REASON_CHARS_MAX;
use crate::revocations::Revoked;
use crate::validate::Problems;
use change::{Change, Why};
use page::{Position, UsersQuery};
use view::{UserView, UsersPage};

/// A new role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "operator"}))]
pub(crate) struct RoleBody {
    pub role: RoleWord,
}

/// Why something is done, for the audit log.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "asked for it by phone, case 4711"}))]
pub(crate) struct ReasonBody {
    /// Names nobody: the audit log is never erased
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

impl ReasonBody {
    fn validate(self) -> Result<String, ApiError> {
        let mut problems = Problems::default();
        let fits = (1..=REASON_CHARS_MAX).contains(&self.reason.chars().count());
        if !fits || self.reason.trim().is_empty() {
            problems.add(
                "/reason",
                format_args!("must be 1 to {REASON_CHARS_MAX} characters, not all spaces"),
            );
        }
        problems.none()?;
        Ok(self.reason)
    }
}

/// Users, newest first
#[utoipa::path(get, path = "/admin/v1/users", tag = "users", params(UsersQuery), security(("token" = [])), responses(
    (status = 200, body = UsersPage),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn list(
    AxumState(app): AxumState<App>,
    StrictQuery(query): StrictQuery<UsersQuery>,
) -> Result<Json<UsersPage>, ApiError> {
    let mut wanted = query.validate()?;
    let limit = wanted.rows as usize;
    wanted.rows += 1;
    let mut users = store::page(&app.books, &wanted).await?;
    let is_last = users.len() <= limit;
    users.truncate(limit);
    let next_cursor = users.last().filter(|_| !is_last).map(|user| {
        let (created_at, id) = (user.created_at, user.id.clone());
        Position { created_at, id }.to_string()
    });
    Ok(Json(UsersPage {
        users: users.into_iter().map(UserView::from).collect(),
        next_cursor,
    }))
}

/// One user
#[utoipa::path(get, path = "/admin/v1/users/{id}", tag = "users", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = UserView),
    (status = 404, description = "unknown_user", body = Problem)))]
pub(crate) async fn read(
    AxumState(app): AxumState<App>,
    UserPath(id): UserPath,
) -> Result<Json<UserView>, ApiError> {
    Ok(Json(store::find(&app.books, &id).await?.into()))
}

/// Gives a user another role; his tokens with the old one end, and he signs in again
#[utoipa::path(post, path = "/admin/v1/users/{id}/role", tag = "users", params(("id" = String, Path)), request_body = RoleBody, security(("token" = [])), responses(
    (status = 200, description = "Given, or had before", body = UserView),
    (status = 404, description = "unknown_user", body = Problem),
    (status = 409, description = "last_admin, or not_active", body = Problem)))]
pub(crate) async fn role(
    AxumState(app): AxumState<App>,
    caller: Caller,
    UserPath(id): UserPath,
    StrictJson(body): StrictJson<RoleBody>,
) -> Result<Json<UserView>, ApiError> {
    let user = change::apply(&app, &caller, &id, Change::Role(body.role)).await?;
    Ok(Json(user.into()))
}

/// Ends every sign-in of a user, on every engine within a second; also of a user of the shop's own, whom only his tokens know
#[utoipa::path(post, path = "/admin/v1/users/{id}/log-out", tag = "users", params(("id" = String, Path)), request_body = ReasonBody, security(("token" = [])), responses(
    (status = 200, description = "No token that he has now is good any more; a shop that signs its own goes on with this generation", body = Revoked),
    (status = 403, description = "forbidden: staff is for admins", body = Problem),
    (status = 503, description = "unavailable: done, but Redis could not be told yet; it will be", body = Problem)))]
pub(crate) async fn log_out(
    AxumState(app): AxumState<App>,
    caller: Caller,
    UserPath(id): UserPath,
    StrictJson(body): StrictJson<ReasonBody>,
) -> Result<Json<Revoked>, ApiError> {
    let generation = change::log_out(&app, &caller, &id, &body.validate()?).await?;
    Ok(Json(Revoked::new(&id, generation)))
}

/// Keeps a user from signing in, and ends what he has begun; what he bought stays his
#[utoipa::path(post, path = "/admin/v1/users/{id}/deactivate", tag = "users", params(("id" = String, Path)), request_body = ReasonBody, security(("token" = [])), responses(
    (status = 200, description = "Deactivated, or was before", body = UserView),
    (status = 403, description = "forbidden: staff is for admins", body = Problem),
    (status = 404, description = "unknown_user", body = Problem),
    (status = 409, description = "last_admin, or not_active: he is erased", body = Problem)))]
pub(crate) async fn deactivate(
    AxumState(app): AxumState<App>,
    caller: Caller,
    UserPath(id): UserPath,
    StrictJson(body): StrictJson<ReasonBody>,
) -> Result<Json<UserView>, ApiError> {
    let why = Why(body.validate()?);
    let user = change::apply(&app, &caller, &id, Change::State(State::Deactivated, why)).await?;
    Ok(Json(user.into()))
}

/// Lets a deactivated user sign in again
#[utoipa::path(post, path = "/admin/v1/users/{id}/reactivate", tag = "users", params(("id" = String, Path)), request_body = ReasonBody, security(("token" = [])), responses(
    (status = 200, description = "Active, or was before", body = UserView),
    (status = 403, description = "forbidden: staff is for admins", body = Problem),
    (status = 404, description = "unknown_user", body = Problem),
    (status = 409, description = "not_active: he is erased", body = Problem)))]
pub(crate) async fn reactivate(
    AxumState(app): AxumState<App>,
    caller: Caller,
    UserPath(id): UserPath,
    StrictJson(body): StrictJson<ReasonBody>,
) -> Result<Json<UserView>, ApiError> {
    let why = Why(body.validate()?);
    let user = change::apply(&app, &caller, &id, Change::State(State::Active, why)).await?;
    Ok(Json(user.into()))
}

/// Erases all that tells who a user was, for good; the books keep his purchases under an id that means nobody
#[utoipa::path(post, path = "/admin/v1/users/{id}/erase", tag = "users", params(("id" = String, Path)), request_body = ReasonBody, security(("token" = [])), responses(
    (status = 200, description = "Erased, or was before", body = UserView),
    (status = 404, description = "unknown_user", body = Problem),
    (status = 409, description = "last_admin", body = Problem)))]
pub(crate) async fn erase(
    AxumState(app): AxumState<App>,
    caller: Caller,
    UserPath(id): UserPath,
    StrictJson(body): StrictJson<ReasonBody>,
) -> Result<Json<UserView>, ApiError> {
    let why = Why(body.validate()?);
    let user = change::apply(&app, &caller, &id, Change::State(State::Erased, why)).await?;
    Ok(Json(user.into()))
}
