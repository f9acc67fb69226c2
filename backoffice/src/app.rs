//! What every handler is given: the gate to Redis, the pool of MySQL, the token keys. Cheap to clone; made once by `serve`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorbuster_core::ack::AckLevel;
use doorbuster_core::claims::TokenKeys;
use doorbuster_core::draw::DrawKeys;
use doorbuster_core::gate::Gate;
use doorbuster_core::revocations::Revocations;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::Connection as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use tokio_util::task::TaskTracker;

use crate::accounts::People;
use crate::ack::AckStand;
use crate::draws::Rankings;
use crate::gathered::Gathered;
use crate::hosts::Hosts;
use crate::limits::{
    MYSQL_ACQUIRE_TIMEOUT, MYSQL_CONNECTIONS_MAX, MYSQL_STATEMENTS_MAX, MYSQL_TRUSTED_FOR,
};
use crate::live::store;
use crate::orders::basis::Offers;
use crate::orders::saga::Saga;
use crate::orders::seen::Look;
use crate::pages::config::Origin;
use crate::payments::Payments;
use crate::payments::provider::Event;
use crate::sales::watch::Watches;
use crate::shop::cache::ShopCache;
use crate::shop::popular::Views;
use crate::shop::search::lists::Lists;

/// The back-office, while it serves.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) gate: Gate,
    pub(crate) ack_level: AckLevel,
    pub(crate) ack_stand: Arc<AckStand>,
    pub(crate) books: MySqlPool,
    pub(crate) tokens: TokenKeys,
    /// What draws are pledged with.
    pub(crate) draws: DrawKeys,
    /// Who was drawn which place.
    pub(crate) rankings: Rankings,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) people: Arc<People>,
    pub(crate) saga: Saga,
    pub(crate) payments: Payments,
    /// Looks at orders, and at what sales ask, by all who look at the same time.
    pub(crate) looks: Gathered<Look>,
    pub(crate) offers: Gathered<Offers>,
    /// Webhooks on their way into the books.
    pub(crate) webhooks: Gathered<Event>,
    /// Who watches which sale.
    pub(crate) watches: Arc<Watches>,
    pub(crate) hosts: Arc<Hosts>,
    /// Where browsers reach the engines.
    pub(crate) engine_public_url: Arc<Origin>,
    pub(crate) metrics: PrometheusHandle,
    /// Pages read since the last refresh of what is popular.
    pub(crate) views: Arc<Views>,
    pub(crate) shop: Arc<ShopCache>,
    /// What searches know of common words.
    pub(crate) lists: Arc<Lists>,
    /// Requests under way, so that a shutdown can wait for those whose client has gone.
    pub(crate) work: TaskTracker,
    draining: Arc<AtomicBool>,
}

/// What an [`App`] is made of.
pub(crate) struct Parts {
    pub gate: Gate,
    pub ack_level: AckLevel,
    pub books: MySqlPool,
    pub tokens: TokenKeys,
    pub draws: DrawKeys,
    pub people: People,
    pub payments: Payments,
    pub hosts: Hosts,
    pub engine_public_url: Origin,
    pub metrics: PrometheusHandle,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            gate,
            ack_level,
            books,
            tokens,
            draws,
            people,
            payments,
            hosts,
            engine_public_url,
            metrics,
        } = parts;
        let shop = Arc::new(ShopCache::new(gate.clone()));
        Self {
            gate,
            ack_level,
            ack_stand: Arc::default(),
            books,
            tokens,
            draws,
            rankings: Rankings::default(),
            revocations: Arc::default(),
            people: Arc::new(people),
            payments,
            looks: Gathered::default(),
            offers: Gathered::default(),
            webhooks: Gathered::default(),
            watches: Arc::default(),
            saga: Saga::default(),
            hosts: Arc::new(hosts),
            engine_public_url: Arc::new(engine_public_url),
            metrics,
            views: Arc::default(),
            shop,
            lists: Arc::default(),
            work: TaskTracker::new(),
            draining: Arc::default(),
        }
    }

    /// From here on /readyz says no, so that a balancer sends nobody here any more.
    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// A pool that connects when it is first used, so that the program starts, and says that it is not ready, without MySQL.
pub(crate) fn connect_books(options: MySqlConnectOptions) -> MySqlPool {
    MySqlPoolOptions::new()
        .max_connections(MYSQL_CONNECTIONS_MAX)
        .acquire_timeout(MYSQL_ACQUIRE_TIMEOUT)
        // A connection is looked at when it comes back; one that has been used just now is not looked at again before it is used.
        .test_before_acquire(false)
        .before_acquire(|connection, idle| {
            Box::pin(async move {
                if idle.idle_for > MYSQL_TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|connection, _| Box::pin(store::set_session(connection)))
        .connect_lazy_with(options.statement_cache_capacity(MYSQL_STATEMENTS_MAX))
}
