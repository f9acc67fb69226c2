//! SQL of points. Called by `points`, its job, and `orders`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_core::money::Currency;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};

use super::expiry::Sums;
use crate::error::ApiError;
use crate::ledger::points::{self as ledger, Moved};
use crate::ledger::rules::{POINTS_ADJUSTED, POINTS_EXPIRED};

/// What moves a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Less than 0 where what earned it has gone back.
    Earn,
    Spend,
    /// Spent on what was cancelled or refunded.
    Return,
    Expire,
    /// By a person.
    Adjust,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Earn => "earn",
            Self::Spend => "spend",
            Self::Return => "return",
            Self::Expire => "expire",
            Self::Adjust => "adjust",
        }
    }

    /// The ledger's rule, where no event of an order says it.
    fn rule(self) -> Option<&'static str> {
        match self {
            Self::Earn | Self::Spend | Self::Return => None,
            Self::Expire => Some(POINTS_EXPIRED),
            Self::Adjust => Some(POINTS_ADJUSTED),
        }
    }
}

/// An entry to be made. `amount` is added to the balance.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) currency: Currency,
    pub(crate) kind: Kind,
    pub(crate) amount: i64,
    pub(crate) cause: String,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) reason: Option<&'a str>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Posted {
    Done {
        balance: i64,
    },
    /// Its cause has one already; nothing was changed.
    Already(Box<EntryRow>),
    /// The balance would have been less than 0; nothing was changed.
    Insufficient,
}

#[derive(Debug, FromRow)]
pub(crate) struct Account {
    pub(crate) balance: i64,
    pub(crate) version: u32,
}

/// An entry in the books.
#[derive(Debug, FromRow)]
pub(crate) struct EntryRow {
    pub(crate) version: u32,
    pub(crate) kind: String,
    pub(crate) amount: i64,
    pub(crate) balance: i64,
    pub(crate) cause: String,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) reason: Option<String>,
    pub(crate) at: DateTime<Utc>,
}

/// The account, locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut MySqlConnection,
    user: &UserId,
    currency: Currency,
) -> sqlx::Result<Option<Account>> {
    query_as(
        "-- lock\nselect balance, version from points_accounts where user_id = ? and currency = ? for update",
    )
    .bind(user.as_str())
    .bind(currency.to_string())
    .fetch_optional(tx)
    .await
}

/// Makes an entry, once for its cause: the entry first, then the balance, which nobody has changed since it was read.
pub(crate) async fn post(tx: &mut MySqlConnection, entry: &Entry<'_>) -> Result<Posted, ApiError> {
    let account = lock_or_open(&mut *tx, entry.user, entry.currency).await?;
    let balance = account.balance.checked_add(entry.amount);
    let Some(balance) = balance.filter(|balance| *balance >= 0) else {
        // A repeat of what emptied the account is none that it cannot bear.
        return Ok(match by_cause(&mut *tx, &entry.cause).await? {
            Some(row) => Posted::Already(Box::new(row)),
            None => Posted::Insufficient,
        });
    };
    let (version, at) = (account.version + 1, clock::now());
    match insert(&mut *tx, entry, (version, at), balance).await {
        // Versions are free under the account's lock, so it is the cause.
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => {
            let row = by_cause(&mut *tx, &entry.cause).await?;
            return Ok(Posted::Already(Box::new(
                row.ok_or(sqlx::Error::RowNotFound)?,
            )));
        }
        done => done?,
    }
    let moved = query(
        "-- post\nupdate points_accounts set balance = ?, version = version + 1,
            next_expiry_at = case when ? is null then next_expiry_at when next_expiry_at is null or next_expiry_at > ? then ? else next_expiry_at end
        where user_id = ? and currency = ? and version = ?",
    )
    .bind(balance)
    .bind(look_at(entry))
    .bind(look_at(entry))
    .bind(look_at(entry))
    .bind(entry.user.as_str())
    .bind(entry.currency.to_string())
    .bind(account.version)
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() != 1 {
        return Err(ApiError::Internal(anyhow::anyhow!(
            "a locked account of points was changed"
        )));
    }
    if let Some(kind) = entry.kind.rule() {
        let currency = entry.currency.to_string();
        let moved = Moved {
            user: entry.user.as_str(),
            currency: &currency,
            version,
            kind,
            amount: entry.amount,
            at,
        };
        ledger::post(tx, &moved).await?;
    }
    Ok(Posted::Done { balance })
}

