//! Ends the holds of a sale whose deadline has passed.

use super::script::Script;
use super::{Fenced, Gate, GateError, remembered};
use crate::ids::LiveId;
use crate::limits::{NOTICES_CHANNEL, SWEEP_HOLDS_MAX};

pub static SCRIPT: Script = Script::new(
    "sweep",
    include_str!("../../../../lua/sweep.lua"),
    &[
        "sale", "stock", "users", "records", "order", "paying", "journal",
    ],
    &["call", "epoch", "caller_ms", "batch_max", "notices"],
    &["swept", "unknown_sale", "unknown_schema", "recovering"],
);

/// What `sweep` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swept {
    Swept(Sweep),
    Fenced(Fenced),
}

/// One sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    pub now_ms: u64,
    /// Holds ended.
    pub released: u64,
    /// The earliest of their deadlines; 0 if none.
    pub oldest_ms: u64,
    /// No hold is due before then; at or before `now_ms` where more are due at once.
    pub next_ms: u64,
}

impl Gate {
    /// Ends at most [`SWEEP_HOLDS_MAX`] holds.
    ///
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn sweep(&self, live: &LiveId, epoch: u32) -> Result<Swept, GateError> {
        let mut args = self.args(epoch);
        args.push(SWEEP_HOLDS_MAX.to_string());
        args.push(NOTICES_CHANNEL);
        let mut reply = self.run(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Swept::Fenced(fenced));
        }
        if reply.word() != "swept" {
            return Err(reply.unknown_word());
        }
        let (now_ms, seq) = (reply.number()?, reply.number()?);
        self.saw(live, epoch, seq);
        let sweep = Sweep {
            now_ms,
            released: reply.number()?,
            oldest_ms: reply.number()?,
            next_ms: reply.number()?,
        };
        let mut rows = reply.list()?;
        let mut ended = Vec::with_capacity(rows.len() / 2);
        while !rows.is_empty() {
            ended.push((rows.bytes()?, rows.bytes()?));
        }
        self.remember(live, || remembered::events(epoch, now_ms, seq, ended));
        Ok(Swept::Swept(sweep))
    }
}
