//! Begins the payment of one hold: it lasts as long as a payment may take, once.

use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::{LiveId, ReservationId, UserId};
use crate::limits::NOTICES_CHANNEL;
use crate::record::Record;

pub static SCRIPT: Script = Script::new(
    "begin_payment",
    include_str!("../../../../lua/begin_payment.lua"),
    &["sale", "stock", "users", "records", "paying", "journal"],
    &["call", "epoch", "caller_ms", "id", "user", "notices"],
    &[
        "paying",
        "paid",
        "ended",
        "unknown_reservation",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What `begin_payment` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BegunPayment {
    /// Its deadline is the payment's; again on repeat, unchanged. `seq`: where the sale stands.
    Paying {
        seq: u64,
        record: Box<Record>,
    },
    /// It is paid already.
    Paid(Box<Record>),
    /// It had ended before, or was past its deadline; the record says how.
    Ended {
        seq: u64,
        record: Box<Record>,
    },
    /// No such reservation of this user.
    UnknownReservation,
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn begin_payment(
        &self,
        live: &LiveId,
        epoch: u32,
        id: ReservationId,
        user: &UserId,
    ) -> Result<BegunPayment, GateError> {
        let mut args = self.args(epoch);
        args.push(id.as_bytes());
        args.push(user.as_str());
        args.push(NOTICES_CHANNEL);
        let mut reply = self.promise(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(BegunPayment::Fenced(fenced));
        }
        let word = reply.word().to_string();
        if word == "unknown_reservation" {
            return Ok(BegunPayment::UnknownReservation);
        }
        let (seq, record) = self.turned(live, epoch, id, &mut reply)?;
        match word.as_str() {
            "paying" => Ok(BegunPayment::Paying { seq, record }),
            "paid" => Ok(BegunPayment::Paid(record)),
            "ended" => Ok(BegunPayment::Ended { seq, record }),
            _ => Err(reply.unknown_word()),
        }
    }
}