/// Looked for without a lock first: one on a row that is not there would be in the way of all who open theirs beside it.
async fn lock_or_open(
    tx: &mut MySqlConnection,
    user: &UserId,
    currency: Currency,
) -> Result<Account, ApiError> {
    let is_there: Option<i64> = query_scalar(
        "-- lock_or_open\nselect 1 from points_accounts where user_id = ? and currency = ?",
    )
    .bind(user.as_str())
    .bind(currency.to_string())
    .fetch_optional(&mut *tx)
    .await?;
    if is_there.is_none() {
        query(
            "-- lock_or_open\ninsert into points_accounts (user_id, currency, balance, version) values (?, ?, 0, 0)
            on duplicate key update version = version",
        )
        .bind(user.as_str())
        .bind(currency.to_string())
        .execute(&mut *tx)
        .await?;
    }
    let account = lock(tx, user, currency).await?;
    Ok(account.ok_or(sqlx::Error::RowNotFound)?)
}

/// When the account is to be looked at for what has expired: what comes back may have ended before.
fn look_at(entry: &Entry<'_>) -> Option<chrono::NaiveDateTime> {
    match entry.kind {
        Kind::Return => Some(clock::now().naive_utc()),
        _ => entry.expires_at.map(|at| at.naive_utc()),
    }
}

/// Whether something has moved points.
pub(crate) async fn has_cause(tx: &mut MySqlConnection, cause: &str) -> sqlx::Result<bool> {
    let found: Option<i64> =
        query_scalar("-- has_cause\nselect 1 from points_entries where cause = ?")
            .bind(cause)
            .fetch_optional(tx)
            .await?;
    Ok(found.is_some())
}

/// As of now: the transaction's snapshot might be from before another's commit.
async fn by_cause(tx: &mut MySqlConnection, cause: &str) -> sqlx::Result<Option<EntryRow>> {
    query_as(
        "-- by_cause\nselect version, kind, amount, balance, cause, expires_at, reason, at from points_entries where cause = ? lock in share mode",
    )
    .bind(cause)
    .fetch_optional(tx)
    .await
}

