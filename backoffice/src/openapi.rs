//! The OpenAPI document, made from the handlers themselves. Served at /openapi.json and rendered at /docs.

use axum::Json;
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document};

use crate::accounts::pages;
use crate::catalog::openapi::CatalogApi;
use crate::mail::dead;
use crate::orders::openapi::OrdersApi;
use crate::settlement::openapi::SettlementApi;
use crate::{
    addresses, answers, audit_log, coupons, dead_letters, draws, email_changes, health, me,
    passwords, payments, points, profile, reconcile, sales, sessions, sign_ups, users,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Doorbuster back-office",
        description = "Control of flash sales and first-come coupons, and the accounts of people. Errors are RFC 9457 problems with a stable `code`. Every operation may be repeated safely."
    ),
    paths(
        sales::create, sales::list::list, sales::read, sales::update, sales::problems::list, sales::watch::events, sales::schedule, sales::unschedule, sales::open, sales::pause, sales::resume, sales::close, sales::adjust, sales::pause_all,
        coupons::create, coupons::read, coupons::open, coupons::close,
        audit_log::page::list,
        dead_letters::list, dead_letters::retry, dead_letters::discard,
        draws::show, draws::entries,
        me::reservations,
        points::mine, points::read, points::adjust,
        payments::page::provider, reconcile::money::page::last, payments::webhooks::take,
        users::list, users::read, users::log_out, users::deactivate, users::reactivate, users::role, users::erase,
        dead::list, dead::retry,
        sign_ups::create, sign_ups::confirm,
        sessions::create, sessions::refresh, sessions::log_out, sessions::log_out_everywhere,
        sessions::own::list, sessions::own::end,
        passwords::reset, passwords::complete, passwords::change,
        email_changes::ask, email_changes::confirm,
        profile::read, profile::update, profile::erase,
        addresses::list, addresses::create, addresses::replace, addresses::remove,
        pages::confirm_page, pages::confirm, pages::password_page, pages::password, pages::email_page, pages::email,
        crate::pages::operator, crate::pages::buyer, crate::pages::orders, crate::pages::asset,
        health::livez, health::readyz, health::metrics, json, crate::docs::page
    ),
    tags(
        (name = "sales", description = "Roles operator and admin"),
        (name = "coupons", description = "Roles operator and admin"),
        (name = "audit log", description = "Roles operator and admin"),
        (name = "dead letters", description = "Roles operator and admin; discard: admin alone"),
        (name = "draws", description = "No token"),
        (name = "points", description = "Roles operator, finance and admin; adjusting: finance and admin"),
        (name = "buyers", description = "Any valid token, about its own user"),
        (name = "payments", description = "The payment provider: roles operator and admin; its webhooks: no token, but its signature"),
        (name = "users", description = "Roles operator and admin; roles, erasure and whatever concerns staff: admin alone"),
        (name = "sessions", description = "Signing up, in and out; no token, but for log-out-everywhere"),
        (name = "people", description = "Any valid token, about its own user"),
        (name = "pages", description = "No token: what people see, made in the browser from the operations above, and what is behind the links of mails"),
        (name = "operation", description = "No token")
    ),
    modifiers(&BearerTokens)
)]
struct Api;

struct BearerTokens;

impl utoipa::Modify for BearerTokens {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "An access token, as POST /v1/sessions gives and `doorbuster-backoffice token` prints one",
            ))
            .build();
        document
            .components
            .get_or_insert_with(Components::default)
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The document.
pub(crate) fn document() -> Value {
    let described = Api::openapi()
        .merge_from(CatalogApi::openapi())
        .merge_from(OrdersApi::openapi())
        .merge_from(SettlementApi::openapi());
    let mut document = serde_json::to_value(described).expect("the document is JSON");
    answers::complete(&mut document);
    document
}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = "operation", responses((status = 200, content_type = "application/json", body = Object)))]
pub(crate) async fn json() -> Json<Value> {
    Json(document())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::route;

    #[test]
    fn the_document_has_exactly_the_routes_of_the_table() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let documented: BTreeSet<(String, String)> = paths
            .iter()
            .flat_map(|(path, operations)| {
                operations
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(move |method| (path.clone(), method.to_uppercase()))
            })
            .collect();
        let served = route::table()
            .into_iter()
            .map(|route| (route.path.to_owned(), route.method.to_string()))
            .collect();
        assert_eq!(documented, served);
    }

    #[test]
    fn every_operation_but_the_public_ones_asks_for_a_token() {
        let document = document();
        for route in route::table() {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            assert_eq!(
                operation["security"].is_array(),
                route.access != crate::auth::Access::Public,
                "{} {}",
                route.method,
                route.path
            );
        }
    }

    #[test]
    fn every_schema_that_is_named_is_there() {
        let document = document();
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for name in text
            .split("#/components/schemas/")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            assert!(schemas.contains_key(name), "{name}");
        }
    }
}
