//! Puts a rebuilt sale in the place of the one as it is, and vouches for it (design §5, rebuild).

use super::script::Script;
use super::snapshot::{State, Stock};
use super::{Fenced, Gate, GateError};
use crate::ids::{LiveId, SkuId};
use crate::limits::RECEIPT_GRACE;

pub static SCRIPT: Script = Script::new(
    "swap",
    include_str!("../../../../lua/swap.lua"),
    &[
        "sale",
        "stock",
        "users",
        "records",
        "order",
        "paying",
        "adjusts",
        "returns",
        "journal",
        "rebuild",
        "next_users",
        "next_records",
        "next_order",
        "next_paying",
        "next_adjusts",
        "next_returns",
    ],
    &[
        "call",
        "epoch",
        "caller_ms",
        "run_id",
        "state",
        "opens_ms",
        "closes_ms",
        "hold_ms",
        "payment_ms",
        "config",
        "books_seq",
        "last_now_ms",
        "event",
        "grace_ms",
        "users_count",
        "records_count",
        "order_count",
        "paying_count",
        "adjusts_count",
        "returns_count",
    ],
    &["swapped", "already", "overtaken", "recovering"],
);

/// Everything of a rebuilt sale that has not been loaded before.
#[derive(Debug)]
pub struct Swap<'a> {
    /// The new generation.
    pub epoch: u32,
    /// The server process that `stake` found.
    pub run_id: &'a str,
    pub state: State,
    pub opens_ms: u64,
    pub closes_ms: u64,
    pub hold_ms: u64,
    pub payment_ms: u64,
    pub config: &'a str,
    /// Where the books stand.
    pub seq: u64,
    /// Time of the last event in the books.
    pub last_now_ms: u64,
    /// What the journal says of the rebuild.
    pub event: &'a str,
    pub counts: Counts,
    pub skus: &'a [SwapSku],
}

/// How much `load` has loaded of each part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub users: u64,
    pub records: u64,
    pub order: u64,
    pub paying: u64,
    pub adjusts: u64,
    pub returns: u64,
}

/// One sku.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwapSku {
    pub sku: SkuId,
    /// `restocked_seq` is the script's own.
    pub stock: Stock,
    /// Of what is left, for receipts alone during [`RECEIPT_GRACE`].
    pub kept: u64,
}

/// What `swap` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swapped {
    Swapped {
        /// The first event of the new generation.
        seq: u64,
    },
    /// It is there in this generation; nothing was written.
    Already,
    /// Another rebuild has begun since, or Redis has been emptied.
    Overtaken {
        epoch: u32,
    },
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn swap(&self, live: &LiveId, swap: &Swap<'_>) -> Result<Swapped, GateError> {
        let mut args = self.args(swap.epoch);
        args.push(swap.run_id);
        args.push(match swap.state {
            State::Open => "open",
            State::Paused => "paused",
            State::Closed => "closed",
        });
        for number in [swap.opens_ms, swap.closes_ms, swap.hold_ms, swap.payment_ms] {
            args.push(number.to_string());
        }
        args.push(swap.config);
        args.push(swap.seq.to_string());
        args.push(swap.last_now_ms.to_string());
        args.push(swap.event);
        args.push(RECEIPT_GRACE.as_millis().to_string());
        let Counts {
            users,
            records,
            order,
            paying,
            adjusts,
            returns,
        } = swap.counts;
        for number in [users, records, order, paying, adjusts, returns] {
            args.push(number.to_string());
        }
        for SwapSku { sku, stock, kept } in swap.skus {
            args.push(sku.as_str());
            let limit = stock.limit_per_user;
            for number in [stock.stocked, stock.left, stock.held, stock.sold, limit] {
                args.push(number.to_string());
            }
            args.push(kept.to_string());
        }
        let mut reply = self.run(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Swapped::Fenced(fenced));
        }
        match reply.word() {
            "swapped" => {
                let seq = reply.number()?;
                self.saw(live, swap.epoch, seq);
                Ok(Swapped::Swapped { seq })
            }
            "already" => Ok(Swapped::Already),
            "overtaken" => Ok(Swapped::Overtaken {
                epoch: reply.epoch()?,
            }),
            _ => Err(reply.unknown_word()),
        }
    }
}
