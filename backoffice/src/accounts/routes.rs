//! The routes of people, as lines of the table in [`crate::route`].

use axum::routing::{delete, get, patch, post, put};

use super::pages;
use crate::auth::Access;
use crate::mail::dead;
use crate::route::Route;
use crate::{addresses, email_changes, passwords, profile, sessions, sign_ups, users};

/// What people do about themselves.
pub(crate) fn of_people() -> Vec<Route> {
    use Access::{Bearer, Public};
    vec![
        Route::post("/v1/sign-ups", Public, post(sign_ups::create)),
        Route::post("/v1/sign-ups/confirm", Public, post(sign_ups::confirm)),
        Route::post("/v1/sessions", Public, post(sessions::create)),
        Route::post("/v1/sessions/refresh", Public, post(sessions::refresh)),
        Route::post("/v1/sessions/log-out", Public, post(sessions::log_out)),
        Route::post(
            "/v1/sessions/log-out-everywhere",
            Bearer,
            post(sessions::log_out_everywhere),
        ),
        Route::post("/v1/password-resets", Public, post(passwords::reset)),
        Route::post(
            "/v1/password-resets/complete",
            Public,
            post(passwords::complete),
        ),
        Route::post(
            "/v1/email-changes/confirm",
            Public,
            post(email_changes::confirm),
        ),
        Route::get("/v1/me", Bearer, get(profile::read)),
        Route::patch("/v1/me", Bearer, patch(profile::update)),
        Route::put("/v1/me/password", Bearer, put(passwords::change)),
        Route::post("/v1/me/email", Bearer, post(email_changes::ask)),
        Route::post("/v1/me/erase", Bearer, post(profile::erase)),
        Route::get("/v1/me/sessions", Bearer, get(sessions::own::list)),
        Route::delete("/v1/me/sessions/{id}", Bearer, delete(sessions::own::end)),
        Route::get("/v1/me/addresses", Bearer, get(addresses::list)),
        Route::post("/v1/me/addresses", Bearer, post(addresses::create)),
        Route::put("/v1/me/addresses/{id}", Bearer, put(addresses::replace)),
        Route::delete("/v1/me/addresses/{id}", Bearer, delete(addresses::remove)),
        Route::get("/account/confirm", Public, get(pages::confirm_page)),
        Route::post("/account/confirm", Public, post(pages::confirm)),
        Route::get("/account/email", Public, get(pages::email_page)),
        Route::post("/account/email", Public, post(pages::email)),
        Route::get("/account/password", Public, get(pages::password_page)),
        Route::post("/account/password", Public, post(pages::password)),
    ]
}

/// What staff does about people.
pub(crate) fn of_staff() -> Vec<Route> {
    use Access::{Admin, Staff};
    vec![
        Route::get("/admin/v1/users", Staff, get(users::list)),
        Route::get("/admin/v1/users/{id}", Staff, get(users::read)),
        Route::post("/admin/v1/users/{id}/log-out", Staff, post(users::log_out)),
        Route::post(
            "/admin/v1/users/{id}/deactivate",
            Staff,
            post(users::deactivate),
        ),
        Route::post(
            "/admin/v1/users/{id}/reactivate",
            Staff,
            post(users::reactivate),
        ),
        Route::post("/admin/v1/users/{id}/role", Admin, post(users::role)),
        Route::post("/admin/v1/users/{id}/erase", Admin, post(users::erase)),
        Route::get("/admin/v1/dead-mails", Staff, get(dead::list)),
        Route::post("/admin/v1/dead-mails/{id}/retry", Staff, post(dead::retry)),
    ]
}
