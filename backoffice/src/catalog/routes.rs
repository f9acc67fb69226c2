//! The routes of catalog and shop: a part of the table in `crate::route`.

use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::{categories, notices, products, sellers};
use crate::app::App;
use crate::auth::Access::{self, Bearer, Public, Staff};
use crate::route::Route;
use crate::shop::{cart, front, products as shop_products, search, wish_list};

type Line = (Method, &'static str, MethodRouter<App>);

pub(crate) fn table() -> Vec<Route> {
    let staff = [of_shelves(), of_products(), of_notices()];
    let mut table = routes(Staff, staff.into_iter().flatten());
    table.extend(routes(Public, of_shop()));
    table.extend(routes(Bearer, of_buyers()));
    table
}

fn routes(access: Access, lines: impl IntoIterator<Item = Line>) -> Vec<Route> {
    let route = |(method, path, handler)| Route::new(method, path, access, handler);
    lines.into_iter().map(route).collect()
}

/// Where products stand, and whose they are.
fn of_shelves() -> Vec<Line> {
    const SELLERS: &str = "/admin/v1/sellers";
    const SELLER: &str = "/admin/v1/sellers/{id}";
    const CATEGORIES: &str = "/admin/v1/categories";
    const CATEGORY: &str = "/admin/v1/categories/{id}";
    vec![
        (Method::POST, SELLERS, post(sellers::create)),
        (Method::GET, SELLERS, get(sellers::list)),
        (Method::GET, SELLER, get(sellers::read)),
        (Method::PUT, SELLER, put(sellers::update)),
        (Method::POST, CATEGORIES, post(categories::create)),
        (Method::GET, CATEGORIES, get(categories::list)),
        (Method::GET, CATEGORY, get(categories::read)),
        (Method::PUT, CATEGORY, put(categories::update)),
        (Method::DELETE, CATEGORY, delete(categories::delete)),
    ]
}

fn of_products() -> Vec<Line> {
    const PRODUCTS: &str = "/admin/v1/products";
    const PRODUCT: &str = "/admin/v1/products/{id}";
    const PUBLISH: &str = "/admin/v1/products/{id}/publish";
    const ARCHIVE: &str = "/admin/v1/products/{id}/archive";
    vec![
        (Method::POST, PRODUCTS, post(products::create)),
        (Method::GET, PRODUCTS, get(products::list)),
        (Method::GET, PRODUCT, get(products::read)),
        (Method::PUT, PRODUCT, put(products::update)),
        (Method::POST, PUBLISH, post(products::publish)),
        (Method::POST, ARCHIVE, post(products::archive)),
    ]
}

fn of_notices() -> Vec<Line> {
    const NOTICES: &str = "/admin/v1/notices";
    const NOTICE: &str = "/admin/v1/notices/{id}";
    vec![
        (Method::POST, NOTICES, post(notices::create)),
        (Method::GET, NOTICES, get(notices::list)),
        (Method::GET, NOTICE, get(notices::read)),
        (Method::PUT, NOTICE, put(notices::update)),
        (Method::DELETE, NOTICE, delete(notices::delete)),
    ]
}

/// What everyone sees.
fn of_shop() -> Vec<Line> {
    vec![
        (Method::GET, "/v1/products", get(search::list)),
        (Method::GET, "/v1/products/{id}", get(shop_products::read)),
        (Method::GET, "/v1/categories", get(front::categories)),
        (Method::GET, "/v1/notices", get(front::notices)),
    ]
}

/// What a buyer keeps.
fn of_buyers() -> Vec<Line> {
    const CART: &str = "/v1/me/cart";
    const CART_ITEM: &str = "/v1/me/cart/{id}";
    const WISH_LIST: &str = "/v1/me/wish-list";
    const WISH: &str = "/v1/me/wish-list/{id}";
    vec![
        (Method::GET, CART, get(cart::read)),
        (Method::DELETE, CART, delete(cart::clear)),
        (Method::PUT, CART_ITEM, put(cart::put)),
        (Method::DELETE, CART_ITEM, delete(cart::remove)),
        (Method::GET, WISH_LIST, get(wish_list::read)),
        (Method::PUT, WISH, put(wish_list::put)),
        (Method::DELETE, WISH, delete(wish_list::remove)),
    ]
}
