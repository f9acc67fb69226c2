//! What is asked of a provider, and what may come of it. Callers match on these, whoever the provider is.
//!
//! `Unknown` is neither yes nor no: it left us, or may have, and nobody told us what it did. Whoever gets it asks with [`Found`], or voids.

use std::fmt;

use chrono::{DateTime, Utc};
use doorbuster_core::money::Money;
use tokio::time::Instant;
use uuid::Uuid;

pub use crate::accounts::secret::Secret;

/// One attempt to charge an order: the provider's Idempotency-Key. The same attempt is charged at most once, however often it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(Uuid);

/// One refund, likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefundId(Uuid);

macro_rules! id {
    ($name:ident) => {
        impl $name {
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}
id!(AttemptId);
id!(RefundId);

/// What is to be charged.
#[derive(Debug, Clone)]
pub struct Charge {
    pub attempt: AttemptId,
    /// The order's id, for those who read the provider's statements.
    pub order: String,
    pub amount: Money,
    pub method: String,
    /// What stands for the card.
    pub token: Secret,
    /// All tries together end by then.
    pub deadline: Instant,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charged {
    /// `amount` is what the provider says; whoever asked compares it with what he asked for.
    Captured {
        provider_ref: String,
        amount: Money,
        at: DateTime<Utc>,
    },
    Declined {
        provider_ref: Option<String>,
        reason: String,
    },
    /// Nothing left us: there is no connection, or the breaker is open.
    NotSent,
    /// Ask, never assume.
    Unknown,
}

/// What the provider knows of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Captured {
        provider_ref: String,
        amount: Money,
        at: DateTime<Utc>,
    },
    Declined {
        provider_ref: Option<String>,
        reason: String,
    },
    /// Not decided yet.
    Pending,
    Voided,
    /// It may still be on its way: void it before it is called off.
    NeverHeard,
    /// The provider could not be asked.
    Unknown,
}

/// What came of calling an attempt off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voided {
    /// Nothing was captured, and a charge under this key is refused for ever.
    Voided,
    /// Too late: refund it.
    Captured {
        provider_ref: String,
        amount: Money,
        at: DateTime<Utc>,
    },
    Unknown,
    NotSent,
}

/// What is to go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub refund: RefundId,
    /// Of what was captured.
    pub provider_ref: String,
    pub amount: Money,
}

/// What came of it; the same refund goes back once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunded {
    Refunded { at: DateTime<Utc> },
    Refused { reason: String },
    Unknown,
    NotSent,
}

/// One page of what the provider has, for those who reconcile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub charges: Vec<ListedCharge>,
    /// Of the next page; none where this is the last.
    pub next: Option<u64>,
}

/// One charge of the provider's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCharge {
    pub attempt: AttemptId,
    pub provider_ref: String,
    pub order: String,
    /// None where nothing was captured.
    pub captured: Option<Money>,
    /// The sum of what went back, in the currency that was captured.
    pub refunded: i64,
}

/// The outcomes' words in metrics.
macro_rules! words {
    ($($name:ident { $($outcome:ident $word:literal),+ })+) => {
        $(impl $name {
            pub fn word(&self) -> &'static str {
                match self {
                    $(Self::$outcome { .. } => $word),+
                }
            }
        })+
    };
}
words! {
    Charged { Captured "captured", Declined "declined", NotSent "not_sent", Unknown "unknown" }
    Found { Captured "captured", Declined "declined", Pending "pending", Voided "voided", NeverHeard "never_heard", Unknown "unknown" }
    Voided { Voided "voided", Captured "captured", Unknown "unknown", NotSent "not_sent" }
    Refunded { Refunded "refunded", Refused "refused", Unknown "unknown", NotSent "not_sent" }
}
