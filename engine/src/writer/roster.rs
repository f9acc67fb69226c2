//! The published sales, and where each stands in Redis: one query now and then, one pipelined round each time.

use std::sync::Arc;
use std::time::Instant;

use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::reads::Backlog;
use doorbuster_core::ids::LiveId;
use sqlx::MySqlPool;
use tokio::sync::{Mutex, watch};

use super::store;
use crate::limits::{ROSTER_EVERY, ROSTER_TIMEOUT};

/// Sales with where they stood at the last look; `None` where Redis has none.
pub type Sales = Vec<(LiveId, Option<Backlog>)>;

/// Shared by writer, sweeper and gauges.
#[derive(Debug, Clone)]
pub struct Roster {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pool: MySqlPool,
    gate: Gate,
    published: Mutex<Published>,
    latest: watch::Sender<Arc<Sales>>,
}

#[derive(Debug, Default)]
struct Published {
    /// With how far the books were.
    sales: Vec<(LiveId, u64)>,
    asked: Option<Instant>,
}

impl Roster {
    pub(super) fn new(pool: MySqlPool, gate: Gate) -> Self {
        let (latest, _) = watch::channel(Arc::default());
        Self {
            shared: Arc::new(Shared {
                pool,
                gate,
                published: Mutex::default(),
                latest,
            }),
        }
    }

    /// The latest look, without a new one.
    pub fn latest(&self) -> Arc<Sales> {
        Arc::clone(&self.shared.latest.borrow())
    }

    /// Looks anew. While MySQL is away the sales known so far go on being looked at: overdue holds must still end.
    pub(super) async fn refresh(&self) -> anyhow::Result<Sales> {
        let (published, booked): (Vec<LiveId>, Vec<u64>) =
            self.published().await.into_iter().unzip();
        let backlogs = self.shared.gate.backlogs(&published).await?;
        // Published and not in Redis, with nothing in the books: it has not been opened yet.
        let opened = |(backlog, seq): &(Option<Backlog>, u64)| backlog.is_some() || *seq > 0;
        let found = published.into_iter().zip(backlogs.into_iter().zip(booked));
        let sales: Sales = found
            .filter(|(_, at)| opened(at))
            .map(|(live, (backlog, _))| (live, backlog))
            .collect();
        self.shared.latest.send_replace(Arc::new(sales.clone()));
        Ok(sales)
    }

    async fn published(&self) -> Vec<(LiveId, u64)> {
        let mut published = self.shared.published.lock().await;
        if published
            .asked
            .is_none_or(|at| at.elapsed() >= ROSTER_EVERY)
        {
            published.asked = Some(clock::instant());
            match tokio::time::timeout(ROSTER_TIMEOUT, store::published_sales(&self.shared.pool))
                .await
            {
                Ok(Ok(rows)) => {
                    published.sales = rows
                        .into_iter()
                        .filter_map(|(id, seq)| Some((LiveId::from_book_id(&id).ok()?, seq)))
                        .collect()
                }
                Ok(Err(e)) => tracing::warn!(error = %e, "the published sales could not be read"),
                Err(_) => tracing::warn!("the published sales could not be read in time"),
            }
        }
        published.sales.clone()
    }
}
