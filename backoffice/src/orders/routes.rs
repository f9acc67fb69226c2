//! The routes of orders: a part of the table in `crate::route`.

use axum::routing::{get, post, put};

use super::{buyer, desk, place, policies};
use crate::auth::Access::{Bearer, Finance, Office, Staff};
use crate::route::Route;

pub(crate) fn table() -> Vec<Route> {
    const ORDER: &str = "/admin/v1/orders/{id}";
    const DELIVERY: &str = "/admin/v1/orders/{id}/delivery";
    const DECIDE: &str = "/admin/v1/orders/{id}/decide";
    const REFUNDS: &str = "/admin/v1/orders/{id}/refunds";
    const POLICY: &str = "/admin/v1/sales/{id}/policy";
    vec![
        Route::post("/v1/quotes", Bearer, post(buyer::quote)),
        Route::post("/v1/orders", Bearer, post(place::create)),
        Route::get("/v1/orders", Bearer, get(buyer::list)),
        Route::get("/v1/orders/{id}", Bearer, get(buyer::read)),
        Route::post("/v1/orders/{id}/cancel", Bearer, post(buyer::cancel)),
        Route::get("/admin/v1/orders", Office, get(desk::list)),
        Route::get(ORDER, Office, get(desk::read)),
        Route::put(DELIVERY, Staff, put(desk::delivery::put)),
        Route::post(DECIDE, Finance, post(desk::decide::decide)),
        Route::post(REFUNDS, Finance, post(desk::refund::create)),
        Route::get(POLICY, Office, get(policies::read)),
        Route::put(POLICY, Staff, put(policies::put)),
    ]
}
