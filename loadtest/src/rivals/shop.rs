//! What all that sell from MySQL one order at a time have in common: what is done before and after the transaction which
//! makes each what it is. Called by `front`; calls the [`Taking`]s.
//!
//! While there is stock, an order goes straight to its transaction. Once one was turned away, others first look without a
//! lock, so that a crowd that comes too late does not queue at a lock to be told so. Whoever raced and lost tries again.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;
use sqlx::mysql::MySqlConnection;

use super::books::{self, Fault};
use super::pool::Pool;
use super::tables::{self, Shelf};
use super::way::{Bought, Order, Placed, State, Trouble, Way};
use crate::limits::{RIVAL_PAUSE_MAX, RIVAL_PAUSE_MIN, RIVAL_TRIES_MAX};

/// How one transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Committed, under this order number.
    Units { number: u64 },
    /// Rolled back: too little left for it to take.
    Nothing,
    /// Rolled back: someone else was quicker.
    Raced,
}

/// One way of taking units and placing the order for them, in one transaction.
pub(crate) trait Taking: Send + Sync {
    const SHELF: Shelf;

    /// Ends its transaction, unless it fails.
    ///
    /// # Errors
    /// Of any statement; [`books::fault`] says whether to try again.
    fn take(
        &self,
        connection: &mut MySqlConnection,
        order: &Order,
    ) -> impl Future<Output = Result<Taken, sqlx::Error>> + Send;
}

/// A [`Taking`] at work.
pub(crate) struct Shop<T> {
    taking: T,
    pool: Pool,
    /// Whether the last look or transaction found nothing left.
    looks_sold_out: AtomicBool,
}

impl<T: Taking> Shop<T> {
    pub(crate) fn new(taking: T, pool: Pool) -> Self {
        let looks_sold_out = AtomicBool::new(false);
        Self {
            taking,
            pool,
            looks_sold_out,
        }
    }

    async fn take(&self, order: &Order) -> Result<Taken, Trouble> {
        let take =
            async |connection: &mut MySqlConnection| self.taking.take(connection, order).await;
        let taken = self.pool.run(take).await;
        taken.or_else(|error| match books::fault(&error) {
            // A look tells: that of the order's twin, or of one that was rolled back since.
            Fault::Duplicate => Ok(Taken::Nothing),
            Fault::Raced => Ok(Taken::Raced),
            Fault::Other => Err(error.into()),
        })
    }

    /// What can be said without a lock; `None` where it is worth a try.
    async fn look(&self, order: &Order) -> Result<Option<Bought>, Trouble> {
        let look =
            async |connection: &mut MySqlConnection| books::look(connection, T::SHELF, order).await;
        let seen = self.pool.run(look).await?;
        let is_enough = seen.left >= order.units();
        self.looks_sold_out.store(!is_enough, Ordering::Relaxed);
        let before = seen.standing.map(|standing| standing.answer(order));
        Ok(before.or((!is_enough).then_some(Bought::SoldOut)))
    }
}

impl<T: Taking> Way for Shop<T> {
    async fn buy(&self, order: &Order) -> Result<Bought, Trouble> {
        if self.looks_sold_out.load(Ordering::Relaxed)
            && let Some(bought) = self.look(order).await?
        {
            return Ok(bought);
        }
        for tries in 0..RIVAL_TRIES_MAX {
            match self.take(order).await? {
                Taken::Units { number } => {
                    let deadline_ms = order.deadline_ms;
                    return Ok(Bought::Now(Placed {
                        number,
                        deadline_ms,
                    }));
                }
                Taken::Nothing => {
                    if let Some(bought) = self.look(order).await? {
                        return Ok(bought);
                    }
                }
                Taken::Raced => {}
            }
            pause(tries).await;
        }
        Err(Trouble::Busy)
    }

    async fn reset(&self, stock: u32) -> Result<(), Trouble> {
        let reset = async |connection: &mut MySqlConnection| {
            tables::reset(connection, T::SHELF, stock).await
        };
        let done = self.pool.run(reset).await;
        self.looks_sold_out.store(false, Ordering::Relaxed);
        Ok(done?)
    }

    async fn state(&self) -> Result<State, Trouble> {
        let state =
            async |connection: &mut MySqlConnection| tables::state(connection, T::SHELF).await;
        Ok(self.pool.run(state).await?)
    }
}

/// Longer with every try, and of random length, so that those who met do not meet again.
pub(crate) async fn pause(tries: u32) {
    let longest = RIVAL_PAUSE_MAX.min(RIVAL_PAUSE_MIN * 2_u32.pow(tries.min(10)));
    let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    let random = rand::rng().random_range(0..=micros);
    tokio::time::sleep(Duration::from_micros(random)).await;
}
