//! Refunds of paid orders, also those that their buyers cancel: money back, then the units, then the points; one refund of an order at a time.

use doorbuster_core::gate::restock::Returned;
use doorbuster_core::record::Status;
use doorbuster_core::returns::ReturnTo;
use serde_json::json;

use super::store::{self, Move};
use super::undo::{Step, give_coupon_back, give_points_back, repay};
use super::{Job, holds, park, park_refused, put_off, rest, told};
use crate::app::App;
use crate::crash;
use crate::error::ApiError;
use crate::mail;
use crate::orders::deliveries;
use crate::orders::deliveries::step::take_points_back;
use crate::orders::limits::MAIL_LIFE;
use crate::orders::model::{Event, Order, State, Why};
use crate::orders::refunds::store::{self as refunds, NewRefund, RefundRow};
use crate::orders::refunds::units::{Whose, give_back, of};
use crate::orders::refunds::{Units, all_of, work_out};
use crate::orders::settled;

pub(super) async fn one(app: App, mut job: Job) {
    let refund = match under_way(&app, &job.order).await {
        Ok(Some(refund)) => refund,
        Ok(None) => return rest(&app, job).await,
        Err(error) => {
            told(Err(error), &job.order);
            return;
        }
    };
    let mut lost = Vec::new();
    let step = match repay(&app, &mut job, &refund).await {
        Ok(Step::Done) => take_back(&app, &job.order, &refund, &mut lost).await,
        other => other,
    };
    match step {
        Ok(Step::Done) => {}
        Ok(Step::Later(why)) => return put_off(&app, &job, why).await,
        Ok(Step::Stop(why, data)) => return park(&app, job, why, 0, data).await,
        Ok(Step::Refused(refund, reason)) => return park_refused(&app, job, refund, &reason).await,
        Err(error) => {
            // Redis, or MySQL: both pass.
            tracing::debug!(%error, order = %job.order.id, "a refund waits");
            return put_off(&app, &job, "a server").await;
        }
    }
    crash::point("order_returned_before_books");
    let done = finish(&app, &mut job.order, &refund, &lost).await;
    if told(done, &job.order) {
        app.people.mail_written.notify_one();
    }
}

/// The refund that is under way; of an order that its buyer has cancelled and nobody has sent, all of it.
async fn under_way(app: &App, order: &Order) -> Result<Option<RefundRow>, ApiError> {
    if let Some(refund) = refunds::under_way(&app.books, order.id).await? {
        return Ok(Some(refund));
    }
    if !order.cancel_asked || deliveries::store::has_left(&app.books, order.id).await? {
        return Ok(None);
    }
    let mut tx = app.books.begin().await?;
    let by = order.user.as_str();
    ask_all_back(&mut tx, order, Why::CancelledByBuyer, by).await?;
    tx.commit().await?;
    Ok(refunds::under_way(&app.books, order.id).await?)
}

/// Everything that is left of it goes back, and its units are on sale again; repeatable.
pub(in crate::orders) async fn ask_all_back(
    tx: &mut sqlx::mysql::MySqlConnection,
    order: &Order,
    why: Why,
    asked_by: &str,
) -> Result<(), ApiError> {
    let lines = refunds::left(&mut *tx, order.id).await?;
    let shipping = refunds::shipping_left(&mut *tx, order.id).await?;
    let Ok(worked) = work_out(&lines, &all_of(&lines, Units::Restock), shipping) else {
        return Ok(());
    };
    let refund = NewRefund {
        id: order.whole_refund(),
        worked: &worked,
        reason: why.word(),
        asked_by,
        body_hash: [0; 16],
    };
    refunds::insert(tx, order, &refund).await?;
    Ok(())
}

