//! Ends one hold at its buyer's wish.

use super::script::Script;
use super::{Fenced, Gate, GateError, turned};
use crate::ids::{LiveId, ReservationId, UserId};
use crate::limits::NOTICES_CHANNEL;
use crate::record::Record;

pub static SCRIPT: Script = Script::new(
    "cancel",
    include_str!("../../../../lua/cancel.lua"),
    &["sale", "stock", "users", "records", "paying", "journal"],
    &["call", "epoch", "caller_ms", "id", "user", "notices"],
    &[
        "cancelled",
        "ended",
        "unknown_reservation",
        "in_flight",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What `cancel` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// `seq`: where the sale stood after it.
    Cancelled {
        seq: u64,
        record: Box<Record>,
    },
    /// It had ended before, or was past its deadline; the record says how.
    Ended {
        seq: u64,
        record: Box<Record>,
    },
    /// No such reservation of this user.
    UnknownReservation,
    /// A payment is under way.
    InFlight(Box<Record>),
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn cancel(
        &self,
        live: &LiveId,
        epoch: u32,
        id: ReservationId,
        user: &UserId,
    ) -> Result<Cancelled, GateError> {
        let mut args = self.args(epoch);
        args.push(id.as_bytes());
        args.push(user.as_str());
        args.push(NOTICES_CHANNEL);
        let mut reply = self.promise(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Cancelled::Fenced(fenced));
        }
        let word = reply.word().to_string();
        match word.as_str() {
            "cancelled" | "ended" => {
                let (seq, record) = self.turned(live, epoch, id, &mut reply)?;
                if word == "cancelled" {
                    Ok(Cancelled::Cancelled { seq, record })
                } else {
                    Ok(Cancelled::Ended { seq, record })
                }
            }
            "in_flight" => Ok(Cancelled::InFlight(turned::record(&mut reply)?)),
            "unknown_reservation" => Ok(Cancelled::UnknownReservation),
            _ => Err(reply.unknown_word()),
        }
    }
}
