//! Moves a sale's line by one call, and tells the caller what changed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::reply::Reply;
use super::script::Script;
use super::snapshot::State;
use super::{Fenced, Gate, GateError};
use crate::hex::{from_hex, to_hex};
use crate::ids::LiveId;
use crate::limits::{
    ADMIT_PLACES_MAX, CAPACITY_RATE_FIRST, CAPACITY_RATE_MAX, CAPACITY_RATE_MIN, ENDED_PLACES_MAX,
    LINE_GAP, LINE_RESTORE, MOVES_LIFE, MOVES_MAX, NUMBER_RIPE, OFFER_LIFE, REPORT_LIFE,
    REPORT_PLACES_MAX, TOLD_PLACES_MAX,
};
use crate::line::LineConfig;
use crate::ticket::{Lane, Place};

pub static SCRIPT: Script = Script::new(
    "advance",
    include_str!("../../../../lua/advance.lua"),
    &[
        "sale", "stock", "line", "offered", "admitted", "served", "over", "alive", "moves",
    ],
    &[
        "call",
        "epoch",
        "caller_ms",
        "engine",
        "moves_id",
        "report",
        "told",
        "seen_given",
        "seen_given_invites",
        "seen_watermark",
        "seen_watermark_invites",
        "seen_early",
        "seen_drawn",
        "mode",
        "per_second",
        "factor_milli",
        "place_ms",
        "is_drawing",
        "told_ms",
        "report_ms",
        "restore_ms",
        "gap",
        "admit_max",
        "ends_max",
        "moves_max",
        "moves_ms",
        "rate_first",
        "rate_min",
        "rate_max",
        "ripe_ms",
    ],
    &["advanced", "unknown_sale", "unknown_schema", "recovering"],
);

/// What an engine says when it moves a line.
#[derive(Debug)]
pub struct Advance<'a> {
    /// Names the engine among those that are alive.
    pub engine: &'a str,
    /// The last change of places that it knows.
    pub after: &'a MoveId,
    /// The lowest places at which somebody waits there, in order; at most [`REPORT_PLACES_MAX`].
    pub alive: &'a [Place],
    /// Whether there are more than these.
    pub is_cut_off: bool,
    /// Whether the engine has more to do than it can.
    pub is_pressed: bool,
    /// Offered places whose users have been told; at most [`TOLD_PLACES_MAX`].
    pub told: &'a [Place],
    pub seen: Seen,
    pub line: &'a LineConfig,
}

/// The highest that was seen of a line: what it is restored from, should Redis lose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    pub given: u32,
    pub given_invites: u32,
    pub watermark: u32,
    pub watermark_invites: u32,
    pub early: Option<u64>,
    pub seed: Option<[u8; 32]>,
}

/// Where in the changes of places an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveId(pub(super) String);

impl Default for MoveId {
    /// Before the first.
    fn default() -> Self {
        Self("0-0".into())
    }
}

/// How a place stands with those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Waiting,
    /// May reserve, and has not been told so yet.
    Offered {
        until_ms: u64,
    },
    /// May reserve, or go on.
    Admitted {
        until_ms: u64,
    },
    Over,
}

/// The changes of one call, numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moves {
    pub id: MoveId,
    pub number: u64,
    pub places: Vec<(Place, Standing)>,
}

/// A line after a call.
#[derive(Debug, Clone, PartialEq)]
pub struct LineHead {
    pub now_ms: u64,
    pub state: State,
    pub opens_ms: u64,
    pub closes_ms: u64,
    /// Units, of all skus together.
    pub left: u64,
    pub held: u64,
    /// Places that are offered or admitted, and those with a reservation.
    pub unspent: u64,
    pub served: u64,
    pub seen: Seen,
    /// Numbers that were set aside after losses.
    pub gaps: Vec<Gap>,
    /// Tickets from before are to be renewed; 0 where nothing was lost.
    pub restored_ms: u64,
    pub is_restoring: bool,
    /// Number of the last change of places.
    pub moves: u64,
    /// Offers ever made.
    pub admitted_total: u64,
    /// People a second that the mode allows now; 0 where it does not say.
    pub rate: f64,
}

