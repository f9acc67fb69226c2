//! How a test or a drill steers a sandbox that runs: outages, another script, a look inside. For this machine alone.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::Sandbox;
use super::error::Refused;
use super::hooks::HookCounts;
use super::limits::SILENCE;
use super::script::Script;
use super::till::Counts;

/// What everybody is told instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    #[default]
    Off,
    /// 503, and nothing is done.
    Refuse,
    /// Nothing at all.
    Hang,
}

/// How long it lasts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outage {
    mode: Mode,
    until: Option<Instant>,
}

impl Outage {
    fn now(self) -> Mode {
        match self.until {
            Some(until) if Instant::now() >= until => Mode::Off,
            _ => self.mode,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutageRequest {
    mode: Mode,
    seconds: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScriptRequest {
    script: String,
}

#[derive(Serialize)]
pub(crate) struct StateView {
    outage: Mode,
    /// Of customers, those included that an outage turned away.
    requests: u64,
    #[serde(flatten)]
    counts: Counts,
    hooks: HookCounts,
}

pub(crate) async fn outage(
    State(sandbox): State<Arc<Sandbox>>,
    Json(request): Json<OutageRequest>,
) -> Json<StateView> {
    let seconds = request
        .seconds
        .map(|seconds| Duration::from_secs(seconds.into()));
    *sandbox
        .outage
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Outage {
        mode: request.mode,
        until: seconds.map(|seconds| Instant::now() + seconds),
    };
    tracing::info!(mode = ?request.mode, seconds = request.seconds, "an outage was switched");
    view(&sandbox)
}

pub(crate) async fn script(
    State(sandbox): State<Arc<Sandbox>>,
    Json(request): Json<ScriptRequest>,
) -> Result<Json<StateView>, Refused> {
    let script: Script = request
        .script
        .parse()
        .map_err(|error| Refused::InvalidRequest(format!("script {error}")))?;
    sandbox.set_script(script);
    Ok(view(&sandbox))
}

pub(crate) async fn state(State(sandbox): State<Arc<Sandbox>>) -> Json<StateView> {
    view(&sandbox)
}

fn view(sandbox: &Sandbox) -> Json<StateView> {
    Json(StateView {
        outage: mode(sandbox),
        requests: sandbox.requests.load(Ordering::Relaxed),
        counts: sandbox.till.counts(),
        hooks: sandbox.hooks.counts(),
    })
}

fn mode(sandbox: &Sandbox) -> Mode {
    let outage = sandbox
        .outage
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    outage.now()
}

/// Before every request of a customer: it is counted, takes as long as requests take, and is turned away while there is an outage.
pub(crate) async fn gate(
    State(sandbox): State<Arc<Sandbox>>,
    request: Request,
    next: Next,
) -> Response {
    sandbox.requests.fetch_add(1, Ordering::Relaxed);
    match mode(&sandbox) {
        Mode::Off => {}
        Mode::Refuse => return Refused::Away.into_response(),
        Mode::Hang => {
            sleep(SILENCE).await;
            return Refused::Away.into_response();
        }
    }
    let given = request.headers().get(header::AUTHORIZATION);
    let is_known = match &sandbox.bearer {
        Some(bearer) => given.is_some_and(|given| given == bearer),
        None => true,
    };
    if !is_known {
        return Refused::Unauthorized.into_response();
    }
    if !sandbox.latency.is_zero() {
        sleep(sandbox.latency).await;
    }
    next.run(request).await
}

/// Before every request of control. What a proxy on this machine passes on comes from elsewhere.
pub(crate) async fn local(
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let is_passed_on = ["forwarded", "x-forwarded-for"]
        .iter()
        .any(|name| request.headers().contains_key(*name));
    if from.ip().is_loopback() && !is_passed_on {
        next.run(request).await
    } else {
        Refused::Forbidden.into_response()
    }
}
