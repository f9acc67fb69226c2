//! The first step: the hold learns that it is being paid for, points and coupon are set aside, the attempt to charge is written down.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::gate::begin_payment::BegunPayment;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Job, at_once, attempts, holds, park, put_off, store, undo_later};
use crate::app::App;
use crate::coupons::redeem;
use crate::coupons::redeem::store::Redeemed;
use crate::crash;
use crate::error::ApiError;
use crate::orders::limits::SET_ASIDE_AT_ONCE;
use crate::orders::model::{Event, Order, State, Why};
use crate::points::store::{self as points, Entry, Kind, Posted};

pub(super) async fn batch(app: App, jobs: Vec<Job>) {
    let begun = at_once(&app, jobs, |app, job| async move {
        let begun = begin_payment(&app, &job.order).await;
        (job, begun)
    })
    .await;
    crash::point("order_begun_before_books");
    let mut plain = Vec::new();
    let mut asides = JoinSet::new();
    for (job, begun) in begun {
        match begun {
            Ok(BegunPayment::Paying { record, .. }) => {
                let pay_until = clock::from_ms(record.deadline_ms);
                if job.order.points > 0 || job.order.claim.is_some() {
                    if asides.len() >= SET_ASIDE_AT_ONCE {
                        asides.join_next().await;
                    }
                    let app = app.clone();
                    asides.spawn(async move { set_aside(&app, job, pay_until).await });
                } else {
                    plain.push((job, pay_until));
                }
            }
            Ok(BegunPayment::Ended { .. } | BegunPayment::UnknownReservation) => {
                undo_later(&app, job, Why::HoldEnded);
            }
            // No other order can have paid for it.
            Ok(BegunPayment::Paid(_)) => {
                park(
                    &app,
                    job,
                    Why::Contradiction,
                    0,
                    json!({"found": "paid before it was charged"}),
                )
                .await;
            }
            Ok(BegunPayment::Fenced(_)) => put_off(&app, &job, "the sale is recovering").await,
            Err(_) => put_off(&app, &job, "redis").await,
        }
    }
    book(&app, plain).await;
    while asides.join_next().await.is_some() {}
}

async fn begin_payment(app: &App, order: &Order) -> Result<BegunPayment, ApiError> {
    let (live, epoch) = (order.live(), app.saga.epoch(app, &order.sale).await?);
    let begun = app
        .gate
        .begin_payment(&live, epoch, order.reservation, &order.user);
    Ok(begun.await?)
}

/// All in one transaction; where that fails, each in its own, so that one of them never keeps the others.
async fn book(app: &App, jobs: Vec<(Job, DateTime<Utc>)>) {
    if jobs.is_empty() {
        return;
    }
    match write(app, &jobs).await {
        Ok(true) => {
            crash::point("order_begun_after_books");
            for (job, pay_until) in jobs {
                go_on(app, job, pay_until, 1).await;
            }
        }
        _ => {
            for one in jobs {
                let written = write(app, std::slice::from_ref(&one)).await;
                if super::told(written, &one.0.order) {
                    go_on(app, one.0, one.1, 1).await;
                }
            }
        }
    }
}

async fn write(app: &App, jobs: &[(Job, DateTime<Utc>)]) -> Result<bool, ApiError> {
    let orders: Vec<(&Order, DateTime<Utc>)> = jobs
        .iter()
        .map(|(job, until)| (&job.order, *until))
        .collect();
    let mut tx = app.books.begin().await?;
    if store::begun(&mut tx, &orders, 1).await? != orders.len() as u64 {
        return Ok(false);
    }
    let orders: Vec<&Order> = orders.into_iter().map(|(order, _)| order).collect();
    let event = charging();
    let happened: Vec<(&Order, &Event)> = orders.iter().map(|order| (*order, &event)).collect();
    store::add_events(&mut tx, &happened).await?;
    let charged: Vec<&Order> = orders.into_iter().filter(|order| order.total > 0).collect();
    if !charged.is_empty() {
        attempts::store::open(&mut tx, &charged).await?;
    }
    tx.commit().await?;
    Ok(true)
}

fn charging() -> Event {
    Event::once("charging")
}

/// With points or a coupon: in a transaction of its own, because either may be gone.
async fn set_aside(app: &App, job: Job, pay_until: DateTime<Utc>) {
    match try_set_aside(app, &job.order, pay_until).await {
        Ok(Ok(Some(events))) => {
            crash::point("order_begun_after_books");
            go_on(app, job, pay_until, events).await;
        }
        // It is another worker's.
        Ok(Ok(None)) => {}
        Ok(Err(why)) => undo_later(app, job, why),
        Err(error) => {
            super::told(Err(error), &job.order);
        }
    }
}

/// How many events it added; none where the order is no longer the caller's. `Err`: it cannot be.
async fn try_set_aside(
    app: &App,
    order: &Order,
    pay_until: DateTime<Utc>,
) -> Result<Result<Option<u32>, Why>, ApiError> {
    let mut happened = vec![charging()];
    let mut tx = app.books.begin().await?;
    if !holds(&mut tx, order).await? {
        return Ok(Ok(None));
    }
    if order.points > 0 {
        let spend = Entry {
            user: &order.user,
            currency: order.currency,
            kind: Kind::Spend,
            amount: -order.points,
            cause: format!("spend:{}", order.id),
            expires_at: None,
            reason: None,
        };
        if let Posted::Insufficient = points::post(&mut tx, &spend).await? {
            return Ok(Err(Why::PointsSpent));
        }
        happened.push(Event::once("points_spent").amount(order.points));
    }
    if let (Some(claim), Some(coupon)) = (order.claim, &order.coupon_id) {
        let redeemed =
            redeem::store::redeem(&mut tx, (claim, coupon, &order.user), order.id).await?;
        if let Redeemed::Gone = redeemed {
            return Ok(Err(Why::CouponUsed));
        }
        let data = json!({"coupon": coupon});
        happened.push(Event::once("coupon_used").amount(order.coupon).data(data));
    }
    let events = u32::try_from(happened.len()).unwrap_or(u32::MAX);
    if store::begun(&mut tx, &[(order, pay_until)], events).await? != 1 {
        return Ok(Ok(None));
    }
    let happened: Vec<(&Order, &Event)> = happened.iter().map(|event| (order, event)).collect();
    store::add_events(&mut tx, &happened).await?;
    if order.total > 0 {
        attempts::store::open(&mut tx, &[order]).await?;
    }
    tx.commit().await?;
    Ok(Ok(Some(events)))
}

async fn go_on(app: &App, job: Job, pay_until: DateTime<Utc>, events: u32) {
    let mut job = job.renewed();
    job.order.events += events;
    job.order.tries = 0;
    job.order.pay_until = Some(pay_until);
    if job.order.total > 0 {
        job.order.state = State::Charging;
        app.saga.charge(job).await;
    } else {
        job.order.state = State::Captured;
        app.saga.settle(job).await;
    }
}
