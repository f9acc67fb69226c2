//! What every handler and task is given: one handle on everything, cheap to share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorbuster_core::address::TrustedProxies;
use doorbuster_core::claims::TokenKeys;
use doorbuster_core::gate::Gate;
use doorbuster_core::receipt::ReceiptKey;
use doorbuster_core::revocations::Revocations;
use doorbuster_core::ticket::TicketKeys;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::ack::AckWatch;
use crate::books::Books;
use crate::config::{Config, Role};
use crate::front::cors::Cors;
use crate::front::limit::Limiter;
use crate::front::request_id::RequestIds;
use crate::limits::EVENT_STREAMS_MAX;
use crate::line::Lines;
use crate::pressure::Pressure;
use crate::sale::Around;
use crate::sale::registry::Registry;
use crate::threads::Threads;

/// One engine process.
#[derive(Debug)]
pub struct App {
    /// Names this process among the engines that are alive.
    pub engine_id: Uuid,
    pub gate: Gate,
    pub books: Books,
    pub registry: Registry,
    pub limiter: Limiter,
    pub proxies: TrustedProxies,
    pub tokens: TokenKeys,
    pub revocations: Revocations,
    pub receipts: ReceiptKey,
    /// Of the secret before: its receipts are still honoured.
    pub receipts_previous: Option<ReceiptKey>,
    pub tickets: TicketKeys,
    pub ack: AckWatch,
    pub cors: Cors,
    pub allowed_hosts: Vec<String>,
    /// Whether buyers are served: not by a process that only writes.
    pub serves_buyers: bool,
    pub request_ids: RequestIds,
    pub pressure: Arc<Pressure>,
    pub metrics: PrometheusHandle,
    /// Streams of events that may still be opened.
    pub streams: Arc<Semaphore>,
    draining: AtomicBool,
}

impl App {
    pub(crate) fn new(
        config: &Config,
        gate: Gate,
        books: Books,
        metrics: PrometheusHandle,
        threads: Arc<Threads>,
    ) -> Self {
        let engine_id = Uuid::new_v4();
        gate.remember_unflushed();
        let pressure = Arc::new(Pressure::default());
        let around = Around {
            gate: gate.clone(),
            engine: engine_id.to_string(),
            pressure: Arc::clone(&pressure),
            threads,
            level: config.ack_level,
            draws: config.draws.clone(),
            books: books.clone(),
            lines: Lines::default(),
        };
        Self {
            engine_id,
            registry: Registry::new(around),
            limiter: Limiter::new(config.rates),
            proxies: config.trusted_proxies.clone(),
            tokens: config.tokens.clone(),
            revocations: Revocations::default(),
            receipts: config.receipts.clone(),
            receipts_previous: config.receipts_previous.clone(),
            tickets: config.tickets.clone(),
            ack: AckWatch::new(config.ack_level),
            cors: Cors::new(&config.cors_origins),
            allowed_hosts: config.allowed_hosts.clone(),
            serves_buyers: config.role != Role::Writer,
            request_ids: RequestIds::new(engine_id),
            streams: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)),
            draining: AtomicBool::new(false),
            gate,
            books,
            pressure,
            metrics,
        }
    }

    /// Whether this process has been told to stop; readiness says so before anything else happens.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}
