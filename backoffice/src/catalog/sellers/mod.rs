//! Who sells. Handlers only parse, call and answer.

pub(crate) mod store;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::ids::{IdPath, SellerId};
use super::page::{ListQuery, cut};
use super::text::{Text, checked, new_id, seen_version};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem, created};
use crate::extract::{Caller, StrictJson, StrictQuery};
use crate::validate::Problems;

/// A seller to be written down, or as it is to be from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"id": "maru", "name": {"ko": "마루 공방", "en": "Maru Studio"}}))]
pub(crate) struct SellerDraft {
    /// 1 to 64 characters of A-Z a-z 0-9 _ -; needed in a POST
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub id: Option<String>,
    /// Needed in a PUT: the one that was read
    pub version: Option<u32>,
    pub name: Text,
}

/// A seller.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SellerView {
    #[schema(example = "maru")]
    pub id: String,
    pub name: Text,
    #[schema(example = 1)]
    pub version: u32,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A page of sellers, in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SellersPage {
    pub sellers: Vec<SellerView>,
    /// For the next page; null where this is the last
    pub next_cursor: Option<String>,
}

/// Writes a seller down
#[utoipa::path(post, path = "/admin/v1/sellers", tag = "catalog", request_body = SellerDraft, security(("token" = [])), responses(
    (status = 201, description = "Location names it", body = SellerView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 409, description = "seller_exists", body = Problem)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    StrictJson(draft): StrictJson<SellerDraft>,
) -> Result<Response, ApiError> {
    let mut problems = Problems::default();
    let id = new_id::<SellerId>(&mut problems, draft.id, draft.version);
    let name = draft.name.title(&mut problems, "/name");
    let (id, name) = checked(problems, id.zip(name))?;
    let mut tx = app.books.begin().await?;
    store::insert(&mut tx, &id, &name).await?;
    let change = Change {
        action: "seller.create",
        subject: subject(&id),
        before: None,
        after: Some(json!({"name": name})),
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    let view = store::find(&app.books, &id).await?;
    Ok(created(&format!("/admin/v1/sellers/{id}"), view))
}

/// Sellers, in the order of their ids
#[utoipa::path(get, path = "/admin/v1/sellers", tag = "catalog", params(ListQuery), security(("token" = [])), responses(
    (status = 200, body = SellersPage),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<ListQuery>,
) -> Result<Json<SellersPage>, ApiError> {
    let wanted = query.wanted::<SellerId>()?;
    let mut sellers = store::page(&app.books, wanted.after.as_ref(), wanted.limit + 1).await?;
    let next_cursor = cut(&mut sellers, wanted.limit, |seller| seller.id.clone());
    Ok(Json(SellersPage {
        sellers,
        next_cursor,
    }))
}

/// A seller
#[utoipa::path(get, path = "/admin/v1/sellers/{id}", tag = "catalog", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = SellerView),
    (status = 404, description = "unknown_seller", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    IdPath(id): IdPath<SellerId>,
) -> Result<Json<SellerView>, ApiError> {
    store::find(&app.books, &id).await.map(Json)
}

/// Edits a seller
#[utoipa::path(put, path = "/admin/v1/sellers/{id}", tag = "catalog", request_body = SellerDraft, params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = SellerView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_seller", body = Problem),
    (status = 409, description = "version_conflict", body = Problem)))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    IdPath(id): IdPath<SellerId>,
    StrictJson(draft): StrictJson<SellerDraft>,
) -> Result<Json<SellerView>, ApiError> {
    let mut problems = Problems::default();
    let version = seen_version(
        &mut problems,
        id.as_str(),
        draft.id.as_deref(),
        draft.version,
    );
    let name = draft.name.title(&mut problems, "/name");
    let (version, name) = checked(problems, version.zip(name))?;
    let mut tx = app.books.begin().await?;
    let before = store::lock(&mut tx, &id, version).await?;
    store::update(&mut tx, &id, &name).await?;
    let change = Change {
        action: "seller.update",
        subject: subject(&id),
        before: Some(json!({"name": before})),
        after: Some(json!({"name": name})),
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    store::find(&app.books, &id).await.map(Json)
}

fn subject(id: &SellerId) -> String {
    format!("seller:{id}")
}
