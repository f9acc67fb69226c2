//! Settles a period: posts what waits, closes its days, works out a statement for every seller, posts fees and says what is to be paid out.
//!
//! Every step may be repeated, and by two at once. Once its days are closed nothing can change them, so another run comes to the same bytes; that
//! it does is checked against what was written. A run that was cut off is gone on with: statements that it wrote are not worked out again, unless
//! they are exported. A period that is not over yet is worked out as a draft, and nothing is written.

use std::path::Path;

use askama::Template as _;
use chrono::{Days, NaiveDate};
use doorbuster_core::clock;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::mysql::{MySqlConnection, MySqlPool};

use super::error::Refusal;
use super::export::Export;
use super::fee::Schedules;
use super::limits::{SETTLEMENT_CLOSE_TRIES, STATEMENT_ENTRIES};
use super::period::Period;
use super::statement::{Page, Totals, Whose, Writing};
use super::{payouts_store, runs_store, store};
use crate::audit_log::{self, Change};
use crate::derived;
use crate::error::ApiError;
use crate::extract::Caller;
use crate::ledger::rules::Account;
use crate::ledger::store::Posting;
use crate::ledger::{job, store as ledger};

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) period: Period,
    pub(crate) is_draft: bool,
    /// It had been settled before, and came to the same.
    pub(crate) again: bool,
    pub(crate) statements: Vec<Worked>,
    /// Of all statements.
    pub(crate) digest: [u8; 32],
}

/// A statement as it was worked out.
#[derive(Debug)]
pub(crate) struct Worked {
    pub(crate) whose: Whose,
    pub(crate) totals: Totals,
    pub(crate) carried_in: i64,
    pub(crate) digest: [u8; 32],
}

/// `caller` is who closes it, where that is still to be done.
///
/// # Errors
/// [`ApiError::Settlement`]; MySQL, or a file that cannot be written.
pub(crate) async fn settle(
    books: &MySqlPool,
    caller: Option<&Caller>,
    period: Period,
    out: Option<&Path>,
) -> Result<Settled, ApiError> {
    let mut export = Export::new(out);
    let settled = settle_into(books, caller, period, &mut export).await;
    match &settled {
        Ok(_) => export.keep().await?,
        Err(_) => export.discard().await,
    }
    settled
}

async fn settle_into(
    books: &MySqlPool,
    caller: Option<&Caller>,
    period: Period,
    export: &mut Export<'_>,
) -> Result<Settled, ApiError> {
    let is_draft = !period.is_over(clock::now());
    let before = runs_store::run(books, period).await?;
    if is_draft {
        job::all(books).await?;
    } else if before.is_none() {
        close(books, caller, period).await?;
    }
    let was_cut_off = before.as_ref().is_some_and(|run| run.digest.is_none());
    let schedules = store::schedules(books).await?;
    let (mut statements, mut hash) = (Vec::new(), Sha256::new());
    for whose in store::sellers(books, period).await? {
        let known = if was_cut_off && !export.is_wanted() {
            written(books, period, &whose).await?
        } else {
            None
        };
        let worked = match known {
            Some(worked) => worked,
            None => {
                let worked = work_out(books, (period, is_draft), &schedules, whose, export).await?;
                if !is_draft {
                    write(books, period, &worked).await?;
                }
                worked
            }
        };
        hash.update(&worked.whose.seller);
        hash.update([0]);
        hash.update(&worked.whose.currency);
        hash.update(worked.digest);
        statements.push(worked);
    }
    let digest = hash.finalize().into();
    if !is_draft {
        finish(books, period, &digest).await?;
    }
    Ok(Settled {
        period,
        is_draft,
        again: before.is_some_and(|run| run.digest.is_some()),
        statements,
        digest,
    })
}

/// Closes the period's days, once everything that happened on them has been posted.
async fn close(books: &MySqlPool, caller: Option<&Caller>, period: Period) -> Result<(), ApiError> {
    let nobody = || ApiError::InvalidRequest("--by must say who closes it".to_owned());
    let caller = caller.ok_or_else(nobody)?;
    for _ in 0..SETTLEMENT_CLOSE_TRIES {
        job::all(books).await?;
        let mut tx = ledger::begin(books).await?;
        runs_store::lock_head(&mut tx).await?;
        if runs_store::is_closed(&mut tx, period).await? {
            // By somebody else, meanwhile.
            return Ok(());
        }
        if ledger::waits(&mut tx, period.end()).await? {
            // It came just now, or another back-office is posting it.
            tx.rollback().await?;
            continue;
        }
        may_be_closed(&mut tx, period).await?;
        runs_store::set_head(&mut tx, period.last).await?;
        runs_store::insert_run(&mut tx, period, caller.user.as_str(), clock::now()).await?;
        let change = Change {
            action: "settlement.close",
            subject: format!("settlement:{period}"),
            before: None,
            after: Some(json!({"first_day": period.first, "last_day": period.last})),
        };
        audit_log::in_transaction(&mut tx, caller, change).await?;
        tx.commit().await?;
        return Ok(());
    }
    Err(ApiError::Unavailable(anyhow::anyhow!(
        "events of {period} keep waiting to be posted"
    )))
}

/// Under the head's lock: months are settled in their order, none with sales is left out, and nothing of it is missing in the ledger.
async fn may_be_closed(tx: &mut MySqlConnection, period: Period) -> Result<(), ApiError> {
    if period.is_month() && runs_store::is_later_month_closed(tx, period).await? {
        return Err(Refusal::LaterClosed.into());
    }
    if let Some(earlier) = runs_store::unfinished_before(tx, period).await? {
        return Err(Refusal::EarlierOpen(earlier).into());
    }
    if period.is_month()
        && let Some(day) = unsettled_before(tx, period).await?
    {
        return Err(Refusal::EarlierOpen(day.format("%Y-%m").to_string()).into());
    }
    match ledger::refused_before(tx, period.end()).await? {
        Some((order, n)) => Err(Refusal::EventRefused(order, n).into()),
        None => Ok(()),
    }
}