/// The units, on sale again or gone for good; `lost`: ways in which none did, because the sale had forgotten in a loss that they were sold. The refund is
/// the scripts' key, so a repeat is none.
async fn take_back(
    app: &App,
    order: &Order,
    refund: &RefundRow,
    lost: &mut Vec<Units>,
) -> Result<Step, ApiError> {
    let lines = refunds::lines(&app.books, refund.refund_id).await?;
    for (to, units) in [
        (ReturnTo::Shelf, Units::Restock),
        (ReturnTo::WriteOff, Units::WriteOff),
    ] {
        let wanted = of(&lines, &[units])?;
        if wanted.is_empty() {
            continue;
        }
        let (live, epoch) = (order.live(), app.saga.epoch(app, &order.sale).await?);
        let whose = Whose {
            live: &live,
            epoch,
            reservation: order.reservation,
            user: &order.user,
        };
        let returned = give_back(app, &whose, (refund.refund_id, to), &wanted).await?;
        let odd = |found: &str| {
            let data = json!({"found": found, "refund": refund.refund_id, "units": units.word()});
            Ok(Step::Stop(Why::Contradiction, data))
        };
        match returned {
            Returned::Done { .. } | Returned::Already { .. } => {}
            // A sale that was rebuilt may not have been told of the payment again yet: that, or the end of the hold, is waited for.
            Returned::NotPaid(record)
                if epoch > 1 && matches!(record.status, Status::Held | Status::Paying) =>
            {
                return Ok(Step::Later("the sale does not know that it is paid"));
            }
            // It has lost that they were sold: they are on the shelf, or others have them since.
            Returned::NotPaid(_) | Returned::UnknownReservation if epoch > 1 => {
                tracing::warn!(order = %order.id, refund = %refund.refund_id, ?returned, "units of a refund were lost");
                lost.push(units);
            }
            Returned::TooMany => return odd("more units than were sold"),
            Returned::NotPaid(_) => return odd("units that are not sold"),
            Returned::UnknownReservation => return odd("no such reservation"),
            Returned::Fenced(_) => return Ok(Step::Later("the sale is recovering")),
        }
        crash::point("order_units_returned");
    }
    Ok(Step::Done)
}

/// Points back; where nothing of the order is left, it has ended, and its coupon is the buyer's again.
async fn finish(
    app: &App,
    order: &mut Order,
    refund: &RefundRow,
    lost: &[Units],
) -> Result<bool, ApiError> {
    let mut tx = app.books.begin().await?;
    let ours = holds(&mut tx, order).await?;
    if !ours || !refunds::set(&mut tx, refund.refund_id, ("repaid", "done"), None).await? {
        return Ok(false);
    }
    if lost.contains(&Units::Restock) {
        refunds::set_lost(&mut tx, refund.refund_id, Units::Restock).await?;
    }
    if !lost.is_empty() {
        // Whoever had the sale told of the order meanwhile, knew nothing of that. What is to be written off is so under its own key once the order has
        // its units again; where it has not, an alarm names the refund.
        settled::doubt(&mut *tx, &[order.id]).await?;
    }
    let lines = refunds::lines(&mut *tx, refund.refund_id).await?;
    let mut happened = Vec::new();
    if !lines.is_empty() {
        let data = json!({"refund": refund.refund_id, "lines": lines});
        happened.push(Event::of("returned", refund.refund_id).data(data));
    }
    if refund.points > 0 {
        give_points_back(&mut tx, order, refund.points, &refund.refund_id.to_string()).await?;
        let event = Event::of("points_returned", refund.refund_id);
        happened.push(event.amount(refund.points));
    }
    let left = refunds::left(&mut *tx, order.id).await?;
    happened.extend(take_points_back(&mut tx, order, refund.refund_id).await?);
    // What was paid for shipping may stay; there is nothing to be sent all the same.
    let is_empty = left.iter().all(|line| line.gone == line.quantity);
    if is_empty {
        happened.extend(give_coupon_back(&mut tx, order).await?);
        deliveries::store::stop(&mut tx, order.id).await?;
    }
    let is_all = is_empty && order.refunded == order.captured;
    let mut to = Move {
        points_returned: refund.points,
        // A cancellation waits for the refund before it.
        minds_cancel: !is_all,
        ..Move::to(order.state)
    };
    if is_all {
        to.to = State::Refunded;
        let reason = json!({"reason": refund.reason});
        happened.push(Event::at("cancelled", order).data(reason));
        if refund.reason == Why::CancelledByBuyer.word() {
            to = to.why(Why::CancelledByBuyer);
        } else {
            to = to.why(Why::ByStaff);
        }
    }
    if !store::advance(&mut tx, order, to, &happened).await? {
        return Ok(false);
    }
    let kind = mail::Kind::OrderRefunded;
    mail::store::insert_of_orders(&mut tx, kind, &[order.id], MAIL_LIFE).await?;
    tx.commit().await?;
    Ok(true)
}
