//! What the comparison of money found, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What was captured and given back does not fit the order's state.
    StateMoney,
    /// The order's amounts are not those of its events.
    EventsSum,
    /// Its lines do not come to its amounts.
    LinesSum,
    /// Its attempt to charge says otherwise than it.
    Attempt,
    /// Its refunds do not come to what was given back.
    RefundsSum,
    /// A balance of points is not the sum of its entries.
    PointsSum,
    /// What the ledger owes in points is not what buyers have.
    PointsLedger,
    /// Points that the order spent have no entry, or of another amount.
    PointsSpent,
    /// Its coupon is used and it is not paid, or the other way round.
    CouponUse,
    /// Its units are sold and it is not paid, or the other way round.
    Units,
    /// Units that are sold, and no order has paid for.
    SoldWithoutOrder,
    /// Nobody would look at it again, or it has been under way for too long.
    Stuck,
    /// The provider has money of which the books know nothing.
    ProviderUnknown,
    /// The provider captured another amount than the books have, or none.
    ProviderCaptured,
    /// The provider gave back another amount than the books have.
    ProviderRefunded,
    /// The books have a capture that the provider does not know.
    ProviderMissing,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::StateMoney => "state_money",
            Self::EventsSum => "events_sum",
            Self::LinesSum => "lines_sum",
            Self::Attempt => "attempt",
            Self::RefundsSum => "refunds_sum",
            Self::PointsSum => "points_sum",
            Self::PointsLedger => "points_ledger",
            Self::PointsSpent => "points_spent",
            Self::CouponUse => "coupon_use",
            Self::Units => "units",
            Self::SoldWithoutOrder => "sold_without_order",
            Self::Stuck => "stuck",
            Self::ProviderUnknown => "provider_unknown",
            Self::ProviderCaptured => "provider_captured",
            Self::ProviderRefunded => "provider_refunded",
            Self::ProviderMissing => "provider_missing",
        }
    }
}

/// One difference, with what each side says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    pub kind: Kind,
    /// `GET /admin/v1/orders/{id}` shows it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Uuid>,
    /// A user, or a reservation, where it is of no order
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Who says what
    pub says: BTreeMap<String, String>,
}

impl Difference {
    pub(super) fn new(kind: Kind, order: Option<Uuid>) -> Self {
        Self {
            kind,
            order,
            of: None,
            says: BTreeMap::new(),
        }
    }

    pub(super) fn says(mut self, who: &str, what: impl fmt::Display) -> Self {
        self.says.insert(who.to_owned(), what.to_string());
        self
    }
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decided {
    pub order: Uuid,
    #[schema(example = "fay")]
    pub by: String,
    #[schema(format = DateTime)]
    pub at: String,
    /// In his words
    #[schema(example = "given back at the provider in USD")]
    pub reason: String,
}

/// Whether the provider's list was gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// There is no provider
    Off,
    /// To its end
    Whole,
    /// It did not answer, or not to its end
    Unanswered,
}

/// Orders and money.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MoneyReport {
    #[schema(example = 1000)]
    pub orders: i64,
    /// Orders that wait for a person: no differences
    #[schema(example = 0)]
    pub parked: i64,
    /// Charges in the provider's list
    #[schema(example = 1000)]
    pub charges: u64,
    pub provider: Asked,
    /// Stuck orders that were made due
    #[schema(example = 0)]
    pub repaired: u64,
    /// Entries of points that were not in the ledger, and are now
    #[serde(default)]
    #[schema(example = 0)]
    pub posted: u64,
    /// Orders that a person settled at the provider by hand: no differences; at most a thousand
    #[serde(default)]
    pub decided: Vec<Decided>,
    /// At most a thousand of each kind
    pub differences: Vec<Difference>,
}

impl fmt::Display for MoneyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "money: {} orders, {} parked", self.orders, self.parked)?;
        match self.provider {
            Asked::Off => write!(f, ", no payment provider")?,
            Asked::Whole => write!(f, ", {} charges at the provider", self.charges)?,
            Asked::Unanswered => write!(f, ", the payment provider did not say all that it has")?,
        }
        if self.repaired > 0 {
            write!(f, ", {} stuck orders made due", self.repaired)?;
        }
        if self.posted > 0 {
            write!(f, ", {} entries of points posted", self.posted)?;
        }
        for Decided {
            order,
            by,
            at,
            reason,
        } in &self.decided
        {
            write!(
                f,
                "\n  settled by hand, no difference: order {order} by {by} at {at}: {reason}"
            )?;
        }
        self.differences
            .iter()
            .try_for_each(|difference| write!(f, "\n  {difference}"))
    }
}

impl fmt::Display for Difference {
    /// e.g. `refunds_sum order 0b2c…: order says 100, refunds says 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        if let Some(order) = &self.order {
            write!(f, " order {order}")?;
        }
        if let Some(of) = &self.of {
            write!(f, " {of}")?;
        }
        for (i, (who, what)) in self.says.iter().enumerate() {
            write!(f, "{} {who} says {what}", if i == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_word_for_people_and_programs() {
        for kind in [Kind::StateMoney, Kind::SoldWithoutOrder, Kind::Stuck] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }

    #[test]
    fn a_difference_says_whose_it_is_and_who_says_what() {
        let order = Uuid::nil();
        let difference = Difference::new(Kind::RefundsSum, Some(order));
        let difference = difference.says("refunds", 0).says("order", 100);
        assert_eq!(
            difference.to_string(),
            format!("refunds_sum order {order}: order says 100, refunds says 0")
        );
    }
}
