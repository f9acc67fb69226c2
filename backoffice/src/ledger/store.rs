//! SQL of the ledger: what is to be posted, and what was. Called by `ledger` and `settlement`.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, MySql, QueryBuilder, Transaction, query_scalar, raw_sql};
use uuid::Uuid;

use super::rules::Line;
use crate::bulk::{parts, push_in};

/// One event that has not been posted.
#[derive(Debug, FromRow)]
pub(super) struct EventRow {
    pub(super) order_id: Uuid,
    pub(super) n: u32,
    pub(super) kind: String,
    pub(super) at: DateTime<Utc>,
    pub(super) amount: Option<i64>,
    pub(super) data: Option<String>,
}

/// One leg, as the books keep it.
#[derive(Debug, Clone)]
pub(crate) struct Posting {
    pub(crate) source_id: Uuid,
    pub(crate) n: u32,
    pub(crate) leg: u8,
    pub(crate) source: &'static str,
    pub(crate) account: &'static str,
    pub(crate) seller: String,
    pub(crate) currency: String,
    pub(crate) amount: i64,
    pub(crate) day: NaiveDate,
    pub(crate) belongs_to: Option<NaiveDate>,
}

/// Read committed, so that what is locked here keeps no order from having more events.
pub(crate) async fn begin(books: &MySqlPool) -> sqlx::Result<Transaction<'static, MySql>> {
    let mut connection = books.acquire().await?;
    raw_sql("-- begin\nset transaction isolation level read committed")
        .execute(&mut *connection)
        .await?;
    Transaction::begin(connection, None).await
}

/// The last closed day; nobody closes another one until the transaction ends.
pub(crate) async fn closed_through(tx: &mut MySqlConnection) -> sqlx::Result<NaiveDate> {
    query_scalar(
        "-- closed_through\nselect closed_through from ledger_head where id = 1 lock in share mode",
    )
    .fetch_one(tx)
    .await
}

/// The same, and nobody posts anything meanwhile.
pub(super) async fn lock_head(tx: &mut MySqlConnection) -> sqlx::Result<NaiveDate> {
    query_scalar("-- lock_head\nselect closed_through from ledger_head where id = 1 for update")
        .fetch_one(tx)
        .await
}

/// The next events to be posted, which nobody else is posting.
pub(super) async fn unposted(tx: &mut MySqlConnection, rows: u32) -> sqlx::Result<Vec<EventRow>> {
    sqlx::query_as(
        "-- unposted\nselect order_id, n, kind, at, amount, cast(data as char) as data from order_events
        where posted = 0 order by posted, order_id, n limit ? for update skip locked",
    )
    .bind(rows)
    .fetch_all(tx)
    .await
}

/// Of an order what its events do not say.
#[derive(Debug, Default)]
pub(super) struct OrderFacts {
    pub(super) currency: String,
    pub(super) shipping: i64,
    /// The number of the event that paid it.
    pub(super) paid_n: Option<u32>,
    pub(super) lines: Vec<Line>,
}

