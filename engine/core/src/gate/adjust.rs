//! Changes a sku's stock, once per key.

use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::{IdempotencyKey, LiveId, SkuId};
use crate::limits::{ADJUSTS_PER_SALE_MAX, NOTICES_CHANNEL};

pub static SCRIPT: Script = Script::new(
    "adjust",
    include_str!("../../../../lua/adjust.lua"),
    &["sale", "stock", "adjusts", "journal"],
    &[
        "call",
        "epoch",
        "caller_ms",
        "key",
        "sku",
        "by",
        "adjusts_max",
        "notices",
    ],
    &[
        "adjusted",
        "repeat",
        "mismatch",
        "unknown_sku",
        "insufficient",
        "too_many",
        "closed",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// One adjustment.
#[derive(Debug)]
pub struct Adjust<'a> {
    pub key: &'a IdempotencyKey,
    pub sku: &'a SkuId,
    /// Units, not 0; negative takes from what is left.
    pub by: i64,
}

/// What `adjust` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adjusted {
    Adjusted {
        seq: u64,
        left: u64,
    },
    /// Done before under this key, with this result.
    Repeat {
        seq: u64,
        left: u64,
    },
    /// The key was used for another adjustment.
    Mismatch,
    UnknownSku,
    /// Fewer are left than would be taken.
    Insufficient {
        left: u64,
    },
    /// The sale has had all the adjustments it can remember.
    TooMany,
    Closed,
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn adjust(
        &self,
        live: &LiveId,
        epoch: u32,
        adjust: &Adjust<'_>,
    ) -> Result<Adjusted, GateError> {
        let mut args = self.args(epoch);
        args.push(adjust.key.as_str());
        args.push(adjust.sku.as_str());
        args.push(adjust.by.to_string());
        args.push(ADJUSTS_PER_SALE_MAX.to_string());
        args.push(NOTICES_CHANNEL);
        let mut reply = self.run(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Adjusted::Fenced(fenced));
        }
        match reply.word() {
            "adjusted" => {
                let (seq, left) = (reply.number()?, reply.number()?);
                self.saw(live, epoch, seq);
                Ok(Adjusted::Adjusted { seq, left })
            }
            "repeat" => Ok(Adjusted::Repeat {
                seq: reply.number()?,
                left: reply.number()?,
            }),
            "mismatch" => Ok(Adjusted::Mismatch),
            "unknown_sku" => Ok(Adjusted::UnknownSku),
            "insufficient" => Ok(Adjusted::Insufficient {
                left: reply.number()?,
            }),
            "too_many" => Ok(Adjusted::TooMany),
            "closed" => Ok(Adjusted::Closed),
            _ => Err(reply.unknown_word()),
        }
    }
}
