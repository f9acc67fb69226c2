//! Pauses, resumes and closes a sale.

use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::LiveId;

pub static SCRIPT: Script = Script::new(
    "switch",
    include_str!("../../../../lua/switch.lua"),
    &["sale", "journal"],
    &["call", "epoch", "caller_ms", "verb"],
    &[
        "switched",
        "already",
        "closed",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What an operator can do to a live sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Pause,
    Resume,
    /// Final.
    Close,
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Pause => "pause",
            Verb::Resume => "resume",
            Verb::Close => "close",
        }
    }
}

/// What `switch` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switched {
    Switched {
        seq: u64,
    },
    /// It is in that state; nothing was written.
    Already,
    /// Closed sales stay closed.
    Closed,
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn switch(
        &self,
        live: &LiveId,
        epoch: u32,
        verb: Verb,
    ) -> Result<Switched, GateError> {
        let mut args = self.args(epoch);
        args.push(verb.as_str());
        let mut reply = self.run(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Switched::Fenced(fenced));
        }
        match reply.word() {
            "switched" => {
                reply.skip()?;
                let seq = reply.number()?;
                self.saw(live, epoch, seq);
                Ok(Switched::Switched { seq })
            }
            "already" => Ok(Switched::Already),
            "closed" => Ok(Switched::Closed),
            _ => Err(reply.unknown_word()),
        }
    }
}
