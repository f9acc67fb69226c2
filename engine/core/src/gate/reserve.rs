//! Decides a batch of reservation requests in one script call.

use super::decided::{Batch, decode};
use super::reply::Reply;
use super::script::Script;
use super::{Gate, GateError};
use crate::ids::{BodyHash, LiveId, ReservationId, SkuId, UserId};
use crate::limits::{
    BACKLOG_BYTES_MAX, BACKLOG_EVENTS_MAX, BATCH_LINES_MAX, BATCH_REQUESTS_MAX, ENDED_PER_USER_MAX,
};
use crate::record::{Line, Record};

pub static SCRIPT: Script = Script::new(
    "reserve",
    include_str!("../../../../lua/reserve.lua"),
    &["sale", "stock", "users", "records", "order", "journal"],
    &[
        "call",
        "epoch",
        "caller_ms",
        "ended_max",
        "backlog_events_max",
        "backlog_bytes_max",
    ],
    &[
        "decided",
        "unknown_sale",
        "unknown_schema",
        "recovering",
        "held",
        "repeat",
        "mismatch",
        "sold_out",
        "limit_reached",
        "unknown_sku",
        "not_open",
        "paused",
        "closed",
        "backlog",
    ],
);

/// One buyer's request: all lines or none.
#[derive(Debug, Clone)]
pub struct Reserve {
    pub id: ReservationId,
    pub user: UserId,
    pub body: BodyHash,
    /// 1 to 64, no sku twice.
    pub lines: Vec<Line>,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    Held {
        seq: u64,
        deadline_ms: u64,
    },
    /// Decided before; this is its present state.
    Repeat(Box<Record>),
    /// The key was used for another body.
    Mismatch,
    SoldOut {
        sku: SkuId,
        left: u64,
    },
    /// The user's limit of the sku, or of ended reservations.
    LimitReached {
        sku: SkuId,
        limit: u64,
    },
    UnknownSku(SkuId),
    NotOpen,
    Paused,
    Closed,
    /// MySQL is too far behind.
    Backlog,
}

impl Gate {
    /// `requests` in order, each seeing the effects of those before it; at most [`BATCH_REQUESTS_MAX`] with together at
    /// most [`BATCH_LINES_MAX`] lines.
    ///
    /// # Errors
    /// [`GateError`]; after [`GateError::Unknown`] any of them may have been held, and repeating tells.
    pub async fn reserve(
        &self,
        live: &LiveId,
        epoch: u32,
        requests: &[&Reserve],
    ) -> Result<Batch<Reserved>, GateError> {
        debug_assert!(requests.len() <= BATCH_REQUESTS_MAX);
        debug_assert!(requests.iter().map(|r| r.lines.len()).sum::<usize>() <= BATCH_LINES_MAX);
        let mut args = self.args(epoch);
        args.push(ENDED_PER_USER_MAX.to_string());
        args.push(BACKLOG_EVENTS_MAX.to_string());
        args.push(BACKLOG_BYTES_MAX.to_string());
        for request in requests {
            args.push_bytes(request.id.as_bytes());
            args.push(request.user.as_str());
            args.push_bytes(request.body.as_bytes());
            args.push(request.lines.len().to_string());
            for line in &request.lines {
                args.push(line.sku.as_str());
                args.push(line.quantity.to_string());
            }
        }
        let mut reply = self.run(&SCRIPT, live, args).await?;
        let batch = decode(&mut reply, requests.len(), outcome)?;
        if let Batch::Decided(decided) = &batch {
            self.saw(live, epoch, decided.seq);
        }
        Ok(batch)
    }
}

fn outcome(word: &str, reply: &mut Reply) -> Result<Reserved, GateError> {
    let sku = |reply: &mut Reply| SkuId::parse(reply.text()?).map_err(|_| reply.broken("sku"));
    let bare = |reply: &mut Reply, outcome| {
        reply.skip()?;
        reply.skip()?;
        Ok(outcome)
    };
    match word {
        "held" => Ok(Reserved::Held {
            seq: reply.number()?,
            deadline_ms: reply.number()?,
        }),
        "repeat" => {
            let record = Record::parse(&reply.bytes()?).map_err(|e| reply.broken(e.0))?;
            reply.skip()?;
            Ok(Reserved::Repeat(Box::new(record)))
        }
        "sold_out" => Ok(Reserved::SoldOut {
            sku: sku(reply)?,
            left: reply.number()?,
        }),
        "limit_reached" => Ok(Reserved::LimitReached {
            sku: sku(reply)?,
            limit: reply.number()?,
        }),
        "unknown_sku" => {
            let sku = sku(reply)?;
            reply.skip()?;
            Ok(Reserved::UnknownSku(sku))
        }
        "mismatch" => bare(reply, Reserved::Mismatch),
        "not_open" => bare(reply, Reserved::NotOpen),
        "paused" => bare(reply, Reserved::Paused),
        "closed" => bare(reply, Reserved::Closed),
        "backlog" => bare(reply, Reserved::Backlog),
        other => Err(reply.broken(&format!("unknown outcome {other:?}"))),
    }
}
