//! What every client did and was told: kept in memory during a run, judged by `audit`, saved as JSON lines.
//!
//! A saved history is a header line, one line per errand, and once a run has been judged its result as the last line.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use doorbuster_core::ids::{IdempotencyKey, LiveId, ReservationId, UserId};
use doorbuster_core::record::{Line, Reason};
use serde::{Deserialize, Serialize};

use crate::checkout::Purchase;
use crate::crowd::Behaviour;
use crate::limits::HISTORY_LINE_BYTES_MAX;
use crate::plan::Scenario;
use crate::summary::Outcome;

const FORMAT: &str = "doorbuster-history/1";

/// What the whole crowd was sent to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub format: String,
    pub scenario: Scenario,
    /// The sale's or coupon's id in the books.
    pub book_id: String,
    /// What each request asks for.
    pub lines: Vec<Line>,
    /// Units on offer at the start.
    pub stock: u32,
    pub per_user: u32,
    pub users: u32,
    pub hold_seconds: u32,
    pub engines: usize,
    pub connections: usize,
    pub ack_level: String,
    pub seed: u64,
    /// Seconds over which the crowd arrived; 0: all at once.
    pub arrival_seconds: f64,
    /// Wall clock at the start of the run; all other times count from it.
    pub start_ms: u64,
}

impl Header {
    /// The format that this version writes and reads.
    pub fn format() -> String {
        FORMAT.to_owned()
    }

    /// # Errors
    /// If the book id is none.
    pub fn live(&self) -> Result<LiveId> {
        LiveId::from_book_id(&self.book_id).with_context(|| format!("{} is no sale", self.book_id))
    }
}

/// One errand and all its answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    pub user: UserId,
    pub key: String,
    pub behaviour: Behaviour,
    /// When it was due, in µs since the start of the run.
    pub due_us: u64,
    pub asks: Vec<Ask>,
    /// What it did about money, where it went to the till.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase: Option<Box<Purchase>>,
}

/// One request on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    pub verb: Verb,
    pub engine: usize,
    pub sent_us: u64,
    pub done_us: u64,
    pub seen: Seen,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// A hold, or a claim.
    Take,
    Cancel,
}

/// What the client saw of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    Answered(Box<Answer>),
    /// It was on its way, and the client's end of the wire was gone.
    Lost,
    /// No whole answer came: could not connect, connection reset, timed out, not HTTP.
    Broken(Broken),
}

/// Why no whole answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Broken {
    /// The only one that is known to have changed nothing.
    #[error("no connection could be opened")]
    Unreachable,
    #[error("the connection broke")]
    Reset,
    #[error("no answer in time")]
    Timeout,
    #[error("the answer is not HTTP/1.1 within the bounds of the harness")]
    Garbled,
}

/// One answer, as the client understood it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answer {
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// What an acceptance says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub id: ReservationId,
    pub seq: u64,
    pub user: UserId,
    /// The sale or coupon.
    pub of: String,
    /// Empty for a claim.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// `held`, `paying`, `paid` or `released`; `claimed` for a claim.
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Where the plan keeps them; never saved.
    #[serde(skip)]
    pub receipt: Option<Box<str>>,
}

impl Answer {
    /// Whether it gave the client what it asked for, now or earlier.
    pub fn is_acceptance(&self) -> bool {
        matches!(self.status, 200 | 201)
    }

    /// Whether it settles the matter: neither try again later nor a failure of the server, which leaves the outcome open.
    pub fn is_final(&self) -> bool {
        self.status != 429 && self.status < 500
    }
}

impl Client {
    /// Its idempotency key.
    ///
    /// # Errors
    /// If the text is no key, which a history that was tampered with may have.
    pub fn key(&self) -> Result<IdempotencyKey> {
        IdempotencyKey::parse(self.key.as_str()).with_context(|| format!("key of {}", self.user))
    }

    /// All answers to requests of one kind, with when they were asked.
    pub fn answers(&self, verb: Verb) -> impl Iterator<Item = (&Ask, &Answer)> {
        self.asks
            .iter()
            .filter(move |ask| ask.verb == verb)
            .filter_map(|ask| match &ask.seen {
                Seen::Answered(answer) => Some((ask, answer.as_ref())),
                Seen::Lost | Seen::Broken(_) => None,
            })
    }

    /// What it was told in the end: an acceptance if there was one, else its last refusal that settles the matter.
    pub fn verdict(&self) -> Option<&Answer> {
        let finals = || {
            self.answers(Verb::Take)
                .map(|(_, answer)| answer)
                .filter(|answer| answer.is_final())
        };
        finals()
            .find(|answer| answer.is_acceptance())
            .or_else(|| finals().last())
    }

    /// Whether some request of it may have been decided without its knowing.
    pub fn has_unknown(&self) -> bool {
        self.asks
            .iter()
            .filter(|ask| ask.verb == Verb::Take)
            .any(|ask| match &ask.seen {
                Seen::Answered(answer) => answer.status >= 500,
                Seen::Lost => true,
                Seen::Broken(why) => *why != Broken::Unreachable,
            })
    }
}

/// A whole run, as the clients saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub header: Header,
    pub clients: Vec<Client>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SavedLine {
    Client(Client),
    Outcome(Box<Outcome>),
}

impl History {
    /// Writes it, with the outcome as its last line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, outcome: &Outcome) -> Result<()> {
        let file =
            File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        let mut file = BufWriter::new(file);
        write_line(&mut file, &self.header)?;
        for client in &self.clients {
            write_line(&mut file, client)?;
        }
        write_line(&mut file, outcome)?;
        file.flush()
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Reads what [`History::save`] wrote; the outcome where the run got that far.
    ///
    /// # Errors
    /// If the file cannot be read, or is no history.
    pub fn load(path: &Path) -> Result<(Self, Option<Outcome>)> {
        let file =
            File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut reader = BufReader::new(file);
        let read = read_history(&mut reader);
        read.with_context(|| format!("{} is no history of this program", path.display()))
    }
}

fn read_history(reader: &mut impl BufRead) -> Result<(History, Option<Outcome>)> {
    let first = next_line(reader)?.context("it is empty")?;
    let header: Header = serde_json::from_str(&first)?;
    if header.format != FORMAT {
        bail!("its format is {}, not {FORMAT}", header.format);
    }
    let (mut clients, mut outcome) = (Vec::new(), None);
    while let Some(line) = next_line(reader)? {
        match serde_json::from_str(&line).with_context(|| format!("line {}", clients.len() + 2))? {
            SavedLine::Client(client) => clients.push(client),
            SavedLine::Outcome(found) => outcome = Some(*found),
        }
    }
    Ok((History { header, clients }, outcome))
}

fn next_line(reader: &mut impl BufRead) -> Result<Option<String>> {
    let mut line = String::new();
    let read = reader
        .by_ref()
        .take(HISTORY_LINE_BYTES_MAX as u64)
        .read_line(&mut line)?;
    if read == HISTORY_LINE_BYTES_MAX {
        bail!("a line is longer than {HISTORY_LINE_BYTES_MAX} bytes");
    }
    Ok((read > 0).then_some(line))
}

fn write_line(file: &mut impl Write, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *file, value)?;
    Ok(file.write_all(b"\n")?)
}
