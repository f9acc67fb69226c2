//! What a user may see and change about himself, and his wish to be forgotten. Handlers only parse, call and answer.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::accounts::person::{RoleWord, State as PersonState};
use crate::accounts::secret::{Password, Secret};
use crate::accounts::visit::Visit;
use crate::app::App;
use crate::error::{ApiError, Problem, no_content};
use crate::extract::{Caller, StrictJson};
use crate::language::Language;
use crate::limits::{NAME_CHARS_MAX, PHONE_CHARS_MAX};
use crate::users::change::{self, Change, Why};
use crate::users::view::UserView;
use crate::validate::Problems;
use crate::{passwords, users};

/// What is to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Ann Lee", "phone": "+82-10-1234-5678", "language": "ko"}))]
pub(crate) struct ProfileBody {
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Empty: none
    #[schema(max_length = 32, pattern = "^$|^[+0-9][0-9 ()-]{3,31}$")]
    pub phone: Option<String>,
    pub language: Option<Language>,
}

/// The password, once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"password": "correct horse battery"}))]
pub(crate) struct EraseBody {
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 128)]
    pub password: Secret,
}

/// The bearer
#[utoipa::path(get, path = "/v1/me", tag = "people", security(("token" = [])), responses(
    (status = 200, body = UserView),
    (status = 404, description = "unknown_user: the shop's own", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<UserView>, ApiError> {
    Ok(Json(
        users::store::find(&app.books, &caller.user).await?.into(),
    ))
}

/// Changes what is said of the bearer
#[utoipa::path(patch, path = "/v1/me", tag = "people", request_body = ProfileBody, security(("token" = [])), responses(
    (status = 200, body = UserView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 404, description = "unknown_user: the shop's own", body = Problem)))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    StrictJson(body): StrictJson<ProfileBody>,
) -> Result<Json<UserView>, ApiError> {
    let mut problems = Problems::default();
    let name = body
        .name
        .and_then(|name| problems.line("/name", &name, 1..=NAME_CHARS_MAX));
    let phone = body.phone.map(|phone| match phone.trim() {
        "" => None,
        phone => problems.phone("/phone", phone, PHONE_CHARS_MAX),
    });
    problems.none()?;
    let mut tx = app.books.begin().await?;
    let mut user = users::store::lock(&mut tx, &caller.user).await?;
    if user.state != PersonState::Active {
        return Err(ApiError::NotActive);
    }
    user.name = name.unwrap_or(user.name);
    user.phone = phone.unwrap_or(user.phone);
    user.language = body.language.unwrap_or(user.language);
    users::store::set_profile(&mut tx, &user).await?;
    tx.commit().await?;
    Ok(Json(user.into()))
}

/// Erases all that tells who the bearer is, for good; the books keep his purchases under an id that means nobody
#[utoipa::path(post, path = "/v1/me/erase", tag = "people", request_body = EraseBody, security(("token" = [])), responses(
    (status = 204, description = "Erased"),
    (status = 401, description = "wrong_credentials", body = Problem),
    (status = 403, description = "forbidden: of staff an admin does it", body = Problem),
    (status = 404, description = "unknown_user: the shop's own", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem),
    (status = 503, description = "overloaded", body = Problem)))]
pub(crate) async fn erase(
    State(app): State<App>,
    caller: Caller,
    visit: Visit,
    StrictJson(body): StrictJson<EraseBody>,
) -> Result<Response, ApiError> {
    let user = users::store::find(&app.books, &caller.user).await?;
    if user.role != RoleWord::Buyer {
        return Err(ApiError::Forbidden("admin"));
    }
    let mut problems = Problems::default();
    let password = Password::claimed(&mut problems, "/password", body.password);
    problems.none()?;
    let password = password.ok_or(ApiError::WrongCredentials)?;
    passwords::check(&app, &visit, &user, password).await?;
    let why = Why("the user asked for it".to_owned());
    let erased = Change::State(PersonState::Erased, why);
    change::apply(&app, &caller, &user.id, erased).await?;
    Ok(no_content())
}
