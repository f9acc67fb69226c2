//! What happened in a line, counted from everyone's story: the object `line` of the result, and the report's curves.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::eta::{self, EtaFigures, Wait};
use super::judge::{Facts, Judged, LineNumbers};
use super::person::{End, Kind, Story};
use crate::audit::{Finding, Verdict, Wrong};
use crate::history::History;
use crate::limits::{CHART_POINTS, FINDINGS_KEPT_MAX};
use crate::record::Latencies;
use crate::summary::{self, Outcome, Summary};

/// A line in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineFigures {
    pub audit: LineNumbers,
    pub mode: String,
    pub people: u64,
    pub bots: u64,
    /// People who had a number before the sale opened, as the line counted them.
    pub early: u64,
    pub is_drawn: bool,
    pub joined: u64,
    /// The highest number that was given, and the highest place that was admitted.
    pub numbers: u64,
    pub watermark: u64,
    pub admitted: u64,
    pub reserved: u64,
    /// People who went away without a word.
    pub left: u64,
    /// From the opening until the last unit was set aside; `None` if some were left.
    pub sold_out_seconds: Option<f64>,
    pub polls: u64,
    pub polls_per_second: f64,
    /// Polls refused as too early: of bots, and of people who polled when told to.
    pub too_early_of_bots: u64,
    pub too_early_of_others: u64,
    /// Reservations refused for want of admission.
    pub not_admitted: u64,
    pub eta: EtaFigures,
    /// Commands that Redis ran a second while the line moved, those of scripts among them, for all programs.
    pub redis_commands_per_second: f64,
    /// What was broken on purpose, and how long after it the first place was seen alive again.
    pub broke: Option<String>,
    pub restored_seconds: Option<f64>,
}

/// A line over time, for the report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LineCourse {
    pub moments: Vec<LineMoment>,
    pub waits: Vec<Wait>,
}

/// The line at the end of one stretch of the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LineMoment {
    pub at_s: f64,
    /// People with a place, neither admitted nor gone.
    pub waiting: u64,
    /// People who were admitted so far.
    pub admitted: u64,
    /// The highest place admitted.
    pub watermark: u64,
}

/// Counts everything.
pub fn sum_up(
    facts: &Facts<'_>,
    history: &History,
    (verdict, judged): (Verdict, Judged),
    mysql_complete: Duration,
) -> Outcome {
    let findings = judged.findings.iter().map(|text| Finding {
        wrong: Wrong::Differences,
        count: 1,
        text: format!("line: {text}"),
    });
    let line = findings.collect::<Vec<_>>();
    let mut outcome = summary::sum_up(history, verdict, facts.ledger, mysql_complete);
    outcome.findings.extend(line);
    outcome.findings.truncate(FINDINGS_KEPT_MAX);
    let summary = &mut outcome.summary;
    count_people(facts, summary);
    summary.line = Some(Box::new(figures(facts, judged.numbers)));
    outcome.line_course = Some(LineCourse {
        moments: course(facts),
        waits: eta::waits(facts.stories),
    });
    outcome
}

/// Of a line everyone is counted who came, not only who got as far as the till.
fn count_people(facts: &Facts<'_>, summary: &mut Summary) {
    let (mut refused, mut unanswered, mut last_us) = (BTreeMap::new(), 0, 0);
    let mut joins = Latencies::default();
    for (story, due_us) in facts.stories.iter().zip(facts.dues_us) {
        if let Some((at, _)) = story.numbers.first() {
            joins.add(Duration::from_micros(at.done_us.saturating_sub(*due_us)));
        }
        let Some((end, at_us)) = &story.end else {
            continue;
        };
        let code = match end {
            End::Reserved | End::Left => continue,
            End::Unanswered => {
                unanswered += 1;
                continue;
            }
            End::Refused(code) => code.as_str(),
            End::SoldOut => "sold_out",
            End::Closed => "closed",
            End::Expired => "expired",
        };
        last_us = last_us.max(*at_us);
        *refused.entry(code.to_owned()).or_default() += 1;
    }
    summary.offered = facts.stories.len() as u64;
    summary.accepted = count(facts, |story| ended(story, &End::Reserved));
    (summary.refused, summary.unanswered) = (refused, unanswered);
    summary.seconds = summary.seconds.max(last_us as f64 / 1e6);
    let settled = summary.accepted + summary.refused.values().sum::<u64>();
    summary.throughput = settled as f64 / summary.seconds.max(f64::MIN_POSITIVE);
    summary.latency_ms = joins.latency_ms();
    let polls = facts
        .stories
        .iter()
        .map(|story| u64::from(story.polls))
        .sum::<u64>();
    summary.sent += polls + summary.offered;
}

fn ended(story: &Story, how: &End) -> bool {
    story.end.as_ref().is_some_and(|(end, _)| end == how)
}

fn count(facts: &Facts<'_>, of: impl Fn(&Story) -> bool) -> u64 {
    facts.stories.iter().filter(|story| of(story)).count() as u64
}

