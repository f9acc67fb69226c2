//! A small HTTP client for the tests: one request, one connection, the whole answer.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any answer may take.
const BOUND: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null where the body is not JSON.
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl Answer {
    /// The stable word of a problem, after a look at the whole of it.
    pub(crate) fn code(&self) -> &str {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(self.json["status"], self.status, "{self:?}");
        assert_eq!(
            self.json["request_id"],
            self.header("x-request-id"),
            "{self:?}"
        );
        for member in ["type", "title", "detail"] {
            assert!(
                self.json[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{self:?}"
            );
        }
        self.json["code"].as_str().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code at once.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.code())
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json
    }
}

/// A request to be sent.
pub(crate) struct Call {
    base: String,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    pub(crate) fn new(base: &str, method: &str, path: &str) -> Self {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Self {
            base: base.to_owned(),
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn send(self) -> Answer {
        timeout(BOUND, self.exchange())
            .await
            .expect("an answer in time")
    }

    /// The answer's head alone, of one that goes on.
    pub(crate) async fn head(self) -> Answer {
        let response = timeout(BOUND, self.begin())
            .await
            .expect("an answer in time");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            json: Value::Null,
            text: String::new(),
        }
    }

    async fn begin(self) -> Response<Incoming> {
        let authority = self.base.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(authority).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(self.method).uri(self.path);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", authority);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        sender
            .send_request(request.body(Full::new(Bytes::from(self.body))).unwrap())
            .await
            .unwrap()
    }

    async fn exchange(self) -> Answer {
        let response = self.begin().await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer {
            status,
            headers,
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }
}

/// A query with its letters beyond ASCII percent-encoded, as they must be; everything else is left to whoever writes it.
pub(crate) fn encoded(query: &str) -> String {
    let bytes = query.bytes();
    bytes
        .map(|b| {
            if b.is_ascii() {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}
