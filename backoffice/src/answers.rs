//! What operations answer beside what each says of itself: refusals that come before a handler, or from servers behind it. Put into the
//! document here, once, so that it has every status that a client may meet. Called by `openapi`.

use serde_json::{Map, Value, json};

use crate::auth::Access;
use crate::route;

/// Operations that ask no server and take nothing: they always answer.
const PLAIN: [&str; 8] = [
    "/livez",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/",
    "/sales/{id}",
    "/orders",
    "/assets/{name}",
];

/// Adds them to each operation, and gives problems their media type.
pub(crate) fn complete(document: &mut Value) {
    for route in route::table() {
        let method = route.method.as_str().to_lowercase();
        let operation = &mut document["paths"][route.path][method];
        let takes = |place: &str| {
            let parameters = operation["parameters"].as_array();
            parameters.is_some_and(|all| all.iter().any(|one| one["in"] == place))
        };
        let content = &operation["requestBody"]["content"];
        let (has_json, has_form) = (
            content["application/json"].is_object(),
            content["application/x-www-form-urlencoded"].is_object(),
        );
        let is_secured = route.access != Access::Public;
        let is_restricted = !matches!(route.access, Access::Public | Access::Bearer);
        let asks = !PLAIN.contains(&route.path);
        let further = [
            (
                has_json || has_form || takes("query") || takes("header"),
                "400",
                "invalid_request",
            ),
            (
                is_secured,
                "401",
                "unauthorized: no token, or one that is not good any more",
            ),
            (is_restricted, "403", "forbidden: another role is asked for"),
            (
                takes("path"),
                "404",
                "not_found, or what the path names is not there",
            ),
            (has_json, "408", "request_timeout: the body took too long"),
            (has_json, "413", "body_too_large"),
            (
                has_json,
                "415",
                "unsupported_media_type: the body must be application/json",
            ),
            (
                asks,
                "503",
                "unavailable: a server behind this one does not answer; repeating is safe",
            ),
        ];
        if let Some(responses) = operation["responses"].as_object_mut() {
            for (may, status, description) in further {
                if may && !responses.contains_key(status) {
                    responses.insert(status.to_owned(), problem(description));
                }
            }
            for response in responses.values_mut() {
                name_problems(response);
            }
        }
    }
}

fn problem(description: &str) -> Value {
    json!({
        "description": description,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    })
}

/// A problem is JSON of a type of its own (RFC 9457).
fn name_problems(response: &mut Value) {
    let Some(content) = response["content"].as_object_mut() else {
        return;
    };
    let is_problem = |schema: &Value| schema["$ref"] == "#/components/schemas/Problem";
    let named: Map<String, Value> = std::mem::take(content)
        .into_iter()
        .map(|(media_type, body)| {
            if is_problem(&body["schema"]) {
                ("application/problem+json".to_owned(), body)
            } else {
                (media_type, body)
            }
        })
        .collect();
    *content = named;
}

#[cfg(test)]
mod tests {
    use crate::openapi;

    #[test]
    fn refusals_that_no_handler_makes_are_in_the_document_too() {
        let document = openapi::document();
        let of = |path: &str, method: &str, status: &str| {
            let response = &document["paths"][path][method]["responses"][status];
            response["content"]["application/problem+json"].is_object()
        };
        for status in ["400", "401", "403", "408", "413", "415", "503"] {
            assert!(of("/admin/v1/sales", "post", status), "{status}");
        }
        // Of finance and of the whole office too.
        assert!(of("/admin/v1/ledger", "get", "403") && of("/admin/v1/orders", "get", "403"));
        assert!(!of("/orders", "get", "503"));
        assert!(of("/v1/me", "get", "401") && !of("/v1/me", "get", "403"));
        assert!(!of("/livez", "get", "503") && !of("/v1/me", "get", "415"));
        assert!(!document.to_string().contains(
            "application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}"
        ));
    }
}
