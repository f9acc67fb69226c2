//! What every way of selling is: it is asked for a unit, and says what became of that. Asked by `front`.
//!
//! A refusal is a value; [`Trouble`] is what a buyer repeats the same request after.

use std::future::Future;

use doorbuster_core::ids::{BodyHash, IdempotencyKey, LiveId, ReservationId, UserId};
use doorbuster_core::record::Line;
use serde::{Deserialize, Serialize};

/// Units that one buyer asks for under one key.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Derived from sale, user and key: a repeat has the same.
    pub(crate) id: ReservationId,
    pub(crate) sale: LiveId,
    pub(crate) user: UserId,
    pub(crate) key: IdempotencyKey,
    pub(crate) line: Line,
    pub(crate) body: BodyHash,
    /// End of the hold, if it is placed now.
    pub(crate) deadline_ms: u64,
}

impl Order {
    /// Its units as the signed number that stock is counted in.
    pub(crate) fn units(&self) -> i64 {
        i64::from(self.line.quantity)
    }
}

/// An order that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) number: u64,
    pub(crate) deadline_ms: u64,
}

/// An order that was found, with the body that it was placed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) placed: Placed,
    pub(crate) body: BodyHash,
}

impl Standing {
    /// What the sender of `order`, whose key this was placed under, is told.
    pub(crate) fn answer(&self, order: &Order) -> Bought {
        if self.body == order.body {
            Bought::Before(self.placed)
        } else {
            Bought::OtherBody
        }
    }
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bought {
    Now(Placed),
    /// By an earlier request with the same key.
    Before(Placed),
    /// The key was used for another request.
    OtherBody,
    SoldOut,
    LimitReached,
}

/// Why an order was not decided, or is not known to be.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nothing was decided: too many wait for the same thing, or race for it.
    #[error("too many at once")]
    Busy,
    #[error("the store: {0}")]
    Store(String),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Trouble::Busy,
            other => Trouble::Store(other.to_string()),
        }
    }
}

impl From<fred::error::Error> for Trouble {
    fn from(error: fred::error::Error) -> Self {
        Trouble::Store(error.to_string())
    }
}

/// What the stores that decide hold, so that a harness can count what was sold too often or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Units that the sale began with.
    pub(crate) stock: i64,
    pub(crate) left: i64,
    pub(crate) orders: i64,
    pub(crate) orders_by_distinct_key: i64,
    /// Units of all orders.
    pub(crate) units: i64,
    /// What the database was told of the stock, where another store decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) written_back: Option<i64>,
}

/// A way of selling the last unit once.
pub(crate) trait Way: Send + Sync {
    /// Places the order, unless it stands already or nothing is left. Repeating it is safe, also after [`Trouble`].
    ///
    /// # Errors
    /// [`Trouble`].
    fn buy(&self, order: &Order) -> impl Future<Output = Result<Bought, Trouble>> + Send;

    /// Forgets all orders and puts `stock` units up for sale. For a moment in which nobody buys.
    ///
    /// # Errors
    /// [`Trouble`].
    fn reset(&self, stock: u32) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// # Errors
    /// [`Trouble`].
    fn state(&self) -> impl Future<Output = Result<State, Trouble>> + Send;
}
