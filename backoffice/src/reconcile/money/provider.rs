//! Goes along the payment provider's list of charges and holds each against the books.
//!
//! Both move meanwhile. A charge is judged only where its order is at rest, which is looked up after the provider has said what it has: so
//! what the provider has and the books have not is missing. The other way round, the books may just have got ahead of what the
//! provider said; then it is asked once more.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use doorbuster_core::clock;
use sqlx::mysql::MySqlPool;
use uuid::Uuid;

use super::store::{self, Booked};
use super::view::{Asked, Difference, Kind};
use crate::limits::{MONEY_DIFFERENCES_MAX, MONEY_PAGES_MAX, RECONCILE_CHUNK};
use crate::payments::Payments;
use crate::payments::charge::{AttemptId, Found, ListedCharge};

/// What the list brought.
pub(super) struct Listed {
    pub(super) outcome: Asked,
    pub(super) charges: u64,
    pub(super) differences: Vec<Difference>,
}

pub(super) async fn list(books: &MySqlPool, payments: &Payments) -> Result<Listed> {
    let mut listed = Listed {
        outcome: Asked::Off,
        charges: 0,
        differences: Vec::new(),
    };
    if !payments.is_on() {
        return Ok(listed);
    }
    let began = clock::now();
    let (mut seen, mut after) = (HashSet::new(), None);
    listed.outcome = Asked::Unanswered;
    for _ in 0..MONEY_PAGES_MAX {
        let Some(page) = payments.list(after).await else {
            return Ok(listed);
        };
        let mut found = compare(books, &page.charges).await?;
        if found.iter().any(|difference| difference.is_books_ahead) {
            let Some(again) = payments.list(after).await else {
                return Ok(listed);
            };
            found = compare(books, &again.charges).await?;
        }
        listed
            .differences
            .extend(found.into_iter().map(|found| found.difference));
        listed.charges += page.charges.len() as u64;
        seen.extend(page.charges.iter().map(|charge| charge.attempt.uuid()));
        match page.next {
            Some(next) => after = Some(next),
            None => {
                listed.outcome = Asked::Whole;
                break;
            }
        }
    }
    if listed.outcome == Asked::Whole {
        missing(books, payments, began, &seen, &mut listed.differences).await?;
    }
    Ok(listed)
}

struct Differs {
    difference: Difference,
    is_books_ahead: bool,
}

async fn compare(books: &MySqlPool, charges: &[ListedCharge]) -> Result<Vec<Differs>> {
    let mut found = Vec::new();
    for chunk in charges.chunks(RECONCILE_CHUNK as usize) {
        let ids: Vec<Uuid> = chunk.iter().map(|charge| charge.attempt.uuid()).collect();
        let booked: HashMap<Uuid, Booked> = store::booked(books, &ids)
            .await?
            .into_iter()
            .map(|row| (row.attempt_id, row))
            .collect();
        found.extend(
            chunk
                .iter()
                .filter_map(|charge| judge(charge, booked.get(&charge.attempt.uuid()))),
        );
    }
    found.truncate(MONEY_DIFFERENCES_MAX as usize);
    Ok(found)
}

/// Pure: what is wrong with one charge, at most one thing.
fn judge(charge: &ListedCharge, booked: Option<&Booked>) -> Option<Differs> {
    let captured = charge.captured.map_or(0, |money| money.amount);
    let provider = match &charge.captured {
        Some(money) => format!(
            "captured {} {}, gave back {}",
            money.amount, money.currency, charge.refunded
        ),
        None => "nothing captured".to_owned(),
    };
    let Some(booked) = booked else {
        let difference = Difference::new(Kind::ProviderUnknown, None)
            .says("provider", provider)
            .says(
                "books",
                format!("no attempt {}", charge.attempt.uuid().hyphenated()),
            );
        return (captured > 0).then_some(Differs {
            difference,
            is_books_ahead: false,
        });
    };
    if !booked.is_at_rest {
        return None;
    }
    // What a person gave back in another currency is no money of the order's; that he has, the provider has to say.
    let is_by_hand = booked.is_settled_by_hand && booked.captured_amount == 0;
    if is_by_hand && charge.refunded >= captured {
        return None;
    }
    let is_same_currency = charge
        .captured
        .is_none_or(|money| money.currency.to_string() == booked.currency);
    let kind = if is_by_hand {
        Kind::ProviderRefunded
    } else if captured != booked.captured_amount || !is_same_currency {
        Kind::ProviderCaptured
    } else if charge.refunded != booked.refunded_amount {
        Kind::ProviderRefunded
    } else {
        return None;
    };
    let books = format!(
        "{}, captured {} {}, given back {}",
        booked.state, booked.captured_amount, booked.currency, booked.refunded_amount
    );
    Some(Differs {
        is_books_ahead: captured < booked.captured_amount
            || charge.refunded < booked.refunded_amount,
        difference: Difference::new(kind, Some(booked.order_id))
            .says("provider", provider)
            .says("books", books),
    })
}

