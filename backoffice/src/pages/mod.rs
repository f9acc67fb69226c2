//! The pages that people see: the operator's at `/`, the buyer's at `/sales/{id}`, and of his orders at `/orders`. Called by the route table.
//!
//! Each is an empty shell, the same for everybody, that `assets/` fills in the browser over the documented APIs: it can be cached anywhere, and a
//! crowd that reloads costs nothing but its bytes. Nothing comes from elsewhere, and the policy allows no script or style in the page itself.

pub mod config;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

use crate::app::App;
use crate::error::ApiError;
use crate::extract::SalePath;

/// For a minute a page may be shown from memory, a proxy's too.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=60");

#[derive(Template)]
#[template(path = "operator.html")]
struct OperatorPage {
    lang: &'static str,
}

#[derive(Template)]
#[template(path = "buyer.html")]
struct BuyerPage<'a> {
    lang: &'static str,
    sale: &'a str,
    engine: &'a str,
}

#[derive(Template)]
#[template(path = "orders.html")]
struct OrdersPage {
    lang: &'static str,
}

/// The operator's page
#[utoipa::path(get, path = "/", tag = "pages", responses((status = 200, content_type = "text/html", body = String)))]
pub(crate) async fn operator(headers: HeaderMap) -> Result<Response, ApiError> {
    let lang = language(&headers);
    page(&OperatorPage { lang }, "'self'")
}

/// The buyer's page of a sale
#[utoipa::path(get, path = "/sales/{id}", tag = "pages", params(("id" = String, Path)), responses(
    (status = 200, description = "Also where there is no such sale: the page says so", content_type = "text/html", body = String),
    (status = 404, description = "unknown_sale: it could be nobody's id", body = crate::error::Problem)))]
pub(crate) async fn buyer(
    State(app): State<App>,
    SalePath(id): SalePath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let engine = app.engine_public_url.as_str();
    let shell = BuyerPage {
        lang: language(&headers),
        sale: id.as_str(),
        engine,
    };
    page(&shell, &format!("'self' {engine}"))
}

/// The buyer's page of his orders; one of them is named by the fragment
#[utoipa::path(get, path = "/orders", tag = "pages", responses((status = 200, content_type = "text/html", body = String)))]
pub(crate) async fn orders(headers: HeaderMap) -> Result<Response, ApiError> {
    let lang = language(&headers);
    page(&OrdersPage { lang }, "'self'")
}

fn page(shell: &impl Template, connects_to: &str) -> Result<Response, ApiError> {
    let html = shell.render().map_err(|e| ApiError::Internal(e.into()))?;
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {connects_to}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).map_err(|e| ApiError::Internal(e.into()))?;
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CACHE_CONTROL, CACHE);
    headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
    Ok(response)
}

/// Korean where the browser asks for it before English; the page itself can be switched.
fn language(headers: &HeaderMap) -> &'static str {
    let asked = headers.get(header::ACCEPT_LANGUAGE);
    let asked = asked.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let first = asked
        .split(',')
        .map(|part| part.trim().to_ascii_lowercase())
        .find(|part| part.starts_with("ko") || part.starts_with("en"));
    match first {
        Some(part) if part.starts_with("ko") => "ko",
        _ => "en",
    }
}

