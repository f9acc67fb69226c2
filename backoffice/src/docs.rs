//! The OpenAPI document as one page that needs nothing from elsewhere: it works offline and loads no script.

use askama::Template;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;

use crate::error::ApiError;
use crate::openapi;

/// The page has styles of its own and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "docs.html")]
struct Page {
    title: String,
    description: String,
    version: String,
    operations: Vec<Operation>,
    schemas: Vec<Schema>,
}

struct Operation {
    method: String,
    path: String,
    summary: String,
    needs_token: bool,
    parameters: Vec<String>,
    body: String,
    responses: Vec<(String, String)>,
}

struct Schema {
    name: String,
    json: String,
}

/// This page
#[utoipa::path(get, path = "/docs", tag = "operation", responses((status = 200, content_type = "text/html", body = String)))]
pub(crate) async fn page() -> Result<Response, ApiError> {
    let page = describe(&openapi::document())
        .render()
        .map_err(|e| ApiError::Internal(e.into()))?;
    Ok(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response())
}

fn describe(document: &Value) -> Page {
    let info = &document["info"];
    let paths = members(&document["paths"]).flat_map(|(path, methods)| {
        members(methods).map(move |(method, operation)| describe_operation(method, path, operation))
    });
    let schemas = members(&document["components"]["schemas"])
        .map(|(name, schema)| Schema {
            name: name.clone(),
            json: pretty(schema),
        })
        .collect();
    Page {
        title: text(&info["title"]),
        description: text(&info["description"]),
        version: text(&info["version"]),
        operations: paths.collect(),
        schemas,
    }
}

fn describe_operation(method: &str, path: &str, operation: &Value) -> Operation {
    let parameter = |p: &Value| {
        format!(
            "{} ({}) {}",
            text(&p["name"]),
            text(&p["in"]),
            text(&p["description"])
        )
    };
    let response = |(status, response): (&String, &Value)| {
        let named = schema_name(&response["content"]);
        let description = text(&response["description"]);
        (
            status.clone(),
            [description, named]
                .iter()
                .filter(|part| !part.is_empty())
                .cloned()
                .collect::<Vec<_>>()
                .join(" → "),
        )
    };
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&operation["summary"]),
        needs_token: operation["security"].is_array(),
        parameters: operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(parameter)
            .collect(),
        body: schema_name(&operation["requestBody"]["content"]),
        responses: members(&operation["responses"]).map(response).collect(),
    }
}

/// The name behind the first media type's `$ref`.
fn schema_name(content: &Value) -> String {
    let reference = members(content)
        .next()
        .map(|(_, media)| text(&media["schema"]["$ref"]));
    reference
        .and_then(|r| r.rsplit('/').next().map(str::to_owned))
        .unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;

    #[test]
    fn the_page_tells_every_route_and_loads_nothing() {
        let page = describe(&openapi::document()).render().unwrap();
        for route in route::table() {
            assert!(
                page.contains(&format!(
                    "<b>{}</b> <code>{}</code>",
                    route.method, route.path
                )),
                "{}",
                route.path
            );
        }
        for outside in ["http://", "https://", "<script", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
