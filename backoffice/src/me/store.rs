//! SQL of a buyer's own reservations. Called by `me`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use doorbuster_core::ids::{ReservationId, UserId};
use sqlx::mysql::MySqlPool;
use sqlx::{FromRow, MySql, QueryBuilder, query_as};
use uuid::Uuid;

use super::page::Position;
use crate::bulk::padded;

/// One reservation in the books.
#[derive(Debug, FromRow)]
pub(crate) struct ReservationRow {
    pub(crate) id: Uuid,
    pub(crate) sale_id: String,
    pub(crate) user_id: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) deadline: DateTime<Utc>,
    pub(crate) seq: u64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

impl ReservationRow {
    pub(crate) fn position(&self) -> Position {
        Position {
            created_at: self.created_at,
            id: ReservationId::from_bytes(*self.id.as_bytes()),
        }
    }
}

/// Lines by reservation.
pub(crate) type Items = HashMap<Uuid, Vec<(String, u32)>>;

/// At most `rows` of them after `after`, newest first.
pub(crate) async fn reservations(
    books: &MySqlPool,
    user: &UserId,
    after: Option<Position>,
    rows: u32,
) -> sqlx::Result<Vec<ReservationRow>> {
    let (created_at, id) = after
        .map(|p| (p.created_at.naive_utc(), *p.id.as_uuid().as_bytes()))
        .unzip();
    query_as(
        "-- reservations\nselect id, sale_id, user_id, status, reason, deadline, seq, created_at, ended_at
        from reservations
        where user_id = ? and (? is null or created_at < ? or (created_at = ? and id < ?))
        order by created_at desc, id desc limit ?",
    )
    .bind(user.as_str())
    .bind(created_at)
    .bind(created_at)
    .bind(created_at)
    .bind(id.map(Vec::from))
    .bind(rows)
    .fetch_all(books)
    .await
}

pub(crate) async fn items(
    books: &MySqlPool,
    reservations: &[ReservationRow],
) -> sqlx::Result<Items> {
    let mut items = Items::new();
    if reservations.is_empty() {
        return Ok(items);
    }
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- items\nselect reservation_id, sku, quantity from reservation_lines where (sale_id, seq) in (",
    );
    let mut ids = statement.separated(", ");
    for reservation in padded(reservations) {
        ids.push("(")
            .push_bind_unseparated(&reservation.sale_id)
            .push_unseparated(", ")
            .push_bind_unseparated(reservation.seq)
            .push_unseparated(")");
    }
    statement.push(") order by reservation_id, sku");
    let rows: Vec<(Uuid, String, u32)> = statement.build_query_as().fetch_all(books).await?;
    for (id, sku, quantity) in rows {
        items.entry(id).or_default().push((sku, quantity));
    }
    Ok(items)
}
