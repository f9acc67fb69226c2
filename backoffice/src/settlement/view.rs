//! What finance is shown of settlements. Called by the handlers.

use doorbuster_core::clock;
use doorbuster_core::hex::to_hex;
use serde::Serialize;
use utoipa::ToSchema;

use super::runs_store::RunRow;
use super::store::{PayoutRow, StatementRow};

/// Closed periods.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettlementsView {
    pub settlements: Vec<RunView>,
}

/// A closed period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunView {
    #[schema(example = "2026-11")]
    pub period: String,
    pub closed_by: String,
    #[schema(format = DateTime)]
    pub closed_at: String,
    /// SHA-256 over all statements, which every later run must come to; null: its first run did not come to its end, and is to be repeated
    pub digest: Option<String>,
}

/// A closed period with what it comes to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettlementView {
    #[serde(flatten)]
    pub run: RunView,
    pub statements: Vec<StatementView>,
}

/// What a seller's period comes to, in minor units.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatementView {
    #[schema(example = "house")]
    pub seller: String,
    #[schema(example = "KRW")]
    pub currency: String,
    pub entries: u64,
    /// Of them, those that belong to a period that was closed before they came
    pub late_entries: u64,
    pub sales: i64,
    pub returned: i64,
    pub fee: i64,
    /// sales - returned - fee
    pub net: i64,
    /// What an earlier month left below 0
    pub carried_in: i64,
    /// SHA-256 of its CSV
    pub digest: String,
    /// Null where nothing is paid out
    pub payout: Option<PayoutView>,
}

/// What is paid out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayoutView {
    pub amount: i64,
    /// due or paid
    #[schema(example = "due")]
    pub state: String,
    pub reference: Option<String>,
    pub paid_by: Option<String>,
}

pub(super) fn of_runs(runs: Vec<RunRow>) -> SettlementsView {
    SettlementsView {
        settlements: runs.iter().map(of_row).collect(),
    }
}

pub(super) fn of_run(run: &RunRow, statements: Vec<StatementRow>) -> SettlementView {
    SettlementView {
        run: of_row(run),
        statements: statements.into_iter().map(of_statement).collect(),
    }
}

fn of_row(run: &RunRow) -> RunView {
    RunView {
        period: run.period.clone(),
        closed_by: run.closed_by.clone(),
        closed_at: clock::rfc3339(clock::to_ms(run.closed_at)),
        digest: run.digest.as_deref().map(hex),
    }
}

fn of_statement(row: StatementRow) -> StatementView {
    let written = row.written;
    StatementView {
        entries: written.entries,
        late_entries: written.late_entries,
        sales: written.sales,
        returned: written.returned,
        fee: written.fee,
        net: written.totals().net(),
        carried_in: written.carried_in,
        digest: hex(&written.digest),
        payout: PayoutView::of(row.payout),
        seller: row.seller_id,
        currency: row.currency,
    }
}

impl PayoutView {
    pub(super) fn of(row: PayoutRow) -> Option<Self> {
        Some(Self {
            amount: row.amount?,
            state: row.state?,
            reference: row.reference,
            paid_by: row.paid_by,
        })
    }
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest
        .try_into()
        .map(|digest: [u8; 32]| to_hex(&digest))
        .unwrap_or_default()
}
