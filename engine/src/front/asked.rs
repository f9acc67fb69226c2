//! What an answer needs of its request, which may be used up by then: taken before anything is asked of it, put into HTTP after.

use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{ACCEPT_LANGUAGE, CONNECTION, HeaderName, HeaderValue};
use hyper::{Request, Response};

use super::body::Body;
use super::problem::{Language, Refusal};
use super::reply::{self, Answer};
use super::request_id::RequestId;
use super::{cors, tally};
use crate::app::App;

/// One request's.
pub(super) struct Asked {
    pub(super) app: &'static App,
    pub(super) started: Instant,
    request_id: RequestId,
    origin: Option<HeaderValue>,
    language: Language,
}

impl Asked {
    pub(super) fn of(app: &'static App, request: &Request<Incoming>) -> Self {
        let headers = request.headers();
        let language = headers.get(ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
        Self {
            app,
            started: doorbuster_core::clock::instant(),
            request_id: app.request_ids.next(),
            origin: app.cors.allowed(headers),
            language: Language::preferred(language),
        }
    }

    /// What was said to a request of `pattern`, counted and put into HTTP.
    pub(super) fn answered(
        self,
        pattern: &'static str,
        said: Result<Answer, Refusal>,
    ) -> Response<Body> {
        let answer = said
            .unwrap_or_else(|refusal| reply::refused(&refusal, &self.request_id, self.language));
        tally::count(
            pattern,
            answer.status(),
            answer.code,
            self.started.elapsed(),
        );
        let mut response = answer.into_response();
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::try_from(self.request_id.into_string()) {
            headers.insert(&X_REQUEST_ID, id);
        }
        cors::allow(headers, self.origin);
        if self.app.is_draining() {
            // The client's next request goes to an engine that stays.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
