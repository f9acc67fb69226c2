//! Looks up one reservation. Whose it is, the caller checks: someone else's is as good as none.

use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::{LiveId, ReservationId};
use crate::record::Record;

pub static SCRIPT: Script = Script::new(
    "find",
    include_str!("../../../../lua/find.lua"),
    &["sale", "records"],
    &["call", "epoch", "caller_ms", "id"],
    &[
        "found",
        "unknown_reservation",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What `find` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// `seq`: where the sale stands.
    Found {
        now_ms: u64,
        seq: u64,
        record: Box<Record>,
    },
    UnknownReservation,
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; a read.
    pub async fn find(
        &self,
        live: &LiveId,
        epoch: u32,
        id: ReservationId,
    ) -> Result<Found, GateError> {
        let mut args = self.args(epoch);
        args.push(id.as_bytes());
        let mut reply = self.promise(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Found::Fenced(fenced));
        }
        match reply.word() {
            "found" => {
                let (now_ms, seq) = (reply.number()?, reply.number()?);
                self.saw(live, epoch, seq);
                let record = Record::parse(&reply.bytes()?).map_err(|e| reply.broken(e.0))?;
                Ok(Found::Found {
                    now_ms,
                    seq,
                    record: Box::new(record),
                })
            }
            "unknown_reservation" => Ok(Found::UnknownReservation),
            _ => Err(reply.unknown_word()),
        }
    }
}
