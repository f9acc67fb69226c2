//! SQL of the saga's steps: each moves orders on and adds what happened, in the caller's transaction. Called by `saga` and its steps.
//! Whoever moves an order names the version under which he took it: one who was overtaken moves nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{ReservationId, SaleId, UserId};
use doorbuster_core::money::Currency;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as};
use uuid::Uuid;

use crate::accounts::secret::Secret;
use crate::bulk::{padded, parts, push_in};
use crate::error::ApiError;
use crate::ledger::rules::is_nothing;
use crate::orders::limits::{LEASE, TAKEN_MAX};
use crate::orders::model::{Event, Late, Order, State, Why};

const COLUMNS: &str = "order_id, user_id, sale_id, reservation_id, state, reason, currency, total_amount, points_amount, coupon_amount,
    captured_amount, refunded_amount, points_returned, coupon_id, claim_id, late_payment, method, payment_token, pay_until,
    cancel_asked_at is not null as cancel_asked, events, version, tries";

#[derive(FromRow)]
struct Row {
    order_id: Uuid,
    user_id: String,
    sale_id: String,
    reservation_id: Uuid,
    state: String,
    reason: Option<String>,
    currency: String,
    total_amount: i64,
    points_amount: i64,
    coupon_amount: i64,
    captured_amount: i64,
    refunded_amount: i64,
    points_returned: i64,
    coupon_id: Option<String>,
    claim_id: Option<Uuid>,
    late_payment: String,
    method: String,
    payment_token: Option<String>,
    pay_until: Option<DateTime<Utc>>,
    cancel_asked: bool,
    events: u32,
    version: u32,
    tries: u32,
}

impl TryFrom<Row> for Order {
    type Error = ApiError;

    fn try_from(row: Row) -> Result<Self, ApiError> {
        let broken = |what: &'static str| ApiError::Internal(anyhow::anyhow!("an order's {what}"));
        Ok(Self {
            id: row.order_id,
            user: UserId::parse(row.user_id).map_err(|_| broken("user"))?,
            sale: SaleId::parse(row.sale_id).map_err(|_| broken("sale"))?,
            reservation: ReservationId::from_bytes(*row.reservation_id.as_bytes()),
            state: State::of_word(&row.state).ok_or_else(|| broken("state"))?,
            reason: row.reason,
            currency: Currency::parse(&row.currency).map_err(|_| broken("currency"))?,
            total: row.total_amount,
            points: row.points_amount,
            coupon: row.coupon_amount,
            captured: row.captured_amount,
            refunded: row.refunded_amount,
            points_returned: row.points_returned,
            coupon_id: row.coupon_id,
            claim: row.claim_id,
            late: Late::of_word(&row.late_payment).ok_or_else(|| broken("policy"))?,
            method: row.method,
            token: row.payment_token.map(Secret::new),
            pay_until: row.pay_until,
            cancel_asked: row.cancel_asked,
            events: row.events,
            version: row.version,
            tries: row.tries,
        })
    }
}

/// Orders that are due and nobody's, which are the caller's for a while from now on.
pub(crate) async fn take(books: &MySqlPool) -> Result<Vec<Order>, ApiError> {
    let now = clock::now();
    let mut tx = books.begin().await?;
    let mut due: QueryBuilder<MySql> = QueryBuilder::new("-- take\nselect ");
    due.push(COLUMNS)
        .push(" from orders where next_step_at <= ")
        .push_bind(now.naive_utc())
        .push(" order by next_step_at limit ")
        .push_bind(TAKEN_MAX)
        .push(" for update skip locked");
    let rows: Vec<Row> = due.build_query_as().fetch_all(&mut *tx).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut orders: Vec<Order> = rows
        .into_iter()
        .map(Order::try_from)
        .collect::<Result<_, _>>()?;
    let mut taken: QueryBuilder<MySql> =
        QueryBuilder::new("-- take\nupdate orders set version = version + 1, next_step_at = ");
    taken.push_bind((now + LEASE).naive_utc());
    taken.push(" where order_id in (");
    push_in(&mut taken, orders.iter().map(|order| order.id));
    taken.build().execute(&mut *tx).await?;
    tx.commit().await?;
    for order in &mut orders {
        order.version += 1;
    }
    Ok(orders)
}

/// One order, locked until the transaction ends; it stays whose it is.
pub(crate) async fn lock(tx: &mut MySqlConnection, id: Uuid) -> Result<Option<Order>, ApiError> {
    let mut found: QueryBuilder<MySql> = QueryBuilder::new("-- lock\nselect ");
    found
        .push(COLUMNS)
        .push(" from orders where order_id = ")
        .push_bind(id)
        .push(" for update");
    let row: Option<Row> = found.build_query_as().fetch_optional(tx).await?;
    row.map(Order::try_from).transpose()
}

