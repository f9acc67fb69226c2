//! Reads what the books say about orders of a sale. Plain reads, page by page.

use std::collections::HashSet;

use anyhow::{Context, Result};
use doorbuster_core::ids::{LiveId, ReservationId};
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use sqlx::{FromRow, MySql, QueryBuilder};

use super::facts::{Attempt, Event, Ledger, Order, Transaction};
use crate::limits::{AUDIT_IDS, AUDIT_PAGE_ROWS};

/// A connection for reading the books of orders.
#[derive(Debug, Clone)]
pub struct Store {
    pool: MySqlPool,
}

#[derive(FromRow)]
struct OrderRow {
    order_id: Vec<u8>,
    user_id: String,
    reservation_id: Vec<u8>,
    state: String,
    reason: Option<String>,
    currency: String,
    total_amount: i64,
    captured_amount: i64,
    refunded_amount: i64,
    attempt_id: Option<Vec<u8>>,
    attempt_amount: Option<i64>,
}

#[derive(FromRow)]
struct EventRow {
    order_id: Vec<u8>,
    n: u32,
    kind: String,
    amount: i64,
    is_refused: bool,
}

#[derive(FromRow)]
struct TransactionRow {
    source_id: Vec<u8>,
    n: u32,
    legs: i64,
    sum: i64,
    currency: String,
    currencies: i64,
    clearing: i64,
    open: i64,
    returning_amount: i64,
}

impl Store {
    /// # Errors
    /// If the database cannot be reached.
    pub async fn connect(database_url: &str) -> Result<Self> {
        let pool = MySqlPoolOptions::new()
            .max_connections(1)
            .connect(database_url)
            .await;
        Ok(Self {
            pool: pool.context("DATABASE_URL: the database cannot be reached")?,
        })
    }

    /// Orders of `live`, each with what the provider was asked for.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn orders(&self, live: &LiveId) -> Result<Vec<Order>> {
        let query = "-- orders\nselect o.order_id, o.user_id, o.reservation_id, o.state, o.reason, o.currency, o.total_amount, o.captured_amount,
            o.refunded_amount, a.attempt_id, a.amount as attempt_amount
            from orders o left join payment_attempts a on a.order_id = o.order_id
            where o.sale_id = ? and o.order_id > ? order by o.order_id limit ?";
        let mut orders = Vec::new();
        let mut after: Vec<u8> = Vec::new();
        loop {
            let rows: Vec<OrderRow> = sqlx::query_as(query)
                .bind(live.name())
                .bind(&after)
                .bind(AUDIT_PAGE_ROWS)
                .fetch_all(&self.pool)
                .await?;
            let is_last = rows.len() < AUDIT_PAGE_ROWS as usize;
            if let Some(row) = rows.last() {
                after.clone_from(&row.order_id);
            }
            for row in rows {
                orders.push(row.order()?);
            }
            if is_last {
                return Ok(orders);
            }
        }
    }

    /// Ids of all orders there are, of whatever sale.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn ids(&self) -> Result<HashSet<String>> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as("-- ids\nselect order_id from orders")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|(id,)| uuid(id)).collect()
    }

    /// How many orders of `live` have not come to an end.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn moving(&self, live: &LiveId) -> Result<i64> {
        let query = "-- moving\nselect count(*) from orders where sale_id = ? and state not in ('paid', 'cancelled', 'refunded', 'parked')";
        let count = sqlx::query_scalar(query)
            .bind(live.name())
            .fetch_one(&self.pool)
            .await?;
        Ok(count)
    }

    /// How many have.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn ended(&self, live: &LiveId) -> Result<i64> {
        let query = "-- ended\nselect count(*) from orders where sale_id = ? and state in ('paid', 'cancelled', 'refunded', 'parked')";
        let count = sqlx::query_scalar(query)
            .bind(live.name())
            .fetch_one(&self.pool)
            .await?;
        Ok(count)
    }

    /// Refunds of orders of `live` that have not come to an end.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn open_refunds(&self, live: &LiveId) -> Result<u64> {
        let query = "-- open_refunds\nselect count(*) from refunds r join orders o on o.order_id = r.order_id
            where o.sale_id = ? and r.state <> 'done'";
        let count: i64 = sqlx::query_scalar(query)
            .bind(live.name())
            .fetch_one(&self.pool)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// Events of orders, of whatever sale, that wait to be posted.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn unposted(&self) -> Result<i64> {
        let query = "-- unposted\nselect count(*) from order_events where posted = 0";
        Ok(sqlx::query_scalar(query).fetch_one(&self.pool).await?)
    }

    /// What the ledger has of these orders.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn ledger(&self, orders: &[Order]) -> Result<Ledger> {
        let mut ledger = Ledger::default();
        for some in orders.chunks(AUDIT_IDS) {
            let query = "-- ledger\nselect e.order_id, e.n, e.kind,
                if(e.kind = 'paid', o.lines_amount + o.shipping_amount, coalesce(e.amount, 0)) as amount, e.posted = 2 as is_refused
                from order_events e join orders o on o.order_id = e.order_id where e.order_id in (";
            let rows: Vec<EventRow> = of(query, some, ")")?
                .build_query_as()
                .fetch_all(&self.pool)
                .await?;
            for row in rows {
                ledger.events.push(row.event()?);
            }
            let query = "-- ledger\nselect source_id, n, count(*) as legs, cast(sum(amount) as signed) as sum, min(currency) as currency,
                count(distinct currency) as currencies,
                cast(sum(if(account = 'provider_clearing', amount, 0)) as signed) as clearing,
                cast(sum(if(account = 'buyer_receivable', amount, 0)) as signed) as open,
                cast(sum(if(account = 'refunds', amount, 0)) as signed) as returning_amount
                from ledger_postings where source_id in (";
            let rows: Vec<TransactionRow> = of(query, some, ") group by source_id, n")?
                .build_query_as()
                .fetch_all(&self.pool)
                .await?;
            for row in rows {
                ledger.transactions.push(row.transaction()?);
            }
        }
        let query = "-- ledger\nselect currency, cast(sum(amount) as signed) from ledger_postings group by currency having sum(amount) <> 0";
        ledger.unbalanced = sqlx::query_as(query).fetch_all(&self.pool).await?;
        Ok(ledger)
    }

    /// Statements that the server has been sent since it started.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn statements(&self) -> Result<u64> {
        let (_, count): (String, String) = sqlx::query_as("show global status like 'Questions'")
            .fetch_one(&self.pool)
            .await?;
        count.parse().context("Questions")
    }
}

