//! What every step may come to: moved on, tried again later, left to a person. Called by the steps.

use serde_json::json;
use uuid::Uuid;

use super::attempts;
use super::queues::Job;
use super::store::{self, Move};
use crate::app::App;
use crate::error::ApiError;
use crate::metrics;
use crate::orders::limits::{RETRY_FIRST, RETRY_MAX};
use crate::orders::model::{Event, Order, State, Why};
use crate::payments::charge::Found;

/// Nothing is due of it; its row says so from now on.
pub(super) async fn rest(app: &App, mut job: Job) {
    let to = Move::to(job.order.state);
    write(app, &mut job, to, &[]).await;
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
    metrics::order_parked();
    tracing::error!(alarm = "order_parked", order = %job.order.id, why = why.word(), %data, "an order waits for a person");
    let data = match data {
        serde_json::Value::Object(mut fields) => {
            fields.insert("reason".to_owned(), why.word().into());
            serde_json::Value::Object(fields)
        }
        _ => json!({"reason": why.word()}),
    };
    let event = Event {
        cause: format!("parked:{}", job.order.version),
        ..Event::once("parked")
    };
    let to = Move {
        captured,
        ..Move::to(State::Parked).why(why)
    };
    let mut happened = Vec::new();
    if captured > 0 {
        happened.push(Event::once("charged").amount(captured));
    }
    happened.push(event.data(data));
    write(app, &mut job, to, &happened).await;
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
    if order.state != State::Cancelled
        || attempts::store::provider_ref(&mut *tx, &order)
            .await?
            .is_some()
    {
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
        happened.push(Event::once("charged").amount(captured));
    }
    happened.push(Event::of("parked", id).data(data));
    let to = Move {
        captured,
        ..Move::to(State::Parked).why(why)
    };
    store::advance(&mut tx, &mut order, to, &happened).await?;
    Ok(tx.commit().await?)
}
