//! The way from a hold to money: buyers who have a hold place an order for it, and wait until that has come to an end.
//!
//! [`buyer`] is one of them; [`figures`] is what came of all. What really happened to every won is judged by `audit::money`.

pub mod buyer;
pub mod figures;

use doorbuster_core::ids::{IdempotencyKey, LiveId};
use serde::{Deserialize, Serialize};

use crate::client::endpoint::Endpoint;
use crate::client::pool::Pool;
use crate::limits::CHECKOUT_CONNECTIONS;

/// What a buyer did about money, and was told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Purchase {
    /// Its Idempotency-Key.
    pub key: String,
    /// The order's id, once it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The state that was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Why the order was refused, or is not paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Another id that it was told under the same key: there must be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_order: Option<String>,
    /// Whether its buyer then asked to cancel it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// In µs since the start of the run: when it was first sent, and when its end was told.
    pub began_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_us: Option<u64>,
    /// Requests sent for it.
    pub sent: u32,
}

/// Where buyers pay.
#[derive(Debug)]
pub struct Till {
    /// One per back-office.
    pools: Vec<Pool>,
    hosts: Vec<String>,
    sale: String,
}

impl Purchase {
    /// Whether its end was told: nothing is going to happen by itself any more.
    pub fn has_ended(&self) -> bool {
        match self.state.as_deref() {
            // Whoever wants it cancelled waits for that.
            Some("paid") => !self.cancelled,
            Some("cancelled" | "refunded" | "parked") => true,
            _ => false,
        }
    }
}

impl Till {
    /// At these back-offices, for holds of `live`.
    pub fn new(backoffices: &[Endpoint], live: &LiveId) -> Self {
        let each = CHECKOUT_CONNECTIONS / backoffices.len().max(1);
        Self {
            pools: backoffices
                .iter()
                .map(|endpoint| Pool::new(endpoint.clone(), each.max(1)))
                .collect(),
            hosts: backoffices
                .iter()
                .map(|endpoint| endpoint.host.clone())
                .collect(),
            sale: live.name().to_owned(),
        }
    }

    /// The key under which the holder of a hold orders. Keys of holds are each sale's own, those of orders the shop's.
    fn key(&self, hold: &IdempotencyKey) -> String {
        format!("order-{}-{}", self.sale, hold.as_str())
    }
}
