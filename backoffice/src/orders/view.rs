//! An order as buyers and staff see it. Called by every handler that answers with one.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::Refusal;
use super::model::Why;
use super::refunds::store::RefundRow;
use super::seen::{Look, Seen, by_order};
use super::store::{self, EventRow, LineRow, OrderRow};
use crate::app::App;
use crate::error::ApiError;

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderView {
    #[schema(format = Uuid)]
    pub id: String,
    #[schema(example = "ann")]
    pub user: String,
    #[schema(example = "drop-1")]
    pub sale: String,
    #[schema(format = Uuid)]
    pub reservation: String,
    /// placed, charging, captured, paid, undoing, cancelled, refunded or parked
    #[schema(example = "paid")]
    pub state: String,
    /// Why it is not, or no longer, paid: payment_failed, hold_ended, cancelled_by_buyer, late, coupon_used, points_spent, by_staff,
    /// settled_by_hand (a person gave its money back), or why it waits for a person
    pub reason: Option<String>,
    pub lines: Vec<LineView>,
    pub amounts: AmountsView,
    pub coupon: Option<String>,
    #[schema(example = "card")]
    pub method: String,
    /// A copy; null where none was given
    #[schema(value_type = Option<Object>)]
    pub address: Option<Value>,
    /// What becomes of money that arrives after its hold has ended: reacquire, refund or park
    #[schema(example = "reacquire")]
    pub late_payment: String,
    /// Until then its hold lasts while it is being paid for
    #[schema(format = DateTime)]
    pub pay_until: Option<String>,
    #[schema(format = DateTime)]
    pub cancel_asked_at: Option<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was cancelled, or refunded in full
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// Null before it is paid
    pub delivery: Option<DeliveryView>,
    /// In a list: absent
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunds: Option<Vec<RefundView>>,
    /// What happened, in its order; in a list: absent
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Vec<EventView>>,
}

/// What was ordered of one sku, at the sale's price.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
    #[schema(example = "tee-m")]
    pub sku: String,
    pub title: String,
    #[schema(example = "house")]
    pub seller: String,
    #[schema(example = 1)]
    pub quantity: u32,
    /// Minor units, of one unit
    #[schema(example = 19900)]
    pub unit: i64,
    /// Its shares
    pub coupon: i64,
    pub points: i64,
}

/// What it comes to, in minor units: lines + shipping - coupon - points = total.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AmountsView {
    #[schema(example = "KRW")]
    pub currency: String,
    #[schema(example = 19900)]
    pub lines: i64,
    pub shipping: i64,
    pub coupon: i64,
    pub points: i64,
    #[schema(example = 19900)]
    pub total: i64,
    /// What the payment provider has taken, and given back
    pub captured: i64,
    pub refunded: i64,
    /// Of the points, what the buyer has back; and what he has earned
    pub points_returned: i64,
    pub points_earned: i64,
}

/// How the goods come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    /// preparing, shipped, delivered or stopped
    #[schema(example = "preparing")]
    pub state: String,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    /// When it goes on by itself
    #[schema(format = DateTime)]
    pub next_at: Option<String>,
    #[schema(format = DateTime)]
    pub shipped_at: Option<String>,
    #[schema(format = DateTime)]
    pub delivered_at: Option<String>,
}

/// Money and points that go back, or did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefundView {
    #[schema(format = Uuid)]
    pub id: String,
    /// open, repaid (the money is back, the units not yet), done or refused
    #[schema(example = "done")]
    pub state: String,
    pub amount: i64,
    /// Of it, for shipping
    pub shipping: i64,
    pub points: i64,
    /// As staff gave it; to buyers `by_staff` instead, or what the order itself has for a reason
    pub reason: String,
    /// Why the provider refused it, in its words; for staff
    pub problem: Option<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub done_at: Option<String>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventView {
    #[schema(example = 1)]
    pub n: u32,
    #[schema(example = "placed")]
    pub kind: String,
    #[schema(format = DateTime)]
    pub at: String,
    /// Of what moved money or points, in minor units
    pub amount: Option<i64>,
    /// More about it; for staff
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub data: Option<Value>,
}

/// For whom it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Viewer<'a> {
    Buyer(&'a UserId),
    Staff,
}

