//! The OpenAPI document, made from the handlers themselves. Served at /openapi.json and rendered at /docs.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document};

use crate::{coupons, dead_letters, draws, health, me, sales};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Doorbuster back-office",
        description = "Control of flash sales and first-come coupons. Errors are RFC 9457 problems with a stable `code`. Every operation may be repeated safely."
    ),
    paths(
        sales::create, sales::read, sales::open, sales::pause, sales::resume, sales::close, sales::adjust, sales::pause_all,
        coupons::create, coupons::read, coupons::open, coupons::close,
        dead_letters::list, dead_letters::retry, dead_letters::discard,
        draws::show, draws::entries,
        me::reservations,
        health::livez, health::readyz, health::metrics, json, crate::docs::page
    ),
    tags(
        (name = "sales", description = "Roles operator and admin"),
        (name = "coupons", description = "Roles operator and admin"),
        (name = "dead letters", description = "Roles operator and admin; discard: admin alone"),
        (name = "draws", description = "No token"),
        (name = "buyers", description = "Any valid token, about its own user"),
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
                "An access token, as `doorbuster-backoffice token` prints one",
            ))
            .build();
        document
            .components
            .get_or_insert_with(Components::default)
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The document.
pub(crate) fn document() -> Document {
    Api::openapi()
}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = "operation", responses((status = 200, content_type = "application/json", body = Object)))]
pub(crate) async fn json() -> Json<Document> {
    Json(document())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::route;

    #[test]
    fn the_document_has_exactly_the_routes_of_the_table() {
        let document = serde_json::to_value(document()).unwrap();
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
        let document = serde_json::to_value(document()).unwrap();
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
        let document = serde_json::to_value(document()).unwrap();
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
