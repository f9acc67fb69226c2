//! Where a user wants things sent. Every look and change is by user and id together: another's address is not there.

pub(crate) mod draft;
pub(crate) mod store;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::person::State as PersonState;
use crate::app::App;
use crate::error::{ApiError, Problem, created, no_content};
use crate::extract::{AddressPath, Caller, StrictJson};
use crate::sessions;
use crate::users;
use draft::AddressBody;

/// An address.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddressView {
    #[schema(format = Uuid)]
    pub id: String,
    #[schema(example = "Ann Lee")]
    pub recipient: String,
    #[schema(example = "+82-10-1234-5678")]
    pub phone: String,
    #[schema(example = "KR")]
    pub country: String,
    #[schema(example = "04524")]
    pub postal_code: String,
    #[schema(example = "서울특별시 중구 세종대로 110")]
    pub line1: String,
    #[schema(example = "5층")]
    pub line2: String,
    /// Taken where an order names none
    pub is_default: bool,
}

/// All addresses of a user, the default one first, then newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddressesView {
    pub addresses: Vec<AddressView>,
}

/// The bearer's addresses
#[utoipa::path(get, path = "/v1/me/addresses", tag = "people", security(("token" = [])), responses((status = 200, body = AddressesView)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<AddressesView>, ApiError> {
    let addresses = store::of(&app.books, &caller.user).await?;
    Ok(Json(AddressesView { addresses }))
}

/// Adds an address; the first one is the default
#[utoipa::path(post, path = "/v1/me/addresses", tag = "people", request_body = AddressBody, security(("token" = [])), responses(
    (status = 201, body = AddressView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 404, description = "unknown_user: the shop's own, or not active", body = Problem),
    (status = 409, description = "too_many_addresses", body = Problem)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    StrictJson(body): StrictJson<AddressBody>,
) -> Result<Response, ApiError> {
    let address = body.validate()?;
    let id = Uuid::new_v4();
    let mut tx = app.books.begin().await?;
    let user = users::store::lock(&mut tx, &caller.user).await?;
    // His token may be good for a moment longer than his account: nothing of him comes back after an erasure.
    if user.state != PersonState::Active {
        return Err(ApiError::UnknownUser);
    }
    store::insert(&mut tx, &caller.user, id, &address).await?;
    tx.commit().await?;
    let view = store::find(&app.books, &caller.user, id).await?;
    Ok(created(&format!("/v1/me/addresses/{id}"), view))
}

/// Replaces an address
#[utoipa::path(put, path = "/v1/me/addresses/{id}", tag = "people", params(("id" = String, Path, format = Uuid)), request_body = AddressBody, security(("token" = [])), responses(
    (status = 200, body = AddressView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 404, description = "unknown_address", body = Problem)))]
pub(crate) async fn replace(
    State(app): State<App>,
    caller: Caller,
    AddressPath(id): AddressPath,
    StrictJson(body): StrictJson<AddressBody>,
) -> Result<Json<AddressView>, ApiError> {
    let address = body.validate()?;
    let mut tx = app.books.begin().await?;
    sessions::store::lock_user(&mut tx, &caller.user).await?;
    store::update(&mut tx, &caller.user, id, &address).await?;
    tx.commit().await?;
    Ok(Json(store::find(&app.books, &caller.user, id).await?))
}

/// Removes an address; where it was the default, the newest other one is
#[utoipa::path(delete, path = "/v1/me/addresses/{id}", tag = "people", params(("id" = String, Path, format = Uuid)), security(("token" = [])), responses(
    (status = 204, description = "Gone"),
    (status = 404, description = "unknown_address", body = Problem)))]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Caller,
    AddressPath(id): AddressPath,
) -> Result<Response, ApiError> {
    let mut tx = app.books.begin().await?;
    sessions::store::lock_user(&mut tx, &caller.user).await?;
    store::delete(&mut tx, &caller.user, id).await?;
    tx.commit().await?;
    Ok(no_content())
}
