//! Gives numbers in a sale's line to a batch of those who come, in one script call.

use super::reply::Reply;
use super::script::Script;
use super::{Fenced, Gate, GateError};
use crate::ids::{LiveId, UserId};
use crate::limits::{BATCH_REQUESTS_MAX, LINE_PLACES_MAX};
use crate::ticket::Place;

pub static SCRIPT: Script = Script::new(
    "join",
    include_str!("../../../../lua/join.lua"),
    &["sale", "line", "places"],
    &["call", "epoch", "caller_ms", "places_max"],
    &[
        "decided",
        "behind",
        "unknown_sale",
        "unknown_schema",
        "recovering",
        "joined",
        "already",
        "uninvited",
        "not_yet",
        "closed",
        "full",
    ],
);

/// One user who comes.
#[derive(Debug, Clone)]
pub struct Join {
    pub user: UserId,
    /// Id of an invite, whose signature was checked: the first user who comes with it joins the first lane.
    pub invite: Option<String>,
    pub instead: Instead,
}

/// What the user's ticket says, where it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    Nothing,
    /// The place of this number is over: if it is still the user's, another is wanted.
    Over(Place),
    /// The ticket is from before a loss: the number is wanted back.
    Back(Place),
}

/// What became of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    Joined(Place),
    /// Had it before.
    Already(Place),
    /// Another user has come with this invite.
    Uninvited,
    /// The line is being restored: those who had a number come first.
    NotYet,
    /// The sale is over.
    Closed,
    /// No more places can be told apart.
    Full,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinBatch {
    Decided {
        now_ms: u64,
        /// Numbers given so far, in each lane.
        given: u32,
        given_invites: u32,
        outcomes: Vec<Joined>,
    },
    /// The line must be moved first (`advance`): it has not begun, or was lost, or the sale has just opened.
    Behind,
    Fenced(Fenced),
}

impl Gate {
    /// `joins` in order, at most [`BATCH_REQUESTS_MAX`].
    ///
    /// # Errors
    /// [`GateError`]; after [`GateError::Unknown`] any of them may have a number, and repeating tells.
    pub async fn join(
        &self,
        live: &LiveId,
        epoch: u32,
        joins: &[&Join],
    ) -> Result<JoinBatch, GateError> {
        debug_assert!(joins.len() <= BATCH_REQUESTS_MAX);
        let mut args = self.args(epoch);
        args.push(LINE_PLACES_MAX.to_string());
        for join in joins {
            args.push(join.user.as_str());
            args.push(join.invite.as_deref().unwrap_or(""));
            args.push(match join.instead {
                Instead::Nothing => String::new(),
                Instead::Over(number) => format!("o{number}"),
                Instead::Back(number) => format!("b{number}"),
            });
        }
        let mut reply = self.promise(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(JoinBatch::Fenced(fenced));
        }
        match reply.word() {
            "behind" => return Ok(JoinBatch::Behind),
            "decided" => {}
            _ => return Err(reply.unknown_word()),
        }
        let now_ms = reply.number()?;
        let (given, given_invites) = (reply.small()?, reply.small()?);
        let mut results = reply.list()?;
        let mut outcomes = Vec::with_capacity(joins.len());
        while !results.is_empty() {
            outcomes.push(outcome(&mut results)?);
        }
        if outcomes.len() != joins.len() {
            let (asked, got) = (joins.len(), outcomes.len());
            return Err(reply.broken(&format!("{asked} requests got {got} outcomes")));
        }
        Ok(JoinBatch::Decided {
            now_ms,
            given,
            given_invites,
            outcomes,
        })
    }
}

fn outcome(reply: &mut Reply) -> Result<Joined, GateError> {
    let word = reply.text()?;
    match word.as_str() {
        "joined" => Ok(Joined::Joined(reply.place()?)),
        "already" => Ok(Joined::Already(reply.place()?)),
        "uninvited" => Ok(Joined::Uninvited),
        "not_yet" => Ok(Joined::NotYet),
        "closed" => Ok(Joined::Closed),
        "full" => Ok(Joined::Full),
        other => Err(reply.broken(&format!("unknown outcome {other:?}"))),
    }
}