async fn insert(
    tx: &mut MySqlConnection,
    entry: &Entry<'_>,
    (version, at): (u32, DateTime<Utc>),
    balance: i64,
) -> sqlx::Result<()> {
    query(
        "-- insert\ninsert into points_entries (user_id, currency, version, kind, amount, balance, cause, expires_at, reason, at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(entry.user.as_str())
    .bind(entry.currency.to_string())
    .bind(version)
    .bind(entry.kind.word())
    .bind(entry.amount)
    .bind(balance)
    .bind(&entry.cause)
    .bind(entry.expires_at.map(|at| at.naive_utc()))
    .bind(entry.reason)
    .bind(at.naive_utc())
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) async fn balance(
    books: &MySqlPool,
    user: &UserId,
    currency: Currency,
) -> sqlx::Result<i64> {
    let balance: Option<i64> = query_scalar(
        "-- balance\nselect balance from points_accounts where user_id = ? and currency = ?",
    )
    .bind(user.as_str())
    .bind(currency.to_string())
    .fetch_optional(books)
    .await?;
    Ok(balance.unwrap_or(0))
}

/// At most so many before a version, newest first.
pub(crate) async fn entries(
    books: &MySqlPool,
    user: &UserId,
    currency: Currency,
    (before, rows): (Option<u32>, u32),
) -> sqlx::Result<Vec<EntryRow>> {
    query_as(
        "-- entries\nselect version, kind, amount, balance, cause, expires_at, reason, at from points_entries
        where user_id = ? and currency = ? and (? is null or version < ?) order by version desc limit ?",
    )
    .bind(user.as_str())
    .bind(currency.to_string())
    .bind(before)
    .bind(before)
    .bind(rows)
    .fetch_all(books)
    .await
}

/// Accounts to be looked at by now.
pub(crate) async fn expiring(
    books: &MySqlPool,
    rows: u32,
) -> Result<Vec<(UserId, Currency)>, ApiError> {
    let found: Vec<(String, String)> = query_as(
        "-- expiring\nselect user_id, currency from points_accounts where next_expiry_at <= ? order by next_expiry_at limit ?",
    )
    .bind(clock::now().naive_utc())
    .bind(rows)
    .fetch_all(books)
    .await?;
    let parsed = |(user, currency): (String, String)| {
        let user = UserId::parse(user).map_err(|e| ApiError::Internal(e.into()))?;
        let currency = Currency::parse(&currency).map_err(|e| ApiError::Internal(e.into()))?;
        Ok((user, currency))
    };
    found.into_iter().map(parsed).collect()
}

/// Of a locked account.
pub(crate) async fn sums(
    tx: &mut MySqlConnection,
    user: &UserId,
    currency: Currency,
    now: DateTime<Utc>,
) -> sqlx::Result<Sums> {
    let (ended, taken): (i64, i64) = query_as(
        "-- sums\nselect cast(coalesce(sum(case when expires_at <= ? then amount else 0 end), 0) as signed),
            cast(coalesce(sum(case when kind = 'return' or amount < 0 then -amount else 0 end), 0) as signed)
        from points_entries where user_id = ? and currency = ?",
    )
    .bind(now.naive_utc())
    .bind(user.as_str())
    .bind(currency.to_string())
    .fetch_one(tx)
    .await?;
    Ok(Sums { ended, taken })
}

/// The next end that is still to come is when a locked account is to be looked at again.
pub(crate) async fn look_again(
    tx: &mut MySqlConnection,
    user: &UserId,
    currency: Currency,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let next: Option<DateTime<Utc>> = query_scalar(
        "-- look_again\nselect min(expires_at) from points_entries where user_id = ? and currency = ? and expires_at > ?",
    )
    .bind(user.as_str())
    .bind(currency.to_string())
    .bind(now.naive_utc())
    .fetch_one(&mut *tx)
    .await?;
    query("-- look_again\nupdate points_accounts set next_expiry_at = ? where user_id = ? and currency = ?")
        .bind(next.map(|at| at.naive_utc()))
        .bind(user.as_str())
        .bind(currency.to_string())
        .execute(tx)
        .await
        .map(drop)
}

/// Some accounts that were held against their entries.
pub(crate) struct Looked {
    pub(crate) differing: Vec<(String, String)>,
    /// After this one the look goes on; `None`: there are no more.
    pub(crate) last: Option<(String, String)>,
}

/// Balance and version against sum and count.
pub(crate) async fn differing(
    books: &MySqlPool,
    after: Option<&(String, String)>,
    rows: u32,
) -> sqlx::Result<Looked> {
    let (user, currency) = after.map_or(("", ""), |(user, currency)| (user, currency));
    let found: Vec<(String, String, bool)> = query_as(
        "-- differing\nselect a.user_id, a.currency,
            (a.balance <> coalesce(sum(e.amount), 0) or a.version <> count(e.version) or a.version <> coalesce(max(e.version), 0)) as differs
        from (select user_id, currency, balance, version from points_accounts
            where user_id > ? or (user_id = ? and currency > ?) order by user_id, currency limit ?) a
        left join points_entries e on e.user_id = a.user_id and e.currency = a.currency
        group by a.user_id, a.currency, a.balance, a.version order by a.user_id, a.currency",
    )
    .bind(user)
    .bind(user)
    .bind(currency)
    .bind(rows)
    .fetch_all(books)
    .await?;
    let is_last = found.len() < rows as usize;
    let last = found
        .last()
        .filter(|_| !is_last)
        .map(|(user, currency, _)| (user.clone(), currency.clone()));
    let differing = found.into_iter().filter(|(_, _, differs)| *differs);
    Ok(Looked {
        differing: differing
            .map(|(user, currency, _)| (user, currency))
            .collect(),
        last,
    })
}