/// So many numbers after these, one in each lane, which nobody was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub after: u32,
    pub after_invites: u32,
    pub count: u32,
}

/// What `advance` found.
#[derive(Debug, Clone, PartialEq)]
pub enum Advanced {
    /// The line, and at most [`MOVES_MAX`] changes after the one that was named, the oldest first.
    Advanced {
        head: Box<LineHead>,
        moves: Vec<Moves>,
    },
    Fenced(Fenced),
}

impl Gate {
    /// # Errors
    /// [`GateError`]; repeating is safe.
    pub async fn advance(
        &self,
        live: &LiveId,
        epoch: u32,
        advance: &Advance<'_>,
    ) -> Result<Advanced, GateError> {
        debug_assert!(advance.alive.len() <= REPORT_PLACES_MAX);
        debug_assert!(advance.told.len() <= TOLD_PLACES_MAX);
        let Advance { seen, line, .. } = advance;
        let mut args = self.args(epoch);
        args.push(advance.engine);
        args.push(&advance.after.0);
        args.push(report(advance));
        args.push(told(advance.told));
        for number in [
            seen.given,
            seen.given_invites,
            seen.watermark,
            seen.watermark_invites,
        ] {
            args.push(number.to_string());
        }
        args.push(
            seen.early
                .map(|early| early.to_string())
                .unwrap_or_default(),
        );
        args.push(seen.seed.map(|seed| to_hex(&seed)).unwrap_or_default());
        args.push(line.mode.as_str());
        args.push(line.per_second.unwrap_or(0).to_string());
        // Bounded well within (`LineDraft::check`).
        args.push(format!("{:.0}", line.factor * 1_000.0));
        args.push((u64::from(line.place_seconds) * 1_000).to_string());
        args.push(if line.draw.is_some() { "1" } else { "0" });
        for wait in [OFFER_LIFE, REPORT_LIFE, LINE_RESTORE] {
            args.push(ms(wait));
        }
        args.push(LINE_GAP.to_string());
        for places in [ADMIT_PLACES_MAX, ENDED_PLACES_MAX, MOVES_MAX] {
            args.push(places.to_string());
        }
        args.push(ms(MOVES_LIFE));
        for rate in [CAPACITY_RATE_FIRST, CAPACITY_RATE_MIN, CAPACITY_RATE_MAX] {
            args.push(rate.to_string());
        }
        args.push(ms(NUMBER_RIPE));
        let mut reply = self.run(&SCRIPT, live, args).await?;
        if let Some(fenced) = reply.fenced()? {
            return Ok(Advanced::Fenced(fenced));
        }
        if reply.word() != "advanced" {
            return Err(reply.unknown_word());
        }
        let head = Box::new(head(&mut reply)?);
        let mut list = reply.list()?;
        let mut moves = Vec::with_capacity(list.len() / 3);
        while !list.is_empty() {
            moves.push(Moves {
                id: MoveId(list.text()?),
                number: list.number()?,
                places: places(&mut list)?,
            });
        }
        Ok(Advanced::Advanced { head, moves })
    }
}

fn ms(wait: Duration) -> String {
    wait.as_millis().to_string()
}

/// `<cut off>|<pressed>|<invites>|<general>`: each place as what it is more than the one before.
fn report(advance: &Advance<'_>) -> String {
    let mut text = format!(
        "{}|{}|",
        u8::from(advance.is_cut_off),
        u8::from(advance.is_pressed)
    );
    let (mut lane, mut before) = (Lane::Invite, 0);
    for place in advance.alive {
        if place.lane != lane {
            text.push('|');
            (lane, before) = (place.lane, 0);
        } else if before > 0 {
            text.push(',');
        }
        let more = place.number.saturating_sub(before);
        write!(text, "{more}").expect("a String takes all");
        before = place.number;
    }
    if lane == Lane::Invite {
        text.push('|');
    }
    text
}

fn told(places: &[Place]) -> String {
    let texts: Vec<String> = places.iter().map(Place::to_string).collect();
    texts.join(",")
}