impl OrderRow {
    fn order(self) -> Result<Order> {
        let reservation: [u8; 16] = self
            .reservation_id
            .as_slice()
            .try_into()
            .context("an id has 16 bytes")?;
        let attempt = match (self.attempt_id, self.attempt_amount) {
            (Some(key), Some(amount)) => Some(Attempt {
                key: uuid(&key)?,
                amount,
            }),
            _ => None,
        };
        Ok(Order {
            id: uuid(&self.order_id)?,
            user: self.user_id,
            reservation: ReservationId::from_bytes(reservation),
            state: self.state,
            reason: self.reason,
            currency: self.currency,
            total: self.total_amount,
            captured: self.captured_amount,
            refunded: self.refunded_amount,
            attempt,
        })
    }
}

impl EventRow {
    fn event(self) -> Result<Event> {
        Ok(Event {
            order: uuid(&self.order_id)?,
            n: self.n,
            kind: self.kind,
            amount: self.amount,
            is_refused: self.is_refused,
        })
    }
}

impl TransactionRow {
    fn transaction(self) -> Result<Transaction> {
        Ok(Transaction {
            order: uuid(&self.source_id)?,
            n: self.n,
            legs: self.legs,
            sum: self.sum,
            currency: Some(self.currency).filter(|_| self.currencies == 1),
            clearing: self.clearing,
            open: self.open,
            returning: self.returning_amount,
        })
    }
}

/// The statement with the ids of these orders.
fn of(head: &'static str, orders: &[Order], tail: &'static str) -> Result<QueryBuilder<MySql>> {
    let mut query = QueryBuilder::new(head);
    let mut ids = query.separated(", ");
    for order in orders {
        let id = ReservationId::parse(&order.id).context("an id of an order")?;
        ids.push_bind(id.as_bytes().to_vec());
    }
    query.push(tail);
    Ok(query)
}

/// In hyphenated form, as every program writes it.
fn uuid(bytes: &[u8]) -> Result<String> {
    let bytes: [u8; 16] = bytes.try_into().context("an id has 16 bytes")?;
    Ok(ReservationId::from_bytes(bytes).to_string())
}