fn figures(facts: &Facts<'_>, audit: LineNumbers) -> LineFigures {
    let stories = facts.stories;
    let polls = stories
        .iter()
        .map(|story| u64::from(story.polls))
        .sum::<u64>();
    let too_early = |bots: bool| {
        let of = stories.iter().zip(facts.kinds);
        let of = of.filter(|(_, kind)| (**kind == Kind::Bot) == bots);
        of.map(|(story, _)| u64::from(story.too_early)).sum()
    };
    let room = facts.plan.offer.room;
    let looks = &facts.watched.looks;
    let seconds = looks.last().map_or(0, |(at_us, _)| *at_us) as f64 / 1e6;
    LineFigures {
        audit,
        mode: room.map_or_else(String::new, |room| room.line.mode.as_str().to_owned()),
        people: facts.plan.people.into(),
        bots: facts.plan.bots.into(),
        early: facts.state.early.into(),
        is_drawn: facts.state.drawn.is_some(),
        joined: count(facts, |story| !story.numbers.is_empty()),
        numbers: facts.state.numbers.into(),
        watermark: facts.state.watermark.into(),
        admitted: count(facts, |story| story.admitted.is_some()),
        reserved: count(facts, |story| ended(story, &End::Reserved)),
        left: count(facts, |story| ended(story, &End::Left)),
        sold_out_seconds: sold_out(facts),
        polls,
        polls_per_second: polls as f64 / seconds.max(f64::MIN_POSITIVE),
        too_early_of_bots: too_early(true),
        too_early_of_others: too_early(false),
        not_admitted: stories
            .iter()
            .map(|story| u64::from(story.not_admitted))
            .sum(),
        eta: eta::eta(stories),
        redis_commands_per_second: facts.watched.commands as f64 / seconds.max(f64::MIN_POSITIVE),
        broke: facts.plan.trouble.as_str().map(str::to_owned),
        restored_seconds: restored(facts),
    }
}

fn sold_out(facts: &Facts<'_>) -> Option<f64> {
    let mut looks = facts.watched.looks.iter();
    let gone =
        looks.find(|(at_us, look)| *at_us > facts.opens_us && look.left == 0 && look.held > 0);
    gone.map(|(at_us, _)| (at_us - facts.opens_us) as f64 / 1e6)
}

/// From the break to the first answer that someone with a place got to a question asked after it.
fn restored(facts: &Facts<'_>) -> Option<f64> {
    let broke_us = facts.watched.broke_us?;
    let look = facts
        .watched
        .looks
        .iter()
        .find(|(at_us, _)| *at_us > broke_us);
    look.map(|(at_us, _)| (at_us - broke_us) as f64 / 1e6)
}

/// The run in stretches of equal length.
fn course(facts: &Facts<'_>) -> Vec<LineMoment> {
    let ends = facts
        .stories
        .iter()
        .filter_map(|story| Some(story.end.as_ref()?.1));
    let stretch_us = ends.max().unwrap_or(0) / CHART_POINTS as u64 + 1;
    let index = |us: u64| {
        usize::try_from(us / stretch_us)
            .unwrap_or(usize::MAX)
            .min(CHART_POINTS - 1)
    };
    let (mut came, mut went, mut admitted) = (
        [0_u64; CHART_POINTS],
        [0_u64; CHART_POINTS],
        [0_u64; CHART_POINTS],
    );
    for story in facts.stories {
        let Some((at, _)) = story.numbers.first() else {
            continue;
        };
        came[index(at.done_us)] += 1;
        let over = story
            .admitted
            .map(|at| at.done_us)
            .or(story.end.as_ref().map(|(_, at_us)| *at_us));
        went[over.map_or(CHART_POINTS - 1, index)] += 1;
        if let Some(at) = story.admitted {
            admitted[index(at.done_us)] += 1;
        }
    }
    let (mut waiting, mut so_far, mut looks) = (0, 0, facts.watched.looks.iter().peekable());
    let mut watermark = 0;
    let moment = |i: usize| {
        let at_us = (i as u64 + 1) * stretch_us;
        waiting = waiting + came[i] - went[i].min(waiting + came[i]);
        so_far += admitted[i];
        while let Some((_, look)) = looks.next_if(|(seen_us, _)| *seen_us <= at_us) {
            watermark = look.watermark.into();
        }
        LineMoment {
            at_s: at_us as f64 / 1e6,
            waiting,
            admitted: so_far,
            watermark,
        }
    };
    (0..CHART_POINTS).map(moment).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of a line in which one of two was admitted.
    pub(crate) fn figures() -> LineFigures {
        LineFigures {
            audit: LineNumbers::default(),
            mode: "follow_stock".into(),
            people: 2,
            bots: 0,
            early: 1,
            is_drawn: true,
            joined: 2,
            numbers: 2,
            watermark: 1,
            admitted: 1,
            reserved: 1,
            left: 0,
            sold_out_seconds: Some(1.5),
            polls: 4,
            polls_per_second: 2.0,
            too_early_of_bots: 0,
            too_early_of_others: 0,
            not_admitted: 0,
            eta: EtaFigures::default(),
            redis_commands_per_second: 10.0,
            broke: None,
            restored_seconds: None,
        }
    }

    pub(crate) fn course() -> LineCourse {
        let moment = LineMoment {
            at_s: 1.0,
            waiting: 1,
            admitted: 1,
            watermark: 1,
        };
        LineCourse {
            moments: vec![moment],
            waits: Vec::new(),
        }
    }
}
