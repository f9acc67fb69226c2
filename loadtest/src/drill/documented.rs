//! The documented run: as many kills and acknowledgements as are promised, in cycles as short as they can be.
//!
//! It is made of ordinary rounds, each of which can be replayed alone. What was ended how often is counted as it happens, and held
//! against what there must be.

use std::time::Duration;

use serde::Serialize;

use super::faults::{FAULTS, Fault};
use super::processes::{FRONT_KILLED, FRONT_POINTS, WRITER_POINTS};
use super::report::{Report, Row};
use super::{Dose, Series, books, disk, money};
use crate::args::DrillArgs;
use crate::limits::{DRILL_OUTAGE_SECONDS, DRILL_OUTAGE_SECONDS_SHORT, DRILL_PAYING_RATE};

/// Acknowledgements over all cycles in which Redis is killed or cut off.
const ACKED: u64 = 1_000_000;
/// Rounds beyond those that are planned, until there are as many.
const MORE_ROUNDS_MAX: usize = 40;
/// Orders over all cycles in which back-offices end and the provider misbehaves.
const ORDERS: u64 = 100_000;
/// Ends of a back-office at each step of an order.
const ENDS_PER_STEP: u64 = 20;
/// Faults whose acknowledgements are counted.
const OF_REDIS: [&str; 2] = ["F5", "F6"];

/// Strikes in one round: as many as its buyers last for.
const PER_ROUND: u32 = 20;
/// Buyers a second while Redis is killed, and while others are.
const RATE_MANY: u32 = 3_000;
const RATE: u32 = 600;

/// One fault, and how much of it.
struct Part {
    fault: &'static str,
    cycles: u32,
    per_round: u32,
    rate: u32,
    outage: u64,
}

const fn part(fault: &'static str, cycles: u32, rate: u32) -> Part {
    Part {
        fault,
        cycles,
        per_round: PER_ROUND,
        rate,
        outage: DRILL_OUTAGE_SECONDS,
    }
}

const PARTS: [Part; 7] = [
    part("F5", 100, RATE_MANY),
    part("F6", 60, RATE_MANY),
    part("F1", 200, RATE),
    part("F3", 200, RATE),
    Part {
        per_round: 10,
        outage: DRILL_OUTAGE_SECONDS_SHORT,
        ..part("F12", 30, RATE)
    },
    Part {
        per_round: 1,
        ..part("F12", 1, RATE)
    },
    // Half a turn through all that goes wrong with money in each round, so that its buyers last.
    Part {
        per_round: 11,
        ..part("F26", 484, DRILL_PAYING_RATE)
    },
];

/// What is counted, how much of it there must be, and how much there was.
#[derive(Debug, Serialize)]
pub(super) struct Counted {
    what: String,
    goal: u64,
    count: u64,
}

impl Counted {
    pub(super) fn is_enough(&self) -> bool {
        self.count >= self.goal
    }

    /// For a terminal.
    pub(super) fn line(&self) -> String {
        let Self { what, goal, count } = self;
        let verdict = if self.is_enough() {
            "enough"
        } else {
            "TOO FEW"
        };
        format!("{what:<52} {count:>9} of {goal:>9}  {verdict}\n")
    }
}

