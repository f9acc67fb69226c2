//! Products, as staff keep them. Handlers only parse, call and answer; `draft` says what a product must be.

pub(crate) mod draft;
pub(crate) mod edit;
pub(crate) mod images;
pub(crate) mod store;
pub(crate) mod view;

use axum::Json;
use axum::extract::State as AppState;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ids::{IdPath, ProductId};
use super::page::{ListQuery, cut};
use super::text::{checked, new_id, seen_version};
use crate::app::App;
use crate::error::{ApiError, Problem, created};
use crate::extract::{Caller, StrictJson, StrictQuery};
use crate::shop::search::limits::SEARCH_CHARS_MAX;
use crate::validate::Problems;
use draft::ProductDraft;
use view::{ProductLine, ProductLines, ProductView};

/// Who may see a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProductState)]
pub(crate) enum State {
    /// Staff
    Draft,
    /// Everyone
    Published,
    /// Staff; it is out of all lists and searches
    Archived,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Archived => "archived",
        }
    }

    /// The table has no other words.
    pub(crate) fn parse(word: &str) -> Self {
        match word {
            "published" => Self::Published,
            "archived" => Self::Archived,
            _ => Self::Draft,
        }
    }
}

/// Which products are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProductsQuery {
    /// Only those that have this somewhere in their id or titles, in capitals or not
    #[param(max_length = 100, example = "머그")]
    pub q: Option<String>,
    /// Only those in this state
    #[param(inline)]
    pub state: Option<State>,
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first
    pub cursor: Option<String>,
}

/// Writes a product down as a draft
#[utoipa::path(post, path = "/admin/v1/products", tag = "catalog", request_body = ProductDraft, security(("token" = [])), responses(
    (status = 201, description = "Written as a draft; Location names it", body = ProductView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 404, description = "unknown_seller, unknown_category", body = Problem),
    (status = 409, description = "product_exists, sku_taken", body = Problem)))]
pub(crate) async fn create(
    AppState(app): AppState<App>,
    caller: Caller,
    StrictJson(mut draft): StrictJson<ProductDraft>,
) -> Result<Response, ApiError> {
    let mut problems = Problems::default();
    let id = new_id::<ProductId>(&mut problems, draft.id.take(), draft.version);
    let product = draft.validate(&mut problems);
    let (id, product) = checked(problems, id.zip(product))?;
    edit::create(&app, &caller, &id, &product).await?;
    let view: ProductView = store::find(&app.books, &id).await?.into();
    Ok(created(&format!("/admin/v1/products/{id}"), view))
}

/// Products, in the order of their ids
#[utoipa::path(get, path = "/admin/v1/products", tag = "catalog", params(ProductsQuery), security(("token" = [])), responses(
    (status = 200, body = ProductLines),
    (status = 400, description = "invalid_request", body = Problem)))]
pub(crate) async fn list(
    AppState(app): AppState<App>,
    StrictQuery(query): StrictQuery<ProductsQuery>,
) -> Result<Json<ProductLines>, ApiError> {
    let list = ListQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let wanted = list.wanted::<ProductId>()?;
    let q = query.q.filter(|q| !q.trim().is_empty());
    if q.as_ref()
        .is_some_and(|q| q.chars().count() > SEARCH_CHARS_MAX)
    {
        return Err(ApiError::InvalidRequest(format!(
            "q must be at most {SEARCH_CHARS_MAX} characters"
        )));
    }
    let mut rows = store::page(
        &app.books,
        q.as_deref().map(str::trim),
        query.state,
        wanted.after.as_ref(),
        wanted.limit + 1,
    )
    .await?;
    let next_cursor = cut(&mut rows, wanted.limit, |row| row.product_id.clone());
    let products = rows.into_iter().map(ProductLine::from).collect();
    Ok(Json(ProductLines {
        products,
        next_cursor,
    }))
}

/// A product
#[utoipa::path(get, path = "/admin/v1/products/{id}", tag = "catalog", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = ProductView),
    (status = 404, description = "unknown_product", body = Problem)))]
pub(crate) async fn read(
    AppState(app): AppState<App>,
    IdPath(id): IdPath<ProductId>,
) -> Result<Json<ProductView>, ApiError> {
    Ok(Json(store::find(&app.books, &id).await?.into()))
}

/// Edits a product; shoppers see the change of a published one at once
#[utoipa::path(put, path = "/admin/v1/products/{id}", tag = "catalog", request_body = ProductDraft, params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = ProductView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_product, unknown_seller, unknown_category", body = Problem),
    (status = 409, description = "version_conflict, sku_taken, sku_in_use; incomplete: it is published, and would lack what a published one has", body = Problem)))]
pub(crate) async fn update(
    AppState(app): AppState<App>,
    caller: Caller,
    IdPath(id): IdPath<ProductId>,
    StrictJson(draft): StrictJson<ProductDraft>,
) -> Result<Json<ProductView>, ApiError> {
    let mut problems = Problems::default();
    let version = seen_version(
        &mut problems,
        id.as_str(),
        draft.id.as_deref(),
        draft.version,
    );
    let product = draft.validate(&mut problems);
    let (version, product) = checked(problems, version.zip(product))?;
    edit::update(&app, &caller, &id, version, &product).await?;
    Ok(Json(store::find(&app.books, &id).await?.into()))
}

/// Shows a product to shoppers; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/products/{id}/publish", tag = "catalog", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "Published, or published before", body = ProductView),
    (status = 404, description = "unknown_product", body = Problem),
    (status = 409, description = "incomplete: `errors` has what is missing", body = Problem)))]
pub(crate) async fn publish(
    AppState(app): AppState<App>,
    caller: Caller,
    IdPath(id): IdPath<ProductId>,
) -> Result<Json<ProductView>, ApiError> {
    edit::set_state(&app, &caller, &id, State::Published).await?;
    Ok(Json(store::find(&app.books, &id).await?.into()))
}

/// Takes a product out of the shop; repeatable without effect. Sales that name its skus go on
#[utoipa::path(post, path = "/admin/v1/products/{id}/archive", tag = "catalog", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "Archived, or archived before", body = ProductView),
    (status = 404, description = "unknown_product", body = Problem)))]
pub(crate) async fn archive(
    AppState(app): AppState<App>,
    caller: Caller,
    IdPath(id): IdPath<ProductId>,
) -> Result<Json<ProductView>, ApiError> {
    edit::set_state(&app, &caller, &id, State::Archived).await?;
    Ok(Json(store::find(&app.books, &id).await?.into()))
}
