//! What every step may come to: moved on, tried again later, left to a person. Called by the steps.

use serde_json::json;
use sqlx::mysql::MySqlConnection;
use uuid::Uuid;

use super::attempts;
use super::queues::Job;
use super::store::{self, Move};
use crate::app::App;
use crate::error::ApiError;
use crate::metrics;
use crate::orders::limits::{RETRY_FIRST, RETRY_MAX};
use crate::orders::model::{Event, Order, State, Why};
use crate::orders::refunds::store as refunds;
use crate::payments::charge::Found;

/// Nothing is due of it; its row says so from now on.
pub(super) async fn rest(app: &App, mut job: Job) {
    let to = Move::to(job.order.state);
    write(app, &mut job, to, &[]).await;
}

/// Whether it is still the caller's; its row is locked from then on. Whoever needs more rows with it locks it first, so that no two wait for each other.
pub(super) async fn holds(tx: &mut MySqlConnection, order: &Order) -> Result<bool, ApiError> {
    let now = store::lock(tx, order.id).await?;
    Ok(now.is_some_and(|now| now.version == order.version))
}

/// A transaction of its own for one order. False: nothing was done, and the job is to be left to whoever has it now, or to a later try.
pub(super) async fn write(app: &App, job: &mut Job, to: Move, happened: &[Event]) -> bool {
    let written = async {
        let mut tx = app.books.begin().await?;
        let ours = store::advance(&mut tx, &mut job.order, to, happened).await?;
        tx.commit().await?;
        Ok(ours)
    };
    told(written.await, &job.order)
}

/// Whether it was done. What MySQL refused is tried again when the lease is over; that it is refused is an alarm where MySQL can.
pub(super) fn told(written: Result<bool, ApiError>, order: &Order) -> bool {
    match written {
        Ok(ours) => ours,
        Err(ApiError::Unavailable(error)) => {
            tracing::debug!(order = %order.id, error = format!("{error:#}"), "an order's step waits for MySQL");
            false
        }
        Err(error) => {
            metrics::order_refused();
            tracing::error!(order = %order.id, error = format!("{error:#}"), "an order's step was refused by the books");
            false
        }
    }
}

/// Tries again later, and later each time.
pub(super) async fn put_off(app: &App, job: &Job, why: &'static str) {
    let order = &job.order;
    tracing::debug!(order = %order.id, state = order.state.word(), why, "an order waits");
    let pause = RETRY_FIRST
        .saturating_mul(1 << order.tries.min(16))
        .min(RETRY_MAX);
    // Where MySQL is away too, the order is due again when its lease is over.
    if let Err(error) = store::put_off(&app.books, order, pause).await {
        tracing::debug!(%error, order = %order.id, "an order could not be put off");
    }
}

/// A person has to look at it.
pub(super) async fn park(
    app: &App,
    mut job: Job,
    why: Why,
    captured: i64,
    data: serde_json::Value,
) {
    let event = parked(&job.order, why, data);
    let to = Move {
        captured,
        ..Move::to(State::Parked).why(why)
    };
    let mut happened = Vec::new();
    if captured > 0 {
        happened.push(Event::once("charged").amount(captured));
    }
    happened.push(event);
    write(app, &mut job, to, &happened).await;
}

/// The alarm, and what is written of it.
fn parked(order: &Order, why: Why, data: serde_json::Value) -> Event {
    metrics::order_parked();
    tracing::error!(alarm = "order_parked", order = %order.id, why = why.word(), %data, "an order waits for a person");
    let data = match data {
        serde_json::Value::Object(mut fields) => {
            fields.insert("reason".to_owned(), why.word().into());
            serde_json::Value::Object(fields)
        }
        _ => json!({"reason": why.word()}),
    };
    Event::at("parked", order).data(data)
}

/// The provider does not pay it back: the refund and its order say so in one transaction.
pub(super) async fn park_refused(app: &App, mut job: Job, refund: Uuid, reason: &str) {
    let order = &mut job.order;
    let written = async {
        let mut tx = app.books.begin().await?;
        let (why, data) = (
            Why::RefundRefused,
            json!({"refund": refund, "refused": reason}),
        );
        let event = parked(order, why, data);
        let to = Move::to(State::Parked).why(why);
        if !store::advance(&mut tx, order, to, &[event]).await?
            || !refunds::set(&mut tx, refund, ("open", "refused"), Some(reason)).await?
        {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    };
    let written = written.await;
    told(written, &job.order);
}

/// Money that the provider has of an order that was called off: a person has to look at it.
pub(in crate::orders) async fn stray(app: &App, id: Uuid, found: &Found) -> Result<(), ApiError> {
    let Found::Captured {
        provider_ref,
        amount,
        ..
    } = found
    else {
        return Ok(());
    };
    let mut tx = app.books.begin().await?;
    let Some(mut order) = store::seize(&mut tx, id).await? else {
        return Ok(());
    };
    // What is noted already was seen to by a person, and is told again.
    if order.state != State::Cancelled || attempts::store::is_captured(&mut tx, &order).await? {
        return Ok(());
    }
    metrics::order_parked();
    tracing::error!(alarm = "order_parked", order = %id, provider_ref, "the provider captured what was called off");
    attempts::store::captured(&mut tx, &[(&order, provider_ref)]).await?;
    let same = amount.currency == order.currency;
    let captured = if same { amount.amount } else { 0 };
    let why = Why::Contradiction;
    let data = json!({"reason": why.word(), "found": "captured after it was called off", "captured": amount});
    let mut happened = Vec::new();
    if captured > 0 {
        happened.push(Event::at("charged", &order).amount(captured));
    }
    happened.push(Event::at("parked", &order).data(data));
    let to = Move {
        captured,
        ..Move::to(State::Parked).why(why)
    };
    store::advance(&mut tx, &mut order, to, &happened).await?;
    Ok(tx.commit().await?)
}
