//! The page of one product.

pub(crate) mod store;
pub(crate) mod view;

use axum::extract::State;
use axum::response::Response;

use super::cache::Name;
use crate::app::App;
use crate::catalog::ids::{IdPath, ProductId};
use crate::error::{ApiError, Problem};
use view::PageView;

/// A published product, with the sales of its skus
#[utoipa::path(get, path = "/v1/products/{id}", tag = "shop", params(("id" = String, Path)), responses(
    (status = 200, body = PageView),
    (status = 404, description = "unknown_product: there is none, or it is not published", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    IdPath(id): IdPath<ProductId>,
) -> Result<Response, ApiError> {
    let page = app.shop.get(&app, &Name::Product(id)).await?;
    app.views.note(page.product_no);
    page.response()
}
