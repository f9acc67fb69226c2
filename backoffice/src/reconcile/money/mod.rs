//! Holds what is said of money and orders against each other: orders, their events, attempts, refunds, points, coupons, reservations, and the
//! payment provider's own list.
//!
//! A tour. [`store`] has one question per way in which the books can contradict themselves, all asked in one transaction, of one instant; each
//! answers with the orders that it finds. [`provider`] goes along the provider's list. [`view`] is the report, [`job`] makes one by itself
//! now and then, and keeps it. What can be mended safely is an order that nobody would look at again: it is made due, and its saga does the rest;
//! and points that an older back-office left out of the ledger: they are posted.

pub(crate) mod job;
pub(crate) mod page;
mod provider;
pub(crate) mod store;
mod view;

use anyhow::{Result, anyhow};
use doorbuster_core::clock;
use sqlx::mysql::MySqlPool;

pub(crate) use self::view::MoneyReport;
use crate::ledger::points as ledger;
use crate::limits::{MONEY_DIFFERENCES_MAX, MONEY_GRACE};
use crate::payments::Payments;

/// Points that are not in the ledger. They are looked for, entry by entry, only where it does not owe what buyers have.
async fn post_missing(books: &MySqlPool) -> Result<u64> {
    let mut tx = books.begin().await?;
    let mut differs = false;
    for question in store::QUESTIONS {
        if question.is_of(view::Kind::PointsLedger) {
            differs = !store::ask(&mut tx, question, clock::now(), 1)
                .await?
                .is_empty();
        }
    }
    tx.rollback().await?;
    if !differs {
        return Ok(0);
    }
    ledger::post_missing(books).await.map_err(|e| anyhow!(e))
}

/// # Errors
/// MySQL that does not answer; differences are no error, and neither is a provider that says nothing.
pub(crate) async fn reconcile(
    books: &MySqlPool,
    payments: &Payments,
    repair: bool,
) -> Result<MoneyReport> {
    let (mut repaired, mut posted) = (0, 0);
    if repair {
        posted = post_missing(books).await?;
        repaired = store::hasten_stuck(books, clock::now() - MONEY_GRACE).await?;
    }
    // The provider first: what is at rest in the books afterwards was so, or has become so since.
    let listed = provider::list(books, payments).await?;
    let mut tx = books.begin().await?;
    let counts = store::counts(&mut tx).await?;
    let decided = store::decided(&mut tx, MONEY_DIFFERENCES_MAX).await?;
    let mut differences = Vec::new();
    for question in store::QUESTIONS {
        let found = store::ask(
            &mut tx,
            question,
            clock::now() - MONEY_GRACE,
            MONEY_DIFFERENCES_MAX,
        );
        differences.extend(found.await?);
    }
    tx.rollback().await?;
    differences.extend(listed.differences);
    Ok(MoneyReport {
        orders: counts.orders,
        parked: counts.parked,
        charges: listed.charges,
        provider: listed.outcome,
        repaired,
        posted,
        decided,
        differences,
    })
}
