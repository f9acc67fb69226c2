//! A buyer's wish list: products to find again.

pub(crate) mod store;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::catalog::ids::{IdPath, ProductId};
use crate::catalog::text::{Amount, Text};
use crate::error::{ApiError, Problem};
use crate::extract::Caller;

/// The bearer's wish list, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WishListView {
    pub products: Vec<WishView>,
}

/// A product on it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WishView {
    #[schema(example = "moon-mug")]
    pub id: String,
    pub title: Text,
    /// Of the cheapest sku; null where it is not in the shop at the moment
    pub price: Option<Amount>,
    /// false: it is not in the shop at the moment
    pub available: bool,
    #[schema(format = DateTime)]
    pub added_at: String,
}

/// The bearer's wish list
#[utoipa::path(get, path = "/v1/me/wish-list", tag = "buyers", security(("token" = [])), responses((status = 200, body = WishListView)))]
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<WishListView>, ApiError> {
    show(&app, &caller).await
}

/// Puts a product on the wish list; repeatable without effect
#[utoipa::path(put, path = "/v1/me/wish-list/{id}", tag = "buyers", params(("id" = String, Path, description = "a product")), security(("token" = [])), responses(
    (status = 200, body = WishListView),
    (status = 404, description = "unknown_product: there is none, or it is not published; unknown_user: the account is not active", body = Problem),
    (status = 409, description = "wish_list_full", body = Problem)))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    IdPath(id): IdPath<ProductId>,
) -> Result<Json<WishListView>, ApiError> {
    store::put(&app.books, &caller.user, &id).await?;
    show(&app, &caller).await
}

/// Takes a product off the wish list; repeatable without effect
#[utoipa::path(delete, path = "/v1/me/wish-list/{id}", tag = "buyers", params(("id" = String, Path, description = "a product")), security(("token" = [])), responses(
    (status = 200, body = WishListView),
    (status = 404, description = "unknown_product: it cannot be one", body = Problem)))]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Caller,
    IdPath(id): IdPath<ProductId>,
) -> Result<Json<WishListView>, ApiError> {
    store::remove(&app.books, &caller.user, &id).await?;
    show(&app, &caller).await
}

async fn show(app: &App, caller: &Caller) -> Result<Json<WishListView>, ApiError> {
    let products = store::wishes(&app.books, &caller.user).await?;
    Ok(Json(WishListView { products }))
}