/// One order, made the caller's whoever had it, and locked until the transaction ends.
pub(crate) async fn seize(tx: &mut MySqlConnection, id: Uuid) -> Result<Option<Order>, ApiError> {
    let Some(mut order) = lock(&mut *tx, id).await? else {
        return Ok(None);
    };
    query("-- seize\nupdate orders set version = version + 1 where order_id = ?")
        .bind(id)
        .execute(tx)
        .await?;
    order.version += 1;
    Ok(Some(order))
}

/// Those of them that are still the caller's. As alternatives of equalities, which every optimizer takes for ranges of the key.
fn push_held<'a>(statement: &mut QueryBuilder<MySql>, orders: impl Iterator<Item = &'a Order>) {
    let mut list = statement.push(" where ").separated(" or ");
    for order in padded(orders) {
        list.push("(order_id = ");
        list.push_bind_unseparated(order.id);
        list.push_unseparated(" and version = ");
        list.push_bind_unseparated(order.version);
        list.push_unseparated(")");
    }
}

pub(super) async fn run(
    tx: &mut MySqlConnection,
    mut statement: QueryBuilder<MySql>,
) -> sqlx::Result<u64> {
    statement
        .build()
        .execute(tx)
        .await
        .map(|done| done.rows_affected())
}

/// Their holds are being paid for: `charging`, or `captured` where there is nothing to pay. How many were still the caller's.
pub(crate) async fn begun(
    tx: &mut MySqlConnection,
    orders: &[(&Order, DateTime<Utc>)],
    events: u32,
) -> sqlx::Result<u64> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- begun\nupdate orders set state = if(total_amount = 0, 'captured', 'charging'), tries = 0, events = events + ",
    );
    statement
        .push_bind(events)
        .push(", next_step_at = ")
        .push_bind((clock::now() + LEASE).naive_utc())
        .push(", pay_until = case order_id");
    for (order, pay_until) in padded(orders.iter().copied()) {
        statement
            .push(" when ")
            .push_bind(order.id)
            .push(" then ")
            .push_bind(pay_until.naive_utc());
    }
    statement.push(" end");
    push_held(&mut statement, orders.iter().map(|(order, _)| *order));
    run(tx, statement).await
}

/// The provider has all that was asked for.
pub(crate) async fn captured(tx: &mut MySqlConnection, orders: &[&Order]) -> sqlx::Result<u64> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- captured\nupdate orders set state = 'captured', captured_amount = total_amount, payment_token = null, tries = 0, events = events + 1, next_step_at = ",
    );
    statement.push_bind((clock::now() + LEASE).naive_utc());
    push_held(&mut statement, orders.iter().copied());
    run(tx, statement).await
}

/// Units and money are where they belong: nothing is due any more, unless the buyer has thought better of it meanwhile.
pub(crate) async fn paid(tx: &mut MySqlConnection, orders: &[&Order]) -> sqlx::Result<u64> {
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- paid\nupdate orders set state = 'paid', reason = null, payment_token = null, tries = 0, events = events + 1, next_step_at = if(cancel_asked_at is null, null, ",
    );
    statement.push_bind(clock::now().naive_utc()).push(")");
    push_held(&mut statement, orders.iter().copied());
    run(tx, statement).await
}

/// How one order goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    pub(crate) to: State,
    pub(crate) why: Option<Why>,
    /// There is no reason to be told any more.
    pub(crate) is_well: bool,
    /// Until it is tried again; `None`: nothing is due, unless its buyer has asked to cancel it meanwhile.
    pub(crate) next_in: Option<Duration>,
    /// A wish to cancel that was known before this move is still to be looked at.
    pub(crate) minds_cancel: bool,
    /// Added.
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    pub(crate) points_returned: i64,
}

impl Move {
    pub(crate) fn to(to: State) -> Self {
        Self {
            to,
            why: None,
            is_well: false,
            next_in: None,
            minds_cancel: false,
            captured: 0,
            refunded: 0,
            points_returned: 0,
        }
    }

    pub(crate) fn why(self, why: Why) -> Self {
        Self {
            why: Some(why),
            ..self
        }
    }

    /// It stays the caller's.
    pub(crate) fn mine(self) -> Self {
        Self {
            next_in: Some(LEASE),
            ..self
        }
    }
}

