//! The posting rules, in one table: which legs each event of an order has in the ledger. Pure.
//!
//! Debits are positive, credits negative, and the legs of an event sum to 0 whatever it says: each rule's do, term by term. An event that moves
//! money and has no rule for where its order stands contradicts the books; it is refused, never guessed at.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An account of the ledger. Seller payable has one for each seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Account {
    /// What the payment provider has of ours.
    ProviderClearing,
    /// What buyers have given us for what is not sold yet, or owe us.
    BuyerReceivable,
    /// What is on its way back to buyers, and what it is for.
    Refunds,
    /// What we owe a seller.
    SellerPayable,
    /// What shipping brings in.
    Shipping,
    /// Points that buyers have.
    PointsLiability,
    /// Points that we gave.
    PointsCost,
    /// Coupons that were used.
    CouponCost,
    /// What we keep of sales.
    Fee,
    /// What was paid out.
    Bank,
}

impl Account {
    /// The word in the books.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::ProviderClearing => "provider_clearing",
            Self::BuyerReceivable => "buyer_receivable",
            Self::Refunds => "refunds",
            Self::SellerPayable => "seller_payable",
            Self::Shipping => "shipping",
            Self::PointsLiability => "points_liability",
            Self::PointsCost => "points_cost",
            Self::CouponCost => "coupon_cost",
            Self::Fee => "fee",
            Self::Bank => "bank",
        }
    }
}

/// Where the order stands when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before it was paid, or without that ever.
    Unpaid,
    Paid,
    Ever,
}

/// An amount that an event, or its order, names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The event's own.
    Event,
    /// All lines at their prices, each to its seller.
    Lines,
    /// The order's shipping.
    Shipping,
    /// Of lines that come back, each of its seller, what the buyer gets in money and points.
    BackToBuyer,
    /// Of them, what a coupon had paid.
    BackCoupon,
    /// Shipping that is given back.
    BackShipping,
}

/// One amount, from one account to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    pub(crate) of: Of,
    pub(crate) debit: Account,
    pub(crate) credit: Account,
}

/// What an event comes to.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) kind: &'static str,
    pub(crate) when: When,
    pub(crate) terms: &'static [Term],
}

const fn term(of: Of, debit: Account, credit: Account) -> Term {
    Term { of, debit, credit }
}

use Account::{
    BuyerReceivable, CouponCost, PointsCost, PointsLiability, ProviderClearing, Refunds,
    SellerPayable, Shipping,
};
use When::{Ever, Paid, Unpaid};

/// Every term moves one amount from one account to another, so every event sums to 0.
pub(crate) const RULES: [Rule; 16] = [
    rule(
        "charged",
        Ever,
        &[term(Of::Event, ProviderClearing, BuyerReceivable)],
    ),
    rule(
        "points_spent",
        Ever,
        &[term(Of::Event, PointsLiability, BuyerReceivable)],
    ),
    rule(
        "coupon_used",
        Ever,
        &[term(Of::Event, CouponCost, BuyerReceivable)],
    ),
    // What was captured, spent and used comes to lines and shipping: nothing of the order is open then.
    rule(
        "paid",
        Ever,
        &[
            term(Of::Lines, BuyerReceivable, SellerPayable),
            term(Of::Shipping, BuyerReceivable, Shipping),
        ],
    ),
    rule(
        "points_earned",
        Ever,
        &[term(Of::Event, PointsCost, PointsLiability)],
    ),
    // Of what earned them, some has gone back.
    rule(
        "points_taken_back",
        Paid,
        &[term(Of::Event, PointsLiability, PointsCost)],
    ),
    // Before it was paid everything goes the way it came.
    rule(
        "refunded",
        Unpaid,
        &[term(Of::Event, BuyerReceivable, ProviderClearing)],
    ),
    rule(
        "points_returned",
        Unpaid,
        &[term(Of::Event, BuyerReceivable, PointsLiability)],
    ),
    rule(
        "coupon_returned",
        Unpaid,
        &[term(Of::Event, BuyerReceivable, CouponCost)],
    ),
    // Afterwards what goes back is held against what comes back, whichever is first.
    rule(
        "refunded",
        Paid,
        &[
            term(Of::Event, Refunds, ProviderClearing),
            term(Of::BackShipping, Shipping, Refunds),
        ],
    ),
    rule(
        "points_returned",
        Paid,
        &[term(Of::Event, Refunds, PointsLiability)],
    ),
    rule(
        "returned",
        Paid,
        &[
            term(Of::BackToBuyer, SellerPayable, Refunds),
            term(Of::BackCoupon, SellerPayable, CouponCost),
        ],
    ),
    // What the coupon had paid has come back with the lines; the buyer has his claim again.
    rule("coupon_returned", Paid, &[]),
    rule("cancelled", Ever, &[]),
    // Of an account of points: less than 0 where they are taken, and where they are lost.
    rule(
        POINTS_ADJUSTED,
        Ever,
        &[term(Of::Event, PointsCost, PointsLiability)],
    ),
    rule(
        POINTS_EXPIRED,
        Ever,
        &[term(Of::Event, PointsCost, PointsLiability)],
    ),
];

