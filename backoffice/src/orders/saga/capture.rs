//! The third step: what the provider has captured is in the books before anything else is done about it.

use super::{Job, attempts, store};
use crate::app::App;
use crate::crash;
use crate::error::ApiError;
use crate::orders::model::{Event, Order, State};

/// An order whose money the provider has.
pub(super) struct Captured {
    pub(super) job: Job,
    pub(super) provider_ref: String,
}

pub(super) async fn batch(app: App, all: Vec<Captured>) {
    match write(&app, &all).await {
        Ok(true) => {
            crash::point("order_captured_after_books");
            for captured in all {
                go_on(&app, captured.job).await;
            }
        }
        // Each by itself, so that one of them never keeps the others.
        _ => {
            for captured in all {
                let written = write(&app, std::slice::from_ref(&captured)).await;
                if super::told(written, &captured.job.order) {
                    go_on(&app, captured.job).await;
                }
            }
        }
    }
}

async fn write(app: &App, all: &[Captured]) -> Result<bool, ApiError> {
    let orders: Vec<&Order> = all.iter().map(|captured| &captured.job.order).collect();
    let mut tx = app.books.begin().await?;
    if store::captured(&mut tx, &orders).await? != orders.len() as u64 {
        return Ok(false);
    }
    let refs: Vec<(&Order, &str)> = all
        .iter()
        .map(|captured| (&captured.job.order, captured.provider_ref.as_str()))
        .collect();
    attempts::store::captured(&mut tx, &refs).await?;
    let events: Vec<Event> = orders
        .iter()
        .map(|order| Event::once("charged").amount(order.total))
        .collect();
    let happened: Vec<(&Order, &Event)> = orders.iter().copied().zip(&events).collect();
    store::add_events(&mut tx, &happened).await?;
    tx.commit().await?;
    Ok(true)
}

async fn go_on(app: &App, job: Job) {
    let mut job = job.renewed();
    let order = &mut job.order;
    order.state = State::Captured;
    order.captured = order.total;
    order.token = None;
    order.events += 1;
    order.tries = 0;
    app.saga.settle(job).await;
}
