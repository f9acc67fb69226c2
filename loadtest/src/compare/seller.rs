//! One way at work: the engine of the arena, or a rival in a process of its own beside it. Used by `stand`.

use std::time::Duration;

use anyhow::Result;

use super::way::Way;
use crate::bench::arena::{Arena, Guest};

pub(super) struct Seller {
    pub(super) way: Way,
    /// Connections to the store that decides, where the way has a choice.
    pub(super) pool: Option<u32>,
    /// `None` for ours, which the arena keeps; a rival ends when it is dropped.
    pub(super) guest: Option<Guest>,
}

impl Seller {
    /// Starts it unless it is ours.
    ///
    /// # Errors
    /// If it does not start.
    pub(super) async fn start(arena: &Arena, way: Way, pool: u32) -> Result<Self> {
        let guest = match way {
            Way::Ours => None,
            Way::Rival(name) => Some(arena.guest_with(name, pool).await?),
        };
        let has_choice = !way.pools().is_empty();
        Ok(Self {
            way,
            pool: has_choice.then_some(pool),
            guest,
        })
    }

    /// Time on a processor of its own process.
    pub(super) fn cpu_time(&self, arena: &Arena) -> Duration {
        match &self.guest {
            Some(guest) => guest.server.cpu_time(),
            None => arena.spent().engine,
        }
    }
}
