//! One consistent look at a sale.

use std::collections::{BTreeMap, HashMap};

use super::reply::Reply;
use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::{LiveId, SkuId};

pub static SCRIPT: Script = Script::new(
    "snapshot",
    include_str!("../../../../lua/snapshot.lua"),
    &["sale", "stock", "records", "order", "journal"],
    &["call"],
    &["snapshot", "unknown_sale", "unknown_schema", "recovering"],
);

/// The switch's position. Whether the sale sells now also depends on its window and on whether it is vouched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    Paused,
    Closed,
}

/// Counters of one sku, in units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    pub stocked: u64,
    pub left: u64,
    pub held: u64,
    pub sold: u64,
    /// Per user; 0 means none.
    pub limit_per_user: u64,
    /// The event that last put units back where none were left; 0 if none did.
    pub restocked_seq: u64,
}

impl Stock {
    /// What the conservation law is off by: 0, or something is very wrong.
    pub fn difference(&self) -> i64 {
        self.stocked.cast_signed() - (self.left + self.held + self.sold).cast_signed()
    }
}

/// A sale at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub now_ms: u64,
    /// The server process that answered.
    pub server_run_id: String,
    /// The one that the sale is vouched for; empty before the first vouch.
    pub run_id: String,
    pub epoch: u32,
    pub state: State,
    pub opens_ms: u64,
    pub closes_ms: u64,
    pub hold_ms: u64,
    pub payment_ms: u64,
    pub seq: u64,
    pub flushed_seq: u64,
    pub bytes: u64,
    pub flushed_bytes: u64,
    pub last_now_ms: u64,
    pub config: String,
    pub stock: BTreeMap<SkuId, Stock>,
    /// Open and ended.
    pub records: u64,
    pub order: u64,
    /// Journal entries kept.
    pub entries: u64,
}

impl Snapshot {
    /// Whether a writer has vouched for the process that answered.
    pub fn is_vouched(&self) -> bool {
        self.run_id == self.server_run_id
    }

    /// Events not yet in MySQL.
    pub fn backlog(&self) -> u64 {
        self.seq.saturating_sub(self.flushed_seq)
    }
}

/// What `snapshot` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Snapped {
    Snapshot(Box<Snapshot>),
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; a read.
    pub async fn snapshot(&self, live: &LiveId) -> Result<Snapped, GateError> {
        let mut reply = self.run(&SCRIPT, live, self.bare_args()).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Snapped::Fenced(fenced));
        }
        if reply.word() != "snapshot" {
            return Err(reply.unknown_word());
        }
        let snapshot = decode(&mut reply)?;
        if snapshot.is_vouched() {
            self.saw(live, snapshot.epoch, snapshot.seq);
        }
        Ok(Snapped::Snapshot(Box::new(snapshot)))
    }
}

fn decode(reply: &mut Reply) -> Result<Snapshot, GateError> {
    let (now_ms, server_run_id) = (reply.number()?, reply.text()?);
    let sale: HashMap<String, String> = reply.list()?.pairs()?.into_iter().collect();
    let stock = decode_stock(reply)?;
    let (records, order, entries) = (reply.number()?, reply.number()?, reply.number()?);
    let text = |name: &str| sale.get(name).cloned().ok_or_else(|| reply.broken(name));
    let number = |name: &str| text(name)?.parse::<u64>().map_err(|_| reply.broken(name));
    Ok(Snapshot {
        now_ms,
        server_run_id,
        run_id: text("run_id")?,
        epoch: u32::try_from(number("epoch")?).map_err(|_| reply.broken("epoch"))?,
        state: match text("state")?.as_str() {
            "open" => State::Open,
            "paused" => State::Paused,
            "closed" => State::Closed,
            _ => return Err(reply.broken("state")),
        },
        opens_ms: number("opens_ms")?,
        closes_ms: number("closes_ms")?,
        hold_ms: number("hold_ms")?,
        // A sale opened by an earlier version has none.
        payment_ms: if sale.contains_key("payment_ms") {
            number("payment_ms")?
        } else {
            number("hold_ms")?
        },
        seq: number("seq")?,
        flushed_seq: number("flushed_seq")?,
        bytes: number("bytes")?,
        flushed_bytes: number("flushed_bytes")?,
        last_now_ms: number("last_now_ms")?,
        config: text("config")?,
        stock,
        records,
        order,
        entries,
    })
}

fn decode_stock(reply: &mut Reply) -> Result<BTreeMap<SkuId, Stock>, GateError> {
    let fields: HashMap<String, String> = reply.list()?.pairs()?.into_iter().collect();
    let number = |sku: &str, field: &str| -> Result<u64, GateError> {
        let value = fields
            .get(&format!("{sku}/{field}"))
            .and_then(|value| value.parse().ok());
        value.ok_or_else(|| reply.broken(&format!("{sku}/{field}")))
    };
    fields
        .keys()
        .filter_map(|field| field.strip_suffix("/stocked"))
        .map(|sku| {
            let stock = Stock {
                stocked: number(sku, "stocked")?,
                left: number(sku, "left")?,
                held: number(sku, "held")?,
                sold: number(sku, "sold")?,
                limit_per_user: number(sku, "limit")?,
                restocked_seq: number(sku, "restocked")?,
            };
            Ok((SkuId::parse(sku).map_err(|_| reply.broken("sku"))?, stock))
        })
        .collect()
}
