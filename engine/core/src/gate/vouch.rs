//! A writer's word that Redis is as new as the books (design §5, Vouching).

use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::LiveId;
use crate::journal::StreamId;

pub static SCRIPT: Script = Script::new(
    "vouch",
    include_str!("../../../../lua/vouch.lua"),
    &["sale", "journal"],
    &["call", "epoch", "seq", "entry_id", "run_id"],
    &[
        "vouched",
        "already",
        "moved",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What the writer compared.
#[derive(Debug)]
pub struct Vouch<'a> {
    pub epoch: u32,
    /// Where Redis stood when it was compared.
    pub seq: u64,
    /// The cursor's own entry.
    pub entry_id: &'a StreamId,
    /// The server process that was compared.
    pub run_id: &'a str,
}

/// What `vouch` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    Vouched,
    Already,
    /// Redis has moved on to this seq since it was compared; compare again.
    Moved {
        seq: u64,
    },
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn vouch(&self, live: &LiveId, vouch: &Vouch<'_>) -> Result<Vouched, GateError> {
        let mut args = self.bare_args();
        args.push(vouch.epoch.to_string());
        args.push(vouch.seq.to_string());
        args.push(vouch.entry_id.as_str());
        args.push(vouch.run_id);
        let mut reply = self.run(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Vouched::Fenced(fenced));
        }
        match reply.word() {
            "vouched" => Ok(Vouched::Vouched),
            "already" => Ok(Vouched::Already),
            "moved" => Ok(Vouched::Moved {
                seq: reply.number()?,
            }),
            _ => Err(reply.unknown_word()),
        }
    }
}
