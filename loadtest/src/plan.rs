//! What one run shall do, checked: made by `args` and `demo`, read by everything that runs.

use doorbuster_core::ids::{CouponId, LiveId, SaleId, SkuId};
use doorbuster_core::line::LineDraft;
use doorbuster_core::record::Line;
use serde::{Deserialize, Serialize};

use crate::crowd::Mix;
use crate::schedule::Arrivals;

/// What kind of run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    Demo,
    Rush,
    Coupon,
    Line,
}

impl Scenario {
    pub fn as_str(self) -> &'static str {
        match self {
            Scenario::Demo => "demo",
            Scenario::Rush => "rush",
            Scenario::Coupon => "coupon",
            Scenario::Line => "line",
        }
    }
}

/// What is on offer.
#[derive(Debug, Clone)]
pub struct Offer {
    pub live: LiveId,
    pub sku: SkuId,
    pub stock: u32,
    /// Units per user; 0: no limit.
    pub per_user: u32,
    /// Units that each request asks for.
    pub quantity: u32,
    pub hold_seconds: u32,
    /// The waiting room in front of it, if it has one.
    pub room: Option<Room>,
}

/// A waiting room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    pub line: LineDraft,
    /// When the sale behind it opens; those who come before it are early.
    pub opens_ms: u64,
}

impl Offer {
    /// A sale under a name of its own.
    pub fn sale(name: &str) -> Self {
        let live = LiveId::Sale(SaleId::parse(name).expect("a made-up name keeps to the alphabet"));
        let sku = SkuId::parse("doorbuster").expect("letters");
        Self {
            live,
            sku,
            stock: 100,
            per_user: 1,
            quantity: 1,
            hold_seconds: 300,
            room: None,
        }
    }

    /// A coupon under a name of its own; its one sku bears the same name.
    pub fn coupon(name: &str) -> Self {
        let live =
            LiveId::Coupon(CouponId::parse(name).expect("a made-up name keeps to the alphabet"));
        let sku = SkuId::parse(name).expect("the same alphabet");
        Self {
            live,
            sku,
            stock: 100,
            per_user: 1,
            quantity: 1,
            hold_seconds: 0,
            room: None,
        }
    }

    /// What each request asks for.
    pub fn lines(&self) -> Vec<Line> {
        vec![Line {
            sku: self.sku.clone(),
            quantity: self.quantity,
        }]
    }
}

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub scenario: Scenario,
    pub offer: Offer,
    pub users: u32,
    /// Different requests that each user makes, each under a key of its own.
    pub keys_per_user: u32,
    pub arrivals: Arrivals,
    pub engines: usize,
    /// Keep-alive connections to all engines together.
    pub connections: usize,
    pub mix: Mix,
    /// Times that each request is sent at once.
    pub sends: u32,
    pub losses: Losses,
    /// Whether buyers keep their receipts, some 300 bytes each.
    pub keeps_receipts: bool,
    /// Whether those who have a hold pay for it.
    pub checkout: bool,
    pub seed: u64,
}

/// What the wire does to answers, apart from what single users do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Losses {
    None,
    /// Every 201 is lost; its user asks again until another answer comes.
    EveryAcceptance,
}

impl Plan {
    /// Wishes under a key of their own.
    pub fn errands(&self) -> usize {
        self.users as usize * self.keys_per_user as usize
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plan(users: u32) -> Plan {
        Plan {
            scenario: Scenario::Rush,
            offer: Offer::sale("test"),
            users,
            keys_per_user: 1,
            arrivals: Arrivals::AtOnce,
            engines: 2,
            connections: 4,
            mix: Mix::default(),
            sends: 1,
            losses: Losses::None,
            keeps_receipts: false,
            checkout: false,
            seed: 1,
        }
    }
}
