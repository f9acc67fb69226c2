//! Every route in one table: method, path, whom it serves, handler. The table builds the router and is what the tests walk.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post, put};

use crate::app::App;
use crate::auth::{Access, guard};
use crate::error::ApiError;
use crate::limits::BODY_BYTES_MAX;
use crate::{
    accounts, audit_log, catalog, coupons, dead_letters, docs, draws, edge, health, me, openapi,
    orders, pages, payments, points, reconcile, sales, settlement,
};

/// One line of the table.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    handler: MethodRouter<App>,
}

impl Route {
    pub(crate) fn new(
        method: Method,
        path: &'static str,
        access: Access,
        handler: MethodRouter<App>,
    ) -> Self {
        Self {
            method,
            path,
            access,
            handler,
        }
    }

    pub(crate) fn get(path: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        Self::new(Method::GET, path, access, handler)
    }

    pub(crate) fn post(path: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        Self::new(Method::POST, path, access, handler)
    }

    pub(crate) fn put(path: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        Self::new(Method::PUT, path, access, handler)
    }

    pub(crate) fn patch(path: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        Self::new(Method::PATCH, path, access, handler)
    }

    pub(crate) fn delete(path: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        Self::new(Method::DELETE, path, access, handler)
    }
}

/// The table, in the order in which /docs tells it.
pub fn table() -> Vec<Route> {
    let mut table = of_sales();
    table.extend(catalog::routes::table());
    table.extend(orders::routes::table());
    table.extend(of_money());
    table.extend(settlement::routes::table());
    table.extend(accounts::routes::of_staff());
    table.extend(accounts::routes::of_people());
    table.extend(of_operation());
    table
}

/// What staff does about sales, and what their buyers ask.
fn of_sales() -> Vec<Route> {
    use Access::{Admin, Bearer, Public, Staff};
    let (read, write) = (Route::get, Route::post);
    vec![
        write("/admin/v1/sales", Staff, post(sales::create)),
        read("/admin/v1/sales", Staff, get(sales::list::list)),
        read("/admin/v1/sales/{id}", Staff, get(sales::read)),
        Route::put("/admin/v1/sales/{id}", Staff, put(sales::update)),
        read(
            "/admin/v1/sales/{id}/problems",
            Staff,
            get(sales::problems::list),
        ),
        read(
            "/admin/v1/sales/{id}/events",
            Staff,
            get(sales::watch::events),
        ),
        write(
            "/admin/v1/sales/{id}/schedule",
            Staff,
            post(sales::schedule),
        ),
        write(
            "/admin/v1/sales/{id}/unschedule",
            Staff,
            post(sales::unschedule),
        ),
        write("/admin/v1/sales/{id}/open", Staff, post(sales::open)),
        write("/admin/v1/sales/{id}/pause", Staff, post(sales::pause)),
        write("/admin/v1/sales/{id}/resume", Staff, post(sales::resume)),
        write("/admin/v1/sales/{id}/close", Staff, post(sales::close)),
        write("/admin/v1/sales/{id}/adjust", Staff, post(sales::adjust)),
        write("/admin/v1/sales/pause", Staff, post(sales::pause_all)),
        write("/admin/v1/coupons", Staff, post(coupons::create)),
        read("/admin/v1/coupons/{id}", Staff, get(coupons::read)),
        write("/admin/v1/coupons/{id}/open", Staff, post(coupons::open)),
        write("/admin/v1/coupons/{id}/close", Staff, post(coupons::close)),
        read("/admin/v1/audit-log", Staff, get(audit_log::page::list)),
        read("/admin/v1/dead-letters", Staff, get(dead_letters::list)),
        write(
            "/admin/v1/dead-letters/{id}/retry",
            Staff,
            post(dead_letters::retry),
        ),
        write(
            "/admin/v1/dead-letters/{id}/discard",
            Admin,
            post(dead_letters::discard),
        ),
        read("/v1/sales/{id}/draw", Public, get(draws::show)),
        read("/v1/sales/{id}/draw/entries", Public, get(draws::entries)),
        read("/v1/me/reservations", Bearer, get(me::reservations)),
    ]
}

/// Points, and the payment provider.
fn of_money() -> Vec<Route> {
    use Access::{Bearer, Finance, Office, Public, Staff};
    let (read, write) = (Route::get, Route::post);
    vec![
        read("/v1/me/points", Bearer, get(points::mine)),
        read("/admin/v1/users/{id}/points", Office, get(points::read)),
        write(
            "/admin/v1/users/{id}/points/adjust",
            Finance,
            post(points::adjust),
        ),
        read(
            "/admin/v1/payments/provider",
            Staff,
            get(payments::page::provider),
        ),
        read(
            "/admin/v1/reconciliation",
            Office,
            get(reconcile::money::page::last),
        ),
        write(
            "/v1/webhooks/payments",
            Public,
            post(payments::webhooks::take),
        ),
    ]
}

/// For those who run the service.
fn of_operation() -> Vec<Route> {
    use Access::Public;
    vec![
        Route::get("/", Public, get(pages::operator)),
        Route::get("/sales/{id}", Public, get(pages::buyer)),
        Route::get("/orders", Public, get(pages::orders)),
        Route::get("/assets/{name}", Public, get(pages::asset)),
        Route::get("/livez", Public, get(health::livez)),
        Route::get("/readyz", Public, get(health::readyz)),
        Route::get("/metrics", Public, get(health::metrics)),
        Route::get("/openapi.json", Public, get(openapi::json)),
        Route::get("/docs", Public, get(docs::page)),
    ]
}

/// The whole service.
pub(crate) fn router(app: &App) -> Router {
    let mut router = Router::new();
    for Route {
        path,
        access,
        handler,
        ..
    } in table()
    {
        router = router.route(
            path,
            handler.route_layer(from_fn_with_state((app.clone(), access), guard)),
        );
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), edge::edge))
        .with_state(app.clone())
}

async fn not_found() -> ApiError {
    ApiError::NotFound
}

async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}
