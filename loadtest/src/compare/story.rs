//! What a comparison found, in one paragraph of plain words: on what, who was ahead by how much, and where ours was not.

use std::cmp::Ordering;

use super::Outcome;
use super::columns::short;
use super::figures::Row;
use super::way::{Decider, Way};
use crate::report::number::{counted, grouped, ms, seconds};

/// Puts the better of two values first.
type Better = fn(&f64, &f64) -> Ordering;

const LESS: Better = f64::total_cmp;
const MORE: Better = |one, other| other.total_cmp(one);

/// Something in which ways are compared.
struct Measure {
    name: &'static str,
    better: Better,
    of: fn(&Row) -> f64,
    shown: fn(f64) -> String,
}

const MEASURES: [Measure; 9] = [
    Measure {
        name: "orders a second in a rush",
        better: MORE,
        of: |row| row.goodput,
        shown: rate,
    },
    Measure {
        name: "answers a second once sold out",
        better: MORE,
        of: |row| row.refusals_per_s,
        shown: rate,
    },
    Measure {
        name: "p50 of 10,000 on 10,000",
        better: LESS,
        of: |row| row.shelf_ms.p50,
        shown: ms,
    },
    Measure {
        name: "p99 of 10,000 on 10,000",
        better: LESS,
        of: |row| row.shelf_ms.p99,
        shown: ms,
    },
    Measure {
        name: "p99.9 of 10,000 on 10,000",
        better: LESS,
        of: |row| row.shelf_ms.p999,
        shown: ms,
    },
    Measure {
        name: "p99 of 10,000 for 100",
        better: LESS,
        of: |row| row.scarce_ms.p99,
        shown: ms,
    },
    Measure {
        name: "CPU of the front per order, books included",
        better: LESS,
        of: |row| row.cpu_with_books_us.front,
        shown: us,
    },
    Measure {
        name: "CPU of Redis per order, among those who decide there",
        better: LESS,
        of: |row| match row.way.decider() {
            Decider::Redis => row.cpu_with_books_us.redis,
            Decider::MySql | Decider::Nobody => f64::INFINITY,
        },
        shown: us,
    },
    Measure {
        name: "CPU of all per order, books included",
        better: LESS,
        of: |row| row.cpu_with_books_us.all(),
        shown: us,
    },
];

fn rate(value: f64) -> String {
    format!("{}/s", grouped(value.round() as u64))
}

fn us(value: f64) -> String {
    format!("{value:.1} µs")
}

/// The paragraph.
pub(super) fn story(outcome: &Outcome) -> String {
    let mut sentences = vec![setting(outcome)];
    if let Some(ours) = outcome.rows.iter().find(|row| row.way == Way::Ours) {
        sentences.push(ahead(ours));
        sentences.extend(second(outcome));
        sentences.extend(yardstick(outcome));
        sentences.push(not_ahead(ours, &outcome.rows));
        sentences.extend(sparing(outcome).map(str::to_owned));
    }
    sentences.push(faults(outcome));
    sentences.join(" ")
}

fn setting(outcome: &Outcome) -> String {
    let hardware = &outcome.hardware;
    format!(
        "On {} of {}, shared by the client, the front, Redis and MySQL, {} took turns in {} of {} rushes and crowds; \
         all got the same requests over {} kept-alive connections, and whoever sells had an order on disk before it said yes.",
        counted(hardware.cores as u64, "core", "cores"),
        hardware.cpu,
        counted(outcome.rows.len() as u64, "way", "ways"),
        counted(outcome.rounds_of_each.into(), "round", "rounds"),
        seconds(outcome.rush_seconds),
        outcome.connections
    )
}

fn ahead(ours: &Row) -> String {
    let books = ours.books_after_s.map_or(String::new(), |after| {
        format!("; MySQL had the last of them {} later", seconds(after))
    });
    format!(
        "Ours took {} in a rush, each in Redis’ file on disk{books}.",
        rate(ours.goodput)
    )
}

/// Ratios within this of one are no difference on a machine that others use too.
const LEVEL: f64 = 0.1;

/// Who came nearest among those that sell every unit once, and the nearest of those that decide in MySQL one order at a time.
fn second(outcome: &Outcome) -> Option<String> {
    let nearest = |fits: fn(Way) -> bool| {
        let rivals = outcome.rows.iter();
        rivals
            .filter(|row| row.way != Way::Ours && row.way.is_safe() && fits(row.way))
            .filter_map(|row| Some((row, row.ours_times?)))
            .min_by(|(_, one), (_, other)| one.total_cmp(other))
    };
    let beside = |row: &Row, times: f64| {
        let (way, took) = (row.way.as_str(), rate(row.goodput));
        format!(
            "{way} with {took}, and ours took {} times as many",
            short(times)
        )
    };
    let (first, times) = nearest(|_| true)?;
    let place = if times < 1.0 - LEVEL {
        "Ahead of it came"
    } else if times <= 1.0 + LEVEL {
        "Level with it came"
    } else {
        "Second came"
    };
    let in_mysql = nearest(Way::decides_in_mysql_order_by_order);
    let in_mysql = in_mysql.filter(|(row, _)| row.way != first.way);
    let in_mysql = in_mysql.map_or(String::new(), |(row, times)| {
        let beside = beside(row, times);
        format!("; the best that decides in MySQL order by order was {beside}")
    });
    Some(format!(
        "{place} {}{in_mysql} (medians of each round’s ratio).",
        beside(first, times)
    ))
}

fn yardstick(outcome: &Outcome) -> Option<String> {
    let mut rows = outcome.rows.iter();
    let bare = rows.find(|row| row.way.decider() == Decider::Nobody)?;
    Some(format!(
        "A bare HTTP server, which sells nothing, answers {}, of which ours reaches {:.0} %.",
        rate(bare.goodput),
        100.0 * bare.ours_times.unwrap_or(0.0)
    ))
}

