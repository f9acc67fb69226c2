//! Holds Redis against the books, per sale and sku, and record by record, and repairs the books where asked to. Called by `main`.
//!
//! A live sale moves while it is looked at, so the order of the looks matters: the books are read in one transaction, which
//! shows them as of one instant (cursor C); then all records of Redis; then its counters, at S; then the journal's tail, from
//! C on. What the tail touches is not held against the books, which cannot have it yet; every sum is brought from C to S with it.

mod account;
mod compare;
mod fact;
mod live;
pub(crate) mod money;
mod print;
mod repair;
mod report;
mod store;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use axum::http::HeaderMap;
use doorbuster_core::draw::Drawn;
use doorbuster_core::gate::Gate;
use doorbuster_core::ids::{LiveId, UserId};
use doorbuster_core::journal::Event;
use sqlx::mysql::{MySqlConnection, MySqlPool};

pub use report::{Difference, Repair, Report, SaleReport};

use crate::config::Reconcile;
use crate::extract::{Caller, RequestId};
use crate::limits::RECONCILE_CHUNK;
use crate::payments::Payments;
use crate::projection::draw_store;
use crate::{app, config, raw};
use account::Account;
use compare::Findings;
use fact::Facts;
use store::Head;

/// # Errors
/// Redis or MySQL that does not answer, or a sale that was never published; differences are no error.
pub async fn reconcile(request: &Reconcile) -> Result<Report> {
    let books = app::connect_books(request.database.options()?);
    let gate = Gate::connect(request.redis.url()?)
        .await
        .map_err(|_| config::ConfigError::Redis)?;
    let mut published = store::published(&books).await?;
    if let Some(sale) = &request.sale {
        published.retain(|live| live == sale);
        ensure!(!published.is_empty(), "no sale {sale} has been published");
    }
    let mut sales = Vec::new();
    for live in &published {
        let mut report = reconcile_sale(&gate, &books, live).await?;
        if request.repair && !report.differences.is_empty() {
            let repairs = repair::repair(&gate, &books, live, &repairer()?).await?;
            report = reconcile_sale(&gate, &books, live).await?;
            (report.repairs, report.repair_tried) = (repairs, true);
        }
        sales.push(report);
    }
    let money = match &request.sale {
        Some(_) => None,
        None => {
            let payments = Payments::new(&request.payments)?;
            Some(money::reconcile(&books, &payments, request.repair).await?)
        }
    };
    books.close().await;
    Ok(Report::new(sales, money))
}

/// Who repairs, for the audit log.
fn repairer() -> Result<Caller> {
    Ok(Caller {
        user: UserId::parse("reconcile")?,
        request_id: RequestId::of(&HeaderMap::new()),
        is_admin: true,
    })
}

async fn reconcile_sale(gate: &Gate, books: &MySqlPool, live: &LiveId) -> Result<SaleReport> {
    let mut tx = books.begin().await?;
    let mut findings = Findings::new(live);
    let head = store::head(&mut tx, live).await?;
    let (journal, drawn) = walk_journal(&mut tx, live, &head, &mut findings).await?;
    for (seq, error) in store::dead_letters(&mut tx, live).await? {
        findings.dead_letter(seq, &error);
    }
    let booked = draw_store::find(&mut *tx, live).await?;
    findings.draw(drawn, booked.map(|draw| (draw.seq, draw.drawn)));
    let facts = live::scan(gate, &mut tx, live, &mut findings).await?;
    let reserved = walk_reservations(&mut tx, live, facts.as_ref(), &mut findings).await?;
    tx.rollback().await?;
    findings.sums("journal", &journal, "reservations", &reserved);

    let Some(facts) = facts else {
        if head.seq > 0 {
            findings.sale_missing(head.seq);
        }
        return Ok(findings.finish(&head, None));
    };
    live::counters(
        gate,
        books,
        live,
        &head,
        live::Known { facts, journal },
        findings,
    )
    .await
}

/// Sums the journal up, and sees that its numbers have no gap, end at the cursor, and can be read; with the draw that it has, if any.
async fn walk_journal(
    tx: &mut MySqlConnection,
    live: &LiveId,
    head: &Head,
    findings: &mut Findings,
) -> Result<(Account, Option<(u64, Drawn)>)> {
    let mut account = Account::new(live);
    let (mut last_seq, mut drawn) = (0, None);
    loop {
        let rows = store::journal(tx, live, last_seq, RECONCILE_CHUNK).await?;
        for row in &rows {
            findings.follows(last_seq, row.seq);
            last_seq = row.seq;
            match raw::event(row.seq, &row.raw) {
                Ok(event) if event.kind() == row.kind => {
                    account.apply(&event);
                    if let Event::Drawn(it) = event {
                        drawn = drawn.or(Some((row.seq, it)));
                    }
                }
                Ok(_) | Err(_) => findings.unreadable(row.seq),
            }
        }
        if rows.len() < RECONCILE_CHUNK as usize {
            break;
        }
    }
    findings.cursor(head.seq, last_seq);
    Ok((account, drawn))
}

/// Sums the reservations (or claims) up, and sees that Redis knows each.
async fn walk_reservations(
    tx: &mut MySqlConnection,
    live: &LiveId,
    facts: Option<&Facts>,
    findings: &mut Findings,
) -> Result<Account> {
    let mut account = Account::new(live);
    let mut last_seq = 0;
    loop {
        let rows = store::facts_from(tx, live, last_seq, RECONCILE_CHUNK).await?;
        for row in &rows {
            last_seq = row.seq;
            account.hold(row.holding, &row.lines, &row.returned);
            if facts.is_some_and(|facts| !facts.contains(row.id)) {
                findings.record_missing(row);
            }
        }
        if rows.len() < RECONCILE_CHUNK as usize {
            return Ok(account);
        }
    }
}

/// Events by what they concern, of a journal's tail.
type Tail = BTreeMap<u64, Event>;
