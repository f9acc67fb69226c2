//! Each rule, and that it sums to 0.

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
fn what_buyers_have_is_what_is_owed_whoever_gives_it_and_however_it_goes() {
    let events = [
        of(POINTS_ADJUSTED, 1_000),
        of(POINTS_ADJUSTED, -300),
        of(POINTS_EXPIRED, -150),
    ];
    let expected = [("points_cost", 550), ("points_liability", -550)];
    assert_eq!(after(&events), expected.into());
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

#[test]
fn what_is_nothing_has_no_legs_however_its_order_stands() {
    let kinds = RULES.iter().map(|rule| rule.kind);
    for kind in kinds.chain(["placed", "charging", "parked"]) {
        assert_eq!(
            is_nothing(kind, None),
            RULES.iter().all(|rule| rule.kind != kind),
            "{kind}"
        );
        assert!(!is_nothing(kind, Some(1)), "{kind}");
    }
    let lines = [line("a", "x", 1, 1_000)];
    let back = Back::default();
    for is_paid in [false, true] {
        let facts = Facts {
            is_paid,
            ..facts("placed", 0, &lines, &back)
        };
        assert_eq!(legs(&facts), Ok(Vec::new()));
    }
}
