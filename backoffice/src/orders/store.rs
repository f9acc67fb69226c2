//! SQL of orders as they are placed, looked at and listed. Called by `basis`, `place`, `seen`, `buyer`, `view` and `desk`; the saga has its own.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{SaleId, SkuId, UserId};
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_scalar};
use uuid::Uuid;

use super::basis::Quoted;
use super::limits::LEASE;
use super::model::{Late, Order};
use crate::bulk::{padded, parts, push_in};
use crate::ledger::rules::is_nothing;
use crate::me::page::Position;

/// What a sale asks for a sku, whose it is, and what the sale's orders go by.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct OfferRow {
    pub(crate) sale_id: String,
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) seller_id: Option<String>,
    pub(crate) category_id: Option<String>,
    pub(crate) late_payment: Option<String>,
    pub(crate) shipping_fee: Option<i64>,
    pub(crate) free_from: Option<i64>,
    pub(crate) earn_per_mille: Option<u32>,
}

/// What these sales ask for these skus; none: nothing.
pub(crate) async fn offers(
    books: &MySqlPool,
    wanted: &BTreeSet<(&SaleId, &SkuId)>,
) -> sqlx::Result<Vec<OfferRow>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- offers\nselect i.sale_id, i.sku, i.title, i.amount, i.currency, p.seller_id, p.category_id,
            o.late_payment, o.shipping_fee, o.free_from, o.earn_per_mille
        from sale_items i left join skus k on k.sku = i.sku left join products p on p.product_no = k.product_no
        left join sale_policies o on o.sale_id = i.sale_id where false",
    );
    for (sale, sku) in padded(wanted.iter().copied()) {
        statement.push(" or (i.sale_id = ").push_bind(sale.as_str());
        statement
            .push(" and i.sku = ")
            .push_bind(sku.as_str())
            .push(")");
    }
    statement.push(" order by i.sale_id, i.position");
    statement.build_query_as().fetch_all(books).await
}

/// An order to be written down.
pub(crate) struct NewRow<'a> {
    pub(crate) order: &'a Order,
    pub(crate) body_hash: [u8; 16],
    pub(crate) quoted: &'a Quoted,
    pub(crate) address: Option<&'a str>,
}

