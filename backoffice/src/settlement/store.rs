//! SQL of settlement: periods, statements, payouts, and the postings that they are made of.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::fee::{Schedule, Schedules};
use super::period::Period;
use super::statement::{Entry, Totals, Whose};

pub(super) async fn schedules(books: &MySqlPool) -> sqlx::Result<Schedules> {
    let rows: Vec<(String, String, NaiveDate, u32, i64)> = query_as(
        "-- schedules\nselect seller_id, currency, valid_from, basis_points, fixed_amount from fee_schedules",
    )
    .fetch_all(books)
    .await?;
    let schedule = |(seller, currency, valid_from, basis_points, fixed)| Schedule {
        seller,
        currency,
        valid_from,
        basis_points,
        fixed,
    };
    Ok(Schedules(rows.into_iter().map(schedule).collect()))
}

pub(super) async fn put_schedule(
    tx: &mut MySqlConnection,
    schedule: &Schedule,
) -> sqlx::Result<()> {
    query(
        "-- put_schedule\ninsert into fee_schedules (seller_id, currency, valid_from, basis_points, fixed_amount) values (?, ?, ?, ?, ?)
        on duplicate key update basis_points = values(basis_points), fixed_amount = values(fixed_amount)",
    )
    .bind(schedule.seller.as_str())
    .bind(schedule.currency.as_str())
    .bind(schedule.valid_from)
    .bind(schedule.basis_points)
    .bind(schedule.fixed)
    .execute(tx)
    .await
    .map(drop)
}

/// Locks the end of what is closed until the transaction ends: nobody posts meanwhile.
pub(super) async fn lock_head(tx: &mut MySqlConnection) -> sqlx::Result<NaiveDate> {
    query_scalar("-- lock_head\nselect closed_through from ledger_head where id = 1 for update")
        .fetch_one(tx)
        .await
}

pub(super) async fn set_head(tx: &mut MySqlConnection, day: NaiveDate) -> sqlx::Result<()> {
    query("-- set_head\nupdate ledger_head set closed_through = ? where id = 1 and closed_through < ?")
        .bind(day)
        .bind(day)
        .execute(tx)
        .await
        .map(drop)
}

/// A period that is closed.
#[derive(Debug, Clone, FromRow)]
pub(super) struct RunRow {
    pub(super) period: String,
    pub(super) closed_by: String,
    pub(super) closed_at: DateTime<Utc>,
    /// None while its first run has not come to its end.
    pub(super) digest: Option<Vec<u8>>,
}

pub(super) async fn run(books: &MySqlPool, period: Period) -> sqlx::Result<Option<RunRow>> {
    query_as(
        "-- run\nselect period, closed_by, closed_at, digest from settlement_runs where period = ?",
    )
    .bind(period.to_string())
    .fetch_optional(books)
    .await
}

/// The newest first.
pub(super) async fn runs(books: &MySqlPool, rows: u32) -> sqlx::Result<Vec<RunRow>> {
    query_as(
        "-- runs\nselect period, closed_by, closed_at, digest from settlement_runs
        order by last_day desc, period limit ?",
    )
    .bind(rows)
    .fetch_all(books)
    .await
}

pub(super) async fn is_later_month_closed(
    tx: &mut MySqlConnection,
    period: Period,
) -> sqlx::Result<bool> {
    let one: Option<i64> = query_scalar(
        "-- is_later_month_closed\nselect 1 from settlement_runs where first_day > ? and char_length(period) = 7 limit 1",
    )
    .bind(period.last)
    .fetch_optional(tx)
    .await?;
    Ok(one.is_some())
}

pub(super) async fn insert_run(
    tx: &mut MySqlConnection,
    period: Period,
    by: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    query(
        "-- insert_run\ninsert into settlement_runs (period, first_day, last_day, closed_by, closed_at) values (?, ?, ?, ?, ?)",
    )
    .bind(period.to_string())
    .bind(period.first)
    .bind(period.last)
    .bind(by)
    .bind(at.naive_utc())
    .execute(tx)
    .await
    .map(drop)
}

pub(super) async fn set_digest(
    tx: &mut MySqlConnection,
    period: Period,
    digest: &[u8; 32],
) -> sqlx::Result<()> {
    query(
        "-- set_digest\nupdate settlement_runs set digest = ? where period = ? and digest is null",
    )
    .bind(digest.as_slice())
    .bind(period.to_string())
    .execute(tx)
    .await
    .map(drop)
}

/// Whoever sold something in the period, or had something come back.
pub(super) async fn sellers(books: &MySqlPool, period: Period) -> sqlx::Result<Vec<Whose>> {
    let rows: Vec<(String, String)> = query_as(
        "-- sellers\nselect distinct seller_id, currency from ledger_postings
        where account = 'seller_payable' and source = 'order' and day between ? and ? order by seller_id, currency",
    )
    .bind(period.first)
    .bind(period.last)
    .fetch_all(books)
    .await?;
    let whose = |(seller, currency)| Whose { seller, currency };
    Ok(rows.into_iter().map(whose).collect())
}

