//! What the sandbox says and hears, as JSON. Shared with the one who speaks to it, `payments::provider::sandbox`, so that neither can be
//! changed without the other.

use std::fmt;

use chrono::{DateTime, Utc};
use doorbuster_core::money::Money;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `POST /v1/charges`, under an Idempotency-Key that is a UUID.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChargeRequest {
    pub(crate) order: String,
    pub(crate) amount: Money,
    pub(crate) method: String,
    /// What stands for the card.
    pub(crate) token: String,
}

impl fmt::Debug for ChargeRequest {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChargeRequest({} {:?})", self.order, self.amount)
    }
}

/// How far a charge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Not decided yet.
    Pending,
    Captured,
    Declined,
    /// Nothing was captured under its key, and nothing ever will be.
    Voided,
}

/// A charge, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChargeView {
    pub(crate) id: String,
    pub(crate) key: Uuid,
    /// Empty where it was voided before anybody asked for it.
    pub(crate) order: String,
    pub(crate) status: Status,
    /// What was captured; null where nothing was.
    pub(crate) captured: Option<Money>,
    /// Why it was declined.
    pub(crate) reason: Option<String>,
    /// Of the last change of its status.
    pub(crate) at: DateTime<Utc>,
    pub(crate) refunds: Vec<RefundView>,
}

/// `POST /v1/refunds`, under an Idempotency-Key that is a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundRequest {
    /// The charge's id.
    pub(crate) charge: String,
    pub(crate) amount: Money,
}

/// Money that went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundView {
    pub(crate) id: String,
    pub(crate) key: Uuid,
    pub(crate) charge: String,
    pub(crate) amount: Money,
    pub(crate) at: DateTime<Utc>,
}

/// `GET /v1/charges?after=&limit=`: in the order in which their keys were first heard.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChargesPage {
    pub(crate) charges: Vec<ChargeView>,
    /// `after` of the next page; null where this is the last.
    pub(crate) next_cursor: Option<u64>,
}

/// Why something was refused.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) detail: String,
}

/// The body of a webhook. It says that something happened, never what to believe: whoever hears it asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// The same each time it is told.
    pub(crate) id: String,
    /// `charge.captured`, `charge.declined`, `charge.voided` or `charge.refunded`
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The charge's Idempotency-Key.
    pub(crate) key: Uuid,
    pub(crate) charge: String,
    pub(crate) at: DateTime<Utc>,
}
