//! What the rounds come to, way by way: medians of what was measured, the worst of what was wrong. Pure.
//!
//! Ours is held against another way round by round, and the median of these ratios is quoted: a machine that is slow for
//! some seconds is slow for neighbours.

use serde::Serialize;

use super::beside;
use super::correct::{Course, Wrongs};
use super::rounds::Round;
use super::stand::CpuUs;
use super::way::Way;
use crate::audit::Numbers;
use crate::bench::goals::median;
use crate::record::Latency;

/// One way. Scripts rely on the names that [`Headline`] and the renames give it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    #[serde(rename = "strategy")]
    pub(super) way: Way,
    #[serde(rename = "ack_level")]
    pub(super) ack: &'static str,
    #[serde(flatten)]
    headline: Headline,
    /// Connections to its store.
    pub(super) pool: Option<u32>,
    /// Accepted a second in a rush.
    pub(super) goodput: f64,
    /// How many times as much ours accepted.
    pub(super) ours_times: Option<f64>,
    /// Answers a second when nothing is left.
    #[serde(rename = "refusals_per_second")]
    pub(super) refusals_per_s: f64,
    /// 10,000 orders on 10,000 units: accepted a second until the last was, and from due to answered.
    pub(super) shelf_goodput: f64,
    pub(super) shelf_ms: Latency,
    /// Rounds in which that crowd was cut before it was served.
    pub(super) shelf_cuts: usize,
    /// Of that crowd, told to ask again later.
    pub(super) shelf_put_off: f64,
    /// 10,000 users for 100 units.
    pub(super) scarce_last_s: f64,
    pub(super) scarce_ms: Latency,
    pub(super) scarce_refusals_per_s: f64,
    /// The worst of all rounds; `None` where nothing is sold.
    pub(super) wrongs: Option<Wrongs>,
    /// Per unit sold, while buyers were there.
    pub(super) cpu_us: CpuUs,
    /// Until all that was left to be done later was done.
    pub(super) cpu_with_books_us: CpuUs,
    /// Until MySQL had all, after the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) books_after_s: Option<f64>,
}

/// What a script looks for first, of `shelf_ms` and `wrongs`; `None` where nothing is sold, or not everyone could ask.
#[derive(Debug, Clone, Copy, Serialize)]
struct Headline {
    p50_ms: f64,
    p99_ms: f64,
    oversold: Option<u64>,
    undersold: Option<u64>,
}

/// One row for each of `ways`, with their connections.
pub(super) fn rows(ways: &[(Way, Option<u32>)], rounds: &[Round]) -> Vec<Row> {
    let row = |(way, pool): &(Way, Option<u32>)| {
        let own: Vec<&Round> = rounds.iter().filter(|round| round.way == *way).collect();
        let of = |value: fn(&Round) -> f64| median_of(&own, value);
        let shelf_ms = latency(&own, |round| round.shelf.latency_ms);
        let wrongs = worst(&own);
        Row {
            way: *way,
            ack: way.ack(),
            headline: Headline {
                p50_ms: shelf_ms.p50,
                p99_ms: shelf_ms.p99,
                oversold: wrongs.map(|wrongs| wrongs.oversold),
                undersold: wrongs.and_then(|wrongs| wrongs.undersold),
            },
            pool: *pool,
            goodput: of(|round| round.rush.goodput),
            ours_times: ours_times(*way, rounds),
            refusals_per_s: of(|round| round.sold_out.refusals_per_s),
            shelf_goodput: of(|round| round.shelf.goodput),
            shelf_ms,
            shelf_cuts: own
                .iter()
                .filter(|round| round.shelf.course() == Course::Cut)
                .count(),
            shelf_put_off: of(|round| round.shelf.put_off as f64),
            scarce_last_s: of(|round| round.scarce.last_answer_s),
            scarce_ms: latency(&own, |round| round.scarce.latency_ms),
            scarce_refusals_per_s: of(|round| {
                round.scarce.sold_out as f64 / round.scarce.last_answer_s.max(1e-6)
            }),
            wrongs,
            cpu_us: cpu(&own, |round| round.rush.cpu_us),
            cpu_with_books_us: cpu(&own, |round| round.rush.cpu_with_books_us),
            books_after_s: own
                .iter()
                .any(|round| round.rush.books_after_s.is_some())
                .then(|| of(|round| round.rush.books_after_s.unwrap_or(0.0))),
        }
    };
    ways.iter().map(row).collect()
}

/// Of ours, all sales of all rounds together.
pub(super) fn audit(rounds: &[Round]) -> Numbers {
    rounds.iter().flat_map(Round::audits).sum()
}

