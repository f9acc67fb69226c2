//! Puts units of a paid reservation back on sale, once per key.

use super::reply::Reply;
use super::script::Script;
use super::{Fenced, Gate, GateError, remembered, turned};
use crate::ids::{LiveId, ReservationId, SkuId, UserId};
use crate::limits::NOTICES_CHANNEL;
use crate::record::{Line, Record, lines_text};

pub static SCRIPT: Script = Script::new(
    "restock",
    include_str!("../../../../lua/restock.lua"),
    &["sale", "stock", "users", "records", "returns", "journal"],
    &[
        "call",
        "epoch",
        "caller_ms",
        "id",
        "user",
        "key",
        "lines",
        "notices",
    ],
    &[
        "done",
        "already",
        "too_many",
        "not_paid",
        "unknown_reservation",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What `restock` or `write_off` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returned {
    /// `seq`: where the sale stands after it.
    Done {
        seq: u64,
    },
    /// Done before under this key, whatever its lines were; by event `seq`.
    Already {
        seq: u64,
    },
    /// More than was sold and has not come back yet.
    TooMany,
    /// It is not paid, or no longer.
    NotPaid(Box<Record>),
    /// No such reservation of this user.
    UnknownReservation,
    Fenced(Fenced),
}

impl Gate {
    /// At least one line, no sku twice, each of at least one unit.
    ///
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn restock(
        &self,
        live: &LiveId,
        epoch: u32,
        id: ReservationId,
        user: &UserId,
        key: &str,
        lines: &[(SkuId, u32)],
    ) -> Result<Returned, GateError> {
        let mut args = self.args(epoch);
        args.push(id.as_bytes());
        args.push(user.as_str());
        args.push(key);
        args.push(text(lines));
        args.push(NOTICES_CHANNEL);
        let reply = self.promise(&SCRIPT, live, args).await?;
        self.returned(live, epoch, reply)
    }

    pub(super) fn returned(
        &self,
        live: &LiveId,
        epoch: u32,
        mut reply: Reply,
    ) -> Result<Returned, GateError> {
        if let Some(fenced) = reply.fenced()? {
            return Ok(Returned::Fenced(fenced));
        }
        match reply.word() {
            "done" => {
                let (now_ms, seq) = (reply.number()?, reply.number()?);
                self.saw(live, epoch, seq);
                let (mut rows, mut events) = (reply.list()?, Vec::new());
                while !rows.is_empty() {
                    events.push((rows.bytes()?, rows.bytes()?));
                }
                self.remember(live, || remembered::events(epoch, now_ms, seq, events));
                Ok(Returned::Done { seq })
            }
            "already" => Ok(Returned::Already {
                seq: reply.number()?,
            }),
            "too_many" => Ok(Returned::TooMany),
            "not_paid" => Ok(Returned::NotPaid(turned::record(&mut reply)?)),
            "unknown_reservation" => Ok(Returned::UnknownReservation),
            _ => Err(reply.unknown_word()),
        }
    }
}

/// Lines as scripts read them.
pub(super) fn text(lines: &[(SkuId, u32)]) -> String {
    let line = |(sku, quantity): &(SkuId, u32)| Line {
        sku: sku.clone(),
        quantity: *quantity,
    };
    lines_text(&lines.iter().map(line).collect::<Vec<_>>())
}
