//! The parts of the shop's front: the tree of categories, and the notices of the moment.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::cache::Name;
use crate::app::App;
use crate::catalog::categories::tree::Branch;
use crate::catalog::notices::NoticeView;
use crate::error::ApiError;

/// The tree of categories.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CategoryTree {
    pub categories: Vec<Branch>,
}

/// Notices whose time it is, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CurrentNotices {
    pub notices: Vec<NoticeView>,
}

/// The tree of categories
#[utoipa::path(get, path = "/v1/categories", tag = "shop", responses((status = 200, body = CategoryTree)))]
pub(crate) async fn categories(State(app): State<App>) -> Result<Response, ApiError> {
    app.shop.get(&app, &Name::Categories).await?.response()
}

/// Notices whose time it is
#[utoipa::path(get, path = "/v1/notices", tag = "shop", responses((status = 200, body = CurrentNotices)))]
pub(crate) async fn notices(State(app): State<App>) -> Result<Response, ApiError> {
    app.shop.get(&app, &Name::Notices).await?.response()
}
