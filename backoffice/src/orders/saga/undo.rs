//! What fails is undone, in reverse: money back, the hold released, points and coupon back. Only then is the order ended, and its buyer told.

use doorbuster_core::gate::release::Released;
use serde_json::json;
use sqlx::mysql::MySqlConnection;
use tokio::time::timeout;
use uuid::Uuid;

use super::store::{self, Move};
use super::{Job, attempts, holds, park, park_refused, put_off, told};
use crate::app::App;
use crate::coupons::redeem;
use crate::crash;
use crate::error::ApiError;
use crate::mail;
use crate::orders::limits::{ASK_BUDGET, MAIL_LIFE};
use crate::orders::model::{Event, Order, State, Why};
use crate::orders::refunds::Worked;
use crate::orders::refunds::store::{self as refunds, NewRefund, RefundRow};
use crate::payments::charge::{Refund, RefundId, Refunded};
use crate::points::store::{self as points, Entry, Kind, Posted};

/// How the attempt to charge ended, where there was one: state, the provider's reference, reason.
pub(super) type Ended = (&'static str, Option<String>, Option<String>);

pub(super) async fn begin(app: &App, mut job: Job, why: Why, ended: Option<Ended>) {
    let written = open(app, &mut job.order, why, ended).await;
    if told(written, &job.order) {
        one(app.clone(), job.renewed()).await;
    }
}

/// With the refund of what was captured, which is written before the provider is asked.
async fn open(
    app: &App,
    order: &mut Order,
    why: Why,
    ended: Option<Ended>,
) -> Result<bool, ApiError> {
    let mut tx = app.books.begin().await?;
    if !holds(&mut tx, order).await? {
        return Ok(false);
    }
    if let Some((state, provider_ref, reason)) = ended {
        let ended = (state, provider_ref.as_deref(), reason.as_deref());
        attempts::store::ended(&mut tx, order, ended).await?;
    }
    let failed = Event::at("failed", order).data(json!({"reason": why.word()}));
    let to = Move::to(State::Undoing).why(why).mine();
    if !store::advance(&mut tx, order, to, &[failed]).await? {
        return Ok(false);
    }
    ask_back(&mut tx, order, why).await?;
    tx.commit().await?;
    Ok(true)
}

/// All that was captured and has not gone back; no units: none were sold.
pub(in crate::orders) async fn ask_back(
    tx: &mut MySqlConnection,
    order: &Order,
    why: Why,
) -> Result<(), ApiError> {
    if order.captured == order.refunded {
        return Ok(());
    }
    let worked = Worked {
        amount: order.captured - order.refunded,
        ..Worked::default()
    };
    let refund = NewRefund {
        id: order.whole_refund(),
        worked: &worked,
        reason: why.word(),
        asked_by: "saga",
        body_hash: [0; 16],
    };
    refunds::insert(tx, order, &refund).await?;
    Ok(())
}

pub(super) async fn one(app: App, mut job: Job) {
    match pay_back(&app, &mut job).await {
        Ok(Step::Done) => {}
        Ok(Step::Later(why)) => return put_off(&app, &job, why).await,
        Ok(Step::Stop(why, data)) => return park(&app, job, why, 0, data).await,
        Ok(Step::Refused(refund, reason)) => return park_refused(&app, job, refund, &reason).await,
        Err(error) => {
            told(Err(error), &job.order);
            return;
        }
    }
    if job.order.captured != job.order.refunded {
        let data = json!({"found": "money that no refund gives back"});
        return park(&app, job, Why::Contradiction, 0, data).await;
    }
    match release(&app, &job.order).await {
        Ok(Step::Done) => {}
        Ok(Step::Later(why)) => return put_off(&app, &job, why).await,
        Ok(Step::Stop(why, data)) => return park(&app, job, why, 0, data).await,
        Ok(Step::Refused(refund, reason)) => return park_refused(&app, job, refund, &reason).await,
        Err(_) => return put_off(&app, &job, "redis").await,
    }
    crash::point("order_released_before_books");
    let ended = end(&app, &mut job.order).await;
    if told(ended, &job.order) {
        crash::point("order_undone_after_books");
        app.people.mail_written.notify_one();
    }
}

/// What came of a part of it.
pub(super) enum Step {
    Done,
    Later(&'static str),
    Stop(Why, serde_json::Value),
    /// The provider does not pay this refund back, and why.
    Refused(Uuid, String),
}

/// The refund that is under way, if there is one, at the provider and in the books.
async fn pay_back(app: &App, job: &mut Job) -> Result<Step, ApiError> {
    let Some(refund) = refunds::under_way(&app.books, job.order.id).await? else {
        return Ok(Step::Done);
    };
    let step = repay(app, job, &refund).await?;
    if let Step::Done = step {
        let mut tx = app.books.begin().await?;
        refunds::set(&mut tx, refund.refund_id, ("repaid", "done"), None).await?;
        tx.commit().await?;
    }
    Ok(step)
}

/// The money of a refund: asked of the provider, and then in the books, once.
pub(super) async fn repay(app: &App, job: &mut Job, refund: &RefundRow) -> Result<Step, ApiError> {
    if refund.state == "repaid" {
        return Ok(Step::Done);
    }
    if refund.amount > 0 {
        let Some(provider_ref) = attempts::store::provider_ref(&app.books, &job.order).await?
        else {
            let data = json!({"found": "money to give back that nobody has captured"});
            return Ok(Step::Stop(Why::Contradiction, data));
        };
        let asked = Refund {
            refund: RefundId::new(refund.refund_id),
            provider_ref,
            amount: job.order.money(refund.amount),
        };
        match timeout(ASK_BUDGET, app.payments.refund(asked))
            .await
            .unwrap_or(Refunded::Unknown)
        {
            Refunded::Refunded { .. } => {}
            Refunded::Refused { reason } => return Ok(Step::Refused(refund.refund_id, reason)),
            // The same id goes back once, so it is simply asked again.
            Refunded::Unknown | Refunded::NotSent => {
                return Ok(Step::Later("the provider does not say"));
            }
        }
    }
    crash::point("order_repaid_before_books");
    let order = &mut job.order;
    let mut tx = app.books.begin().await?;
    let data = json!({"refund": refund.refund_id, "reason": refund.reason, "shipping": refund.shipping_amount,
        "lines": refunds::lines(&mut *tx, refund.refund_id).await?});
    let mut happened = Vec::new();
    if refund.amount > 0 {
        let event = Event::of("refunded", refund.refund_id);
        happened.push(event.amount(refund.amount).data(data));
    }
    let to = Move {
        refunded: refund.amount,
        ..Move::to(order.state).mine()
    };
    if !store::advance(&mut tx, order, to, &happened).await?
        || !refunds::set(&mut tx, refund.refund_id, ("open", "repaid"), None).await?
    {
        return Ok(Step::Later("another worker has it"));
    }
    tx.commit().await?;
    crash::point("order_repaid_after_books");
    Ok(Step::Done)
}

/// The hold's units are on sale again, unless it ended by itself.
async fn release(app: &App, order: &Order) -> Result<Step, ApiError> {
    let (live, epoch) = (order.live(), app.saga.epoch(app, &order.sale).await?);
    let released = app
        .gate
        .release(&live, epoch, order.reservation, &order.user);
    Ok(match released.await? {
        Released::Released { .. } | Released::Ended { .. } | Released::UnknownReservation => {
            Step::Done
        }
        Released::Paid(_) => {
            let data = json!({"found": "units sold that were not paid for"});
            Step::Stop(Why::Contradiction, data)
        }
        Released::Fenced(_) => Step::Later("the sale is recovering"),
    })
}

/// Points and coupon are the buyer's again, unless they are already, and the order has ended; maybe not for the first time.
async fn end(app: &App, order: &mut Order) -> Result<bool, ApiError> {
    let mut tx = app.books.begin().await?;
    if !holds(&mut tx, order).await? {
        return Ok(false);
    }
    let mut happened = Vec::new();
    let spent = points::has_cause(&mut tx, &format!("spend:{}", order.id)).await?;
    let mut points_back = if spent {
        order.points - order.points_returned
    } else {
        0
    };
    if points_back > 0 && !give_points_back(&mut tx, order, points_back, "saga").await? {
        points_back = 0;
    }
    if points_back > 0 {
        happened.push(Event::at("points_returned", order).amount(points_back));
    }
    if let Some(event) = give_coupon_back(&mut tx, order).await? {
        happened.push(event);
    }
    let by_hand = order.reason.as_deref() == Some(Why::SettledByHand.word());
    let (state, kind) = if order.captured > 0 {
        (State::Refunded, mail::Kind::OrderRefunded)
    } else if by_hand {
        (State::Cancelled, mail::Kind::OrderSettledByHand)
    } else {
        (State::Cancelled, mail::Kind::OrderCancelled)
    };
    happened.push(Event::at("cancelled", order).data(json!({"reason": order.reason})));
    let to = Move {
        points_returned: points_back,
        ..Move::to(state)
    };
    if !store::advance(&mut tx, order, to, &happened).await? {
        return Ok(false);
    }
    mail::store::insert_of_orders(&mut tx, kind, &[order.id], MAIL_LIFE).await?;
    tx.commit().await?;
    Ok(true)
}

/// `by`: the refund, or the saga; each gives back once. Whether it had not yet.
pub(super) async fn give_points_back(
    tx: &mut MySqlConnection,
    order: &Order,
    amount: i64,
    by: &str,
) -> Result<bool, ApiError> {
    let entry = Entry {
        user: &order.user,
        currency: order.currency,
        kind: Kind::Return,
        amount,
        cause: format!("return:{}:{by}", order.id),
        expires_at: None,
        reason: None,
    };
    let posted = points::post(tx, &entry).await?;
    Ok(matches!(posted, Posted::Done { .. }))
}

pub(super) async fn give_coupon_back(
    tx: &mut MySqlConnection,
    order: &Order,
) -> Result<Option<Event>, ApiError> {
    let Some(claim) = order.claim else {
        return Ok(None);
    };
    let released = redeem::store::release(tx, claim, order.id).await?;
    let data = json!({"coupon": order.coupon_id});
    Ok(released.then(|| {
        Event::once("coupon_returned")
            .amount(order.coupon)
            .data(data)
    }))
}
