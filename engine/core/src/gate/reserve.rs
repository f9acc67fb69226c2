//! Decides a batch of reservation requests in one script call.

use super::decided::{Batch, decode};
use super::reply::Reply;
use super::script::Script;
use super::{Args, Gate, GateError, remembered};
use crate::ids::{BodyHash, LiveId, ReservationId, SkuId, UserId};
use crate::limits::{BATCH_LINES_MAX, BATCH_REQUESTS_MAX, ENDED_PER_USER_MAX};
use crate::record::{Line, Record, lines_text};
use crate::ticket::Place;

pub static SCRIPT: Script = Script::new(
    "reserve",
    SCRIPT_TEXT,
    &[
        "sale", "stock", "users", "records", "order", "journal", "line", "places", "offered",
        "admitted", "served",
    ],
    &ARGV,
    &OUTCOMES,
);

/// The same for a sale without a line.
pub static WITHOUT_LINE: Script = Script::new(
    "reserve",
    SCRIPT_TEXT,
    &["sale", "stock", "users", "records", "order", "journal"],
    &ARGV,
    &OUTCOMES,
);

const SCRIPT_TEXT: &str = include_str!("../../../../lua/reserve.lua");

const ARGV: [&str; 6] = [
    "call",
    "epoch",
    "caller_ms",
    "ended_max",
    "backlog_events_max",
    "backlog_bytes_max",
];

const OUTCOMES: [&str; 15] = [
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
    "not_admitted",
];

/// One buyer's request: all lines or none.
#[derive(Debug, Clone)]
pub struct Reserve {
    pub id: ReservationId,
    pub user: UserId,
    pub body: BodyHash,
    /// 1 to 64, no sku twice.
    pub lines: Vec<Line>,
}

/// One buyer's request in a sale with a line, and the place that its ticket shows; a repeat needs none.
#[derive(Debug, Clone)]
pub struct InLine {
    pub reserve: Reserve,
    pub shown: Option<Shown>,
}

/// Where a ticket's user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub number: Place,
    /// In the order of admission: another than the number where the sale has drawn.
    pub place: Place,
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
    /// The sale has a line, and it is not this user's turn.
    NotAdmitted,
}

/// Arguments of one request.
const ARGS_EACH: usize = 2;
const ARGS_EACH_IN_LINE: usize = 4;
/// What its arguments have in bytes, mostly.
const BYTES_EACH: usize = 64;
/// The same of what a run of requests has in common.
const ARGS_OF_RUN: usize = 2;
const BYTES_OF_RUN: usize = 64;

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
        let mut args = self.reserve_args(epoch);
        append(&mut args, requests);
        self.decide(&WITHOUT_LINE, live, epoch, requests, args)
            .await
    }

    /// The same in a sale with a line: only whose turn it is gets anything.
    ///
    /// # Errors
    /// As [`Gate::reserve`].
    pub async fn reserve_in_line(
        &self,
        live: &LiveId,
        epoch: u32,
        requests: &[&InLine],
    ) -> Result<Batch<Reserved>, GateError> {
        let mut args = self.reserve_args(epoch);
        let count = requests.len();
        args.reserve(
            ARGS_EACH_IN_LINE * count + ARGS_OF_RUN,
            BYTES_EACH * count + BYTES_OF_RUN,
        );
        for run in requests.chunk_by(|a, b| asks_the_same(&a.reserve, &b.reserve)) {
            append_wish(&mut args, run.len(), &run[0].reserve);
            for request in run {
                append_one(&mut args, &request.reserve);
                let (number, place) = match request.shown {
                    Some(shown) => (shown.number.to_string(), shown.place.to_string()),
                    None => (String::new(), String::new()),
                };
                args.push(number);
                args.push(place);
            }
        }
        let requests: Vec<&Reserve> = requests.iter().map(|request| &request.reserve).collect();
        self.decide(&SCRIPT, live, epoch, &requests, args).await
    }

    fn reserve_args(&self, epoch: u32) -> Args {
        let mut args = self.args(epoch);
        args.push(ENDED_PER_USER_MAX.to_string());
        let backlog_max = self.backlog_max();
        args.push(backlog_max.events.to_string());
        args.push(backlog_max.bytes.to_string());
        args
    }

    async fn decide(
        &self,
        script: &'static Script,
        live: &LiveId,
        epoch: u32,
        requests: &[&Reserve],
        args: Args,
    ) -> Result<Batch<Reserved>, GateError> {
        debug_assert!(requests.len() <= BATCH_REQUESTS_MAX);
        debug_assert!(requests.iter().map(|r| r.lines.len()).sum::<usize>() <= BATCH_LINES_MAX);
        let mut reply = self.promise(script, live, args).await?;
        let batch = decode(&mut reply, requests.len(), |reply| {
            let deadline_ms = reply.number()?;
            Ok(
                move |word: &str, reply: &mut Reply, all: &mut Vec<Reserved>| match word {
                    "held" => held(deadline_ms, requests.len() - all.len(), reply, all),
                    other => {
                        all.push(refused(other, reply)?);
                        Ok(())
                    }
                },
            )
        })?;
        if let Batch::Decided(decided) = &batch {
            self.saw(live, epoch, decided.seq);
            self.remember(live, || remembered::holds(epoch, requests, decided));
        }
        Ok(batch)
    }
}

