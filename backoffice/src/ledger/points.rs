//! Posts points that no order moves, which staff gave or took, or which expired, in the very transaction that moves them. Called by `points`.
//!
//! An account of points is a source of postings, and each of its entries a transaction with the entry's number: it is posted once. So the ledger owes
//! what buyers have. Entries that an older back-office made are found by a walk ([`post_missing`]).

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use uuid::Uuid;

use super::job::counts_on;
use super::rules::{self, Back, Facts};
use super::store::{self, MovedRow, Posting};
use crate::derived;
use crate::error::ApiError;
use crate::settlement::limits::LEDGER_EVENTS;

/// An entry of an account of points.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved<'a> {
    pub(crate) user: &'a str,
    pub(crate) currency: &'a str,
    /// Of the entry.
    pub(crate) version: u32,
    /// The rule's word.
    pub(crate) kind: &'static str,
    pub(crate) amount: i64,
    pub(crate) at: DateTime<Utc>,
}

/// # Errors
/// What MySQL says.
pub(crate) async fn post(tx: &mut MySqlConnection, moved: &Moved<'_>) -> Result<(), ApiError> {
    let closed_through = store::closed_through(&mut *tx).await?;
    Ok(store::insert(tx, &legs(moved, closed_through)?).await?)
}

/// Goes along all entries that no order made, and posts those that are not; how many.
///
/// # Errors
/// What MySQL says.
pub(crate) async fn post_missing(books: &MySqlPool) -> Result<u64, ApiError> {
    let (mut after, mut posted) = ((String::new(), String::new(), 0), 0);
    loop {
        let rows = store::moved_by_no_order(books, &after, LEDGER_EVENTS).await?;
        let Some(last) = rows.last() else {
            return Ok(posted);
        };
        after = (last.user_id.clone(), last.currency.clone(), last.version);
        if missing(&mut *books.acquire().await?, &rows)
            .await?
            .is_empty()
        {
            continue;
        }
        // Looked for again under the head's lock, which everybody takes who posts.
        let mut tx = store::begin(books).await?;
        let closed_through = store::lock_head(&mut tx).await?;
        let rows = missing(&mut tx, &rows).await?;
        let mut postings = Vec::with_capacity(rows.len() * 2);
        for row in &rows {
            postings.extend(legs(&row.moved(), closed_through)?);
        }
        store::insert(&mut tx, &postings).await?;
        tx.commit().await?;
        posted += rows.len() as u64;
    }
}

/// Those of them that are not posted.
async fn missing<'a>(
    connection: &mut MySqlConnection,
    rows: &'a [MovedRow],
) -> sqlx::Result<Vec<&'a MovedRow>> {
    let key = |row: &MovedRow| (source(&row.user_id, &row.currency), row.version);
    let keys: Vec<(Uuid, u32)> = rows.iter().map(key).collect();
    let there = store::posted_of(connection, &keys).await?;
    let rows = rows.iter().filter(|row| !there.contains(&key(row)));
    Ok(rows.collect())
}

fn source(user: &str, currency: &str) -> Uuid {
    derived::uuid("points_account", &[user.as_bytes(), currency.as_bytes()])
}

fn legs(moved: &Moved<'_>, closed_through: NaiveDate) -> Result<Vec<Posting>, ApiError> {
    let facts = Facts {
        kind: moved.kind,
        is_paid: false,
        amount: moved.amount,
        shipping: 0,
        lines: &[],
        back: &Back::default(),
    };
    let legs = rules::legs(&facts).map_err(|e| ApiError::Internal(e.into()))?;
    let (day, belongs_to) = counts_on(moved.at.date_naive(), closed_through);
    let posting = |(leg, rule): (u8, rules::Leg)| Posting {
        source_id: source(moved.user, moved.currency),
        n: moved.version,
        leg,
        source: "points",
        account: rule.account.word(),
        seller: rule.seller,
        currency: moved.currency.to_owned(),
        amount: rule.amount,
        day,
        belongs_to,
    };
    Ok((0..=u8::MAX).zip(legs).map(posting).collect())
}

impl MovedRow {
    fn moved(&self) -> Moved<'_> {
        Moved {
            user: &self.user_id,
            currency: &self.currency,
            version: self.version,
            kind: if self.expired {
                rules::POINTS_EXPIRED
            } else {
                rules::POINTS_ADJUSTED
            },
            amount: self.amount,
            at: self.at,
        }
    }
}
