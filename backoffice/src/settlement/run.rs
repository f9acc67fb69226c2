//! Settles a period: posts what waits, closes its days, works out a statement for every seller, posts fees and says what is to be paid out.
//!
//! Every step may be repeated. Once its days are closed nothing can change them, so another run comes to the same bytes; that it does is
//! checked against what was written. A period that is not over yet is worked out as a draft, and nothing is written.

use std::path::Path;

use anyhow::{Context as _, Result};
use askama::Template as _;
use doorbuster_core::clock;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::mysql::MySqlPool;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::error::Refusal;
use super::fee::Schedules;
use super::limits::{SETTLEMENT_CLOSE_TRIES, STATEMENT_ENTRIES};
use super::period::Period;
use super::statement::{Page, Totals, Whose, Writing};
use super::store;
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

/// # Errors
/// [`ApiError::Settlement`]; MySQL, or a file that cannot be written.
pub(crate) async fn settle(
    books: &MySqlPool,
    caller: &Caller,
    period: Period,
    out: Option<&Path>,
) -> Result<Settled, ApiError> {
    let is_draft = !period.is_over(clock::now());
    let before = store::run(books, period).await?;
    if is_draft {
        job::all(books).await?;
    } else if before.is_none() {
        close(books, caller, period).await?;
    }
    let schedules = store::schedules(books).await?;
    let (mut statements, mut hash) = (Vec::new(), Sha256::new());
    for whose in store::sellers(books, period).await? {
        let worked = work_out(books, (period, is_draft), &schedules, whose, out).await?;
        hash.update(&worked.whose.seller);
        hash.update([0]);
        hash.update(&worked.whose.currency);
        hash.update(worked.digest);
        if !is_draft {
            write(books, period, &worked).await?;
        }
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
async fn close(books: &MySqlPool, caller: &Caller, period: Period) -> Result<(), ApiError> {
    for _ in 0..SETTLEMENT_CLOSE_TRIES {
        job::all(books).await?;
        let mut tx = ledger::begin(books).await?;
        store::lock_head(&mut tx).await?;
        if ledger::waits(&mut tx, period.end()).await? {
            // It came just now, or another back-office is posting it.
            tx.rollback().await?;
            continue;
        }
        if period.is_month() && store::is_later_month_closed(&mut tx, period).await? {
            return Err(Refusal::LaterClosed.into());
        }
        store::set_head(&mut tx, period.last).await?;
        store::insert_run(&mut tx, period, caller.user.as_str(), clock::now()).await?;
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

/// Reads a seller's entries a page at a time; what is in memory does not depend on how many there are.
async fn work_out(
    books: &MySqlPool,
    (period, is_draft): (Period, bool),
    schedules: &Schedules,
    whose: Whose,
    out: Option<&Path>,
) -> Result<Worked, ApiError> {
    let (mut writing, head) = Writing::begin(&whose, schedules);
    let stem = format!("{period}-{}-{}", whose.seller, whose.currency);
    let mut file = match out {
        Some(folder) => Some(create(&folder.join(format!("{stem}.csv"))).await?),
        None => None,
    };
    put(&mut file, &head).await?;
    let mut last = None;
    loop {
        let entries =
            store::entries(books, period, &whose, last.as_ref(), STATEMENT_ENTRIES).await?;
        put(&mut file, &writing.add(&entries)).await?;
        let is_last = entries.len() < STATEMENT_ENTRIES as usize;
        last = entries.into_iter().next_back();
        if is_last || last.is_none() {
            break;
        }
    }
    let (end, totals, digest) = writing.end();
    put(&mut file, &end).await?;
    if let Some(mut file) = file {
        file.flush()
            .await
            .context("a statement")
            .map_err(ApiError::Internal)?;
    }
    let carried_in = if period.is_month() {
        store::carried(&mut *books.acquire().await?, period, &whose).await?
    } else {
        0
    };
    if let Some(folder) = out {
        let page = Page::new(
            period.to_string(),
            &whose,
            totals,
            carried_in,
            &digest,
            is_draft,
        );
        let html = page.render().map_err(|e| ApiError::Internal(e.into()))?;
        let mut file = Some(create(&folder.join(format!("{stem}.html"))).await?);
        put(&mut file, &html).await?;
        if let Some(mut file) = file {
            file.flush()
                .await
                .context("a statement")
                .map_err(ApiError::Internal)?;
        }
    }
    Ok(Worked {
        whose,
        totals,
        carried_in,
        digest,
    })
}

async fn create(path: &Path) -> Result<BufWriter<File>, ApiError> {
    let file = File::create(path).await;
    let file = file.with_context(|| format!("{} cannot be written", path.display()));
    file.map(BufWriter::new).map_err(ApiError::Internal)
}

async fn put(file: &mut Option<BufWriter<File>>, text: &str) -> Result<(), ApiError> {
    if let Some(file) = file {
        let written = file.write_all(text.as_bytes()).await;
        written.context("a statement").map_err(ApiError::Internal)?;
    }
    Ok(())
}

/// The statement with its fee and payout, once; one that is there must say the same.
async fn write(books: &MySqlPool, period: Period, worked: &Worked) -> Result<(), ApiError> {
    let Worked {
        whose,
        totals,
        carried_in,
        digest,
    } = worked;
    let mut tx = books.begin().await?;
    if let Some(written) = store::digest(&mut tx, period, whose).await? {
        let same = written == digest.as_slice();
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
            store::insert_payout(&mut tx, period, whose, payable).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Two legs of a transaction of its own.
pub(super) fn postings(
    source: &'static str,
    period: Period,
    whose: &Whose,
    day: chrono::NaiveDate,
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
    store::set_digest(&mut connection, period, digest).await?;
    let run = store::run(books, period).await?;
    let written = run.and_then(|run| run.digest);
    if written.as_deref() == Some(digest.as_slice()) {
        return Ok(());
    }
    Err(Refusal::Altered("the period as a whole".to_owned()).into())
}
