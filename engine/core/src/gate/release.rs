//! Ends a reservation whose payment came to nothing.

use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::{LiveId, ReservationId, UserId};
use crate::limits::NOTICES_CHANNEL;
use crate::record::Record;

pub static SCRIPT: Script = Script::new(
    "release",
    include_str!("../../../../lua/release.lua"),
    &["sale", "stock", "users", "records", "paying", "journal"],
    &["call", "epoch", "caller_ms", "id", "user", "notices"],
    &[
        "released",
        "ended",
        "paid",
        "unknown_reservation",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What `release` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// `seq`: where the sale stands after it.
    Released {
        seq: u64,
        record: Box<Record>,
    },
    /// It had ended before, or was past its deadline; the record says how.
    Ended {
        seq: u64,
        record: Box<Record>,
    },
    /// It is paid; its units come back by `restock` or `write_off`.
    Paid(Box<Record>),
    /// No such reservation of this user.
    UnknownReservation,
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn release(
        &self,
        live: &LiveId,
        epoch: u32,
        id: ReservationId,
        user: &UserId,
    ) -> Result<Released, GateError> {
        let mut args = self.args(epoch);
        args.push(id.as_bytes());
        args.push(user.as_str());
        args.push(NOTICES_CHANNEL);
        let mut reply = self.promise(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Released::Fenced(fenced));
        }
        let word = reply.word().to_string();
        if word == "unknown_reservation" {
            return Ok(Released::UnknownReservation);
        }
        let (seq, record) = self.turned(live, epoch, id, &mut reply)?;
        match word.as_str() {
            "released" => Ok(Released::Released { seq, record }),
            "ended" => Ok(Released::Ended { seq, record }),
            "paid" => Ok(Released::Paid(record)),
            _ => Err(reply.unknown_word()),
        }
    }
}
