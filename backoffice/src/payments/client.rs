//! How a provider is reached: connections that stay open, a bound for each try and for all of them, and tries again where that is safe.
//!
//! What matters is whether anything has left us. A refused connection, or a breaker that is open, means that the provider was never asked; from
//! the first byte on, whatever goes wrong is `Unknown`.

use std::time::Duration;

use axum::http::{HeaderValue, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error as PoolError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rand::Rng as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::breaker::Breaker;
use super::limits::{
    ANSWER_BYTES_MAX, BUDGET, CALLS_MAX, CONNECT_TIMEOUT, CONNECTION_IDLE, CONNECTIONS_IDLE_MAX,
    RETRY_PAUSE_FIRST, RETRY_PAUSE_MAX, TRIES_MAX,
};
use super::provider::{Answer, Call, Garbled};
use crate::metrics;

/// The way to a provider.
pub(crate) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    /// Without a slash at its end.
    base: String,
    bearer: Option<HeaderValue>,
    /// Of one try.
    attempt: Duration,
    places: Semaphore,
    pub(crate) breaker: Breaker,
}

/// What came of a call, all its tries together.
#[derive(Debug)]
pub(crate) enum Asked<T> {
    Said(T),
    /// Nothing has left us.
    NotSent,
    /// Something has, and nobody told us what it did.
    Unknown,
}

/// What came of one try.
enum Tried {
    Answered(Answer),
    NotSent,
    Unknown,
}

/// What a [`Client`] is made of.
pub struct Way {
    pub url: Uri,
    pub bearer: Option<HeaderValue>,
    pub attempt: Duration,
}

impl Client {
    pub(crate) fn new(way: Way) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT.min(way.attempt)));
        connector.set_nodelay(true);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(CONNECTION_IDLE)
            .pool_max_idle_per_host(CONNECTIONS_IDLE_MAX)
            .build(connector);
        Self {
            pool,
            base: way.url.to_string().trim_end_matches('/').to_owned(),
            bearer: way.bearer,
            attempt: way.attempt,
            places: Semaphore::new(CALLS_MAX),
            breaker: Breaker::default(),
        }
    }

    /// Asks until somebody says something, nobody may ask any more, or the time is over.
    pub(crate) async fn ask<T>(
        &self,
        operation: &'static str,
        call: &Call,
        deadline: Instant,
        read: impl Fn(&Answer) -> Result<T, Garbled>,
    ) -> Asked<T> {
        let began = Instant::now();
        let deadline = deadline.min(began + BUDGET);
        // Dropped with the future: whoever gives up leaves his place.
        let Ok(Ok(_place)) = tokio::time::timeout_at(deadline, self.places.acquire()).await else {
            return Asked::NotSent;
        };
        let mut has_left = false;
        for tries in 1.. {
            match self.ask_once(call, deadline, &read).await {
                Asked::Said(said) => {
                    metrics::payment_call(operation, began.elapsed());
                    return Asked::Said(said);
                }
                Asked::NotSent => {}
                Asked::Unknown => has_left = true,
            }
            let is_safe = call.is_repeatable() || !has_left;
            let pause = pause_after(tries);
            if tries >= TRIES_MAX || !is_safe || Instant::now() + pause >= deadline {
                break;
            }
            sleep(pause).await;
        }
        if has_left {
            Asked::Unknown
        } else {
            Asked::NotSent
        }
    }

    async fn ask_once<T>(
        &self,
        call: &Call,
        deadline: Instant,
        read: impl Fn(&Answer) -> Result<T, Garbled>,
    ) -> Asked<T> {
        let Some(permit) = self.breaker.admit() else {
            return Asked::NotSent;
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Asked::NotSent;
        }
        let is_cut_short = left < self.attempt;
        match self.try_once(call, left.min(self.attempt)).await {
            Tried::Answered(answer) => match read(&answer) {
                Ok(said) => {
                    permit.success();
                    Asked::Said(said)
                }
                Err(Garbled) => {
                    permit.failure();
                    tracing::warn!(
                        status = answer.status,
                        path = call.path,
                        "the payment provider's answer says nothing"
                    );
                    Asked::Unknown
                }
            },
            Tried::NotSent => {
                permit.failure();
                Asked::NotSent
            }
            Tried::Unknown => {
                // Who was in a hurry himself cannot blame the provider.
                if !is_cut_short {
                    permit.failure();
                }
                Asked::Unknown
            }
        }
    }

    async fn try_once(&self, call: &Call, within: Duration) -> Tried {
        let Some(request) = self.request(call) else {
            return Tried::NotSent;
        };
        match timeout(within, self.exchange(request)).await {
            Ok(tried) => tried,
            // The connection may not even stand yet; that cannot be told, and must not be assumed.
            Err(_) => Tried::Unknown,
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Tried {
        let response = match self.pool.request(request).await {
            Ok(response) => response,
            Err(error) if never_left(&error) => return Tried::NotSent,
            Err(_) => return Tried::Unknown,
        };
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
        {
            Ok(body) => Tried::Answered(Answer {
                status,
                body: body.to_bytes(),
            }),
            Err(_) => Tried::Unknown,
        }
    }

    fn request(&self, call: &Call) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.base, call.path));
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(bearer) = &self.bearer {
            request = request.header(header::AUTHORIZATION, bearer);
        }
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request
            .body(Full::new(Bytes::copy_from_slice(&call.body)))
            .ok()
    }
}

/// There was no connection. The pool itself sends again what met one that had been closed before anything was written.
fn never_left(error: &PoolError) -> bool {
    error.is_connect()
}

/// From nothing to a bound that doubles: those who failed together do not come back together.
fn pause_after(tries: u32) -> Duration {
    let most = RETRY_PAUSE_FIRST * 2u32.saturating_pow(tries - 1);
    most.min(RETRY_PAUSE_MAX)
        .mul_f64(rand::rng().random_range(0.0..1.0))
}