fn ours_times(way: Way, rounds: &[Round]) -> Option<f64> {
    let ratios = beside::ratios(rounds, |rival| rival == way, f64::max, beside::goodput);
    (!ratios.is_empty()).then(|| median(&ratios))
}

fn median_of(rounds: &[&Round], value: impl Fn(&Round) -> f64) -> f64 {
    let values: Vec<f64> = rounds.iter().map(|round| value(round)).collect();
    median(&values)
}

fn latency(rounds: &[&Round], of: fn(&Round) -> Latency) -> Latency {
    Latency {
        p50: median_of(rounds, |round| of(round).p50),
        p99: median_of(rounds, |round| of(round).p99),
        p999: median_of(rounds, |round| of(round).p999),
        max: median_of(rounds, |round| of(round).max),
    }
}

fn cpu(rounds: &[&Round], of: fn(&Round) -> CpuUs) -> CpuUs {
    CpuUs {
        front: median_of(rounds, |round| of(round).front),
        redis: median_of(rounds, |round| of(round).redis),
        mysql: median_of(rounds, |round| of(round).mysql),
    }
}

fn worst(rounds: &[&Round]) -> Option<Wrongs> {
    let judged = rounds.iter().flat_map(|round| round.judged());
    judged
        .filter_map(|judged| judged.wrongs)
        .reduce(Wrongs::or_worse)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::compare::cells::{Crowd, Rush, SoldOut};
    use crate::compare::stand::Judged;
    use crate::rivals::Name;

    pub(in crate::compare) const GUARDED: Way = Way::Rival(Name::Guarded);

    /// A round in which a way accepted so much, rightly.
    pub(in crate::compare) fn round(way: Way, round: u32, goodput: f64) -> Round {
        let judged = Judged {
            wrongs: Some(Wrongs::default()),
            audit: (way == Way::Ours).then(Numbers::default),
        };
        let latency_ms = Latency {
            p50: 1.0,
            p99: 1e6 / goodput,
            p999: 3e6 / goodput,
            max: 4e6 / goodput,
        };
        let cpu_us = CpuUs {
            front: 10.0,
            redis: 4.0,
            mysql: 2.0,
        };
        let crowd = Crowd {
            accepted: 10_000,
            goodput,
            sold_out: 0,
            put_off: 0,
            broken: 0,
            unsent: 0,
            latency_ms,
            last_answer_s: 1.0,
            judged,
        };
        Round {
            way,
            round,
            rush: Rush {
                accepted: 100,
                goodput,
                put_off: 0,
                broken: 0,
                cpu_us,
                cpu_with_books_us: cpu_us,
                books_after_s: (way == Way::Ours).then_some(0.5),
                judged,
            },
            shelf: crowd.clone(),
            scarce: crowd,
            sold_out: SoldOut {
                refusals_per_s: 2.0 * goodput,
                accepted: 0,
                put_off: 0,
            },
        }
    }

    #[test]
    fn ours_is_held_against_neighbours_of_the_same_round() {
        // The machine was slow in the second round, for both.
        let rounds = [
            round(GUARDED, 1, 1_000.0),
            round(Way::Ours, 1, 20_000.0),
            round(GUARDED, 2, 100.0),
            round(Way::Ours, 2, 2_200.0),
            round(GUARDED, 3, 1_000.0),
            round(Way::Ours, 3, 21_000.0),
        ];
        let rows = rows(&[(GUARDED, Some(16)), (Way::Ours, None)], &rounds);
        assert_eq!((rows[0].goodput, rows[0].pool), (1_000.0, Some(16)));
        assert_eq!(
            (rows[0].ours_times, rows[1].ours_times),
            (Some(21.0), Some(1.0))
        );
        assert_eq!(
            (rows[0].books_after_s, rows[1].books_after_s),
            (None, Some(0.5))
        );
    }

    #[test]
    fn without_ours_there_is_nothing_to_hold_against() {
        let rows = rows(&[(GUARDED, None)], &[round(GUARDED, 1, 1.0)]);
        assert_eq!(rows[0].ours_times, None);
    }

    #[test]
    fn the_worst_round_and_every_audit_count() {
        let mut rounds = [round(Way::Ours, 1, 1.0), round(Way::Ours, 2, 1.0)];
        let lost = |judged: &mut Judged| {
            judged.wrongs.as_mut().unwrap().lost = 3;
            judged.audit.as_mut().unwrap().lost = 3;
        };
        lost(&mut rounds[0].shelf.judged);
        lost(&mut rounds[1].scarce.judged);
        rounds[1].shelf.unsent = 1;
        let row = &rows(&[(Way::Ours, None)], &rounds)[0];
        assert_eq!((row.wrongs.unwrap().lost, row.shelf_cuts), (3, 1));
        assert_eq!(audit(&rounds).lost, 6);
    }
}
