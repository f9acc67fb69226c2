//! Takes a vouch back: the sale stops selling until a writer vouches for it anew.

use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::LiveId;

pub static SCRIPT: Script = Script::new(
    "withdraw",
    include_str!("../../../../lua/withdraw.lua"),
    &["sale"],
    &["call"],
    &[
        "withdrawn",
        "already",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What `withdraw` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withdrawn {
    Withdrawn,
    /// Nobody vouched for it; nothing was written.
    Already,
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn withdraw(&self, live: &LiveId) -> Result<Withdrawn, GateError> {
        let mut reply = self.run(&SCRIPT, live, self.bare_args()).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Withdrawn::Fenced(fenced));
        }
        match reply.word() {
            "withdrawn" => Ok(Withdrawn::Withdrawn),
            "already" => Ok(Withdrawn::Already),
            _ => Err(reply.unknown_word()),
        }
    }
}
