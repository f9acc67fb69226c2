//! The last step: the units are sold. Only then is an order paid, and its buyer told.

use doorbuster_core::gate::begin_payment::BegunPayment;
use doorbuster_core::gate::settle::Settled;
use serde_json::json;

use super::{Job, at_once, park, put_off, store, undo_later};
use crate::app::App;
use crate::crash;
use crate::error::ApiError;
use crate::mail;
use crate::orders::deliveries;
use crate::orders::limits::MAIL_LIFE;
use crate::orders::model::{Event, Late, Order, Why};

/// What Redis said.
enum Outcome {
    Paid { reacquired: bool },
    Gone,
    Later(&'static str),
    Odd(&'static str),
}

pub(super) async fn batch(app: App, jobs: Vec<Job>) {
    let settled = at_once(&app, jobs, |app, job| async move {
        let outcome = settle(&app, &job.order).await;
        (job, outcome.unwrap_or(Outcome::Later("redis")))
    })
    .await;
    crash::point("order_settled_before_books");
    let mut paid = Vec::new();
    for (job, outcome) in settled {
        match outcome {
            Outcome::Paid { reacquired } => paid.push((job, reacquired)),
            Outcome::Gone if job.order.late == Late::Park => {
                park(&app, job, Why::Late, 0, json!({})).await;
            }
            Outcome::Gone => {
                undo_later(&app, job, Why::Late);
            }
            Outcome::Later(why) => put_off(&app, &job, why).await,
            Outcome::Odd(found) => {
                park(&app, job, Why::Contradiction, 0, json!({"found": found})).await;
            }
        }
    }
    book(&app, paid).await;
}

async fn settle(app: &App, order: &Order) -> Result<Outcome, ApiError> {
    let (live, epoch) = (order.live(), app.saga.epoch(app, &order.sale).await?);
    let reacquire = order.late == Late::Reacquire;
    let settled = app
        .gate
        .settle(&live, epoch, order.reservation, &order.user, reacquire);
    Ok(match settled.await? {
        Settled::Paid { reacquired, .. } => Outcome::Paid { reacquired },
        Settled::Gone { .. } => Outcome::Gone,
        // A Redis that lost the last moments may have forgotten that it was being paid for.
        Settled::NotPaying(_) => {
            let begun = app
                .gate
                .begin_payment(&live, epoch, order.reservation, &order.user);
            match begun.await? {
                BegunPayment::Paying { .. } | BegunPayment::Ended { .. } => {
                    Outcome::Later("it was held again")
                }
                BegunPayment::Paid(_) => Outcome::Later("it is paid"),
                BegunPayment::UnknownReservation => Outcome::Odd("no such reservation"),
                BegunPayment::Fenced(_) => Outcome::Later("the sale is recovering"),
            }
        }
        Settled::UnknownReservation => Outcome::Odd("no such reservation"),
        Settled::Fenced(_) => Outcome::Later("the sale is recovering"),
    })
}

async fn book(app: &App, paid: Vec<(Job, bool)>) {
    if paid.is_empty() {
        return;
    }
    match write(app, &paid).await {
        Ok(true) => {}
        // Each by itself, so that one of them never keeps the others.
        _ => {
            for one in &paid {
                let written = write(app, std::slice::from_ref(one)).await;
                super::told(written, &one.0.order);
            }
        }
    }
    crash::point("order_settled_after_books");
    app.people.mail_written.notify_one();
    if paid.iter().any(|(job, _)| job.order.cancel_asked) {
        app.saga.wake();
    }
}

async fn write(app: &App, paid: &[(Job, bool)]) -> Result<bool, ApiError> {
    let orders: Vec<&Order> = paid.iter().map(|(job, _)| &job.order).collect();
    let mut tx = app.books.begin().await?;
    if store::paid(&mut tx, &orders).await? != orders.len() as u64 {
        return Ok(false);
    }
    let events: Vec<Event> = paid
        .iter()
        .map(|(job, reacquired)| {
            let data = json!({"reacquired": reacquired});
            Event::once("paid").amount(job.order.total).data(data)
        })
        .collect();
    let happened: Vec<(&Order, &Event)> = orders.iter().copied().zip(&events).collect();
    store::add_events(&mut tx, &happened).await?;
    deliveries::store::add(&mut tx, &orders).await?;
    let ids: Vec<_> = orders.iter().map(|order| order.id).collect();
    mail::store::insert_of_orders(&mut tx, mail::Kind::OrderPaid, &ids, MAIL_LIFE).await?;
    tx.commit().await?;
    Ok(true)
}
