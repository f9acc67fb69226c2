//! What Redis and MySQL say about one sale or coupon, in types that can be compared. Filled by `redis` and `store`.

use std::collections::{BTreeMap, HashMap};

use doorbuster_core::gate::snapshot::Stock;
use doorbuster_core::ids::{BodyHash, ReservationId, SkuId, UserId};
use doorbuster_core::journal::Event;
use doorbuster_core::record::{Claim, Line, Record, Status};

/// A reservation or a claim, whoever says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    pub seq: u64,
    pub user: UserId,
    /// A claim is final: paid.
    pub status: Status,
    /// Until when it is held; of a claim, when it was made.
    pub at_ms: u64,
    pub lines: Vec<Line>,
    /// `None` for a claim.
    pub body: Option<BodyHash>,
}

impl From<Record> for Holding {
    fn from(record: Record) -> Self {
        let Record {
            status,
            seq,
            deadline_ms,
            user,
            lines,
            body,
        } = record;
        Self {
            seq,
            user,
            status,
            at_ms: deadline_ms,
            lines,
            body: Some(body),
        }
    }
}

impl Holding {
    /// One unit of the coupon's only sku.
    pub fn of_claim(claim: Claim, sku: SkuId) -> Self {
        let Claim {
            seq,
            claimed_ms,
            user,
        } = claim;
        Self {
            seq,
            user,
            status: Status::Paid,
            at_ms: claimed_ms,
            lines: vec![Line { sku, quantity: 1 }],
            body: None,
        }
    }

    /// Its units per sku, if they are off the shelf.
    pub fn live_lines(&self) -> &[Line] {
        if self.status.is_live() {
            &self.lines
        } else {
            &[]
        }
    }
}

/// What Redis says.
#[derive(Debug, Clone)]
pub struct LiveState {
    pub epoch: u32,
    pub seq: u64,
    pub flushed_seq: u64,
    pub stock: BTreeMap<SkuId, Stock>,
    pub holdings: HashMap<ReservationId, Holding>,
    /// Units counted against each user's limit, under `user/sku`.
    pub counted: BTreeMap<String, u64>,
    /// Records that could not be read.
    pub unreadable: Vec<String>,
}

/// What MySQL says.
#[derive(Debug, Clone)]
pub struct Books {
    /// Stock and limit per user with which each sku was published.
    pub offered: BTreeMap<SkuId, Offered>,
    pub cursor: Option<Cursor>,
    /// By seq.
    pub journal: Vec<JournalRow>,
    pub holdings: HashMap<ReservationId, Holding>,
    pub dead_letters: u64,
    /// Rows that could not be read.
    pub unreadable: Vec<String>,
}

/// One sku as published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    pub stock: u64,
    /// 0: no limit.
    pub limit_per_user: u64,
}

/// How far the books are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub epoch: u32,
    pub seq: u64,
}

/// One event, as the books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    pub epoch: u32,
    pub seq: u64,
    pub kind: String,
    pub at_ms: u64,
    /// Taken apart from what Redis wrote; an error says what is malformed.
    pub event: Result<Event, String>,
}

impl Books {
    /// Units of `sku` that one user may have; `None`: any number.
    pub fn limit(&self, sku: &SkuId) -> Option<u64> {
        self.offered
            .get(sku)
            .map(|offered| offered.limit_per_user)
            .filter(|limit| *limit > 0)
    }
}
