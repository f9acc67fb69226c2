//! The part of the OpenAPI document that catalog and shop make. Merged into the whole by `crate::openapi`.

use utoipa::OpenApi;

use super::{categories, notices, products, sellers};
use crate::shop::{cart, front, products as shop_products, search, wish_list};

#[derive(OpenApi)]
#[openapi(
    paths(
        sellers::create, sellers::list, sellers::read, sellers::update,
        categories::create, categories::list, categories::read, categories::update, categories::delete,
        products::create, products::list, products::read, products::update, products::publish, products::archive,
        notices::create, notices::list, notices::read, notices::update, notices::delete,
        search::list, shop_products::read, front::categories, front::notices,
        cart::read, cart::put, cart::remove, cart::clear, wish_list::read, wish_list::put, wish_list::remove
    ),
    tags(
        (name = "catalog", description = "Roles operator and admin: sellers, categories, products, notices. Edits name the version that they have seen"),
        (name = "shop", description = "No token: what shoppers see")
    )
)]
pub(crate) struct CatalogApi;
