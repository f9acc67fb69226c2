//! Holds what people in a line were told against each other, against Redis and against the journal. All of it zero, or the run failed.
//!
//! - `order_violations`: people who joined after another had his number already, and were given a smaller one (S15).
//! - `numbers_twice`: numbers that two people were told.
//! - `places_lost`: people whose number changed or is another in Redis, or whose good ticket was refused.
//! - `numbers_skipped`: numbers that were given to nobody, apart from the gap after a loss and joins without an answer.
//! - `past_watermark`: people admitted or served beyond the highest place that Redis admitted (S16).
//! - `watermark_back`: looks at which the highest place admitted was lower than before.
//! - `past_capacity`: looks at which more were admitted than the mode allows.
//! - `overtaken`: people told to wait long after a later place was admitted, though they never missed a poll.
//! - `ended_untruly`: people told that it is over while it was not.
//! - `draw_differences`: what of the draw was not as it was pledged before, shown to the early, or comes to.

use doorbuster_core::line::Mode;
use doorbuster_core::ticket::{Lane, Place};
use serde::{Deserialize, Serialize};

use super::order::Order;
use super::person::{End, Kind, Story};
use super::watch::Watched;
use super::{LinePlan, numbers};
use crate::audit::ledger::{Ledger, Moments};
use crate::audit::line::LineState;
use crate::history::Header;
use crate::limits::{FINDINGS_KEPT_MAX, LINE_BURST_SECONDS, LINE_OVERTAKE, SOLD_OUT_STALE};

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineNumbers {
    pub order_violations: u64,
    pub numbers_twice: u64,
    pub places_lost: u64,
    pub numbers_skipped: u64,
    pub past_watermark: u64,
    pub watermark_back: u64,
    pub past_capacity: u64,
    pub overtaken: u64,
    pub ended_untruly: u64,
    pub draw_differences: u64,
}

/// All that a line is judged by.
pub struct Facts<'a> {
    pub plan: &'a LinePlan,
    pub header: &'a Header,
    pub stories: &'a [Story],
    /// Who each story is of, as Redis names users.
    pub users: &'a [String],
    pub kinds: &'a [Kind],
    /// When each wanted to join.
    pub dues_us: &'a [u64],
    pub state: &'a LineState,
    pub watched: &'a Watched,
    pub ledger: &'a Ledger,
    /// What of the draw differs.
    pub draw: &'a [String],
    pub opens_us: u64,
}

/// The judgement: counts, and the first of them in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    pub numbers: LineNumbers,
    pub findings: Vec<String>,
}

impl LineNumbers {
    pub fn are_zero(&self) -> bool {
        *self == Self::default()
    }

    /// With their names.
    pub fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("order violations", self.order_violations),
            ("numbers twice", self.numbers_twice),
            ("places lost", self.places_lost),
            ("numbers skipped", self.numbers_skipped),
            ("past the watermark", self.past_watermark),
            ("watermark back", self.watermark_back),
            ("past capacity", self.past_capacity),
            ("overtaken", self.overtaken),
            ("ended untruly", self.ended_untruly),
            ("draw differences", self.draw_differences),
        ]
    }
}

impl Judged {
    /// Keeps what was found in words, and returns how much it was.
    fn note(&mut self, found: Vec<String>) -> u64 {
        let count = found.len() as u64;
        let room = FINDINGS_KEPT_MAX.saturating_sub(self.findings.len());
        self.findings.extend(found.into_iter().take(room));
        count
    }
}

/// Judges a line that has ended.
pub fn judge(facts: &Facts<'_>) -> Judged {
    let mut judged = Judged::default();
    let draws = facts.plan.offer.room.is_some_and(|room| room.line.draw);
    let order = Order::of(facts.state, draws);
    let found = LineNumbers {
        order_violations: judged.note(numbers::out_of_order(facts)),
        numbers_twice: judged.note(numbers::twice(facts)),
        places_lost: judged.note(numbers::lost(facts)),
        numbers_skipped: judged.note(numbers::skipped(facts)),
        past_watermark: judged.note(past_watermark(facts, &order)),
        watermark_back: judged.note(watermark_back(facts.watched)),
        past_capacity: judged.note(past_capacity(facts)),
        overtaken: judged.note(overtaken(facts, &order)),
        ended_untruly: judged.note(ended_untruly(facts)),
        draw_differences: judged.note(facts.draw.to_vec()),
    };
    judged.numbers = found;
    judged
}

/// The highest place admitted is as high as that of anyone who was let in or served.
fn past_watermark(facts: &Facts<'_>, order: &Order) -> Vec<String> {
    let mut found = Vec::new();
    for story in facts.stories {
        let was_let_in = story.admitted.is_some()
            || story
                .end
                .as_ref()
                .is_some_and(|(end, _)| *end == End::Reserved);
        let place = story
            .numbers
            .last()
            .and_then(|(_, number)| order.place(*number));
        if let Some(place) = place.filter(|place| was_let_in && place.lane == Lane::General)
            && place.number > facts.state.watermark
        {
            found.push(format!(
                "place {place} was let in, and the watermark is {}",
                facts.state.watermark
            ));
        }
    }
    found
}

