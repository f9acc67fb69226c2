//! Writes a reservation anew that was lost with Redis, for a buyer who has its receipt. The caller has verified the receipt.

use super::reply::Reply;
use super::reserve::{Reserve, Reserved};
use super::script::Script;
use super::{Fenced, Gate, GateError, remembered};
use crate::ids::{LiveId, SkuId};
use crate::record::{Record, Status, lines_text};

pub static SCRIPT: Script = Script::new(
    "honour",
    include_str!("../../../../lua/honour.lua"),
    &["sale", "stock", "users", "records", "order", "journal"],
    &[
        "call",
        "epoch",
        "caller_ms",
        "id",
        "user",
        "body",
        "lines",
        "proven_epoch",
    ],
    &[
        "honoured",
        "repeat",
        "mismatch",
        "not_lost",
        "sold_out",
        "limit_reached",
        "unknown_sku",
        "unknown_sale",
        "unknown_schema",
        "recovering",
    ],
);

/// What `honour` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Honoured {
    /// `Held` or `Repeat`, at that Redis time, with where the sale stands; or the refusal.
    Decided {
        now_ms: u64,
        seq: u64,
        outcome: Reserved,
    },
    /// The receipt is of the present generation, in which nothing has been lost.
    NotLost,
    Fenced(Fenced),
}

impl Gate {
    /// `proven_epoch`: the generation in which it was accepted, as the receipt says.
    ///
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn honour(
        &self,
        live: &LiveId,
        epoch: u32,
        request: &Reserve,
        proven_epoch: u32,
    ) -> Result<Honoured, GateError> {
        let lines = lines_text(&request.lines);
        let mut args = self.args(epoch);
        args.push(request.id.as_bytes());
        args.push(request.user.as_str());
        args.push(request.body.as_bytes());
        args.push(&lines);
        args.push(proven_epoch.to_string());
        let mut reply = self.promise(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Honoured::Fenced(fenced));
        }
        let (mut now_ms, mut seq) = (0, 0);
        let word = reply.word().to_string();
        let outcome = match word.as_str() {
            "honoured" => {
                (now_ms, seq) = (reply.number()?, reply.number()?);
                let deadline_ms = reply.number()?;
                self.saw(live, epoch, seq);
                let record = Record {
                    status: Status::Held,
                    seq,
                    deadline_ms,
                    user: request.user.clone(),
                    lines: request.lines.clone(),
                    body: request.body,
                };
                self.remember(live, || {
                    remembered::one(epoch, now_ms, seq, request.id, &record)
                });
                Reserved::Held { seq, deadline_ms }
            }
            "repeat" => {
                (now_ms, seq) = (reply.number()?, reply.number()?);
                self.saw(live, epoch, seq);
                let record = Record::parse(&reply.bytes()?).map_err(|e| reply.broken(e.0))?;
                Reserved::Repeat(Box::new(record))
            }
            "mismatch" => Reserved::Mismatch,
            "not_lost" => return Ok(Honoured::NotLost),
            "sold_out" => Reserved::SoldOut {
                sku: sku(&mut reply)?,
                left: reply.number()?,
            },
            "limit_reached" => Reserved::LimitReached {
                sku: sku(&mut reply)?,
                limit: reply.number()?,
            },
            "unknown_sku" => Reserved::UnknownSku(sku(&mut reply)?),
            _ => return Err(reply.unknown_word()),
        };
        Ok(Honoured::Decided {
            now_ms,
            seq,
            outcome,
        })
    }
}

fn sku(reply: &mut Reply) -> Result<SkuId, GateError> {
    SkuId::parse(reply.text()?).map_err(|_| reply.broken("sku"))
}
