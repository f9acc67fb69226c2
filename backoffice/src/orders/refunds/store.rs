//! SQL of refunds. Called by `saga` and `desk`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::{MySqlConnection, MySqlExecutor};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use super::{Left, RefundLine, Units, Worked};
use crate::bulk::push_in;
use crate::error::ApiError;
use crate::orders::model::Order;

/// A refund in the books.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct RefundRow {
    pub(crate) order_id: Uuid,
    pub(crate) refund_id: Uuid,
    pub(crate) amount: i64,
    pub(crate) points: i64,
    pub(crate) shipping_amount: i64,
    /// open, repaid, done or refused
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) problem: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) done_at: Option<DateTime<Utc>>,
}

/// A refund to be written down.
#[derive(Debug)]
pub(crate) struct NewRefund<'a> {
    pub(crate) id: Uuid,
    pub(crate) worked: &'a Worked,
    pub(crate) reason: &'a str,
    pub(crate) asked_by: &'a str,
    pub(crate) body_hash: [u8; 16],
}

/// Lines of an order with what has gone back of them, but for refunds that were refused.
pub(crate) async fn left(
    books: impl MySqlExecutor<'_>,
    order: Uuid,
) -> Result<Vec<Left>, sqlx::Error> {
    let rows: Vec<(String, u32, i64, i64, i64)> = query_as(
        "-- left\nselect l.sku, l.quantity, cast(l.unit_amount * cast(l.quantity as signed) - l.coupon_amount - l.points_amount as signed), l.points_amount,
            (select cast(coalesce(sum(rl.quantity), 0) as signed) from refunds r join refund_lines rl on rl.refund_id = r.refund_id
                where r.order_id = l.order_id and r.state <> 'refused' and rl.sku = l.sku)
        from order_lines l where l.order_id = ? order by l.position",
    )
    .bind(order)
    .fetch_all(books)
    .await?;
    let left = |(sku, quantity, amount, points, gone): (String, u32, i64, i64, i64)| Left {
        sku,
        quantity,
        gone: u32::try_from(gone).unwrap_or(quantity),
        amount,
        points,
    };
    Ok(rows.into_iter().map(left).collect())
}

/// What was paid for shipping and has not gone back.
pub(crate) async fn shipping_left(books: impl MySqlExecutor<'_>, order: Uuid) -> sqlx::Result<i64> {
    query_scalar(
        "-- shipping_left\nselect o.shipping_amount - (select cast(coalesce(sum(r.shipping_amount), 0) as signed) from refunds r
            where r.order_id = o.order_id and r.state <> 'refused') from orders o where o.order_id = ?",
    )
    .bind(order)
    .fetch_one(books)
    .await
}

/// Whether it is new: a repeat changes nothing.
pub(crate) async fn insert(
    tx: &mut MySqlConnection,
    order: &Order,
    refund: &NewRefund<'_>,
) -> sqlx::Result<bool> {
    let Worked {
        lines,
        shipping,
        amount,
        points,
    } = refund.worked;
    let inserted = query(
        "-- insert\ninsert into refunds (refund_id, order_id, amount, points, shipping_amount, currency, state, reason, asked_by, body_hash, created_at)
        values (?, ?, ?, ?, ?, ?, 'open', ?, ?, ?, ?)",
    )
    .bind(refund.id)
    .bind(order.id)
    .bind(amount)
    .bind(points)
    .bind(shipping)
    .bind(order.currency.to_string())
    .bind(refund.reason)
    .bind(refund.asked_by)
    .bind(refund.body_hash.to_vec())
    .bind(clock::now().naive_utc())
    .execute(&mut *tx)
    .await;
    match inserted {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => return Ok(false),
        done => done?,
    };
    if lines.is_empty() {
        return Ok(true);
    }
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- insert\ninsert into refund_lines (refund_id, sku, quantity, amount, points, units) ",
    );
    statement.push_values(lines, |mut row, line| {
        row.push_bind(refund.id)
            .push_bind(&line.sku)
            .push_bind(line.quantity)
            .push_bind(line.amount)
            .push_bind(line.points)
            .push_bind(line.units.word());
    });
    statement.build().execute(tx).await?;
    Ok(true)
}