/// A file that a page loads: its name, its type, its text.
type Asset = (&'static str, &'static str, &'static str);

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

const ASSETS: [Asset; 19] = [
    ("style.css", STYLE, include_str!("../../assets/style.css")),
    ("words.js", SCRIPT, include_str!("../../assets/words.js")),
    ("page.js", SCRIPT, include_str!("../../assets/page.js")),
    (
        "session.js",
        SCRIPT,
        include_str!("../../assets/session.js"),
    ),
    (
        "account.js",
        SCRIPT,
        include_str!("../../assets/account.js"),
    ),
    ("chart.js", SCRIPT, include_str!("../../assets/chart.js")),
    (
        "operator.js",
        SCRIPT,
        include_str!("../../assets/operator.js"),
    ),
    ("live.js", SCRIPT, include_str!("../../assets/live.js")),
    ("draft.js", SCRIPT, include_str!("../../assets/draft.js")),
    ("forms.js", SCRIPT, include_str!("../../assets/forms.js")),
    (
        "products.js",
        SCRIPT,
        include_str!("../../assets/products.js"),
    ),
    (
        "notices.js",
        SCRIPT,
        include_str!("../../assets/notices.js"),
    ),
    ("buyer.js", SCRIPT, include_str!("../../assets/buyer.js")),
    ("order.js", SCRIPT, include_str!("../../assets/order.js")),
    ("orders.js", SCRIPT, include_str!("../../assets/orders.js")),
    ("desk.js", SCRIPT, include_str!("../../assets/desk.js")),
    (
        "checkout.js",
        SCRIPT,
        include_str!("../../assets/checkout.js"),
    ),
    ("line.js", SCRIPT, include_str!("../../assets/line.js")),
    (
        "purchase.js",
        SCRIPT,
        include_str!("../../assets/purchase.js"),
    ),
];

/// A script or style of the pages
#[utoipa::path(get, path = "/assets/{name}", tag = "pages", params(("name" = String, Path)), responses(
    (status = 200, content_type = "text/javascript", body = String),
    (status = 404, description = "not_found", body = crate::error::Problem)))]
pub(crate) async fn asset(name: Result<Path<String>, PathRejection>) -> Result<Response, ApiError> {
    let Path(name) = name.map_err(|_| ApiError::NotFound)?;
    let found = ASSETS.iter().find(|asset| asset.0 == name);
    let (_, kind, text) = found.ok_or(ApiError::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, CACHE),
    ];
    Ok((headers, *text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_the_language_that_the_browser_asks_for_first() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, value.parse().unwrap());
            language(&headers)
        };
        assert_eq!(of("ko-KR,ko;q=0.9,en;q=0.8"), "ko");
        assert_eq!(of("de, en;q=0.9, ko;q=0.8"), "en");
        assert_eq!(of("fr"), "en");
        assert_eq!(language(&HeaderMap::new()), "en");
    }

    #[test]
    fn pages_and_their_files_load_nothing_from_elsewhere_and_have_no_script_of_their_own() {
        let shells = [
            OperatorPage { lang: "ko" }.render().unwrap(),
            OrdersPage { lang: "ko" }.render().unwrap(),
            BuyerPage {
                lang: "en",
                sale: "drop-1",
                engine: "https://buy.example",
            }
            .render()
            .unwrap(),
        ];
        for shell in &shells {
            for inline in [
                " style=",
                "<style",
                " onclick=",
                "javascript:",
                "src=\"http",
                "href=\"http",
            ] {
                assert!(!shell.contains(inline), "{inline}");
            }
            let scripts: Vec<&str> = shell.split("<script").skip(1).collect();
            assert!(
                scripts
                    .iter()
                    .all(|s| s.contains("src=\"/assets/") && s.contains("></script>"))
            );
            for asset in shell.split("/assets/").skip(1) {
                let name = asset.split('"').next().unwrap();
                assert!(ASSETS.iter().any(|known| known.0 == name), "{name}");
            }
        }
        for (name, kind, text) in ASSETS {
            for outside in [
                "http://",
                "https://",
                "//cdn",
                "@import",
                "eval(",
                "innerHTML",
            ] {
                let text = text.replace("http://www.w3.org/2000/svg", "");
                assert!(!text.contains(outside), "{name}: {outside}");
            }
            if kind == SCRIPT {
                for import in text.split("from \"./").skip(1) {
                    let name = import.split('"').next().unwrap();
                    assert!(ASSETS.iter().any(|known| known.0 == name), "{name}");
                }
            }
        }
    }
}
