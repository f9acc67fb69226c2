//! The last step: the units are sold. Only then is an order paid, and its buyer told.

use std::collections::HashMap;
use std::time::Duration;

use doorbuster_core::ack::AckLevel;
use doorbuster_core::gate::begin_payment::BegunPayment;
use doorbuster_core::gate::settle::Settled;
use doorbuster_core::ids::{LiveId, SkuId};
use serde_json::json;

use super::{Job, at_once, park, put_off, store, undo_later};
use crate::ack::{At, is_in_books};
use crate::app::App;
use crate::crash;
use crate::error::ApiError;
use crate::limits::BOOKS_WAIT;
use crate::mail;
use crate::orders::deliveries;
use crate::orders::limits::MAIL_LIFE;
use crate::orders::model::{Event, Late, Order, State, Why};
use crate::orders::refunds::store as refunds;

/// What Redis said.
enum Outcome {
    /// As of that event of the sale.
    Paid {
        reacquired: bool,
        at: At,
    },
    Gone,
    Later(&'static str),
    Odd(&'static str),
}

/// Payments of one generation of a sale, and the last of its events that they are.
#[derive(Default)]
struct Waiting {
    up_to: u64,
    paid: Vec<(Job, bool)>,
}

pub(super) async fn batch(app: App, jobs: Vec<Job>) {
    let settled = at_once(&app, jobs, |app, job| async move {
        let outcome = settle(&app, &job.order).await;
        (job, outcome.unwrap_or(Outcome::Later("redis")))
    })
    .await;
    crash::point("order_settled_before_books");
    let mut paid = Vec::new();
    let mut waiting: HashMap<(LiveId, u32), Waiting> = HashMap::new();
    for (job, outcome) in settled {
        match outcome {
            Outcome::Paid { reacquired, at } if app.ack_level == AckLevel::Mysql => {
                let (epoch, seq) = at;
                let of_sale = waiting.entry((job.order.live(), epoch)).or_default();
                of_sale.up_to = of_sale.up_to.max(seq);
                of_sale.paid.push((job, reacquired));
            }
            Outcome::Paid { reacquired, .. } => paid.push((job, reacquired)),
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
    for ((live, epoch), of_sale) in waiting {
        when_in_books(&app, live, (epoch, of_sale.up_to), of_sale.paid).await;
    }
}

/// Each sale by itself, and no batch after this one waits for it: a sale whose writer stands still holds up no other. Where too many wait already, of
/// all or of that sale, the books are looked at once.
async fn when_in_books(app: &App, live: LiveId, at: At, paid: Vec<(Job, bool)>) {
    let Some(leave) = app.saga.await_books(&live) else {
        return book_if(app, is_in_books(app, &live, at, Duration::ZERO).await, paid).await;
    };
    let app = app.clone();
    tokio::spawn(async move {
        let is_there = is_in_books(&app, &live, at, BOOKS_WAIT).await;
        book_if(&app, is_there, paid).await;
        drop(leave);
    });
}

async fn book_if(app: &App, is_there: bool, paid: Vec<(Job, bool)>) {
    if is_there {
        return book(app, paid).await;
    }
    for (job, _) in &paid {
        put_off(app, job, "the books do not have it yet").await;
    }
}

async fn settle(app: &App, order: &Order) -> Result<Outcome, ApiError> {
    let (live, epoch) = (order.live(), app.saga.epoch(app, &order.sale).await?);
    let reacquire = order.late == Late::Reacquire;
    let settled = app
        .gate
        .settle(&live, epoch, order.reservation, &order.user, reacquire);
    Ok(match settled.await? {
        Settled::Paid {
            reacquired, seq, ..
        } => Outcome::Paid {
            reacquired,
            at: (epoch, seq),
        },
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
                BegunPayment::UnknownReservation => unknown(epoch),
                BegunPayment::Fenced(_) => Outcome::Later("the sale is recovering"),
            }
        }
        Settled::UnknownReservation => unknown(epoch),
        Settled::Fenced(_) => Outcome::Later("the sale is recovering"),
    })
}

/// A sale that was rebuilt may have lost the hold itself, and whoever paid for it gets the money back; one that never was contradicts the order.
fn unknown(epoch: u32) -> Outcome {
    if epoch > 1 {
        Outcome::Gone
    } else {
        Outcome::Odd("no such reservation")
    }
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
                let is_others = matches!(written, Ok(false));
                super::told(written, &one.0.order);
                if is_others && let Err(error) = stray(app, &one.0.order).await {
                    tracing::warn!(%error, order = %one.0.order.id, "units sold to an order that was undone are not on sale yet");
                }
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

/// Its units were sold while another worker, or a person, undid it: they are on sale again, once. One that was ever paid gave back what it
/// gave back by its refunds.
async fn stray(app: &App, order: &Order) -> Result<(), ApiError> {
    let stands = store::stand(&app.books, order.id).await?;
    let is_undone = stands.is_some_and(|(state, _)| {
        matches!(state, State::Undoing | State::Refunded | State::Cancelled)
    });
    let mut tx = app.books.begin().await?;
    let was_paid = deliveries::store::lock(&mut tx, order.id).await?.is_some();
    let lines = refunds::left(&mut *tx, order.id).await?;
    tx.rollback().await?;
    if !is_undone || was_paid {
        return Ok(());
    }
    let lines: Vec<(SkuId, u32)> = lines
        .into_iter()
        .map(|line| SkuId::parse(line.sku).map(|sku| (sku, line.quantity)))
        .collect::<Result<_, _>>()
        .map_err(|e| ApiError::Internal(e.into()))?;
    let (live, epoch) = (order.live(), app.saga.epoch(app, &order.sale).await?);
    let (id, user, key) = (
        order.reservation,
        &order.user,
        format!("{}:stray", order.id),
    );
    let returned = app
        .gate
        .restock(&live, epoch, id, user, &key, &lines)
        .await?;
    tracing::warn!(order = %order.id, ?returned, "units were sold to an order that was being undone");
    Ok(())
}