/// Orders with their lines and their first events; they are the caller's for a while. False: there is one of the same id, or of the same hold.
pub(crate) async fn insert(tx: &mut MySqlConnection, rows: &[NewRow<'_>]) -> sqlx::Result<bool> {
    for part in parts(rows) {
        match insert_orders(&mut *tx, part).await {
            Err(sqlx::Error::Database(e)) if e.is_unique_violation() => return Ok(false),
            done => done?,
        }
    }
    insert_lines(&mut *tx, rows).await?;
    for part in parts(rows) {
        insert_placed(&mut *tx, part).await?;
    }
    Ok(true)
}

async fn insert_orders(tx: &mut MySqlConnection, rows: &[NewRow<'_>]) -> sqlx::Result<()> {
    let now = clock::now();
    let until = (now + LEASE).naive_utc();
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- insert\ninsert into orders (order_id, user_id, sale_id, reservation_id, body_hash, state, currency, lines_amount, shipping_amount,
            coupon_amount, points_amount, total_amount, captured_amount, refunded_amount, points_returned, points_earned, earn_per_mille,
            late_payment, coupon_id, claim_id, method, payment_token, address, events, version, tries, next_step_at, created_at) ",
    );
    statement.push_values(rows, |mut values, row| {
        let (order, quote) = (row.order, &row.quoted.quote);
        values
            .push_bind(order.id)
            .push_bind(order.user.as_str())
            .push_bind(order.sale.as_str())
            .push_bind(order.reservation.as_uuid())
            .push_bind(row.body_hash.to_vec())
            .push_bind(order.state.word())
            .push_bind(order.currency.to_string());
        let amounts = [quote.lines, quote.shipping, quote.coupon, quote.points];
        for amount in amounts.into_iter().chain([quote.total, 0, 0, 0, 0]) {
            values.push_bind(amount);
        }
        values
            .push_bind(row.quoted.earn_per_mille)
            .push_bind(order.late.word())
            .push_bind(order.coupon_id.as_deref())
            .push_bind(order.claim)
            .push_bind(order.method.as_str())
            .push_bind(order.token.as_ref().map(|token| token.expose().to_owned()))
            .push_bind(row.address)
            .push_bind(order.events)
            .push_bind(order.version)
            .push_bind(order.tries)
            .push_bind(until)
            .push_bind(now.naive_utc());
    });
    statement.build().execute(tx).await.map(drop)
}

async fn insert_placed(tx: &mut MySqlConnection, rows: &[NewRow<'_>]) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- insert\ninsert into order_events (order_id, n, kind, at, cause, posted) ",
    );
    statement.push_values(rows, |mut values, row| {
        values
            .push_bind(row.order.id)
            .push_bind(1)
            .push_bind("placed")
            .push_bind(now)
            .push_bind("placed")
            .push_bind(is_nothing("placed", None));
    });
    statement.build().execute(tx).await.map(drop)
}

async fn insert_lines(tx: &mut MySqlConnection, rows: &[NewRow<'_>]) -> sqlx::Result<()> {
    let lines = rows.iter().flat_map(|row| {
        let shares = &row.quoted.quote.shares;
        let lines = row.quoted.lines.iter().zip(shares).zip(0_u32..);
        lines.map(|((line, share), position)| (row.order.id, line, share, position))
    });
    let lines: Vec<_> = lines.collect();
    for part in parts(&lines) {
        let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
            "-- insert_lines\ninsert into order_lines (order_id, position, sku, title, seller_id, quantity, unit_amount, coupon_amount, points_amount) ",
        );
        statement.push_values(part, |mut values, (order, line, share, position)| {
            values
                .push_bind(*order)
                .push_bind(*position)
                .push_bind(line.line.sku.as_str())
                .push_bind(line.title.as_str())
                .push_bind(line.seller.as_str())
                .push_bind(line.line.quantity)
                .push_bind(line.line.unit)
                .push_bind(share.coupon)
                .push_bind(share.points);
        });
        statement.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// Of a repeat: what it was asked with.
pub(crate) async fn body_hash(books: &MySqlPool, order: Uuid) -> sqlx::Result<Option<Vec<u8>>> {
    query_scalar("-- body_hash\nselect body_hash from orders where order_id = ?")
        .bind(order)
        .fetch_optional(books)
        .await
}

/// An order as it is shown, with its delivery.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct OrderRow {
    pub(crate) order_id: Uuid,
    pub(crate) user_id: String,
    pub(crate) sale_id: String,
    pub(crate) reservation_id: Uuid,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) currency: String,
    pub(crate) lines_amount: i64,
    pub(crate) shipping_amount: i64,
    pub(crate) coupon_amount: i64,
    pub(crate) points_amount: i64,
    pub(crate) total_amount: i64,
    pub(crate) captured_amount: i64,
    pub(crate) refunded_amount: i64,
    pub(crate) points_returned: i64,
    pub(crate) points_earned: i64,
    pub(crate) coupon_id: Option<String>,
    pub(crate) method: String,
    pub(crate) address: Option<String>,
    pub(crate) late_payment: String,
    pub(crate) pay_until: Option<DateTime<Utc>>,
    pub(crate) cancel_asked_at: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) delivery_state: Option<String>,
    pub(crate) carrier: Option<String>,
    pub(crate) tracking_number: Option<String>,
    pub(crate) next_at: Option<DateTime<Utc>>,
    pub(crate) shipped_at: Option<DateTime<Utc>>,
    pub(crate) delivered_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "select o.order_id, o.user_id, o.sale_id, o.reservation_id, o.state, o.reason, o.currency, o.lines_amount, o.shipping_amount,
        o.coupon_amount, o.points_amount, o.total_amount, o.captured_amount, o.refunded_amount, o.points_returned, o.points_earned, o.coupon_id,
        o.method, cast(o.address as char) as address, o.late_payment, o.pay_until, o.cancel_asked_at, o.created_at, o.ended_at,
        d.state as delivery_state, d.carrier, d.tracking_number, d.next_at, d.shipped_at, d.delivered_at
    from orders o left join deliveries d on d.order_id = o.order_id";

/// Those of them that there are.
pub(crate) async fn rows(
    books: &mut MySqlConnection,
    orders: impl Iterator<Item = Uuid>,
) -> sqlx::Result<Vec<OrderRow>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new("-- rows\n");
    statement.push(COLUMNS);
    statement.push(" where o.order_id in (");
    push_in(&mut statement, orders);
    statement.build_query_as().fetch_all(books).await
}

/// Which orders are wanted; what is absent excludes none.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) user: Option<UserId>,
    pub(crate) sale: Option<SaleId>,
    pub(crate) state: Option<&'static str>,
    pub(crate) delivery: Option<&'static str>,
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) until: Option<DateTime<Utc>>,
}