/// The next `rows` entries of a seller's period after `last`, in the order of day, order and event.
pub(super) async fn entries(
    books: &MySqlPool,
    period: Period,
    whose: &Whose,
    last: Option<&Entry>,
    rows: u32,
) -> sqlx::Result<Vec<Entry>> {
    let (day, order, n) = last.map_or((period.first, Uuid::nil(), 0), |e| (e.day, e.order, e.n));
    let rows: Vec<(Uuid, u32, NaiveDate, Option<NaiveDate>, i64)> = query_as(
        "-- entries\nselect source_id, n, day, belongs_to, -amount from ledger_postings
        where account = 'seller_payable' and seller_id = ? and currency = ? and day between ? and ? and source = 'order'
            and (day > ? or source_id > ? or (source_id = ? and n > ?))
        order by day, source_id, n limit ?",
    )
    .bind(whose.seller.as_str())
    .bind(whose.currency.as_str())
    .bind(day)
    .bind(period.last)
    .bind(day)
    .bind(order)
    .bind(order)
    .bind(n)
    .bind(rows)
    .fetch_all(books)
    .await?;
    let entry = |(order, n, day, belongs_to, amount)| Entry {
        order,
        n,
        day,
        belongs_to,
        amount,
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// A statement as the books keep it, with its payout where it has one.
#[derive(Debug, Clone, FromRow)]
pub(super) struct StatementRow {
    pub(super) seller_id: String,
    pub(super) currency: String,
    pub(super) entries: u64,
    pub(super) late_entries: u64,
    pub(super) sales: i64,
    pub(super) returned: i64,
    pub(super) fee: i64,
    pub(super) carried_in: i64,
    pub(super) digest: Vec<u8>,
    pub(super) payout: Option<i64>,
    pub(super) payout_state: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) paid_by: Option<String>,
}

impl StatementRow {
    pub(super) fn totals(&self) -> Totals {
        Totals {
            entries: self.entries,
            late: self.late_entries,
            sales: self.sales,
            returned: self.returned,
            fee: self.fee,
        }
    }
}

pub(super) async fn statements(books: &MySqlPool, period: &str) -> sqlx::Result<Vec<StatementRow>> {
    query_as(
        "-- statements\nselect s.seller_id, s.currency, s.entries, s.late_entries, s.sales, s.returned, s.fee, s.carried_in, s.digest,
            p.amount as payout, p.state as payout_state, p.reference, p.paid_by
        from statements s
        left join payouts p on p.period = s.period and p.seller_id = s.seller_id and p.currency = s.currency
        where s.period = ? order by s.seller_id, s.currency",
    )
    .bind(period)
    .fetch_all(books)
    .await
}

/// The digest that a statement was written with.
pub(super) async fn digest(
    tx: &mut MySqlConnection,
    period: Period,
    whose: &Whose,
) -> sqlx::Result<Option<Vec<u8>>> {
    query_scalar(
        "-- digest\nselect digest from statements where period = ? and seller_id = ? and currency = ?",
    )
    .bind(period.to_string())
    .bind(whose.seller.as_str())
    .bind(whose.currency.as_str())
    .fetch_optional(tx)
    .await
}

/// What the seller's last month before this one left below 0.
pub(super) async fn carried(
    tx: &mut MySqlConnection,
    period: Period,
    whose: &Whose,
) -> sqlx::Result<i64> {
    let before: Option<i64> = query_scalar(
        "-- carried\nselect net + carried_in from statements
        where seller_id = ? and currency = ? and period < ? and char_length(period) = 7 order by period desc limit 1",
    )
    .bind(whose.seller.as_str())
    .bind(whose.currency.as_str())
    .bind(period.to_string())
    .fetch_optional(tx)
    .await?;
    Ok(before.unwrap_or(0).min(0))
}

pub(super) async fn insert_statement(
    tx: &mut MySqlConnection,
    period: Period,
    whose: &Whose,
    totals: &Totals,
    carried_in: i64,
    digest: &[u8; 32],
) -> sqlx::Result<()> {
    query(
        "-- insert_statement\ninsert into statements
            (period, seller_id, currency, entries, late_entries, sales, returned, fee, net, carried_in, digest)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(period.to_string())
    .bind(whose.seller.as_str())
    .bind(whose.currency.as_str())
    .bind(totals.entries)
    .bind(totals.late)
    .bind(totals.sales)
    .bind(totals.returned)
    .bind(totals.fee)
    .bind(totals.net())
    .bind(carried_in)
    .bind(digest.as_slice())
    .execute(tx)
    .await
    .map(drop)
}

pub(super) async fn insert_payout(
    tx: &mut MySqlConnection,
    period: Period,
    whose: &Whose,
    amount: i64,
) -> sqlx::Result<()> {
    query("-- insert_payout\ninsert into payouts (period, seller_id, currency, amount, state) values (?, ?, ?, ?, 'due')")
        .bind(period.to_string())
        .bind(whose.seller.as_str())
        .bind(whose.currency.as_str())
        .bind(amount)
        .execute(tx)
        .await
        .map(drop)
}

/// Amount, state and reference, locked.
pub(super) async fn lock_payout(
    tx: &mut MySqlConnection,
    period: Period,
    whose: &Whose,
) -> sqlx::Result<Option<(i64, String, Option<String>)>> {
    query_as(
        "-- lock_payout\nselect amount, state, reference from payouts
        where period = ? and seller_id = ? and currency = ? for update",
    )
    .bind(period.to_string())
    .bind(whose.seller.as_str())
    .bind(whose.currency.as_str())
    .fetch_optional(tx)
    .await
}

pub(super) async fn set_paid(
    tx: &mut MySqlConnection,
    period: Period,
    whose: &Whose,
    (reference, by, at): (&str, &str, DateTime<Utc>),
) -> sqlx::Result<()> {
    query(
        "-- set_paid\nupdate payouts set state = 'paid', reference = ?, paid_by = ?, paid_at = ?
        where period = ? and seller_id = ? and currency = ? and state = 'due'",
    )
    .bind(reference)
    .bind(by)
    .bind(at.naive_utc())
    .bind(period.to_string())
    .bind(whose.seller.as_str())
    .bind(whose.currency.as_str())
    .execute(tx)
    .await
    .map(drop)
}
