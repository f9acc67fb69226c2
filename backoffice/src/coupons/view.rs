//! A coupon as staff see it. Called by every handler that answers with one.

use doorbuster_core::clock;
use doorbuster_core::ids::SkuId;
use serde::Serialize;
use utoipa::ToSchema;

use super::draft::Discount;
use super::policy::Policy;
use super::store::StoredCoupon;
use crate::app::App;
use crate::error::ApiError;
use crate::live::state::Phase;
use crate::live::view::{Counts, Lag, look};
use crate::rebuild;
use crate::rebuild::view::RebuildView;

/// A coupon. A claim counts as sold: it is final.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CouponView {
    #[schema(example = "welcome")]
    pub id: String,
    pub state: Phase,
    #[schema(example = 100)]
    pub quantity: u32,
    #[schema(example = 1)]
    pub limit_per_user: u32,
    #[schema(format = DateTime, example = "2030-01-01T10:00:00.000Z")]
    pub starts_at: String,
    #[schema(format = DateTime, example = "2030-01-31T00:00:00.000Z")]
    pub ends_at: String,
    pub discount: Discount,
    /// What it asks of an order
    pub policy: Policy,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub published_at: Option<String>,
    /// Redis time where Redis has the coupon
    #[schema(format = DateTime)]
    pub server_time: String,
    /// In Redis now; null where Redis does not have the coupon
    pub live: Option<Counts>,
    /// In MySQL now; null before the first event has arrived there
    pub books: Option<Counts>,
    /// Null where Redis does not have the coupon
    pub journal_lag: Option<Lag>,
    /// Units by which Redis breaks stocked = left + held + sold; anything but 0 is an alarm. Null where Redis does not have the coupon
    #[schema(example = 0)]
    pub conservation_difference: Option<i64>,
    /// Null where Redis never lost it
    pub rebuild: Option<RebuildView>,
}

/// # Errors
/// [`ApiError::Unavailable`] where Redis or MySQL does not answer.
pub(crate) async fn coupon_view(app: &App, stored: &StoredCoupon) -> Result<CouponView, ApiError> {
    let look = look(app, &stored.subject()).await?;
    let rebuild = rebuild::view::last(&app.books, &stored.subject().live).await?;
    let coupon = &stored.coupon;
    let sku = SkuId::parse(coupon.id.as_str()).map_err(|e| ApiError::Internal(e.into()))?;
    let written = |at| clock::rfc3339(clock::to_ms(at));
    Ok(CouponView {
        id: coupon.id.to_string(),
        state: look.phase,
        quantity: coupon.quantity,
        limit_per_user: coupon.limit_per_user,
        starts_at: written(coupon.starts_at),
        ends_at: written(coupon.ends_at),
        discount: coupon.discount.clone(),
        policy: coupon.policy.clone(),
        created_at: written(stored.created_at),
        published_at: stored.published_at.map(written),
        server_time: clock::rfc3339(look.server_time_ms),
        live: look.live(&sku),
        books: look.books.get(&sku).copied(),
        journal_lag: look.lag,
        conservation_difference: look.conservation_difference,
        rebuild,
    })
}
