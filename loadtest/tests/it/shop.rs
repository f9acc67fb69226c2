//! A small HTTP server whose answers a test decides: what the client does with them is what is tested.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) key: String,
    /// Which connection it came on, counted from 0.
    pub(crate) connection: usize,
}

/// A running server; gone with the test's runtime.
pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

/// What to answer the n-th request, counted from 0.
pub(crate) type Script = fn(usize, &Received) -> Response<Full<Bytes>>;

impl Shop {
    pub(crate) async fn open(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let log = Arc::clone(&log);
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer = note(&log, connection, &request, script);
                    async move { Ok::<_, std::convert::Infallible>(answer) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, received }
    }

    /// An address on which nobody listens.
    pub(crate) async fn closed() -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        Self {
            address,
            received: Arc::default(),
        }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

fn note(
    log: &Mutex<Vec<Received>>,
    connection: usize,
    request: &Request<Incoming>,
    script: Script,
) -> Response<Full<Bytes>> {
    let key = request
        .headers()
        .get("idempotency-key")
        .map(|key| key.to_str().unwrap().to_owned());
    let received = Received {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        key: key.unwrap_or_default(),
        connection,
    };
    let mut log = log.lock().unwrap();
    log.push(received.clone());
    script(log.len() - 1, &received)
}

pub(crate) fn held(status: u16, seq: u64) -> Response<Full<Bytes>> {
    let body = format!(
        r#"{{"id":"01010101-0101-0101-0101-010101010101","sale":"s","user":"buyer-0000000","items":[],"status":"held",
            "hold_expires_at":"2030-01-01T00:00:00.000Z","seq":{seq}}}"#
    );
    Response::builder()
        .status(status)
        .body(Full::from(body))
        .unwrap()
}

pub(crate) fn refused(status: u16, code: &str) -> Response<Full<Bytes>> {
    let body = format!(r#"{{"code":"{code}","request_id":"r"}}"#);
    Response::builder()
        .status(status)
        .header("retry-after", "0")
        .body(Full::from(body))
        .unwrap()
}
