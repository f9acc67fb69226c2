//! Whether the ledger balances: every transaction, and all of it. Shown to finance, and printed by `settle --check`.

use std::fmt;

use serde::Serialize;
use sqlx::mysql::MySqlPool;
use utoipa::ToSchema;

use super::store;

/// The ledger's accounts and what is wrong with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerView {
    /// Every transaction sums to 0, none is refused, and all of them together do
    pub balanced: bool,
    pub accounts: Vec<AccountView>,
    /// The first transaction that does not sum to 0; null where each does
    pub first_unbalanced: Option<UnbalancedView>,
    /// Events of orders that contradict the books and are not posted
    #[schema(example = 0)]
    pub refused: i64,
    /// One of their orders
    #[schema(format = Uuid)]
    pub refused_order: Option<String>,
}

/// An account, over all sellers. Debits are positive, credits negative
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountView {
    #[schema(example = "provider_clearing")]
    pub account: String,
    #[schema(example = "KRW")]
    pub currency: String,
    /// Minor units
    #[schema(example = 19900)]
    pub balance: i64,
}

/// A transaction that does not balance
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnbalancedView {
    /// An order, or a fee or payout
    #[schema(format = Uuid)]
    pub source: String,
    /// The number of the order's event
    pub n: u32,
    pub currency: String,
    pub sum: i64,
}

/// # Errors
/// What MySQL says.
pub(crate) async fn check(books: &MySqlPool) -> sqlx::Result<LedgerView> {
    let balances = store::balances(books).await?;
    let unbalanced = store::first_unbalanced(books).await?;
    let (refused, refused_order) = store::refused(books).await?;
    let mut sums: std::collections::BTreeMap<&str, i128> = std::collections::BTreeMap::new();
    for (_, currency, balance) in &balances {
        *sums.entry(currency).or_default() += i128::from(*balance);
    }
    Ok(LedgerView {
        balanced: unbalanced.is_none() && refused == 0 && sums.values().all(|sum| *sum == 0),
        first_unbalanced: unbalanced.map(|row| UnbalancedView {
            source: row.source_id.to_string(),
            n: row.n,
            currency: row.currency,
            sum: row.sum,
        }),
        refused,
        refused_order: refused_order.map(|id| id.to_string()),
        accounts: balances
            .into_iter()
            .map(|(account, currency, balance)| AccountView {
                account,
                currency,
                balance,
            })
            .collect(),
    })
}

impl fmt::Display for LedgerView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for AccountView {
            account,
            currency,
            balance,
        } in &self.accounts
        {
            writeln!(f, "{account:<20} {currency} {balance:>20}")?;
        }
        if let Some(UnbalancedView {
            source,
            n,
            currency,
            sum,
        }) = &self.first_unbalanced
        {
            writeln!(
                f,
                "{source} event {n}: its legs sum to {sum} {currency}, not to 0"
            )?;
        }
        if let Some(order) = &self.refused_order {
            writeln!(
                f,
                "{} events are refused, the first of order {order}",
                self.refused
            )?;
        }
        f.write_str(if self.balanced {
            "the ledger balances"
        } else {
            "the ledger does not balance"
        })
    }
}
