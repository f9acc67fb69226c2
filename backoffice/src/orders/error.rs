//! What orders refuse, and the statuses of it. Carried in `ApiError`.

use axum::http::StatusCode;

/// Why something about an order is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("you have no order of this id")]
    UnknownOrder,
    #[error("you have no reservation of this id in this sale")]
    UnknownReservation,
    #[error("the hold has ended; its units are others' now")]
    HoldEnded,
    #[error("there is an order of this hold already; GET /v1/orders has it")]
    AlreadyOrdered,
    #[error("the coupon cannot be used for this: {0}")]
    CouponUnusable(&'static str),
    #[error("the goods are on their way; send them back to be refunded")]
    AlreadySent,
    #[error("the goods have not been sent yet")]
    NotSent,
    #[error("the order is not paid, or no longer")]
    NotPaid,
    #[error("the order does not wait for a person")]
    NotParked,
    #[error(
        "the provider captured another currency than the order's: give it back there by hand, then decide settled_by_hand"
    )]
    SettleByHand,
    #[error("others have its units, and there are none to be taken again: add units, or refund it")]
    UnitsGone,
    #[error(
        "the sale takes all units that the order ever had before it takes back those that were refunded, and has not as many: add units, and take as many away again afterwards; or refund it"
    )]
    UnitsShort,
    #[error("this cannot be decided of it: {0}")]
    Undecidable(&'static str),
    #[error("money of this order is on its way back; try again when that is done")]
    InFlight,
    #[error("there are not as many points")]
    InsufficientPoints,
}

impl Refusal {
    pub(crate) fn answer(self) -> (StatusCode, &'static str) {
        match self {
            Self::UnknownOrder => (StatusCode::NOT_FOUND, "unknown_order"),
            Self::UnknownReservation => (StatusCode::NOT_FOUND, "unknown_reservation"),
            Self::HoldEnded => (StatusCode::CONFLICT, "hold_ended"),
            Self::AlreadyOrdered => (StatusCode::CONFLICT, "already_ordered"),
            Self::CouponUnusable(_) => (StatusCode::CONFLICT, "coupon_unusable"),
            Self::AlreadySent => (StatusCode::CONFLICT, "already_sent"),
            Self::NotSent => (StatusCode::CONFLICT, "not_sent"),
            Self::NotPaid => (StatusCode::CONFLICT, "not_paid"),
            Self::NotParked => (StatusCode::CONFLICT, "not_parked"),
            Self::SettleByHand => (StatusCode::CONFLICT, "settle_by_hand"),
            Self::UnitsGone => (StatusCode::CONFLICT, "units_gone"),
            Self::UnitsShort => (StatusCode::CONFLICT, "units_short"),
            Self::Undecidable(_) => (StatusCode::CONFLICT, "undecidable"),
            Self::InFlight => (StatusCode::CONFLICT, "in_flight"),
            Self::InsufficientPoints => (StatusCode::CONFLICT, "insufficient_points"),
        }
    }
}