const COLUMNS: &str = "-- refunds\nselect refund_id, order_id, amount, points, shipping_amount, state, reason, problem, created_at, done_at
    from refunds";

/// The one that is under way.
pub(crate) async fn under_way(
    books: impl MySqlExecutor<'_>,
    order: Uuid,
) -> sqlx::Result<Option<RefundRow>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(COLUMNS);
    statement
        .push(" where order_id = ")
        .push_bind(order)
        .push(" and state in ('open', 'repaid') order by created_at limit 1");
    statement.build_query_as().fetch_optional(books).await
}

/// Of all of these orders; none where there are none.
pub(crate) async fn of(
    books: &mut MySqlConnection,
    orders: &[Uuid],
) -> sqlx::Result<Vec<RefundRow>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(COLUMNS);
    statement.push(" where order_id in (");
    push_in(&mut statement, orders.iter().copied());
    statement.push(" order by order_id, created_at, refund_id");
    statement.build_query_as().fetch_all(books).await
}

/// Of a repeat: what it was asked with.
pub(crate) async fn body_hash(
    books: impl MySqlExecutor<'_>,
    refund: Uuid,
) -> sqlx::Result<Option<Vec<u8>>> {
    query_scalar("-- body_hash\nselect body_hash from refunds where refund_id = ?")
        .bind(refund)
        .fetch_optional(books)
        .await
}

pub(crate) async fn lines(
    books: impl MySqlExecutor<'_>,
    refund: Uuid,
) -> Result<Vec<RefundLine>, ApiError> {
    let rows: Vec<(String, u32, i64, i64, String)> = query_as(
        "-- lines\nselect sku, quantity, amount, points, units from refund_lines where refund_id = ? order by sku",
    )
    .bind(refund)
    .fetch_all(books)
    .await?;
    rows.into_iter()
        .map(|(sku, quantity, amount, points, units)| {
            let units = Units::of_word(&units);
            Ok(RefundLine {
                sku,
                quantity,
                amount,
                points,
                units: units
                    .ok_or_else(|| ApiError::Internal(anyhow::anyhow!("units of a refund")))?,
            })
        })
        .collect()
}

/// Of a refund whose money is back, and whose units could not be taken back: these, and those that would have come after them, stay where they are.
pub(crate) async fn keep_odd(tx: &mut MySqlConnection, order: Uuid) -> sqlx::Result<()> {
    let odd: Option<Option<String>> = query_scalar(
        "-- keep_odd\nselect cast(json_unquote(json_extract(data, '$.units')) as char) from order_events where order_id = ? and kind = 'parked' order by n desc limit 1",
    )
    .bind(order)
    .fetch_optional(&mut *tx)
    .await?;
    let is_first = match odd.flatten().and_then(|word| Units::of_word(&word)) {
        Some(units) => units == Units::Restock,
        None => return Ok(()),
    };
    query(
        "-- keep_odd\nupdate refund_lines set units = 'keep' where (units = 'write_off' or (units = 'restock' and ?))
            and refund_id in (select refund_id from refunds where order_id = ? and state = 'repaid')",
    )
    .bind(is_first)
    .bind(order)
    .execute(tx)
    .await
    .map(drop)
}

/// Units of a refund that were to be dealt with in this way, and are others' since a loss.
pub(crate) async fn set_lost(
    tx: &mut MySqlConnection,
    refund: Uuid,
    units: Units,
) -> sqlx::Result<()> {
    query("-- set_lost\nupdate refund_lines set units = ? where refund_id = ? and units = ?")
        .bind(Units::Lost.word())
        .bind(refund)
        .bind(units.word())
        .execute(tx)
        .await
        .map(drop)
}

/// It goes on; whether it was as it should be until now.
pub(crate) async fn set(
    tx: &mut MySqlConnection,
    refund: Uuid,
    (from, to): (&'static str, &'static str),
    problem: Option<&str>,
) -> sqlx::Result<bool> {
    let is_end = matches!(to, "done" | "refused");
    let done = query(
        "-- set\nupdate refunds set state = ?, problem = ?, done_at = if(?, ?, done_at) where refund_id = ? and state = ?",
    )
    .bind(to)
    .bind(problem)
    .bind(is_end)
    .bind(clock::now().naive_utc())
    .bind(refund)
    .bind(from)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}