/// Given or taken by staff.
pub(crate) const POINTS_ADJUSTED: &str = "points_adjusted";
pub(crate) const POINTS_EXPIRED: &str = "points_expired";

const fn rule(kind: &'static str, when: When, terms: &'static [Term]) -> Rule {
    Rule { kind, when, terms }
}

/// A line of an order.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) seller: String,
    pub(crate) quantity: i64,
    pub(crate) unit_amount: i64,
}

/// What an event says came back.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    pub(crate) shipping: i64,
    #[serde(default)]
    pub(crate) lines: Vec<BackLine>,
}

/// Some units of a line, and what of its money and points is theirs.
#[derive(Debug, Deserialize)]
pub(crate) struct BackLine {
    pub(crate) sku: String,
    pub(crate) quantity: i64,
    pub(crate) amount: i64,
    pub(crate) points: i64,
}

/// An event with what it may name.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) kind: &'a str,
    /// Whether the order was paid before.
    pub(crate) is_paid: bool,
    pub(crate) amount: i64,
    pub(crate) shipping: i64,
    pub(crate) lines: &'a [Line],
    pub(crate) back: &'a Back,
}

/// One leg: account, seller (empty but for payables), amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) account: Account,
    pub(crate) seller: String,
    pub(crate) amount: i64,
}

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Contradiction {
    #[error("{0} is not expected of an order that is {1}")]
    NotNow(String, &'static str),
    #[error("{0} has an amount and no rule")]
    NoRule(String),
    #[error("{0} came back, which the order does not have so many of")]
    NotBought(String),
    #[error("an amount is out of range")]
    Range,
}

/// Whether an event has no legs wherever its order stands, so that it is posted as it is written down.
pub(crate) fn is_nothing(kind: &str, amount: Option<i64>) -> bool {
    amount.unwrap_or(0) == 0 && RULES.iter().all(|rule| rule.kind != kind)
}

/// The legs of an event, sorted and without those of 0; none where it moves no money.
///
/// # Errors
/// [`Contradiction`].
pub(crate) fn legs(facts: &Facts<'_>) -> Result<Vec<Leg>, Contradiction> {
    let now = if facts.is_paid { Paid } else { Unpaid };
    let mut known = RULES
        .iter()
        .filter(|rule| rule.kind == facts.kind)
        .peekable();
    if known.peek().is_none() {
        // One that moves something would be missing in the ledger for ever if it were passed over.
        return match facts.amount {
            0 => Ok(Vec::new()),
            _ => Err(Contradiction::NoRule(facts.kind.to_owned())),
        };
    }
    let Some(rule) = known.find(|rule| [Ever, now].contains(&rule.when)) else {
        let stands = if facts.is_paid { "paid" } else { "not paid" };
        return Err(Contradiction::NotNow(facts.kind.to_owned(), stands));
    };
    let mut sums: BTreeMap<(Account, String), i64> = BTreeMap::new();
    for Term { of, debit, credit } in rule.terms {
        for (seller, amount) in amounts(*of, facts)? {
            for (account, amount) in [(*debit, amount), (*credit, -amount)] {
                let whose = match account {
                    SellerPayable => seller.clone(),
                    _ => String::new(),
                };
                let sum = sums.entry((account, whose)).or_default();
                *sum = sum.checked_add(amount).ok_or(Contradiction::Range)?;
            }
        }
    }
    let legs = sums.into_iter().filter(|(_, amount)| *amount != 0);
    Ok(legs
        .map(|((account, seller), amount)| Leg {
            account,
            seller,
            amount,
        })
        .collect())
}

/// The amount, by seller where it is of lines.
fn amounts(of: Of, facts: &Facts<'_>) -> Result<Vec<(String, i64)>, Contradiction> {
    let nobody = |amount: i64| Ok(vec![(String::new(), amount)]);
    match of {
        Of::Event => nobody(facts.amount),
        Of::Shipping => nobody(facts.shipping),
        Of::BackShipping => nobody(facts.back.shipping),
        Of::Lines => facts
            .lines
            .iter()
            .map(|line| Ok((line.seller.clone(), gross(line, line.quantity)?)))
            .collect(),
        Of::BackToBuyer | Of::BackCoupon => facts
            .back
            .lines
            .iter()
            .map(|back| {
                let bought = facts.lines.iter().find(|line| line.sku == back.sku);
                let line = bought
                    .filter(|line| (1..=line.quantity).contains(&back.quantity))
                    .ok_or_else(|| Contradiction::NotBought(back.sku.clone()))?;
                let gross = gross(line, back.quantity)?;
                let to_buyer = back
                    .amount
                    .checked_add(back.points)
                    .ok_or(Contradiction::Range)?;
                let rest = gross.checked_sub(to_buyer).ok_or(Contradiction::Range)?;
                let amount = if of == Of::BackToBuyer {
                    to_buyer
                } else {
                    rest
                };
                Ok((line.seller.clone(), amount))
            })
            .collect(),
    }
}

fn gross(line: &Line, quantity: i64) -> Result<i64, Contradiction> {
    line.unit_amount
        .checked_mul(quantity)
        .ok_or(Contradiction::Range)
}

#[cfg(test)]
mod tests;