/// # Errors
/// [`ApiError::Order`] where the viewer has none of this id.
pub(crate) async fn show(app: &App, id: Uuid, viewer: Viewer<'_>) -> Result<OrderView, ApiError> {
    let seen = app.looks.ask(&app.books, Look(id)).await?;
    let seen = seen.filter(|seen| match viewer {
        Viewer::Buyer(user) => seen.row.user_id == user.as_str(),
        Viewer::Staff => true,
    });
    // Another's is not there.
    let seen = seen.ok_or(ApiError::Order(Refusal::UnknownOrder))?;
    let Seen {
        row,
        lines,
        events,
        refunds,
    } = seen;
    let mut order = view(row, lines);
    let for_staff = matches!(viewer, Viewer::Staff);
    order.refunds = Some(
        refunds
            .into_iter()
            .map(|row| refund(row, for_staff))
            .collect(),
    );
    order.timeline = Some(
        events
            .into_iter()
            .map(|row| event(row, for_staff))
            .collect(),
    );
    Ok(order)
}

/// Several, as a list shows them.
pub(crate) async fn many(app: &App, rows: Vec<OrderRow>) -> Result<Vec<OrderView>, ApiError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let lines = store::lines(&app.books, rows.iter().map(|row| row.order_id)).await?;
    let mut of = by_order(lines, |line| line.order_id);
    Ok(rows
        .into_iter()
        .map(|row| {
            let lines = of.remove(&row.order_id).unwrap_or_default();
            view(row, lines)
        })
        .collect())
}

fn written(at: DateTime<Utc>) -> String {
    clock::rfc3339(clock::to_ms(at))
}

fn view(row: OrderRow, lines: Vec<LineRow>) -> OrderView {
    let delivery = row.delivery_state.map(|state| DeliveryView {
        state,
        carrier: row.carrier,
        tracking_number: row.tracking_number,
        next_at: row.next_at.map(written),
        shipped_at: row.shipped_at.map(written),
        delivered_at: row.delivered_at.map(written),
    });
    OrderView {
        id: row.order_id.hyphenated().to_string(),
        user: row.user_id,
        sale: row.sale_id,
        reservation: row.reservation_id.hyphenated().to_string(),
        state: row.state,
        reason: row.reason,
        lines: lines.into_iter().map(line).collect(),
        amounts: AmountsView {
            currency: row.currency,
            lines: row.lines_amount,
            shipping: row.shipping_amount,
            coupon: row.coupon_amount,
            points: row.points_amount,
            total: row.total_amount,
            captured: row.captured_amount,
            refunded: row.refunded_amount,
            points_returned: row.points_returned,
            points_earned: row.points_earned,
        },
        coupon: row.coupon_id,
        method: row.method,
        address: row
            .address
            .and_then(|text| serde_json::from_str(&text).ok()),
        late_payment: row.late_payment,
        pay_until: row.pay_until.map(written),
        cancel_asked_at: row.cancel_asked_at.map(written),
        created_at: written(row.created_at),
        ended_at: row.ended_at.map(written),
        delivery,
        refunds: None,
        timeline: None,
    }
}

fn line(row: LineRow) -> LineView {
    LineView {
        sku: row.sku,
        title: row.title,
        seller: row.seller_id,
        quantity: row.quantity,
        unit: row.unit_amount,
        coupon: row.coupon_amount,
        points: row.points_amount,
    }
}

fn refund(row: RefundRow, for_staff: bool) -> RefundView {
    let is_ours = Why::ALL.iter().any(|why| why.word() == row.reason);
    let reason = if for_staff || is_ours {
        row.reason
    } else {
        Why::ByStaff.word().to_owned()
    };
    RefundView {
        id: row.refund_id.hyphenated().to_string(),
        state: row.state,
        amount: row.amount,
        shipping: row.shipping_amount,
        points: row.points,
        reason,
        problem: row.problem.filter(|_| for_staff),
        created_at: written(row.created_at),
        done_at: row.done_at.map(written),
    }
}

fn event(row: EventRow, for_staff: bool) -> EventView {
    let data = row.data.filter(|_| for_staff);
    EventView {
        n: row.n,
        kind: row.kind,
        at: written(row.at),
        amount: row.amount,
        data: data.and_then(|text| serde_json::from_str(&text).ok()),
    }
}