/// Captures in the books that were there before the list began, and are not in it: asked for one by one.
async fn missing(
    books: &MySqlPool,
    payments: &Payments,
    began: chrono::DateTime<chrono::Utc>,
    seen: &HashSet<Uuid>,
    differences: &mut Vec<Difference>,
) -> Result<()> {
    let mut after = Uuid::nil();
    loop {
        let rows = store::captured_before(books, began, after, RECONCILE_CHUNK).await?;
        for row in rows.iter().filter(|row| !seen.contains(&row.attempt_id)) {
            let found = payments.find(AttemptId::new(row.attempt_id)).await;
            let is_there = matches!(found, Found::Captured { .. } | Found::Unknown);
            if !is_there && differences.len() < MONEY_DIFFERENCES_MAX as usize {
                let difference = Difference::new(Kind::ProviderMissing, Some(row.order_id))
                    .says("provider", found.word())
                    .says(
                        "books",
                        format!("captured {} {}", row.captured_amount, row.currency),
                    );
                differences.push(difference);
            }
        }
        match rows.last() {
            Some(last) if rows.len() == RECONCILE_CHUNK as usize => after = last.attempt_id,
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::money::{Currency, Money};

    use super::*;

    fn charge(captured: Option<i64>, refunded: i64) -> ListedCharge {
        let currency = Currency::parse("KRW").unwrap();
        ListedCharge {
            attempt: AttemptId::new(Uuid::nil()),
            provider_ref: "c".to_owned(),
            order: "o".to_owned(),
            captured: captured.map(|amount| Money { amount, currency }),
            refunded,
        }
    }

    fn booked(state: &str, captured: i64, refunded: i64) -> Booked {
        Booked {
            attempt_id: Uuid::nil(),
            order_id: Uuid::nil(),
            currency: "KRW".to_owned(),
            state: state.to_owned(),
            captured_amount: captured,
            refunded_amount: refunded,
            is_at_rest: true,
            is_settled_by_hand: false,
        }
    }

    fn kind(charge: &ListedCharge, booked: Option<&Booked>) -> Option<(Kind, bool)> {
        judge(charge, booked).map(|found| (found.difference.kind, found.is_books_ahead))
    }

    #[test]
    fn what_agrees_is_no_difference() {
        assert_eq!(kind(&charge(Some(5), 2), Some(&booked("paid", 5, 2))), None);
        assert_eq!(
            kind(&charge(None, 0), Some(&booked("cancelled", 0, 0))),
            None
        );
        assert_eq!(kind(&charge(None, 0), None), None, "declined elsewhere");
    }

    #[test]
    fn every_side_that_is_behind_is_told() {
        let of = |at, row: Booked| kind(&at, Some(&row));
        assert_eq!(
            of(charge(Some(5), 0), booked("cancelled", 0, 0)),
            Some((Kind::ProviderCaptured, false)),
            "money of which the order knows nothing"
        );
        assert_eq!(
            of(charge(None, 0), booked("paid", 5, 0)),
            Some((Kind::ProviderCaptured, true))
        );
        assert_eq!(
            of(charge(Some(5), 5), booked("paid", 5, 0)),
            Some((Kind::ProviderRefunded, false))
        );
        assert_eq!(
            of(charge(Some(5), 0), booked("refunded", 5, 5)),
            Some((Kind::ProviderRefunded, true))
        );
        let mut by_hand = booked("cancelled", 0, 0);
        by_hand.is_settled_by_hand = true;
        assert_eq!(kind(&charge(Some(5), 5), Some(&by_hand)), None, "decided");
        assert_eq!(
            of(charge(Some(5), 4), by_hand),
            Some((Kind::ProviderRefunded, false)),
            "decided, and not done"
        );
        let mut other = booked("paid", 5, 0);
        other.currency = "USD".to_owned();
        assert_eq!(
            of(charge(Some(5), 0), other),
            Some((Kind::ProviderCaptured, false))
        );
        assert_eq!(
            kind(&charge(Some(5), 0), None),
            Some((Kind::ProviderUnknown, false))
        );
    }

    #[test]
    fn an_order_that_moves_is_left_to_the_next_run() {
        let mut row = booked("paid", 5, 0);
        row.is_at_rest = false;
        assert_eq!(kind(&charge(Some(5), 5), Some(&row)), None);
    }
}