/// Everything in which a way that sells every unit once did better.
fn not_ahead(ours: &Row, rows: &[Row]) -> String {
    let behind: Vec<String> = MEASURES
        .iter()
        .filter_map(|measure| {
            let own = (measure.of)(ours);
            let best = rows
                .iter()
                .filter(|row| row.way != Way::Ours && row.way.is_safe())
                .min_by(|one, other| (measure.better)(&(measure.of)(one), &(measure.of)(other)))?;
            let theirs = (measure.of)(best);
            let is_behind = (measure.better)(&theirs, &own) == Ordering::Less;
            let shown = measure.shown;
            is_behind.then(|| {
                let (theirs, own) = (shown(theirs), shown(own));
                format!(
                    "{} ({} {theirs}, ours {own})",
                    measure.name,
                    best.way.as_str()
                )
            })
        })
        .collect();
    if behind.is_empty() {
        "No way that sells every unit once was ahead of ours in anything that is measured here."
            .into()
    } else {
        format!("Ours was not ahead in: {}.", behind.join("; "))
    }
}

/// What some are spared that ours is not.
fn sparing(outcome: &Outcome) -> Option<&'static str> {
    let is_rival = |row: &Row| row.way != Way::Ours && row.way.decider() != Decider::Nobody;
    outcome.rows.iter().any(is_rival).then_some(
        "What the others are spared: none ends holds that run out or keeps a journal in MySQL, those in Redis carry no order \
         to MySQL, and those in MySQL count no limit per user. What they have for it: those in MySQL have every order there \
         at once, which ours has a moment later.",
    )
}

fn faults(outcome: &Outcome) -> String {
    let wrong: Vec<String> = outcome
        .rows
        .iter()
        .filter_map(|row| {
            let wrongs = row.wrongs?;
            let counts = [
                (wrongs.oversold, "oversold"),
                (wrongs.undersold.unwrap_or(0), "undersold"),
                (wrongs.duplicates, "duplicates"),
                (wrongs.lost, "lost"),
                (wrongs.miscounted, "miscounted"),
            ];
            let counts: Vec<String> = counts
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, name)| format!("{} {name}", grouped(*count)))
                .collect();
            (!counts.is_empty()).then(|| format!("{}: {}", row.way.as_str(), counts.join(", ")))
        })
        .collect();
    if wrong.is_empty() {
        "Nobody sold a unit twice, lost an order or miscounted.".into()
    } else {
        format!(
            "In its worst round, {}; all others were right.",
            wrong.join("; ")
        )
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::audit::Numbers;
    use crate::compare::figures::rows;
    use crate::compare::figures::tests::{GUARDED, round};
    use crate::compare::hardware::Hardware;
    use crate::compare::rounds::Round;
    use crate::rivals::Name;

    const COMBINED: Way = Way::Rival(Name::GuardedCombined);

    pub(in crate::compare) fn outcome(rounds: Vec<Round>) -> Outcome {
        let mut ways: Vec<(Way, Option<u32>)> = Vec::new();
        for round in &rounds {
            if ways.iter().all(|(way, _)| *way != round.way) {
                ways.push((round.way, None));
            }
        }
        let mut outcome = Outcome {
            start_ms: 1_700_000_000_000,
            hardware: Hardware {
                cpu: "Fast 9000".into(),
                cores: 2,
            },
            rounds_of_each: 1,
            rush_seconds: 1.0,
            cut_seconds: 5.0,
            connections: 256,
            story: String::new(),
            goals: Vec::new(),
            rows: rows(&ways, &rounds),
            audit: Numbers::default(),
            swept: Vec::new(),
            rounds,
        };
        outcome.story = story(&outcome);
        outcome
    }

    #[test]
    fn who_came_second_is_said_and_where_ours_is_behind() {
        let lua = Way::Rival(Name::RedisLua);
        let bare = Way::Rival(Name::Bare);
        let mut rounds = vec![
            round(GUARDED, 1, 2_000.0),
            round(lua, 1, 20_000.0),
            round(Way::Ours, 1, 40_000.0),
            round(bare, 1, 80_000.0),
        ];
        rounds[1].rush.cpu_with_books_us.mysql = 0.0;
        let text = outcome(rounds).story;
        for part in [
            "2 cores of Fast 9000",
            "Ours took 40,000/s",
            "Second came redis-lua with 20,000/s, and ours took 2.00 times as many; the best that decides in MySQL order by order was guarded with 2,000/s, and ours took 20.0 times as many (medians",
            "ours reaches 50 %",
            "Ours was not ahead in: CPU of all per order, books included (redis-lua 14.0 µs, ours 16.0 µs).",
            "Nobody sold a unit twice",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_difference_that_is_none_is_not_claimed() {
        let rounds = vec![round(COMBINED, 1, 1_000.0), round(Way::Ours, 1, 1_030.0)];
        let text = outcome(rounds).story;
        assert!(
            text.contains("Level with it came guarded-combined"),
            "{text}"
        );
    }

    #[test]
    fn a_faster_way_and_a_wrong_one_are_named() {
        let mut rounds = vec![round(GUARDED, 1, 2_000.0), round(Way::Ours, 1, 1_000.0)];
        rounds[0].shelf.judged.wrongs.as_mut().unwrap().oversold = 1_234;
        let text = outcome(rounds).story;
        for part in [
            "Ahead of it came guarded",
            "not ahead in: orders a second in a rush (guarded 2,000/s, ours 1,000/s)",
            "guarded: 1,234 oversold; all others were right.",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
