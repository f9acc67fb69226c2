//! An order as its saga has it. Pure. Called by all of `orders`.

use chrono::{DateTime, Utc};
use doorbuster_core::ids::{LiveId, ReservationId, SaleId, UserId};
use doorbuster_core::money::{Currency, Money};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::secret::Secret;
use crate::derived;

/// Where an order is on its way. The words are those of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Written down; its hold does not know yet that it is paid for
    Placed,
    /// Points and coupon are set aside, and the provider is, or was, asked
    Charging,
    /// The provider has the money; the units are not sold yet
    Captured,
    /// Units and money are where they belong
    Paid,
    /// It failed: what was taken is being given back
    Undoing,
    /// It came to nothing, and nobody's money is kept
    Cancelled,
    /// Everything that was paid has gone back
    Refunded,
    /// Waits for a person
    Parked,
}

impl State {
    pub(crate) const ALL: [Self; 8] = [
        Self::Placed,
        Self::Charging,
        Self::Captured,
        Self::Paid,
        Self::Undoing,
        Self::Cancelled,
        Self::Refunded,
        Self::Parked,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Charging => "charging",
            Self::Captured => "captured",
            Self::Paid => "paid",
            Self::Undoing => "undoing",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
            Self::Parked => "parked",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// Why an order is not, or no longer, to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    PaymentFailed,
    HoldEnded,
    CancelledByBuyer,
    /// Paid for when the hold had ended and the units were others'.
    Late,
    /// The coupon was used elsewhere, or expired, since the quote.
    CouponUsed,
    /// The points were spent elsewhere since the quote.
    PointsSpent,
    /// What the provider captured is not what it was asked for.
    AmountDiffers,
    /// Redis, books and provider contradict each other.
    Contradiction,
    /// The provider does not give the money back.
    RefundRefused,
    /// By staff.
    ByStaff,
    /// A person gave the money back at the provider.
    SettledByHand,
}

impl Why {
    pub(crate) const ALL: [Self; 11] = [
        Self::PaymentFailed,
        Self::HoldEnded,
        Self::CancelledByBuyer,
        Self::Late,
        Self::CouponUsed,
        Self::PointsSpent,
        Self::AmountDiffers,
        Self::Contradiction,
        Self::RefundRefused,
        Self::ByStaff,
        Self::SettledByHand,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::PaymentFailed => "payment_failed",
            Self::HoldEnded => "hold_ended",
            Self::CancelledByBuyer => "cancelled_by_buyer",
            Self::Late => "late",
            Self::CouponUsed => "coupon_used",
            Self::PointsSpent => "points_spent",
            Self::AmountDiffers => "amount_differs",
            Self::Contradiction => "contradiction",
            Self::RefundRefused => "refund_refused",
            Self::ByStaff => "by_staff",
            Self::SettledByHand => "settled_by_hand",
        }
    }
}

/// What becomes of money that arrives after the hold has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Late {
    /// It takes units again where there are any, and goes back where not
    #[default]
    Reacquire,
    /// It goes back
    Refund,
    /// A person decides
    Park,
}

impl Late {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Reacquire => "reacquire",
            Self::Refund => "refund",
            Self::Park => "park",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::Reacquire, Self::Refund, Self::Park]
            .into_iter()
            .find(|late| late.word() == word)
    }
}

/// An order, as far as its saga cares.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: Uuid,
    pub(crate) user: UserId,
    pub(crate) sale: SaleId,
    pub(crate) reservation: ReservationId,
    pub(crate) state: State,
    pub(crate) reason: Option<String>,
    pub(crate) currency: Currency,
    pub(crate) total: i64,
    pub(crate) points: i64,
    pub(crate) coupon: i64,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    pub(crate) points_returned: i64,
    pub(crate) coupon_id: Option<String>,
    pub(crate) claim: Option<Uuid>,
    pub(crate) late: Late,
    pub(crate) method: String,
    /// Gone as soon as nothing is charged any more.
    pub(crate) token: Option<Secret>,
    pub(crate) pay_until: Option<DateTime<Utc>>,
    pub(crate) cancel_asked: bool,
    /// The last number of its events.
    pub(crate) events: u32,
    /// Of whoever has it now.
    pub(crate) version: u32,
    pub(crate) tries: u32,
}

impl Order {
    pub(crate) fn live(&self) -> LiveId {
        LiveId::Sale(self.sale.clone())
    }

    pub(crate) fn money(&self, amount: i64) -> Money {
        Money {
            amount,
            currency: self.currency,
        }
    }

    /// The one attempt to charge it.
    pub(crate) fn attempt(&self) -> Uuid {
        derived::uuid("attempt", &[self.id.as_bytes()])
    }

    /// The refund that gives back all there is, by its saga or for a person. After every event it is another one, so that one which the
    /// provider refused does not keep the next from being tried; whoever asks twice in between asks for the same.
    pub(crate) fn whole_refund(&self) -> Uuid {
        let events = self.events.to_be_bytes();
        derived::uuid("refund", &[self.id.as_bytes(), b"whole", &events])
    }
}

/// What happened to an order. `amount` is of what moves money or points.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    /// What brought it about: nothing is told twice for one cause.
    pub(crate) cause: String,
    pub(crate) amount: Option<i64>,
    pub(crate) data: Option<serde_json::Value>,
}

impl Event {
    /// One that happens to an order once.
    pub(crate) fn once(kind: &'static str) -> Self {
        Self {
            kind,
            cause: kind.to_owned(),
            amount: None,
            data: None,
        }
    }

    /// One that may happen again, once for each time that the order was taken.
    pub(crate) fn at(kind: &'static str, order: &Order) -> Self {
        Self {
            cause: format!("{kind}:{}", order.version),
            ..Self::once(kind)
        }
    }

    pub(crate) fn of(kind: &'static str, cause: Uuid) -> Self {
        Self {
            cause: format!("{kind}:{cause}"),
            ..Self::once(kind)
        }
    }

    pub(crate) fn amount(mut self, amount: i64) -> Self {
        self.amount = Some(amount);
        self
    }

    pub(crate) fn data(mut self, data: serde_json::Value) -> Self {
        self.data = Some(data);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_policies_have_one_word_in_books_and_answers() {
        for state in State::ALL {
            assert_eq!(State::of_word(state.word()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
        for late in [Late::Reacquire, Late::Refund, Late::Park] {
            assert_eq!(Late::of_word(late.word()), Some(late));
            assert_eq!(serde_json::to_value(late).unwrap(), late.word());
        }
        assert_eq!(State::of_word("lost"), None);
    }
}
