//! Reads what the books say about orders of a sale. Plain reads, page by page.

use std::collections::HashSet;

use anyhow::{Context, Result};
use doorbuster_core::ids::{LiveId, ReservationId};
use sqlx::FromRow;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};

use super::facts::{Attempt, Order};
use crate::limits::AUDIT_PAGE_ROWS;

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

/// In hyphenated form, as every program writes it.
fn uuid(bytes: &[u8]) -> Result<String> {
    let bytes: [u8; 16] = bytes.try_into().context("an id has 16 bytes")?;
    Ok(ReservationId::from_bytes(bytes).to_string())
}