/// Moves one order on, with what happened. False: it is no longer the caller's, and nothing was done. `order` is then as the books have it.
pub(crate) async fn advance(
    tx: &mut MySqlConnection,
    order: &mut Order,
    to: Move,
    happened: &[Event],
) -> sqlx::Result<bool> {
    let now = clock::now();
    let is_end = matches!(to.to, State::Cancelled | State::Refunded);
    let keeps_token = matches!(to.to, State::Placed | State::Charging);
    let events = u32::try_from(happened.len()).unwrap_or(u32::MAX);
    let moved = query(
        "-- advance\nupdate orders set state = ?, reason = if(?, null, coalesce(?, reason)), captured_amount = captured_amount + ?,
            refunded_amount = refunded_amount + ?, points_returned = points_returned + ?, tries = 0, events = events + ?,
            next_step_at = coalesce(?, if(cancel_asked_at is not null and ?, ?, null)), payment_token = if(?, payment_token, null), ended_at = if(?, coalesce(ended_at, ?), ended_at)
        where order_id = ? and version = ?",
    )
    .bind(to.to.word())
    .bind(to.is_well)
    .bind(to.why.map(Why::word))
    .bind(to.captured)
    .bind(to.refunded)
    .bind(to.points_returned)
    .bind(events)
    .bind(to.next_in.map(|pause| (now + pause).naive_utc()))
    .bind(to.minds_cancel || !order.cancel_asked)
    .bind(now.naive_utc())
    .bind(keeps_token)
    .bind(is_end)
    .bind(now.naive_utc())
    .bind(order.id)
    .bind(order.version)
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() != 1 {
        return Ok(false);
    }
    let happened: Vec<(&Order, &Event)> = happened.iter().map(|event| (&*order, event)).collect();
    add_events(tx, &happened).await?;
    order.state = to.to;
    if to.is_well || to.why.is_some() {
        order.reason = to.why.map(|why| why.word().to_owned());
    }
    order.captured += to.captured;
    order.refunded += to.refunded;
    order.points_returned += to.points_returned;
    order.events += events;
    order.tries = 0;
    Ok(true)
}

/// Numbered from each order's own count on; events of one order stand together.
pub(crate) async fn add_events(
    tx: &mut MySqlConnection,
    happened: &[(&Order, &Event)],
) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    let (mut last, mut n) = (None, 0);
    let numbered = happened.iter().map(|(order, event)| {
        n = if last == Some(order.id) {
            n + 1
        } else {
            order.events + 1
        };
        last = Some(order.id);
        (order, n, event)
    });
    let numbered: Vec<_> = numbered.collect();
    for part in parts(&numbered) {
        let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
            "-- add_events\ninsert into order_events (order_id, n, kind, at, amount, currency, data, cause, posted) ",
        );
        statement.push_values(part, |mut row, (order, n, event)| {
            let currency = event.amount.map(|_| order.currency.to_string());
            row.push_bind(order.id)
                .push_bind(*n)
                .push_bind(event.kind)
                .push_bind(now)
                .push_bind(event.amount)
                .push_bind(currency)
                .push_bind(event.data.as_ref().map(serde_json::Value::to_string))
                .push_bind(event.cause.clone())
                .push_bind(is_nothing(event.kind, event.amount));
        });
        run(&mut *tx, statement).await?;
    }
    Ok(())
}

/// It is tried again later.
pub(crate) async fn put_off(books: &MySqlPool, order: &Order, pause: Duration) -> sqlx::Result<()> {
    query("-- put_off\nupdate orders set tries = tries + 1, next_step_at = ? where order_id = ? and version = ?")
        .bind((clock::now() + pause).naive_utc())
        .bind(order.id)
        .bind(order.version)
        .execute(books)
        .await
        .map(drop)
}

/// How orders stand, and how many of each have been due for a while: what is stuck.
pub(crate) async fn counts(books: &MySqlPool) -> sqlx::Result<Vec<(String, i64)>> {
    query_as(
        "-- counts\nselect state, count(*) from orders where state in ('placed', 'charging', 'captured', 'undoing', 'parked') group by state",
    )
    .fetch_all(books)
    .await
}

/// How an order stands, and how often its step was tried.
pub(crate) async fn stand(books: &MySqlPool, order: Uuid) -> sqlx::Result<Option<(State, u32)>> {
    let found: Option<(String, u32)> =
        query_as("-- stand\nselect state, tries from orders where order_id = ?")
            .bind(order)
            .fetch_optional(books)
            .await?;
    Ok(found.and_then(|(state, tries)| Some((State::of_word(&state)?, tries))))
}

/// An order that waits for its next try is due at once; one that a worker has, its version says, is left alone.
pub(crate) async fn hasten(books: &MySqlPool, order: Uuid) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    query("-- hasten\nupdate orders set next_step_at = ? where order_id = ? and state = 'charging' and tries > 0 and next_step_at > ?")
        .bind(now)
        .bind(order)
        .bind(now)
        .execute(books)
        .await
        .map(drop)
}
