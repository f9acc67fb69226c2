//! Puts a published sale into Redis. Whether it may be opened is for the books to say (the back-office's `publish`).

use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::{LiveId, SkuId};

pub static SCRIPT: Script = Script::new(
    "open",
    include_str!("../../../../lua/open.lua"),
    &["sale", "stock", "users", "records", "journal"],
    &[
        "call",
        "epoch",
        "caller_ms",
        "opens_ms",
        "closes_ms",
        "hold_ms",
        "payment_ms",
        "config",
    ],
    &["opened", "already", "recovering"],
);

/// What a sale is opened with. All of it is fixed from then on, stock excepted (`adjust`).
#[derive(Debug)]
pub struct Open<'a> {
    pub epoch: u32,
    pub opens_ms: u64,
    pub closes_ms: u64,
    /// How long a hold lasts.
    pub hold_ms: u64,
    /// How long a payment may take; a hold that is being paid lasts as long.
    pub payment_ms: u64,
    /// JSON for those who show the sale; scripts do not read it.
    pub config: &'a str,
    pub skus: &'a [OpenSku],
}

/// One sku's stock and rule.
#[derive(Debug, Clone)]
pub struct OpenSku {
    pub sku: SkuId,
    pub stock: u32,
    /// Units that one user may have at a time; 0 means no limit.
    pub limit_per_user: u32,
}

/// What `open` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    Opened,
    /// It is there, under this epoch; nothing was written.
    Already {
        epoch: u32,
    },
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn open(&self, live: &LiveId, open: &Open<'_>) -> Result<Opened, GateError> {
        let mut args = self.args(open.epoch);
        for number in [open.opens_ms, open.closes_ms, open.hold_ms, open.payment_ms] {
            args.push(number.to_string());
        }
        args.push(open.config);
        for sku in open.skus {
            args.push(sku.sku.as_str());
            args.push(sku.stock.to_string());
            args.push(sku.limit_per_user.to_string());
        }
        let mut reply = self.run(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Opened::Fenced(fenced));
        }
        match reply.word() {
            "opened" => {
                self.saw(live, open.epoch, reply.number()?);
                Ok(Opened::Opened)
            }
            "already" => Ok(Opened::Already {
                epoch: u32::try_from(reply.number()?).map_err(|_| reply.broken("epoch"))?,
            }),
            _ => Err(reply.unknown_word()),
        }
    }
}