/// At most so many after a position, newest first.
pub(crate) async fn list(
    books: &MySqlPool,
    filter: &Filter,
    (after, rows): (Option<Position>, u32),
) -> sqlx::Result<Vec<OrderRow>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new("-- list\n");
    statement.push(COLUMNS).push(" where 1 = 1");
    let equal = [
        (
            " and o.user_id = ",
            filter.user.as_ref().map(UserId::as_str),
        ),
        (
            " and o.sale_id = ",
            filter.sale.as_ref().map(SaleId::as_str),
        ),
        (" and o.state = ", filter.state),
        (" and d.state = ", filter.delivery),
    ];
    for (condition, value) in equal {
        if let Some(value) = value {
            statement.push(condition).push_bind(value.to_owned());
        }
    }
    let bounds = [
        (" and o.created_at >= ", filter.from),
        (" and o.created_at < ", filter.until),
    ];
    for (condition, at) in bounds {
        if let Some(at) = at {
            statement.push(condition).push_bind(at.naive_utc());
        }
    }
    if let Some(Position { created_at, id }) = after {
        statement
            .push(" and (o.created_at < ")
            .push_bind(created_at.naive_utc())
            .push(" or (o.created_at = ")
            .push_bind(created_at.naive_utc())
            .push(" and o.order_id < ")
            .push_bind(id.as_uuid())
            .push("))");
    }
    statement
        .push(" order by o.created_at desc, o.order_id desc limit ")
        .push_bind(rows);
    statement.build_query_as().fetch_all(books).await
}

/// A line as it is shown.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct LineRow {
    pub(crate) order_id: Uuid,
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) seller_id: String,
    pub(crate) quantity: u32,
    pub(crate) unit_amount: i64,
    pub(crate) coupon_amount: i64,
    pub(crate) points_amount: i64,
}

/// Of all of these orders, of which there is one at least.
pub(crate) async fn lines(
    books: impl MySqlExecutor<'_>,
    orders: impl Iterator<Item = Uuid>,
) -> sqlx::Result<Vec<LineRow>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- lines\nselect order_id, sku, title, seller_id, quantity, unit_amount, coupon_amount, points_amount from order_lines",
    );
    statement.push(" where order_id in (");
    push_in(&mut statement, orders);
    statement.push(" order by order_id, position");
    statement.build_query_as().fetch_all(books).await
}

/// An event as it is shown.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct EventRow {
    pub(crate) order_id: Uuid,
    pub(crate) n: u32,
    pub(crate) kind: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) amount: Option<i64>,
    pub(crate) data: Option<String>,
}

/// Of all of these orders, each one's in their order.
pub(crate) async fn events(
    books: &mut MySqlConnection,
    orders: impl Iterator<Item = Uuid>,
) -> sqlx::Result<Vec<EventRow>> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- events\nselect order_id, n, kind, at, amount, cast(data as char) as data from order_events",
    );
    statement.push(" where order_id in (");
    push_in(&mut statement, orders);
    statement.push(" order by order_id, n");
    statement.build_query_as().fetch_all(books).await
}

/// The buyer wants it no more; whoever has it sees it when he takes it next, or when it is paid.
pub(crate) async fn ask_to_cancel(tx: &mut MySqlConnection, order: Uuid) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    query("-- ask_to_cancel\nupdate orders set cancel_asked_at = coalesce(cancel_asked_at, ?), next_step_at = if(state in ('charging', 'paid') or tries > 0, ?, next_step_at) where order_id = ?")
        .bind(now)
        .bind(now)
        .bind(order)
        .execute(tx)
        .await
        .map(drop)
}

/// After an erasure nothing of his addresses is left but their countries, which the books may need.
pub(crate) async fn forget(tx: &mut MySqlConnection, user: &UserId) -> sqlx::Result<()> {
    query(
        "-- forget\nupdate orders set address = json_object('country', json_unquote(json_extract(address, '$.country'))) where user_id = ? and address is not null",
    )
    .bind(user.as_str())
    .execute(tx)
    .await
    .map(drop)
}

/// A person has decided otherwise than the sale's policy.
pub(crate) async fn set_late(
    tx: &mut MySqlConnection,
    order: Uuid,
    late: Late,
) -> sqlx::Result<()> {
    query("-- set_late\nupdate orders set late_payment = ? where order_id = ?")
        .bind(late.word())
        .bind(order)
        .execute(tx)
        .await
        .map(drop)
}
