//! Who was drawn which place, kept for the draws that were asked for last: ranking a million takes a good part of a second, and anyone may ask.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::Context as _;
use doorbuster_core::draw::{Drawn, Ranks};
use tokio::sync::Mutex;

use crate::error::ApiError;
use crate::limits::RANKINGS_KEPT;

/// The last few, by seed. One is worked out at a time: whoever asks for many keeps one core busy, and no more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rankings(Arc<Mutex<VecDeque<Kept>>>);

/// Seed and order.
type Kept = ([u8; 32], Arc<Ranks>);

impl Rankings {
    /// # Errors
    /// [`ApiError::Internal`] where the work was given up.
    pub(crate) async fn of(&self, drawn: &Drawn) -> Result<Arc<Ranks>, ApiError> {
        let mut kept = self.0.lock().await;
        if let Some((_, ranks)) = kept.iter().find(|(seed, _)| *seed == drawn.seed) {
            return Ok(Arc::clone(ranks));
        }
        let (seed, early) = (drawn.seed, drawn.early);
        let ranks = tokio::task::spawn_blocking(move || Ranks::new(&seed, early))
            .await
            .context("ranking")
            .map_err(ApiError::Internal)?;
        let ranks = Arc::new(ranks);
        kept.truncate(RANKINGS_KEPT - 1);
        kept.push_front((seed, Arc::clone(&ranks)));
        Ok(ranks)
    }
}
