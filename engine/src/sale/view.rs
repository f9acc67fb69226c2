//! A recent look at a sale, shared by all who ask within a quarter of a second.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use doorbuster_core::clock;
use doorbuster_core::gate::snapshot::{Snapped, Snapshot};
use doorbuster_core::gate::{Fenced, Gate};
use doorbuster_core::ids::{LiveId, SkuId};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::front::problem::Refusal;
use crate::limits::VIEW_LIFE;

/// A sale at one instant, with what staff wrote about it.
#[derive(Debug)]
pub struct View {
    pub snapshot: Snapshot,
    pub config: Value,
    taken: Instant,
}

impl View {
    fn new(snapshot: Snapshot) -> Self {
        let config = serde_json::from_str(&snapshot.config).unwrap_or(Value::Null);
        Self {
            snapshot,
            config,
            taken: clock::instant(),
        }
    }

    /// Redis time now, by this machine's monotonic clock since the look.
    pub fn redis_now_ms(&self) -> u64 {
        let since = u64::try_from(self.taken.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.snapshot
            .now_ms
            .max(self.snapshot.last_now_ms)
            .saturating_add(since)
    }

    /// What staff wrote about one sku, e.g. its `price`.
    pub fn item(&self, sku: &SkuId, field: &str) -> Option<Value> {
        let items = self.config.get("items")?.as_array()?;
        items
            .iter()
            .find(|item| item.get("sku").and_then(Value::as_str) == Some(sku.as_str()))?
            .get(field)
            .cloned()
    }
}

/// The current view of one sale. Many who ask at once cause one look.
#[derive(Debug)]
pub(crate) struct Views {
    gate: Gate,
    live: LiveId,
    current: ArcSwap<View>,
    looking: Mutex<()>,
}

impl Views {
    pub(crate) fn new(gate: Gate, live: LiveId, first: Snapshot) -> Self {
        Self {
            gate,
            live,
            current: ArcSwap::from_pointee(View::new(first)),
            looking: Mutex::new(()),
        }
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.current.load().snapshot.epoch
    }

    pub(crate) async fn current(&self) -> Result<Result<Arc<View>, Fenced>, Refusal> {
        match self.fresh() {
            Some(view) => Ok(Ok(view)),
            // Boxed: one of many looks.
            None => Box::pin(self.look_alone()).await,
        }
    }

    /// One looks, the others take what it saw.
    async fn look_alone(&self) -> Result<Result<Arc<View>, Fenced>, Refusal> {
        let _one_looks = self.looking.lock().await;
        match self.fresh() {
            Some(view) => Ok(Ok(view)),
            None => self.look().await,
        }
    }

    /// Looks again, however recent the view is: the generation has changed. Failing, the next one who asks looks again.
    pub(crate) async fn renew(&self) {
        let _one_looks = self.looking.lock().await;
        let _ = self.look().await;
    }

    fn fresh(&self) -> Option<Arc<View>> {
        Some(self.current.load_full()).filter(|view| view.taken.elapsed() < VIEW_LIFE)
    }

    async fn look(&self) -> Result<Result<Arc<View>, Fenced>, Refusal> {
        match self
            .gate
            .snapshot(&self.live)
            .await
            .map_err(|e| Refusal::from(&e))?
        {
            Snapped::Snapshot(snapshot) => {
                let view = Arc::new(View::new(*snapshot));
                self.current.store(Arc::clone(&view));
                Ok(Ok(view))
            }
            Snapped::Fenced(fenced) => Ok(Err(fenced)),
        }
    }
}