/// The part of ARGV that `requests` are.
pub fn encode(requests: &[&Reserve]) -> Args {
    let mut args = Args::default();
    append(&mut args, requests);
    args
}

fn append(args: &mut Args, requests: &[&Reserve]) {
    let count = requests.len();
    args.reserve(
        ARGS_EACH * count + ARGS_OF_RUN,
        BYTES_EACH * count + BYTES_OF_RUN,
    );
    for run in requests.chunk_by(|a, b| asks_the_same(a, b)) {
        append_wish(args, run.len(), run[0]);
        for request in run {
            append_one(args, request);
        }
    }
}

fn asks_the_same(a: &Reserve, b: &Reserve) -> bool {
    a.body == b.body && a.lines == b.lines
}

/// What the next `count` requests ask for, as records end.
fn append_wish(args: &mut Args, count: usize, first: &Reserve) {
    let mut wish = lines_text(&first.lines).into_bytes();
    wish.push(b'|');
    wish.extend_from_slice(first.body.as_bytes());
    args.push(count.to_string());
    args.push(wish);
}

fn append_one(args: &mut Args, request: &Reserve) {
    args.push(request.id.as_bytes());
    args.push(request.user.as_str());
}

/// A run of holds, of which at most `most` can be.
fn held(
    deadline_ms: u64,
    most: usize,
    reply: &mut Reply,
    all: &mut Vec<Reserved>,
) -> Result<(), GateError> {
    let (first, count) = (reply.number()?, reply.number()?);
    if count == 0 || count > most as u64 {
        return Err(reply.broken("more holds than requests"));
    }
    all.extend((first..first + count).map(|seq| Reserved::Held { seq, deadline_ms }));
    Ok(())
}

fn refused(word: &str, reply: &mut Reply) -> Result<Reserved, GateError> {
    let sku = |reply: &mut Reply| SkuId::parse(reply.text()?).map_err(|_| reply.broken("sku"));
    match word {
        "repeat" => {
            let record = Record::parse(&reply.bytes()?).map_err(|e| reply.broken(e.0))?;
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
        "unknown_sku" => Ok(Reserved::UnknownSku(sku(reply)?)),
        "mismatch" => Ok(Reserved::Mismatch),
        "not_open" => Ok(Reserved::NotOpen),
        "paused" => Ok(Reserved::Paused),
        "closed" => Ok(Reserved::Closed),
        "backlog" => Ok(Reserved::Backlog),
        "not_admitted" => Ok(Reserved::NotAdmitted),
        other => Err(reply.broken(&format!("unknown outcome {other:?}"))),
    }
}