pub(super) async fn orders(
    tx: &mut MySqlConnection,
    ids: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, OrderFacts>> {
    let mut orders: HashMap<Uuid, OrderFacts> = HashMap::with_capacity(ids.len());
    for part in parts(ids) {
        let head =
            "-- orders\nselect order_id, currency, shipping_amount from orders where order_id in (";
        let rows: Vec<(Uuid, String, i64)> = of_ids(head, part)
            .build_query_as()
            .fetch_all(&mut *tx)
            .await?;
        for (id, currency, shipping) in rows {
            let facts = OrderFacts {
                currency,
                shipping,
                ..OrderFacts::default()
            };
            orders.insert(id, facts);
        }
        let head =
            "-- paid\nselect order_id, n from order_events where kind = 'paid' and order_id in (";
        let rows: Vec<(Uuid, u32)> = of_ids(head, part)
            .build_query_as()
            .fetch_all(&mut *tx)
            .await?;
        for (id, n) in rows {
            if let Some(order) = orders.get_mut(&id) {
                order.paid_n = Some(n);
            }
        }
        let head = "-- lines\nselect order_id, sku, seller_id, quantity, unit_amount from order_lines where order_id in (";
        let rows: Vec<(Uuid, String, String, u32, i64)> = of_ids(head, part)
            .build_query_as()
            .fetch_all(&mut *tx)
            .await?;
        for (id, sku, seller, quantity, unit_amount) in rows {
            let line = Line {
                sku,
                seller,
                quantity: i64::from(quantity),
                unit_amount,
            };
            orders.entry(id).or_default().lines.push(line);
        }
    }
    Ok(orders)
}

fn of_ids(head: &'static str, ids: &[Uuid]) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new(head);
    push_in(&mut query, ids.iter().copied());
    query
}

pub(crate) async fn insert(tx: &mut MySqlConnection, postings: &[Posting]) -> sqlx::Result<()> {
    for part in parts(postings) {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new(
            "-- insert\ninsert into ledger_postings (source_id, n, leg, source, account, seller_id, currency, amount, day, belongs_to) ",
        );
        query.push_values(part, |mut row, posting| {
            row.push_bind(posting.source_id)
                .push_bind(posting.n)
                .push_bind(posting.leg)
                .push_bind(posting.source)
                .push_bind(posting.account)
                .push_bind(posting.seller.as_str())
                .push_bind(posting.currency.as_str())
                .push_bind(posting.amount)
                .push_bind(posting.day)
                .push_bind(posting.belongs_to);
        });
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// `posted`: 1, or 2 for events that are refused.
pub(super) async fn mark(
    tx: &mut MySqlConnection,
    events: &[(Uuid, u32)],
    posted: u8,
) -> sqlx::Result<()> {
    for part in parts(events) {
        let mut query: QueryBuilder<MySql> =
            QueryBuilder::new("-- mark\nupdate order_events set posted = ");
        query.push_bind(posted).push(" where ");
        for (i, (id, n)) in part.iter().enumerate() {
            query
                .push(if i > 0 {
                    " or order_id = "
                } else {
                    "order_id = "
                })
                .push_bind(*id)
                .push(" and n = ")
                .push_bind(*n);
        }
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// Whether something that happened before `until` waits to be posted.
pub(crate) async fn waits(tx: &mut MySqlConnection, until: DateTime<Utc>) -> sqlx::Result<bool> {
    let one: Option<i64> =
        query_scalar("-- waits\nselect 1 from order_events where posted = 0 and at < ? limit 1")
            .bind(until.naive_utc())
            .fetch_optional(tx)
            .await?;
    Ok(one.is_some())
}

/// A transaction whose legs do not sum to 0: the first, in the order of its key.
#[derive(Debug, FromRow)]
pub(super) struct Unbalanced {
    pub(super) source_id: Uuid,
    pub(super) n: u32,
    pub(super) currency: String,
    pub(super) sum: i64,
}

/// In the order of the primary key, so that nothing is sorted; legs of one transaction have one currency.
pub(super) async fn first_unbalanced(books: &MySqlPool) -> sqlx::Result<Option<Unbalanced>> {
    sqlx::query_as(
        "-- first_unbalanced\nselect source_id, n, min(currency) as currency, cast(sum(amount) as signed) as sum from ledger_postings
        group by source_id, n having sum(amount) <> 0 or min(currency) <> max(currency) order by source_id, n limit 1",
    )
    .fetch_optional(books)
    .await
}

/// Account, currency, balance; by the index of accounts, so that only one row for each seller is sorted.
pub(super) async fn balances(books: &MySqlPool) -> sqlx::Result<Vec<(String, String, i64)>> {
    sqlx::query_as(
        "-- balances\nselect account, currency, cast(sum(amount) as signed) from (
            select account, seller_id, currency, sum(amount) as amount from ledger_postings group by account, seller_id, currency) of_sellers
        group by account, currency order by account, currency",
    )
    .fetch_all(books)
    .await
}

/// One that was refused and happened before `until`.
pub(crate) async fn refused_before(
    tx: &mut MySqlConnection,
    until: DateTime<Utc>,
) -> sqlx::Result<Option<(Uuid, u32)>> {
    sqlx::query_as(
        "-- refused_before\nselect order_id, n from order_events where posted = 2 and at < ? order by posted, order_id, n limit 1",
    )
    .bind(until.naive_utc())
    .fetch_optional(tx)
    .await
}

/// The next refused events after one, which nobody else tries again.
pub(super) async fn refused_after(
    tx: &mut MySqlConnection,
    (order, n): (Uuid, u32),
    rows: u32,
) -> sqlx::Result<Vec<EventRow>> {
    sqlx::query_as(
        "-- refused_after\nselect order_id, n, kind, at, amount, cast(data as char) as data from order_events
        where posted = 2 and (order_id > ? or (order_id = ? and n > ?)) order by posted, order_id, n limit ? for update",
    )
    .bind(order)
    .bind(order)
    .bind(n)
    .bind(rows)
    .fetch_all(tx)
    .await
}

/// How many wait to be posted.
pub(super) async fn waiting(books: &MySqlPool) -> sqlx::Result<i64> {
    query_scalar("-- waiting\nselect count(*) from order_events where posted = 0")
        .fetch_one(books)
        .await
}

/// Events that were refused, and one of them.
pub(super) async fn refused(books: &MySqlPool) -> sqlx::Result<(i64, Option<Uuid>)> {
    let count = query_scalar("-- refused\nselect count(*) from order_events where posted = 2")
        .fetch_one(books)
        .await?;
    let first = query_scalar(
        "-- refused\nselect order_id from order_events where posted = 2 order by posted, order_id limit 1",
    )
    .fetch_optional(books)
    .await?;
    Ok((count, first))
}

/// An entry of points that no order made.
#[derive(Debug, FromRow)]
pub(super) struct MovedRow {
    pub(super) user_id: String,
    pub(super) currency: String,
    pub(super) version: u32,
    pub(super) expired: bool,
    pub(super) amount: i64,
    pub(super) at: DateTime<Utc>,
}

/// The next ones after one.
pub(super) async fn moved_by_no_order(
    books: &MySqlPool,
    (user, currency, version): &(String, String, u32),
    rows: u32,
) -> sqlx::Result<Vec<MovedRow>> {
    sqlx::query_as(
        "-- moved_by_no_order\nselect user_id, currency, version, kind = 'expire' as expired, amount, at from points_entries
        where kind in ('adjust', 'expire') and (user_id > ? or (user_id = ? and (currency > ? or (currency = ? and version > ?))))
        order by user_id, currency, version limit ?",
    )
    .bind(user)
    .bind(user)
    .bind(currency)
    .bind(currency)
    .bind(version)
    .bind(rows)
    .fetch_all(books)
    .await
}

/// Those of these transactions that are there.
pub(super) async fn posted_of(
    connection: &mut MySqlConnection,
    keys: &[(Uuid, u32)],
) -> sqlx::Result<HashSet<(Uuid, u32)>> {
    let mut there = HashSet::with_capacity(keys.len());
    for part in parts(keys) {
        let mut query: QueryBuilder<MySql> = QueryBuilder::new(
            "-- posted_of\nselect source_id, n from ledger_postings where leg = 0 and (",
        );
        for (i, (id, n)) in part.iter().enumerate() {
            query
                .push(if i > 0 {
                    " or (source_id = "
                } else {
                    "(source_id = "
                })
                .push_bind(*id)
                .push(" and n = ")
                .push_bind(*n)
                .push(")");
        }
        query.push(")");
        let rows: Vec<(Uuid, u32)> = query.build_query_as().fetch_all(&mut *connection).await?;
        there.extend(rows);
    }
    Ok(there)
}