fn head(reply: &mut Reply) -> Result<LineHead, GateError> {
    let now_ms = reply.number()?;
    let state = match reply.text()?.as_str() {
        "open" => State::Open,
        "paused" => State::Paused,
        "closed" => State::Closed,
        _ => return Err(reply.broken("state")),
    };
    let (opens_ms, closes_ms) = (reply.number()?, reply.number()?);
    let (left, held) = (reply.number()?, reply.number()?);
    let (unspent, served) = (reply.number()?, reply.number()?);
    let (mut list, mut fields) = (reply.list()?, HashMap::new());
    while !list.is_empty() {
        fields.insert(list.text()?, list.plain()?);
    }
    let text = |name: &str| {
        fields
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| reply.broken(name))
    };
    let number = |name: &str| text(name)?.parse::<u64>().map_err(|_| reply.broken(name));
    let small = |name: &str| text(name)?.parse::<u32>().map_err(|_| reply.broken(name));
    let seen = Seen {
        given: small("given")?,
        given_invites: small("given_invites")?,
        watermark: small("watermark")?,
        watermark_invites: small("watermark_invites")?,
        early: match text("early")? {
            "" => None,
            _ => Some(number("early")?),
        },
        seed: match text("drawn")? {
            "" => None,
            seed => Some(from_hex(seed).ok_or_else(|| reply.broken("drawn"))?),
        },
    };
    Ok(LineHead {
        now_ms,
        state,
        opens_ms,
        closes_ms,
        left,
        held,
        unspent,
        served,
        seen,
        gaps: gaps(text("gaps")?).ok_or_else(|| reply.broken("gaps"))?,
        restored_ms: number("restored_ms")?,
        is_restoring: !text("restoring")?.is_empty(),
        moves: number("moves")?,
        admitted_total: number("admitted_total")?,
        rate: text("rate")?.parse().map_err(|_| reply.broken("rate"))?,
    })
}

/// `<after>:<after, of invites>:<how many>,` each.
fn gaps(text: &str) -> Option<Vec<Gap>> {
    text.split_terminator(',')
        .map(|gap| {
            let mut numbers = gap.split(':').map(|number| number.parse().ok());
            Some(Gap {
                after: numbers.next()??,
                after_invites: numbers.next()??,
                count: numbers.next()??,
            })
        })
        .collect()
}

/// `<letter><place>:<until_ms>` each.
fn places(reply: &mut Reply) -> Result<Vec<(Place, Standing)>, GateError> {
    let text = reply.text()?;
    let parsed: Option<Vec<_>> = text.split(',').map(place).collect();
    parsed.ok_or_else(|| reply.broken("moves"))
}

fn place(text: &str) -> Option<(Place, Standing)> {
    let (how, rest) = text.split_at_checked(1)?;
    let (place, until) = rest.split_once(':')?;
    let until_ms = until.parse().ok()?;
    let standing = match how {
        "o" => Standing::Offered { until_ms },
        "a" => Standing::Admitted { until_ms },
        "w" => Standing::Waiting,
        "x" => Standing::Over,
        _ => return None,
    };
    Some((place.parse().ok()?, standing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_what_each_place_is_more_than_the_one_before() {
        let line = LineConfig::new(&crate::line::LineDraft::default(), None);
        let after = MoveId::default();
        let say = |alive: &[Place], is_cut_off| {
            report(&Advance {
                engine: "e",
                after: &after,
                alive,
                is_cut_off,
                is_pressed: false,
                told: &[],
                seen: Seen::default(),
                line: &line,
            })
        };
        let (invites, general) = ([3, 4, 9].map(Place::invite), [1, 5, 6].map(Place::general));
        assert_eq!(say(&[], false), "0|0||");
        assert_eq!(say(&invites, true), "1|0|3,1,5|");
        assert_eq!(say(&general, false), "0|0||1,4,1");
        let both = [invites, general].concat();
        assert_eq!(say(&both, false), "0|0|3,1,5|1,4,1");
    }
}
