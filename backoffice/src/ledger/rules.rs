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
pub(crate) const RULES: [Rule; 14] = [
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
];

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
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    fn line(sku: &str, seller: &str, quantity: i64, unit_amount: i64) -> Line {
        Line {
            sku: sku.to_owned(),
            seller: seller.to_owned(),
            quantity,
            unit_amount,
        }
    }

    fn facts<'a>(kind: &'a str, amount: i64, lines: &'a [Line], back: &'a Back) -> Facts<'a> {
        Facts {
            kind,
            is_paid: false,
            amount,
            shipping: 300,
            lines,
            back,
        }
    }

    #[test]
    fn every_rule_sums_to_zero_whatever_its_event_says() {
        let mut rng = StdRng::seed_from_u64(7);
        for rule in &RULES {
            for _ in 0..200 {
                let lines: Vec<Line> = ["a", "b", "c"]
                    .iter()
                    .map(|sku| {
                        let seller = ["x", "y"][rng.random_range(0..2)];
                        line(
                            sku,
                            seller,
                            rng.random_range(1..9),
                            rng.random_range(0..100_000),
                        )
                    })
                    .collect();
                let back = Back {
                    shipping: rng.random_range(0..300),
                    lines: lines
                        .iter()
                        .map(|line| BackLine {
                            sku: line.sku.clone(),
                            quantity: rng.random_range(1..=line.quantity),
                            amount: rng.random_range(0..1_000),
                            points: rng.random_range(0..1_000),
                        })
                        .collect(),
                };
                let facts = Facts {
                    is_paid: rule.when == Paid,
                    ..facts(rule.kind, rng.random_range(0..1_000_000), &lines, &back)
                };
                let legs = legs(&facts).unwrap();
                assert_eq!(
                    legs.iter().map(|leg| leg.amount).sum::<i64>(),
                    0,
                    "{rule:?}"
                );
                let payables = legs.iter().filter(|leg| leg.account == SellerPayable);
                assert!(payables.clone().all(|leg| !leg.seller.is_empty()));
            }
        }
    }

    /// Balances after some events of an order of 2 × 1,000 and 1 × 500 with 300 for shipping, 400 off by coupon and 200 by points.
    fn after(events: &[(&str, i64, Back)]) -> BTreeMap<&'static str, i64> {
        let lines = [line("tee", "x", 2, 1_000), line("cap", "y", 1, 500)];
        let (mut balances, mut is_paid) = (BTreeMap::new(), false);
        for (kind, amount, back) in events {
            let facts = Facts {
                is_paid,
                ..facts(kind, *amount, &lines, back)
            };
            for leg in legs(&facts).unwrap() {
                *balances.entry(leg.account.word()).or_default() += leg.amount;
            }
            is_paid |= *kind == "paid";
        }
        balances.retain(|_, balance| *balance != 0);
        balances
    }

    fn of(kind: &'static str, amount: i64) -> (&'static str, i64, Back) {
        (kind, amount, Back::default())
    }

    #[test]
    fn a_paid_order_owes_its_sellers_and_nothing_of_it_is_open() {
        let bought = || {
            vec![
                of("points_spent", 200),
                of("coupon_used", 400),
                of("charged", 2_200),
                of("paid", 2_200),
            ]
        };
        let sold = after(&bought());
        let expected = [
            ("coupon_cost", 400),
            ("points_liability", 200),
            ("provider_clearing", 2_200),
            ("seller_payable", -2_500),
            ("shipping", -300),
        ];
        assert_eq!(sold, expected.into());

        let back = |lines: &[(&str, i64, i64, i64)], shipping| Back {
            shipping,
            lines: lines
                .iter()
                .map(|(sku, quantity, amount, points)| BackLine {
                    sku: (*sku).to_owned(),
                    quantity: *quantity,
                    amount: *amount,
                    points: *points,
                })
                .collect(),
        };
        // All of it goes back, in two parts.
        let mut events = bought();
        events.extend([
            ("refunded", 760, back(&[("tee", 1, 760, 80)], 0)),
            ("returned", 0, back(&[("tee", 1, 760, 80)], 0)),
            of("points_returned", 80),
            (
                "refunded",
                1_440,
                back(&[("tee", 1, 760, 80), ("cap", 1, 380, 40)], 300),
            ),
            (
                "returned",
                0,
                back(&[("tee", 1, 760, 80), ("cap", 1, 380, 40)], 0),
            ),
            of("points_returned", 120),
            of("coupon_returned", 400),
            of("cancelled", 0),
        ]);
        assert_eq!(after(&events), BTreeMap::new());
    }

    #[test]
    fn an_order_that_was_never_paid_leaves_nothing() {
        let undone = [
            of("points_spent", 200),
            of("coupon_used", 400),
            of("charged", 2_200),
            of("refunded", 2_200),
            of("points_returned", 200),
            of("coupon_returned", 400),
            of("cancelled", 0),
        ];
        assert_eq!(after(&undone), BTreeMap::new());
    }

    #[test]
    fn what_contradicts_the_books_is_refused_and_what_moves_nothing_is_nothing() {
        let lines = [line("tee", "x", 2, 1_000)];
        let back = Back {
            shipping: 0,
            lines: vec![BackLine {
                sku: "tee".to_owned(),
                quantity: 3,
                amount: 1,
                points: 0,
            }],
        };
        let unpaid = facts("returned", 0, &lines, &back);
        assert!(matches!(legs(&unpaid), Err(Contradiction::NotNow(..))));
        let too_many = Facts {
            is_paid: true,
            ..facts("returned", 0, &lines, &back)
        };
        let refused = Contradiction::NotBought("tee".to_owned());
        assert_eq!(legs(&too_many), Err(refused));
        assert_eq!(legs(&facts("shipped", 0, &lines, &back)), Ok(vec![]));
        let refused = Contradiction::NoRule("tipped".to_owned());
        assert_eq!(legs(&facts("tipped", 1, &lines, &back)), Err(refused));
    }

    #[test]
    fn accounts_have_one_word_each() {
        let all = [
            ProviderClearing,
            BuyerReceivable,
            Refunds,
            SellerPayable,
            Shipping,
            PointsLiability,
            PointsCost,
            CouponCost,
            Account::Fee,
            Account::Bank,
        ];
        let words: std::collections::BTreeSet<&str> =
            all.iter().map(|account| account.word()).collect();
        assert_eq!(words.len(), all.len());
    }
}
