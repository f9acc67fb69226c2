//! Decides a batch of claims on one coupon in one script call.

use super::decided::{Batch, decode};
use super::reply::Reply;
use super::script::Script;
use super::{Gate, GateError, remembered};
use crate::ids::{CouponId, LiveId, ReservationId, UserId};
use crate::limits::BATCH_REQUESTS_MAX;
use crate::record::Claim;

pub static SCRIPT: Script = Script::new(
    "claim",
    include_str!("../../../../lua/claim.lua"),
    &["sale", "stock", "users", "records", "journal"],
    &[
        "call",
        "epoch",
        "caller_ms",
        "sku",
        "backlog_events_max",
        "backlog_bytes_max",
    ],
    &[
        "decided",
        "unknown_sale",
        "unknown_schema",
        "recovering",
        "claimed",
        "repeat",
        "already_claimed",
        "sold_out",
        "not_open",
        "paused",
        "closed",
        "backlog",
    ],
);

/// One user's request.
#[derive(Debug, Clone)]
pub struct ClaimCoupon {
    pub id: ReservationId,
    pub user: UserId,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    Claimed {
        seq: u64,
    },
    /// Decided before.
    Repeat(Claim),
    /// The user has as many as one may have.
    AlreadyClaimed {
        limit: u64,
    },
    SoldOut,
    NotOpen,
    Paused,
    Closed,
    /// MySQL is too far behind.
    Backlog,
}

impl Gate {
    /// `requests` in order; at most [`BATCH_REQUESTS_MAX`].
    ///
    /// # Errors
    /// [`GateError`]; after [`GateError::Unknown`] any of them may have been claimed, and repeating tells.
    pub async fn claim(
        &self,
        coupon: &CouponId,
        epoch: u32,
        requests: &[&ClaimCoupon],
    ) -> Result<Batch<Claimed>, GateError> {
        debug_assert!(requests.len() <= BATCH_REQUESTS_MAX);
        let live = LiveId::Coupon(coupon.clone());
        let mut args = self.args(epoch);
        args.push(coupon.as_str());
        let backlog_max = self.backlog_max();
        args.push(backlog_max.events.to_string());
        args.push(backlog_max.bytes.to_string());
        for request in requests {
            args.push(request.id.as_bytes());
            args.push(request.user.as_str());
        }
        let mut reply = self.promise(&SCRIPT, &live, args).await?;
        let batch = decode(&mut reply, requests.len(), |_| {
            Ok(|word: &str, reply: &mut Reply, all: &mut Vec<_>| {
                all.push(outcome(word, reply)?);
                Ok(())
            })
        })?;
        if let Batch::Decided(decided) = &batch {
            self.saw(&live, epoch, decided.seq);
            self.remember(&live, || remembered::claims(epoch, requests, decided));
        }
        Ok(batch)
    }
}

fn outcome(word: &str, reply: &mut Reply) -> Result<Claimed, GateError> {
    let outcome = match word {
        "claimed" => Claimed::Claimed {
            seq: reply.number()?,
        },
        "repeat" => Claimed::Repeat(Claim::parse(&reply.bytes()?).map_err(|e| reply.broken(e.0))?),
        "already_claimed" => {
            reply.skip()?;
            return Ok(Claimed::AlreadyClaimed {
                limit: reply.number()?,
            });
        }
        other => {
            reply.skip()?;
            match other {
                "sold_out" => Claimed::SoldOut,
                "not_open" => Claimed::NotOpen,
                "paused" => Claimed::Paused,
                "closed" => Claimed::Closed,
                "backlog" => Claimed::Backlog,
                _ => return Err(reply.broken(&format!("unknown outcome {other:?}"))),
            }
        }
    };
    reply.skip()?;
    Ok(outcome)
}