/// The first day before it that is in no closed month and has sales, or something that came back.
async fn unsettled_before(
    tx: &mut MySqlConnection,
    period: Period,
) -> Result<Option<NaiveDate>, ApiError> {
    let settled = runs_store::settled_through(tx, period).await?;
    let from = settled.map_or(NaiveDate::default(), |day| day + Days::new(1));
    let to = period.first - Days::new(1);
    let mut first: Option<NaiveDate> = None;
    for whose in store::all_sellers(tx).await? {
        let day = store::first_day(tx, &whose, from..=to).await?;
        first = [first, day].into_iter().flatten().min();
    }
    Ok(first)
}

/// A statement that a run which was cut off wrote.
async fn written(
    books: &MySqlPool,
    period: Period,
    whose: &Whose,
) -> Result<Option<Worked>, ApiError> {
    let found = store::written(&mut *books.acquire().await?, period, whose).await?;
    Ok(found.and_then(|written| {
        Some(Worked {
            whose: whose.clone(),
            totals: written.totals(),
            carried_in: written.carried_in,
            digest: written.digest.as_slice().try_into().ok()?,
        })
    }))
}

/// Reads a seller's entries a page at a time; what is in memory does not depend on how many there are.
async fn work_out(
    books: &MySqlPool,
    (period, is_draft): (Period, bool),
    schedules: &Schedules,
    whose: Whose,
    export: &mut Export<'_>,
) -> Result<Worked, ApiError> {
    let (mut writing, head) = Writing::begin(&whose, schedules);
    let stem = format!("{period}-{}-{}", whose.seller, whose.currency);
    let mut csv = export.begin(&format!("{stem}.csv")).await?;
    csv.put(&head).await?;
    let mut last = None;
    loop {
        let entries =
            store::entries(books, period, &whose, last.as_ref(), STATEMENT_ENTRIES).await?;
        csv.put(&writing.add(&entries)).await?;
        let is_last = entries.len() < STATEMENT_ENTRIES as usize;
        last = entries.into_iter().next_back();
        if is_last || last.is_none() {
            break;
        }
    }
    let (end, totals, digest) = writing.end();
    csv.put(&end).await?;
    csv.end().await?;
    let carried_in = if period.is_month() {
        store::carried(&mut *books.acquire().await?, period, &whose).await?
    } else {
        0
    };
    if export.is_wanted() {
        let page = Page::new(
            period.to_string(),
            &whose,
            totals,
            carried_in,
            &digest,
            is_draft,
        );
        let text = page.render().map_err(|e| ApiError::Internal(e.into()))?;
        let mut html = export.begin(&format!("{stem}.html")).await?;
        html.put(&text).await?;
        html.end().await?;
    }
    Ok(Worked {
        whose,
        totals,
        carried_in,
        digest,
    })
}

/// The statement with its fee and payout, once, by one at a time; one that is there must say the same.
async fn write(books: &MySqlPool, period: Period, worked: &Worked) -> Result<(), ApiError> {
    let Worked {
        whose,
        totals,
        carried_in,
        digest,
    } = worked;
    let mut tx = books.begin().await?;
    runs_store::lock_run(&mut tx, period).await?;
    if let Some(written) = store::written(&mut tx, period, whose).await? {
        let same = written.digest == digest.as_slice()
            && written.totals() == *totals
            && written.carried_in == *carried_in;
        let what = || Refusal::Altered(format!("{} {}", whose.seller, whose.currency));
        return if same { Ok(()) } else { Err(what().into()) };
    }
    store::insert_statement(&mut tx, period, whose, totals, *carried_in, digest).await?;
    if period.is_month() {
        if totals.fee != 0 {
            let legs = [
                (Account::SellerPayable, totals.fee),
                (Account::Fee, -totals.fee),
            ];
            ledger::insert(&mut tx, &postings("fee", period, whose, period.last, legs)).await?;
        }
        let payable = totals.net() + carried_in;
        if payable > 0 {
            payouts_store::insert_payout(&mut tx, period, whose, payable).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Two legs of a transaction of its own.
pub(super) fn postings(
    source: &'static str,
    period: Period,
    whose: &Whose,
    day: NaiveDate,
    legs: [(Account, i64); 2],
) -> Vec<Posting> {
    let name = format!("{period}|{}|{}", whose.seller, whose.currency);
    let source_id = derived::uuid(source, &[name.as_bytes()]);
    let leg = |(leg, (account, amount)): (u8, (Account, i64))| Posting {
        source_id,
        n: 0,
        leg,
        source,
        account: account.word(),
        seller: match account {
            Account::SellerPayable => whose.seller.clone(),
            _ => String::new(),
        },
        currency: whose.currency.clone(),
        amount,
        day,
        belongs_to: None,
    };
    (0..).zip(legs).map(leg).collect()
}

async fn finish(books: &MySqlPool, period: Period, digest: &[u8; 32]) -> Result<(), ApiError> {
    let mut connection = books.acquire().await?;
    runs_store::set_digest(&mut connection, period, digest).await?;
    let run = runs_store::run(books, period).await?;
    let written = run.and_then(|run| run.digest);
    if written.as_deref() == Some(digest.as_slice()) {
        return Ok(());
    }
    Err(Refusal::Altered("the period as a whole".to_owned()).into())
}
