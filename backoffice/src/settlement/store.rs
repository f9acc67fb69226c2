//! SQL of settlement: fee schedules, statements, and the postings that they are made of.

use std::ops::RangeInclusive;

use chrono::NaiveDate;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::fee::{Schedule, Schedules};
use super::period::Period;
use super::statement::{Entry, Sale, Totals, Whose};

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

/// Basis points and fixed amount that are set for a seller from a day on.
pub(super) async fn schedule(
    tx: &mut MySqlConnection,
    schedule: &Schedule,
) -> sqlx::Result<Option<(u32, i64)>> {
    query_as(
        "-- schedule\nselect basis_points, fixed_amount from fee_schedules where seller_id = ? and currency = ? and valid_from = ?",
    )
    .bind(schedule.seller.as_str())
    .bind(schedule.currency.as_str())
    .bind(schedule.valid_from)
    .fetch_optional(tx)
    .await
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

/// Whoever sold something in the period, or had something come back.
pub(super) async fn sellers(books: &MySqlPool, period: Period) -> sqlx::Result<Vec<Whose>> {
    let mut connection = books.acquire().await?;
    let mut sellers = Vec::new();
    for whose in all_sellers(&mut connection).await? {
        let days = period.first..=period.last;
        if first_day(&mut connection, &whose, days).await?.is_some() {
            sellers.push(whose);
        }
    }
    Ok(sellers)
}

/// Whoever ever sold something: one step of the index for each, however much it was.
pub(super) async fn all_sellers(tx: &mut MySqlConnection) -> sqlx::Result<Vec<Whose>> {
    let rows: Vec<(String, String)> = query_as(
        "-- all_sellers\nselect distinct seller_id, currency from ledger_postings
        where account = 'seller_payable' order by seller_id, currency",
    )
    .fetch_all(tx)
    .await?;
    let whose = |(seller, currency)| Whose { seller, currency };
    Ok(rows.into_iter().map(whose).collect())
}

/// The first of these days on which a seller sold something or had something come back. A statement of its own for each seller: to a correlated
/// one inside derived tables MariaDB 10.11 now and then answers 1054.
pub(super) async fn first_day(
    tx: &mut MySqlConnection,
    whose: &Whose,
    days: RangeInclusive<NaiveDate>,
) -> sqlx::Result<Option<NaiveDate>> {
    query_scalar(
        "-- first_day\nselect day from ledger_postings
        where account = 'seller_payable' and seller_id = ? and currency = ? and day between ? and ? and source = 'order' order by day limit 1",
    )
    .bind(whose.seller.as_str())
    .bind(whose.currency.as_str())
    .bind(*days.start())
    .bind(*days.end())
    .fetch_optional(tx)
    .await
}

/// The next `rows` entries of a seller's period after `last`, in the order of day, order and event. A return comes with its sale, which is
/// found among its order's few postings.
pub(super) async fn entries(
    books: &MySqlPool,
    period: Period,
    whose: &Whose,
    last: Option<&Entry>,
    rows: u32,
) -> sqlx::Result<Vec<Entry>> {
    let (day, order, n) = last.map_or((period.first, Uuid::nil(), 0), |e| (e.day, e.order, e.n));
    let rows: Vec<EntryRow> = query_as(
        "-- entries\nselect p.source_id, p.n, p.day, p.belongs_to, -p.amount as amount,
            case when p.amount > 0 then (select coalesce(s.belongs_to, s.day) from ledger_postings s force index (primary)
                where s.source_id = p.source_id and s.account = 'seller_payable' and s.seller_id = p.seller_id and s.currency = p.currency
                    and s.source = 'order' and s.amount < 0 order by s.n limit 1) end as sold,
            case when p.amount > 0 then (select cast(coalesce(sum(b.amount), 0) as signed) from ledger_postings b force index (primary)
                where b.source_id = p.source_id and b.account = 'seller_payable' and b.seller_id = p.seller_id and b.currency = p.currency
                    and b.source = 'order' and b.amount > 0 and (b.day < p.day or (b.day = p.day and b.n < p.n))) end as returned
        from ledger_postings p
        where p.account = 'seller_payable' and p.seller_id = ? and p.currency = ? and p.day between ? and ? and p.source = 'order'
            and (p.day > ? or p.source_id > ? or (p.source_id = ? and p.n > ?))
        order by p.day, p.source_id, p.n limit ?",
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
    let entry = |row: EntryRow| Entry {
        order: row.source_id,
        n: row.n,
        day: row.day,
        belongs_to: row.belongs_to,
        amount: row.amount,
        sale: row.sold.map(|day| Sale {
            day,
            returned: row.returned.unwrap_or(0),
        }),
    };
    Ok(rows.into_iter().map(entry).collect())
}

#[derive(FromRow)]
struct EntryRow {
    source_id: Uuid,
    n: u32,
    day: NaiveDate,
    belongs_to: Option<NaiveDate>,
    amount: i64,
    sold: Option<NaiveDate>,
    returned: Option<i64>,
}

/// A statement as the books keep it, with its payout where it has one.
#[derive(Debug, Clone, FromRow)]
pub(super) struct StatementRow {
    pub(super) seller_id: String,
    pub(super) currency: String,
    #[sqlx(flatten)]
    pub(super) written: Written,
    #[sqlx(flatten)]
    pub(super) payout: PayoutRow,
}

/// What is paid out, as a left join has it.
#[derive(Debug, Clone, FromRow)]
pub(super) struct PayoutRow {
    #[sqlx(rename = "payout")]
    pub(super) amount: Option<i64>,
    #[sqlx(rename = "payout_state")]
    pub(super) state: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) paid_by: Option<String>,
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

/// What a statement was written with.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Written {
    pub(super) entries: u64,
    pub(super) late_entries: u64,
    pub(super) sales: i64,
    pub(super) returned: i64,
    pub(super) fee: i64,
    pub(super) carried_in: i64,
    pub(super) digest: Vec<u8>,
}

impl Written {
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

pub(super) async fn written(
    tx: &mut MySqlConnection,
    period: Period,
    whose: &Whose,
) -> sqlx::Result<Option<Written>> {
    query_as(
        "-- written\nselect entries, late_entries, sales, returned, fee, carried_in, digest from statements
        where period = ? and seller_id = ? and currency = ?",
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