fn watermark_back(watched: &Watched) -> Vec<String> {
    let back = watched
        .looks
        .windows(2)
        .filter(|pair| pair[1].1.watermark < pair[0].1.watermark);
    back.map(|pair| {
        format!(
            "the watermark went from {} to {}",
            pair[0].1.watermark, pair[1].1.watermark
        )
    })
    .collect()
}

/// Looks at one moment only: stock was the same before and after.
fn past_capacity(facts: &Facts<'_>) -> Vec<String> {
    let Some(room) = facts.plan.offer.room else {
        return Vec::new();
    };
    let line = room.line;
    let mut found = Vec::new();
    let looks = facts.watched.looks.iter();
    for (_, look) in looks.filter(|(_, look)| look.left_before == look.left) {
        let may = (look.left as f64 * line.factor).ceil() as u64;
        if line.mode == Mode::FollowStock && look.unspent > may {
            found.push(format!(
                "{} admitted and unspent, {} units left",
                look.unspent, look.left
            ));
        }
    }
    if let Some(rate) = line.per_second {
        let mut let_in: Vec<u64> = facts
            .stories
            .iter()
            .filter_map(|story| Some(story.admitted?.done_us))
            .collect();
        let_in.sort_unstable();
        for (count, at_us) in (1..).zip(let_in) {
            let seconds = at_us.saturating_sub(facts.opens_us) as f64 / 1e6 + LINE_BURST_SECONDS;
            if f64::from(count) > f64::from(rate) * seconds {
                found.push(format!(
                    "{count} were let in within {seconds:.1} s at {rate} a second"
                ));
            }
        }
    }
    found
}

/// Someone who never missed a poll waits while a later place has long been let in.
fn overtaken(facts: &Facts<'_>, order: &Order) -> Vec<String> {
    let place_of = |story: &Story| {
        let (at, number) = story.numbers.last()?;
        Some((*at, order.place(*number)?))
    };
    let let_in = facts
        .stories
        .iter()
        .filter_map(|story| Some((story.admitted?.done_us, place_of(story)?.1)));
    let mut let_in: Vec<(u64, Place)> = let_in.collect();
    let_in.sort_unstable();
    // The latest place that had been let in by then.
    let mut furthest = Vec::with_capacity(let_in.len());
    for (at_us, place) in let_in {
        let last = furthest
            .last()
            .map_or(place, |(_, last): &(u64, Place)| *last);
        furthest.push((at_us, last.max(place)));
    }
    let mut found = Vec::new();
    for story in facts.stories.iter().filter(|story| is_steady(story, facts)) {
        let (Some(waited), Some((_, place))) = (story.waited, place_of(story)) else {
            continue;
        };
        let before_us = waited
            .sent_us
            .saturating_sub(LINE_OVERTAKE.as_micros() as u64);
        let until = furthest.partition_point(|(at_us, _)| *at_us <= before_us);
        let Some((_, ahead)) = furthest[..until].last() else {
            continue;
        };
        if *ahead > place {
            found.push(format!(
                "place {place} waited on {:.1} s after the start, {ahead} had been let in",
                waited.sent_us as f64 / 1e6
            ));
        }
    }
    found
}

/// Polled as told, from its only join on, with nothing broken meanwhile.
fn is_steady(story: &Story, facts: &Facts<'_>) -> bool {
    let calm = facts.watched.broke_us.is_none();
    calm && !story.missed_a_beat
        && story.broken == 0
        && story.expired == 0
        && story.numbers.len() == 1
}

/// Sold out is true once nothing was left; closed once the operator closed.
fn ended_untruly(facts: &Facts<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (story, user) in facts.stories.iter().zip(facts.users) {
        let Some((end, at_us)) = &story.end else {
            continue;
        };
        match end {
            End::SoldOut if !nothing_left(facts, *at_us) => {
                found.push(format!("{user} was told sold out while units were left"))
            }
            End::Closed if *at_us + 1_000_000 < facts.watched.closed_us => {
                found.push(format!("{user} was told closed before the sale was"))
            }
            _ => {}
        }
    }
    found
}

fn nothing_left(facts: &Facts<'_>, at_us: u64) -> bool {
    let at_ms = facts.header.start_ms + at_us / 1_000;
    let moments = Moments {
        from_ms: at_ms.saturating_sub(SOLD_OUT_STALE.as_millis() as u64),
        to_ms: at_ms + 1,
        before_seq: u64::MAX,
    };
    let course = facts.ledger.skus.get(&facts.plan.offer.sku);
    course.is_none_or(|course| course.was_below(1, moments))
}
