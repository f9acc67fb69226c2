//! `POST /v1/coupons/{coupon}/claims`: first come, first served.

use std::sync::Arc;

use doorbuster_core::clock;
use doorbuster_core::gate::claim::{ClaimCoupon, Claimed};
use doorbuster_core::ids::{CouponId, LiveId, ReservationId, SkuId};
use hyper::Request;
use hyper::body::Incoming;

use super::problem::Refusal;
use super::reply::{self, Answer};
use super::{auth, request, reservations};
use crate::app::App;

/// # Errors
/// Every refusal of the contract's table that a claim can meet.
pub(crate) async fn claim(
    app: &App,
    coupon: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let user = auth::counted_user(app, &request, clock::now_ms())?;
    let coupon = CouponId::parse(coupon)?;
    let live = LiveId::Coupon(coupon.clone());
    app.limiter.check_sale(&live)?;
    let key = request::idempotency_key(&request)?;
    request::nothing(request).await?;
    let id = ReservationId::derive(&live, &user, &key);
    let sku = SkuId::parse(coupon.as_str())?;
    let of_coupon = |refusal| {
        if refusal == Refusal::UnknownSale {
            Refusal::UnknownCoupon
        } else {
            refusal
        }
    };
    let sale = reservations::open_sale(app, &live)
        .await
        .map_err(of_coupon)?;
    let now = clock::instant();
    if sale
        .shield
        .refuses(id, std::iter::once(&sku), now)
        .is_some()
    {
        return Err(Refusal::SoldOut { sku, left: 0 });
    }
    let wanted = Arc::new(ClaimCoupon { id, user });
    let answered = sale.claim(Arc::clone(&wanted)).await.map_err(of_coupon)?;
    let promised = match &answered.outcome {
        Claimed::Claimed { seq } => Some(*seq),
        Claimed::Repeat(claim) => Some(claim.seq),
        _ => None,
    };
    if let Some(seq) = promised {
        sale.confirmed(answered.epoch, seq).await?;
    }
    match answered.outcome {
        Claimed::Claimed { seq } => Ok(reply::claimed(app, id, &coupon, &wanted.user, seq)),
        Claimed::Repeat(claim) => Ok(reply::claimed_before(app, id, &coupon, &claim)),
        Claimed::AlreadyClaimed { limit } => Err(Refusal::AlreadyClaimed { limit }),
        Claimed::SoldOut => Err(Refusal::SoldOut { sku, left: 0 }),
        Claimed::NotOpen => Err(Refusal::NotOpen),
        Claimed::Paused => Err(Refusal::Paused),
        Claimed::Closed => Err(Refusal::Closed),
        Claimed::Backlog => Err(Refusal::Backlog),
    }
}
