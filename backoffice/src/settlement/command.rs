//! `settle`: closes a period, or works out one that is not over as a draft, and writes its statements; checks the ledger, or tries again what it
//! refused. Called by `run`.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use axum::http::HeaderMap;
use clap::Args;
use doorbuster_core::hex::to_hex;
use doorbuster_core::ids::UserId;
use serde::Serialize;

use super::period::Period;
use super::run::{self, Settled, Worked};
use crate::app;
use crate::config::{Database, Output};
use crate::extract::{Caller, RequestId};
use crate::ledger::check::{self, LedgerView};
use crate::ledger::job;

#[derive(Args)]
pub struct Settle {
    #[command(flatten)]
    pub database: Database,
    /// The month, e.g. 2026-11: closed if it is over, else worked out as a draft
    #[arg(long, required_unless_present_any = ["day", "check", "repost_refused"], conflicts_with = "day")]
    pub month: Option<Period>,
    /// A day, e.g. 2026-11-21: it and every day before it are closed
    #[arg(long)]
    pub day: Option<Period>,
    /// Who closes it, for the audit log; not needed for a draft, nor for what is closed already
    #[arg(long)]
    pub by: Option<UserId>,
    /// Try events again that contradicted the books and were refused, before anything else; the ledger is checked then
    #[arg(long, requires = "by")]
    pub repost_refused: bool,
    /// A directory for each seller's statement, as CSV and as HTML to be printed
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Hold every transaction of the ledger, and all of it, against 0, and name the first that is not
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub output: Output,
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Events that had been refused and are posted now.
    #[serde(skip_serializing_if = "Option::is_none")]
    reposted: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement: Option<Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<LedgerView>,
}

impl Outcome {
    /// Whether the ledger was checked and does not balance.
    pub fn is_unbalanced(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| !ledger.balanced)
    }
}

#[derive(Debug, Serialize)]
struct Report {
    period: String,
    /// Not over yet: nothing was closed.
    draft: bool,
    /// It had been settled before, and came to the same bytes.
    unchanged: bool,
    digest: String,
    statements: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    seller: String,
    currency: String,
    entries: u64,
    late_entries: u64,
    sales: i64,
    returned: i64,
    fee: i64,
    net: i64,
    carried_in: i64,
    digest: String,
}

/// # Errors
/// What MySQL says, a file that cannot be written, a period that cannot be closed or does not come to what it came to.
pub async fn settle(request: &Settle) -> Result<Outcome> {
    let books = app::connect_books(request.database.options()?);
    let caller = request.by.clone().map(|user| Caller {
        user,
        request_id: RequestId::of(&HeaderMap::new()),
        is_admin: true,
    });
    if let Some(out) = &request.out {
        tokio::fs::create_dir_all(out).await?;
    }
    let reposted = match &caller {
        Some(caller) if request.repost_refused => Some(job::repost_refused(&books, caller).await?),
        _ => None,
    };
    let settlement = match request.month.or(request.day) {
        Some(period) => {
            let settled =
                run::settle(&books, caller.as_ref(), period, request.out.as_deref()).await;
            Some(report(settled.map_err(|e| anyhow!(e))?))
        }
        None => None,
    };
    let ledger = match request.check || request.repost_refused {
        true => Some(check::check(&books).await?),
        false => None,
    };
    books.close().await;
    Ok(Outcome {
        reposted,
        settlement,
        ledger,
    })
}

fn report(settled: Settled) -> Report {
    let line = |worked: Worked| Line {
        net: worked.totals.net(),
        entries: worked.totals.entries,
        late_entries: worked.totals.late,
        sales: worked.totals.sales,
        returned: worked.totals.returned,
        fee: worked.totals.fee,
        carried_in: worked.carried_in,
        digest: to_hex(&worked.digest),
        seller: worked.whose.seller,
        currency: worked.whose.currency,
    };
    Report {
        period: settled.period.to_string(),
        draft: settled.is_draft,
        unchanged: settled.again,
        digest: to_hex(&settled.digest),
        statements: settled.statements.into_iter().map(line).collect(),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(events) = self.reposted {
            writeln!(f, "{events} events that had been refused are posted")?;
        }
        if let Some(report) = &self.settlement {
            for line in &report.statements {
                writeln!(
                    f,
                    "{:<24} {} {:>9} entries  sales {:>14}  returned {:>12}  fee {:>12}  net {:>14}",
                    line.seller,
                    line.currency,
                    line.entries,
                    line.sales,
                    line.returned,
                    line.fee,
                    line.net
                )?;
            }
            let how = match (report.draft, report.unchanged) {
                (true, _) => "a draft: it is not over, and nothing was closed",
                (false, true) => "settled before, and unchanged to the byte",
                (false, false) => "closed and settled",
            };
            write!(f, "{}: {how}; digest {}", report.period, report.digest)?;
        }
        match (&self.settlement, &self.ledger) {
            (Some(_), Some(ledger)) => write!(f, "\n{ledger}"),
            (None, Some(ledger)) => write!(f, "{ledger}"),
            (_, None) => Ok(()),
        }
    }
}
