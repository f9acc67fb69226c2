//! What happens to every request on its way in and out: an id, the Host check, the deadline, security headers, a metric, a log line.
//!
//! The work of a request goes on in a task of its own: a client that goes away, or a deadline that passes, must not part a
//! script's change from its audit row. The task is bounded by [`WORK_TIMEOUT`] and awaited at shutdown.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use doorbuster_core::clock;
use tokio::time::timeout;

use crate::app::App;
use crate::error::{self, ApiError};
use crate::extract::RequestId;
use crate::language::Language;
use crate::limits::{REQUEST_TIMEOUT, WORK_TIMEOUT};
use crate::metrics;

/// Answers of an API are for the one who asked, at that moment; nothing of them is ever a page. /docs sets a policy of its own.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// Probes come by address, not by name.
const UNNAMED_PATHS: [&str; 2] = ["/livez", "/readyz"];

/// The outermost layer.
pub(crate) async fn edge(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = clock::instant();
    let request_id = RequestId::of(request.headers());
    let language = Language::preferred(request.headers());
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    request.extensions_mut().insert(request_id.clone());

    let mut response = error::finish(answer(&app, request, next).await, &request_id, language);
    dress(&mut response, &request_id);
    let (status, took) = (response.status().as_u16(), began.elapsed());
    metrics::request(&method, &route, status, took);
    tracing::debug!(%method, route, status, request_id = request_id.as_str(), duration_ms = took.as_millis(), "answered {method} {route}");
    response
}

/// What every answer has.
pub(crate) fn dress(response: &mut Response, request_id: &RequestId) {
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert(RequestId::HEADER, value);
    }
}

async fn answer(app: &App, request: Request, next: Next) -> Response {
    if !UNNAMED_PATHS.contains(&request.uri().path()) && !app.hosts.allow(host(&request)) {
        return ApiError::InvalidRequest("this host name is not served here".to_owned())
            .into_response();
    }
    let work = app.work.spawn(timeout(WORK_TIMEOUT, next.run(request)));
    match timeout(REQUEST_TIMEOUT, work).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(_))) | Err(_) => {
            ApiError::Unavailable(anyhow::anyhow!("no answer within {REQUEST_TIMEOUT:?}"))
                .into_response()
        }
        Ok(Err(panicked)) => ApiError::Internal(panicked.into()).into_response(),
    }
}

fn host(request: &Request) -> Option<&str> {
    request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
}
