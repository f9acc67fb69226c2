//! One step of a delivery, whoever takes it, in the transaction that holds the order. Called by `job` and `desk::delivery`.

use chrono::{DateTime, TimeDelta, Utc};
use doorbuster_core::clock;
use serde_json::json;
use sqlx::mysql::MySqlConnection;
use uuid::Uuid;

use super::store::{self, DeliveryRow};
use crate::error::ApiError;
use crate::mail;
use crate::orders::limits::{DELIVERED_AFTER, MAIL_LIFE, POINTS_LIFE};
use crate::orders::model::{Event, Order};
use crate::orders::quote::part_of;
use crate::orders::refunds::store as refunds;
use crate::orders::saga::store::{Move, advance};
use crate::points::store::{self as points, Entry, Kind};

/// What is sent with whom.
pub(crate) struct Parcel {
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
}

/// When a delivery that left at this time is taken for delivered.
pub(crate) fn usual_end(left: DateTime<Utc>) -> DateTime<Utc> {
    left + TimeDelta::from_std(DELIVERED_AFTER).unwrap_or_default()
}

/// Not while its buyer waits to be let out, or money of it is on its way back.
pub(crate) async fn may_be_sent(tx: &mut MySqlConnection, order: &Order) -> sqlx::Result<bool> {
    Ok(!order.cancel_asked && refunds::under_way(&mut *tx, order.id).await?.is_none())
}

pub(crate) async fn ship(
    tx: &mut MySqlConnection,
    order: &mut Order,
    parcel: Parcel,
) -> Result<bool, ApiError> {
    let now = clock::now();
    let event = Event::once("shipped")
        .data(json!({"carrier": parcel.carrier, "tracking_number": parcel.tracking_number}));
    let delivery = DeliveryRow {
        state: "shipped".to_owned(),
        carrier: Some(parcel.carrier),
        tracking_number: Some(parcel.tracking_number),
        next_at: Some(usual_end(now)),
        shipped_at: Some(now),
        delivered_at: None,
    };
    store::set(&mut *tx, order.id, &delivery).await?;
    let kind = mail::Kind::OrderShipped;
    mail::store::insert_of_orders(&mut *tx, kind, &[order.id], MAIL_LIFE).await?;
    moved(tx, order, &[event]).await
}

/// What was paid for it, without shipping, earns points, as the sale's policy says.
pub(crate) async fn deliver(
    tx: &mut MySqlConnection,
    order: &mut Order,
    delivery: DeliveryRow,
) -> Result<bool, ApiError> {
    let now = clock::now();
    let mut happened = vec![Event::once("delivered")];
    let (paid, per_mille, _) = store::earns(&mut *tx, order.id).await?;
    let earned = part_of(paid.max(0), i64::from(per_mille), 1_000);
    if earned > 0 {
        let entry = Entry {
            user: &order.user,
            currency: order.currency,
            kind: Kind::Earn,
            amount: earned,
            cause: format!("earn:{}", order.id),
            expires_at: Some(now + TimeDelta::from_std(POINTS_LIFE).unwrap_or_default()),
            reason: None,
        };
        points::post(&mut *tx, &entry).await?;
        store::earned(&mut *tx, order.id, earned).await?;
        happened.push(Event::once("points_earned").amount(earned));
    }
    let delivery = DeliveryRow {
        state: "delivered".to_owned(),
        next_at: None,
        delivered_at: Some(now),
        ..delivery
    };
    store::set(&mut *tx, order.id, &delivery).await?;
    let kind = mail::Kind::OrderDelivered;
    mail::store::insert_of_orders(&mut *tx, kind, &[order.id], MAIL_LIFE).await?;
    moved(tx, order, &happened).await
}

/// What a delivered order has earned for what goes back with this refund is taken back, as far as the buyer has it; what happened, if anything.
pub(crate) async fn take_points_back(
    tx: &mut MySqlConnection,
    order: &Order,
    refund: Uuid,
) -> Result<Option<Event>, ApiError> {
    let (paid, per_mille, earned) = store::earns(&mut *tx, order.id).await?;
    let too_many = earned - part_of(paid.max(0), i64::from(per_mille), 1_000);
    if too_many <= 0 {
        return Ok(None);
    }
    let account = points::lock(&mut *tx, &order.user, order.currency).await?;
    let taken = account.map_or(0, |account| account.balance.min(too_many));
    if taken <= 0 {
        return Ok(None);
    }
    let entry = Entry {
        user: &order.user,
        currency: order.currency,
        kind: Kind::Earn,
        amount: -taken,
        cause: format!("unearn:{}:{refund}", order.id),
        expires_at: None,
        reason: None,
    };
    points::post(&mut *tx, &entry).await?;
    store::earned(&mut *tx, order.id, earned - taken).await?;
    Ok(Some(Event::of("points_taken_back", refund).amount(taken)))
}

/// The order stays what it is; whatever was due of it is due again.
async fn moved(
    tx: &mut MySqlConnection,
    order: &mut Order,
    happened: &[Event],
) -> Result<bool, ApiError> {
    let to = Move {
        next_in: Some(std::time::Duration::ZERO),
        ..Move::to(order.state)
    };
    Ok(advance(tx, order, to, happened).await?)
}