/// With faults named, their share of it.
pub(super) async fn run(args: &DrillArgs, seed: u64, faults: &[&'static Fault]) -> Report {
    let mut series = Series::new(seed, None);
    let doses = || faults.iter().flat_map(|fault| doses(args, fault));
    for dose in doses() {
        series.drill(dose).await;
    }
    // As many as it takes; a machine that others use acknowledges less in the same time.
    let of_redis: Vec<Dose> = doses()
        .filter(|dose| OF_REDIS.contains(&dose.fault.id))
        .collect();
    for dose in of_redis.iter().cycle().take(MORE_ROUNDS_MAX) {
        let share = ACKED / OF_REDIS.len() as u64 * of_redis.len() as u64;
        if acked(&series.report.faults) >= share {
            break;
        }
        let cycles = dose.per_round;
        series.drill(Dose { cycles, ..*dose }).await;
    }
    // So it is with orders, and with steps that few of them come by.
    let of_money: Vec<Dose> = doses().filter(|dose| dose.fault.pays).collect();
    for dose in of_money.iter().cycle().take(MORE_ROUNDS_MAX) {
        if is_enough_money(&series.report.faults) {
            break;
        }
        let cycles = dose.per_round;
        series.drill(Dose { cycles, ..*dose }).await;
    }
    let mut report = series.report;
    report.counted = counted(&report.faults);
    report
}

/// Those of the run that are among `wanted`, or all; in their order.
pub(super) fn faults(wanted: &[&'static Fault]) -> Vec<&'static Fault> {
    let of_run = |fault: &&&Fault| PARTS.iter().any(|part| part.fault == fault.id);
    let among = |fault: &&&Fault| wanted.is_empty() || wanted.iter().any(|one| one.id == fault.id);
    FAULTS
        .iter()
        .filter(|fault| of_run(&fault) && among(&fault))
        .collect()
}

fn doses<'a>(args: &'a DrillArgs, fault: &'static Fault) -> impl Iterator<Item = Dose> + 'a {
    let parts = PARTS.iter().filter(|part| part.fault == fault.id);
    parts.map(move |part| Dose {
        fault,
        cycles: part.cycles,
        per_round: part.per_round,
        rate: part.rate,
        outage: args.outage().min(Duration::from_secs(part.outage)),
    })
}

fn orders(rows: &[Row]) -> u64 {
    rows.iter().map(Row::orders).sum()
}

/// As many orders as are promised, and as many ends at each of their steps.
fn is_enough_money(rows: &[Row]) -> bool {
    let ended = |point: &str| rows.iter().map(|row| row.ended(point)).sum::<u64>();
    let is_ended = |point: &&str| ended(point) >= ENDS_PER_STEP;
    orders(rows) >= ORDERS && money::POINTS.iter().all(is_ended)
}

/// Over the cycles in which Redis was killed or cut off.
fn acked(rows: &[Row]) -> u64 {
    let of_redis = rows.iter().filter(|row| OF_REDIS.contains(&row.id()));
    of_redis.map(Row::acked).sum()
}

/// Of the faults that were drilled.
fn counted(rows: &[Row]) -> Vec<Counted> {
    let ended = |what: &str| rows.iter().map(|row| row.ended(what)).sum::<u64>();
    let all = |what: &[&str]| what.iter().map(|what| ended(what)).sum::<u64>();
    let mut counted = Vec::new();
    let mut count = |faults: &[&str], what: &str, goal, count| {
        if faults
            .iter()
            .all(|id| rows.iter().any(|row| row.id() == *id))
        {
            let what = what.to_owned();
            counted.push(Counted { what, goal, count });
        }
    };
    let acked = acked(rows);
    count(
        &OF_REDIS,
        "acknowledged while Redis is killed or cut off",
        ACKED,
        acked,
    );
    let fronts = all(&FRONT_POINTS) + ended(FRONT_KILLED);
    count(&["F1"], "ends of an engine", 200, fronts);
    count(&["F3"], "ends of a writer", 200, all(&WRITER_POINTS));
    for point in WRITER_POINTS {
        count(&["F3"], point, 20, ended(point));
    }
    count(&["F5"], disk::KILLED, 100, ended(disk::KILLED));
    count(&["F6"], disk::CUT_OFF, 50, ended(disk::CUT_OFF));
    let of_money = orders(rows);
    count(&["F26"], "orders while back-offices end", ORDERS, of_money);
    for point in money::POINTS {
        count(&["F26"], point, ENDS_PER_STEP, ended(point));
    }
    count(&["F12"], books::KILLED, 30, ended(books::KILLED));
    count(&["F12"], books::LONG_AWAY, 1, ended(books::LONG_AWAY));
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_is_as_much_as_is_promised() {
        let cycles = |id: &str| {
            let parts = PARTS.iter().filter(|part| part.fault == id);
            parts.map(|part| part.cycles).sum::<u32>()
        };
        assert!(cycles("F1") >= 200 && cycles("F5") >= 100 && cycles("F6") >= 50);
        assert!(cycles("F12") >= 30);
        let points = u32::try_from(WRITER_POINTS.len()).unwrap();
        assert!(cycles("F3") >= 20 * points);
        let turn = u64::try_from(money::POINTS.len() + money::OTHERS_PER_TURN).unwrap();
        assert!(u64::from(cycles("F26")) >= ENDS_PER_STEP * turn);
        assert_eq!(faults(&[]).len(), 6);
        let long = |part: &Part| part.fault == "F12" && part.outage == DRILL_OUTAGE_SECONDS;
        assert!(PARTS.iter().any(long));
    }

    #[test]
    fn too_few_are_told() {
        let rows: Vec<Row> = faults(&[]).iter().map(|fault| Row::new(fault, 1)).collect();
        let none = counted(&rows);
        assert_eq!(none.len(), 8 + WRITER_POINTS.len() + money::POINTS.len());
        assert_eq!(counted(&rows[..1]).len(), 1, "of what was drilled alone");
        assert!(none.iter().all(|counted| !counted.is_enough()));
        assert!(
            none.iter()
                .all(|counted| counted.line().contains("TOO FEW"))
        );
    }
}
