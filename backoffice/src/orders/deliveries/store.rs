//! SQL of deliveries. Called by `deliveries`, `saga` and `desk`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use crate::bulk::parts;
use crate::orders::limits::{DELIVERIES_AT_ONCE, DELIVERY_AGAIN};
use crate::orders::model::Order;

/// A delivery in the books.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct DeliveryRow {
    /// preparing, shipped, delivered or stopped
    pub(crate) state: String,
    pub(crate) carrier: Option<String>,
    pub(crate) tracking_number: Option<String>,
    pub(crate) next_at: Option<DateTime<Utc>>,
    pub(crate) shipped_at: Option<DateTime<Utc>>,
    pub(crate) delivered_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "state, carrier, tracking_number, next_at, shipped_at, delivered_at";

/// Locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut MySqlConnection,
    order: Uuid,
) -> sqlx::Result<Option<DeliveryRow>> {
    let mut statement = sqlx::QueryBuilder::new("-- lock\nselect ");
    statement
        .push(COLUMNS)
        .push(" from deliveries where order_id = ")
        .push_bind(order)
        .push(" for update");
    statement.build_query_as().fetch_optional(tx).await
}

pub(crate) async fn set(
    tx: &mut MySqlConnection,
    order: Uuid,
    delivery: &DeliveryRow,
) -> sqlx::Result<()> {
    query(
        "-- set\nupdate deliveries set state = ?, carrier = ?, tracking_number = ?, next_at = ?, shipped_at = ?, delivered_at = ? where order_id = ?",
    )
    .bind(&delivery.state)
    .bind(&delivery.carrier)
    .bind(&delivery.tracking_number)
    .bind(delivery.next_at.map(|at| at.naive_utc()))
    .bind(delivery.shipped_at.map(|at| at.naive_utc()))
    .bind(delivery.delivered_at.map(|at| at.naive_utc()))
    .bind(order)
    .execute(tx)
    .await
    .map(drop)
}

/// Whether the goods are on their way, or there.
pub(crate) async fn has_left(books: impl MySqlExecutor<'_>, order: Uuid) -> sqlx::Result<bool> {
    let left: Option<i64> = query_scalar(
        "-- has_left\nselect 1 from deliveries where order_id = ? and state in ('shipped', 'delivered')",
    )
    .bind(order)
    .fetch_optional(books)
    .await?;
    Ok(left.is_some())
}

/// Nothing is left to be sent: what is not on its way stays here, and nothing goes on by itself.
pub(crate) async fn stop(tx: &mut MySqlConnection, order: Uuid) -> sqlx::Result<()> {
    query("-- stop\nupdate deliveries set state = if(state = 'preparing', 'stopped', state), next_at = null where order_id = ?")
        .bind(order)
        .execute(tx)
        .await
        .map(drop)
}

/// It cannot go on now: so that it is not in the way of others, it is looked at again later.
pub(crate) async fn put_off(books: impl MySqlExecutor<'_>, order: Uuid) -> sqlx::Result<()> {
    let now = clock::now();
    query("-- put_off\nupdate deliveries set next_at = ? where order_id = ? and next_at <= ?")
        .bind((now + DELIVERY_AGAIN).naive_utc())
        .bind(order)
        .bind(now.naive_utc())
        .execute(books)
        .await
        .map(drop)
}

/// Orders whose deliveries go on by now.
pub(crate) async fn due(books: &MySqlPool) -> sqlx::Result<Vec<Uuid>> {
    query_scalar(
        "-- due\nselect order_id from deliveries where next_at <= ? order by next_at limit ?",
    )
    .bind(clock::now().naive_utc())
    .bind(DELIVERIES_AT_ONCE)
    .fetch_all(books)
    .await
}

/// What earns points: what was paid for the lines and has not gone back, in money; how much of it is to be earned, and what has been.
pub(crate) async fn earns(tx: &mut MySqlConnection, order: Uuid) -> sqlx::Result<(i64, u32, i64)> {
    query_as("-- earns\nselect cast(o.captured_amount - o.refunded_amount - o.shipping_amount + (
            select coalesce(sum(r.shipping_amount), 0) from refunds r where r.order_id = o.order_id and r.state in ('repaid', 'done')) as signed),
        o.earn_per_mille, o.points_earned from orders o where o.order_id = ?")
        .bind(order)
        .fetch_one(tx)
        .await
}

pub(crate) async fn earned(tx: &mut MySqlConnection, order: Uuid, points: i64) -> sqlx::Result<()> {
    query("-- earned\nupdate orders set points_earned = ? where order_id = ?")
        .bind(points)
        .bind(order)
        .execute(tx)
        .await
        .map(drop)
}

/// Goods of paid orders are prepared.
pub(crate) async fn add(tx: &mut MySqlConnection, orders: &[&Order]) -> sqlx::Result<()> {
    for part in parts(orders) {
        let mut statement: sqlx::QueryBuilder<sqlx::MySql> =
            sqlx::QueryBuilder::new("-- add\ninsert into deliveries (order_id, state) ");
        statement.push_values(part, |mut row, order| {
            row.push_bind(order.id).push_bind("preparing");
        });
        statement.build().execute(&mut *tx).await?;
    }
    Ok(())
}
