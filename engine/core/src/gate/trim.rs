//! Drops what MySQL has from the journal, after the commit.

use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::LiveId;
use crate::journal::StreamId;
use crate::limits::FLUSHED_CHANNEL;

pub static SCRIPT: Script = Script::new(
    "trim",
    include_str!("../../../../lua/trim.lua"),
    &["sale", "journal"],
    &["call", "epoch", "entry_id", "flushed_seq", "notices"],
    &[
        "trimmed",
        "stale",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What `trim` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trimmed {
    Trimmed {
        removed: u64,
    },
    /// Another writer was further; nothing was written.
    Stale {
        flushed_seq: u64,
    },
    Fenced(Fenced),
}

impl Gate {
    /// `entry_id` ends with `flushed_seq`, and both are committed.
    ///
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn trim(
        &self,
        live: &LiveId,
        epoch: u32,
        entry_id: &StreamId,
        flushed_seq: u64,
    ) -> Result<Trimmed, GateError> {
        let mut args = self.bare_args();
        args.push(epoch.to_string());
        args.push(entry_id.as_str());
        args.push(flushed_seq.to_string());
        args.push(FLUSHED_CHANNEL);
        let mut reply = self.run(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Trimmed::Fenced(fenced));
        }
        match reply.word() {
            "trimmed" => Ok(Trimmed::Trimmed {
                removed: reply.number()?,
            }),
            "stale" => Ok(Trimmed::Stale {
                flushed_seq: reply.number()?,
            }),
            _ => Err(reply.unknown_word()),
        }
    }
}
