//! The routes of settlement: for finance and admins alone.

use axum::routing::{get, post};

use crate::auth::Access::Finance;
use crate::route::Route;

/// Of the table in `crate::route`.
pub(crate) fn table() -> Vec<Route> {
    vec![
        Route::get("/admin/v1/settlements", Finance, get(super::list)),
        Route::post("/admin/v1/settlements", Finance, post(super::create)),
        Route::get("/admin/v1/settlements/{id}", Finance, get(super::read)),
        Route::get(
            "/admin/v1/settlements/{id}/statement",
            Finance,
            get(super::show_statement),
        ),
        Route::post(
            "/admin/v1/settlements/{id}/payout",
            Finance,
            post(super::pay_out),
        ),
        Route::get("/admin/v1/fees", Finance, get(super::fees::list)),
        Route::post("/admin/v1/fees", Finance, post(super::fees::set)),
        Route::get(
            "/admin/v1/orders/{id}/postings",
            Finance,
            get(super::trace::show),
        ),
        Route::get("/admin/v1/ledger", Finance, get(super::show_ledger)),
    ]
}
