//! Makes a reservation paid whose payment was captured, if there are units for it.

use super::script::Script;
use super::{Fenced, Gate, GateError, remembered, turned};
use crate::ids::{LiveId, ReservationId, UserId};
use crate::limits::NOTICES_CHANNEL;
use crate::record::Record;

pub static SCRIPT: Script = Script::new(
    "settle",
    include_str!("../../../../lua/settle.lua"),
    &["sale", "stock", "users", "records", "paying", "journal"],
    &[
        "call",
        "epoch",
        "caller_ms",
        "id",
        "user",
        "reacquire",
        "notices",
    ],
    &[
        "paid",
        "gone",
        "not_paying",
        "unknown_reservation",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What `settle` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Its units are sold; again on repeat.
    Paid {
        /// Where the sale stands.
        seq: u64,
        record: Box<Record>,
        /// This call took units that were on sale again.
        reacquired: bool,
    },
    /// It has ended, and there are no units for it, or none were to be taken. What was captured has to be given back.
    Gone {
        record: Box<Record>,
    },
    /// Its payment has not begun.
    NotPaying(Box<Record>),
    /// No such reservation of this user.
    UnknownReservation,
    Fenced(Fenced),
}

impl Gate {
    /// `reacquire`: a reservation whose time is up is paid all the same, if there are units for it.
    ///
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn settle(
        &self,
        live: &LiveId,
        epoch: u32,
        id: ReservationId,
        user: &UserId,
        reacquire: bool,
    ) -> Result<Settled, GateError> {
        let mut args = self.args(epoch);
        args.push(id.as_bytes());
        args.push(user.as_str());
        args.push(if reacquire { "1" } else { "0" });
        args.push(NOTICES_CHANNEL);
        let mut reply = self.promise(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Settled::Fenced(fenced));
        }
        let word = reply.word().to_string();
        if word == "unknown_reservation" {
            return Ok(Settled::UnknownReservation);
        }
        let (now_ms, seq) = (reply.number()?, reply.number()?);
        self.saw(live, epoch, seq);
        let record = turned::record(&mut reply)?;
        let (mut rows, mut events) = (reply.list()?, Vec::new());
        while !rows.is_empty() {
            events.push((rows.bytes()?, rows.bytes()?));
        }
        let reacquired = events.len() > 1;
        self.remember(live, || remembered::events(epoch, now_ms, seq, events));
        match word.as_str() {
            "paid" => Ok(Settled::Paid {
                seq,
                record,
                reacquired,
            }),
            "gone" => Ok(Settled::Gone { record }),
            "not_paying" => Ok(Settled::NotPaying(record)),
            _ => Err(reply.unknown_word()),
        }
    }
}
