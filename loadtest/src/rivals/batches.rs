//! The statements of a batch of orders. Called by `combined`.

use std::collections::HashMap;

use doorbuster_core::ids::ReservationId;
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection, FromRow, MySql, QueryBuilder};

use super::books::{self, StandingRow};
use super::way::{Order, Standing};
use crate::limits::RIVAL_BATCH_ORDERS_MAX;

/// Ids of one look, padded up to one of these, so that few different statements are prepared.
const LOOK_SIZES: [usize; 4] = [4, 16, 64, RIVAL_BATCH_ORDERS_MAX];

/// How one transaction ended.
pub(crate) enum Done {
    /// Committed; the first row's number.
    Placed(u64),
    /// Rolled back: a look has to sort them out.
    Unclear,
    Raced,
}

#[derive(FromRow)]
struct SeenRow {
    left_units: i64,
    id: Option<Vec<u8>>,
    #[sqlx(flatten)]
    standing: StandingRow,
}

/// # Errors
/// Of any statement; [`books::fault`] says whether to try again.
pub(crate) async fn place(
    connection: &mut MySqlConnection,
    orders: &[&Order],
) -> Result<Done, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let first = insert(&mut transaction, orders).await?;
    let units = orders.iter().map(|order| order.units()).sum();
    if !books::take_off(&mut transaction, units).await? {
        transaction.rollback().await?;
        return Ok(Done::Unclear);
    }
    transaction.commit().await?;
    Ok(Done::Placed(first))
}

/// The number of the first row; InnoDB numbers the rows of one statement without a gap.
async fn insert(connection: &mut MySqlConnection, orders: &[&Order]) -> Result<u64, sqlx::Error> {
    let mut query = QueryBuilder::<MySql>::new(
        "-- insert
        insert into rival_orders (id, sale_id, user_id, order_key, sku, quantity, body_hash, deadline_ms) ",
    );
    query.push_values(orders, |mut row, order| {
        row.push_bind(&order.id.as_bytes()[..])
            .push_bind(order.sale.book_id())
            .push_bind(order.user.as_str())
            .push_bind(order.key.as_str())
            .push_bind(order.line.sku.as_str())
            .push_bind(order.line.quantity)
            .push_bind(&order.body.as_bytes()[..])
            .push_bind(order.deadline_ms);
    });
    let done = query.build().execute(connection).await?;
    Ok(done.last_insert_id())
}

/// What is left, and which of `orders` stand; of one instant.
pub(crate) async fn look(
    connection: &mut MySqlConnection,
    orders: &[&Order],
) -> Result<(i64, HashMap<ReservationId, Standing>), sqlx::Error> {
    let size = LOOK_SIZES.iter().find(|size| **size >= orders.len());
    let ids = orders.iter().map(|order| order.id).cycle();
    let mut query = QueryBuilder::<MySql>::new(
        "-- look
        select s.left_units, o.id, o.order_no, o.deadline_ms, o.body_hash
        from rival_stock s left join rival_orders o on o.id in (",
    );
    let mut list = query.separated(", ");
    for id in ids.take(size.copied().unwrap_or(orders.len())) {
        list.push_bind(id.as_bytes().to_vec());
    }
    query.push(") where s.shelf = 1");
    let rows: Vec<SeenRow> = query.build_query_as().fetch_all(connection).await?;
    let left = rows.first().map_or(0, |row| row.left_units);
    let standing = rows.iter().filter_map(|row| {
        let id = row.id.as_deref()?.try_into().ok()?;
        Some((ReservationId::from_bytes(id), row.standing.standing()?))
    });
    Ok((left, standing.collect()))
}
