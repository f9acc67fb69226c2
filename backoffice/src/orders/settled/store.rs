//! SQL of what a loss did to payments. Called by `settled`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::{MySqlExecutor, MySqlPool};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as};
use uuid::Uuid;

use crate::bulk::push_in;
use crate::orders::limits::{RISEN_MAX, SETTLED_PAGE};

/// An order whose units were sold at some time, with its reservation as the books have it.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Row {
    pub(super) order_id: Uuid,
    pub(super) user_id: String,
    pub(super) reservation_id: Uuid,
    pub(super) state: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) status: Option<String>,
    pub(super) reason: Option<String>,
}

/// A sale that was rebuilt, or doubted, and whose orders nobody has held against the books since.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Risen {
    pub(super) sale_id: String,
    pub(super) epoch: u32,
    /// Of what is noted of it so far; every doubt changes it.
    pub(super) noted_at: Option<DateTime<Utc>>,
}

pub(super) async fn risen(books: &MySqlPool) -> sqlx::Result<Vec<Risen>> {
    query_as(
        "-- risen\nselect c.sale_id, c.epoch, e.noted_at from journal_cursor c left join order_epochs e on e.sale_id = c.sale_id
        where c.epoch > coalesce(e.epoch, 1) and c.sale_id not like 'coupon:%' order by c.sale_id limit ?",
    )
    .bind(RISEN_MAX)
    .fetch_all(books)
    .await
}

/// One order.
pub(super) async fn one(books: &MySqlPool, order: Uuid) -> sqlx::Result<Option<Row>> {
    query_as(
        "-- one\nselect o.order_id, o.user_id, o.reservation_id, o.state, o.created_at, r.status, r.reason
        from orders o left join reservations r on r.id = o.reservation_id where o.order_id = ?",
    )
    .bind(order)
    .fetch_optional(books)
    .await
}

/// The next orders of a sale, whatever their state, in the order in which they were placed.
pub(super) async fn page(
    books: &MySqlPool,
    sale: &str,
    after: (DateTime<Utc>, Uuid),
) -> sqlx::Result<Vec<Row>> {
    query_as(
        "-- page\nselect o.order_id, o.user_id, o.reservation_id, o.state, o.created_at, r.status, r.reason
        from orders o left join reservations r on r.id = o.reservation_id
        where o.sale_id = ? and o.created_at >= ? and (o.created_at > ? or o.order_id > ?)
        order by o.created_at, o.order_id limit ?",
    )
    .bind(sale)
    .bind(after.0.naive_utc())
    .bind(after.0.naive_utc())
    .bind(after.1)
    .bind(SETTLED_PAGE)
    .fetch_all(books)
    .await
}

/// Refunds of these orders that are done, and whose units their buyers do not have: order and refund.
pub(super) async fn returned(books: &MySqlPool, orders: &[Row]) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked: QueryBuilder<MySql> = QueryBuilder::new(
        "-- returned\nselect order_id, refund_id from refunds where order_id in (",
    );
    push_in(&mut asked, orders.iter().map(|order| order.order_id));
    asked.push(
        " and state = 'done' and exists (select 1 from refund_lines l where l.refund_id = refunds.refund_id and l.units <> 'keep')
        order by created_at",
    );
    asked.build_query_as().fetch_all(books).await
}

/// All orders of the sale are as the books of this generation have them, unless somebody has doubted it since it was seen so.
pub(super) async fn note(books: &MySqlPool, seen: &Risen) -> sqlx::Result<()> {
    query(
        "-- note\ninsert into order_epochs (sale_id, epoch, noted_at) values (?, ?, ?)
        on duplicate key update epoch = if(noted_at <=> ?, greatest(epoch, values(epoch)), epoch)",
    )
    .bind(&seen.sale_id)
    .bind(seen.epoch)
    .bind(clock::now().naive_utc())
    .bind(seen.noted_at.map(|at| at.naive_utc()))
    .execute(books)
    .await
    .map(drop)
}

/// The sales of these orders are to be gone along again.
pub(super) async fn doubt(books: impl MySqlExecutor<'_>, orders: &[Uuid]) -> sqlx::Result<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- doubt\ninsert into order_epochs (sale_id, epoch, noted_at) select distinct sale_id, 0, ",
    );
    statement
        .push_bind(clock::now().naive_utc())
        .push(" from orders where state in ('paid', 'refunded') and order_id in (");
    push_in(&mut statement, orders.iter().copied());
    statement.push(
        " on duplicate key update epoch = 0, noted_at = greatest(values(noted_at), noted_at + interval 1000 microsecond)",
    );
    statement.build().execute(books).await.map(drop)
}
