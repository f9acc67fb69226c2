//! `payment-sandbox`: a payment provider for tests, demos and drills, as a process of its own. It captures and refunds no money, but is as
//! careful with it as a good one, and as unreliable as it is told to be.
//!
//! A tour. `api` is what its customers ask; `till` decides, and `journal` has every decision on disk before anybody is told of it. `fate` says what
//! becomes of a charge: by magic tokens and amounts, or by a seeded `script`. `hooks` tells of what happened. `control` switches outages. `wire` is
//! its JSON. What it guarantees, however it was told to misbehave: one decision per key, for ever; never more refunded than captured.

mod api;
pub mod config;
mod control;
mod decision;
mod error;
mod fate;
mod hooks;
mod journal;
mod limits;
mod script;
mod till;
pub(crate) mod wire;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use doorbuster_core::clock;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;
use uuid::Uuid;

use self::config::PaymentSandbox;
use self::control::Outage;
use self::hooks::Hooks;
use self::limits::{BODY_BYTES_MAX, DECIDE_EVERY};
use self::script::Script;
use self::till::Till;
use crate::config::ConfigError;
use crate::payments::config::provider_key;

/// The sandbox, while it serves.
pub(crate) struct Sandbox {
    till: Till,
    hooks: Arc<Hooks>,
    script: RwLock<Arc<Script>>,
    outage: Mutex<Outage>,
    latency: Duration,
    /// What requests must be authorized by; none: nothing.
    bearer: Option<HeaderValue>,
    requests: AtomicU64,
    /// Keys that were turned away once because of their fate.
    turned_away: Mutex<HashSet<Uuid>>,
}

impl Sandbox {
    fn script(&self) -> Arc<Script> {
        Arc::clone(&self.script.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_script(&self, script: Script) {
        *self.script.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(script);
    }

    /// Whether this key comes for the first time, to be turned away.
    fn is_first(&self, key: Uuid) -> bool {
        self.turned_away
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key)
    }
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Bad configuration, a port that is taken, a directory that cannot be written.
pub async fn serve(config: &PaymentSandbox) -> Result<()> {
    let address = config.payment_sandbox_listen;
    let bearer = provider_key()?;
    if bearer.is_none() && !address.ip().is_loopback() {
        let why = "whoever reaches it could pay and refund: set PAYMENT_PROVIDER_KEY, or listen on this machine alone";
        return Err(ConfigError::Secret {
            variable: "PAYMENT_SANDBOX_LISTEN",
            problem: format!("is {address}, and {why}"),
        }
        .into());
    }
    let sandbox = Arc::new(Sandbox {
        till: Till::open(&config.dir)?,
        hooks: Hooks::new(config.hooks()?),
        script: RwLock::new(Arc::new(config.script.clone())),
        outage: Mutex::default(),
        latency: Duration::from_millis(config.latency_ms),
        bearer,
        requests: AtomicU64::new(0),
        turned_away: Mutex::default(),
    });
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("PAYMENT_SANDBOX_LISTEN={address} cannot be bound"))?;
    tracing::info!(address = %listener.local_addr()?, "the payment sandbox serves on {address}");
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let service = router(&sandbox).into_make_service_with_connect_info::<SocketAddr>();
    // Nothing is drained: whoever has no answer asks again.
    tokio::select! {
        served = axum::serve(listener, service).into_future() => served?,
        () = decide(&sandbox) => {}
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

fn router(sandbox: &Arc<Sandbox>) -> Router {
    let customers = Router::new()
        .route("/v1/charges", post(api::charge).get(api::list))
        .route("/v1/charges/by-key/{key}", get(api::find))
        .route("/v1/charges/by-key/{key}/void", post(api::void))
        .route("/v1/refunds", post(api::refund))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(sandbox), control::gate));
    let control = Router::new()
        .route("/control/outage", post(control::outage))
        .route("/control/script", post(control::script))
        .route("/control/state", get(control::state))
        .layer(from_fn(control::local));
    Router::new()
        .merge(customers)
        .merge(control)
        .route("/livez", get(async || "live"))
        .with_state(Arc::clone(sandbox))
}

/// Decides what is pending, for ever.
async fn decide(sandbox: &Sandbox) {
    let mut ticks = interval(DECIDE_EVERY);
    loop {
        ticks.tick().await;
        for charge in sandbox.till.decide(clock::now_ms()).await {
            sandbox.tell(&charge);
        }
    }
}
