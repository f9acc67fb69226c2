//! The arena that all ways share, and those who buy. All is idle but the way under load and its store.

use std::sync::Arc;

use anyhow::Result;

use super::seller::Seller;
use super::stand::Stand;
use crate::bench::arena::Arena;
use crate::limits::{BENCH_BUYERS, COMPARE_CROWD_BUYERS, COMPARE_REPEAT_EVERY};
use crate::load::Buyers;

pub(super) struct Ground {
    pub(super) arena: Arena,
    /// Those of a rush.
    pub(super) buyers: Arc<Buyers>,
    /// Those who come at once, of whom some click twice.
    pub(super) crowd: Arc<Buyers>,
}

impl Ground {
    /// # Errors
    /// If the arena does not start.
    pub(super) async fn start() -> Result<Self> {
        let arena = Arena::start(&[]).await?;
        let crowd = Buyers::new(&arena.target, "c", COMPARE_CROWD_BUYERS);
        Ok(Self {
            buyers: arena.buyers(BENCH_BUYERS),
            crowd: Arc::new(crowd.repeating(COMPARE_REPEAT_EVERY)),
            arena,
        })
    }

    /// Puts so many units on sale: a new sale of ours, or the only one of a rival. Names are as long for all.
    ///
    /// # Errors
    /// If the way does not open.
    pub(super) async fn put_up<'a>(
        &'a self,
        seller: &'a Seller,
        stock: u32,
        buyers: &Arc<Buyers>,
    ) -> Result<Stand<'a>> {
        let offer = match &seller.guest {
            None => self.arena.offer(stock).await?,
            Some(guest) => {
                guest.reset(stock).await?;
                Arena::offer_of_guest(stock)
            }
        };
        Ok(Stand {
            arena: &self.arena,
            seller,
            offer,
            buyers: Arc::clone(buyers),
        })
    }
}
