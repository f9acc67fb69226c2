//! What a sale and a coupon share once they are published: they live in Redis in the same way, so they are opened, switched
//! and looked at in the same way. Called by `sales` and `coupons`.

pub(crate) mod publish;
pub(crate) mod state;
pub(crate) mod store;
pub(crate) mod switch;
pub(crate) mod view;

use doorbuster_core::ids::LiveId;

use crate::error::ApiError;

/// When something is on sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) opens_ms: u64,
    pub(crate) closes_ms: u64,
}

/// A sale or coupon as the books have it, as far as its life in Redis is concerned.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) live: LiveId,
    pub(crate) window: Window,
    /// Redis has had it, or may have.
    pub(crate) published: bool,
}

impl Subject {
    /// How the audit log names it.
    pub(crate) fn audit_name(&self) -> String {
        self.live.tag()
    }
}

/// 404 in the words of what was asked for.
pub(crate) fn unknown(live: &LiveId) -> ApiError {
    match live {
        LiveId::Sale(_) => ApiError::UnknownSale,
        LiveId::Coupon(_) => ApiError::UnknownCoupon,
    }
}
