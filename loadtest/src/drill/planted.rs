//! Planted bugs: a drill that nothing can break would prove nothing. Engines are given one bug each time, and the round that is
//! there for it must say so, in the words that fit; the same round without the bug must hold.
//!
//! Who reads a bug and where it stands: `engine/core/src/planted.rs`. `everysec` is no bug of ours but a setting of Redis.

use std::collections::HashSet;
use std::fmt::Write as _;

use anyhow::{Result, bail};
use serde::Serialize;
use tokio::time::timeout;

use super::faults::{CALM, Fault, Kind, named};
use super::ground::{Ground, Redises};
use super::loss;
use super::round::{self, Outcome, Task, Twist};
use crate::args::{BadConfig, DrillArgs};
use crate::limits::DRILL_PLANTED_BOUND;
use crate::rush::say;

/// One bug, and the round that must catch it.
#[derive(Debug)]
struct Bug {
    name: &'static str,
    /// Number of the fault, or none: buyers alone.
    fault: Option<&'static str>,
    /// Of a round in which the fault strikes where this bug is.
    seed: u64,
    twist: Twist,
    /// Words of what that round says of this bug, any of them.
    signs: &'static [&'static str],
}

const fn bug(
    name: &'static str,
    fault: Option<&'static str>,
    seed: u64,
    signs: &'static [&'static str],
) -> Bug {
    Bug {
        name,
        fault,
        seed,
        twist: Twist::Nothing,
        signs,
    }
}

const EVERYSEC: &str = "everysec";

static BUGS: [Bug; 15] = [
    bug("no-idempotency-record", None, 1, &["duplicated"]),
    bug("stale-batch", None, 1, &["oversold"]),
    bug(
        "refusal-after-write",
        None,
        1,
        &["differences", "it was rebuilt"],
    ),
    Bug {
        twist: Twist::TwoKeys,
        ..bug("limit-per-instance", None, 1, &["limit_breaches"])
    },
    Bug {
        twist: Twist::Restock,
        ..bug("shield-without-recheck", None, 1, &["undersold"])
    },
    Bug {
        twist: Twist::AskAgain,
        ..bug("shield-without-holders", None, 1, &["duplicated"])
    },
    // Seeds of F3: turns begin at three times the seed, and turn 3 ends a writer before its commit, turn 4 after it, turn 8 before a
    // sweep: one that starts sweeps at once.
    bug(
        "sweep-without-deadline",
        Some("F3"),
        6,
        &["expired before their time"],
    ),
    bug(
        "trim-before-commit",
        Some("F3"),
        1,
        &["did not end", "lost"],
    ),
    bug(
        "cursor-outside-transaction",
        Some("F3"),
        8,
        &["did not end", "the books are at event"],
    ),
    bug(EVERYSEC, Some("F6"), 1, &["lost", "it was rebuilt"]),
    bug(
        "no-run-id-check",
        Some("F7"),
        2,
        &["nothing may be", "lost", "it was rebuilt"],
    ),
    // In even rounds of F7 and F8 the engines live, and nothing may be gone.
    bug("reopened-sale", Some("F8"), 2, &["lost", "oversold"]),
    // Turns of F16 begin at twice the seed: turn 4 sets a front's clock wrong, and at turn 0 that of Redis jumps ahead by an hour.
    bug("wall-clock", Some("F16"), 2, &["expired before their time"]),
    bug("ttl-holds", Some("F16"), 4, &["lost", "it was rebuilt"]),
    bug(
        "swallowed-script-error",
        Some("F22"),
        1,
        &["told sold out while there were units"],
    ),
];

/// What came of one bug.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    fault: &'static str,
    seed: u64,
    caught: bool,
    /// What the round said of it; where it was not caught, what is wrong.
    by: String,
}

/// The object that `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    bugs: Vec<Row>,
}

impl Report {
    pub(super) fn all_caught(&self) -> bool {
        self.bugs.iter().all(|row| row.caught)
    }

    /// For a terminal.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for row in &self.bugs {
            let verdict = if row.caught { "caught" } else { "MISSED" };
            let Row {
                name, fault, by, ..
            } = row;
            let _ = writeln!(text, "{name:<28} {fault:<5} {verdict}  {by}");
        }
        text
    }
}

/// Drills the bugs of these names, or all.
///
/// # Errors
/// [`BadConfig`] for a bug that there is not.
pub(super) async fn run(args: &DrillArgs, names: &[String]) -> Result<Report> {
    let mut bugs = Vec::new();
    for name in names {
        let known = BUGS.iter().find(|bug| bug.name == name);
        bugs.push(known.ok_or_else(|| {
            let all: Vec<&str> = BUGS.iter().map(|bug| bug.name).collect();
            BadConfig(format!("there is no bug {name}, but {}", all.join(", ")))
        })?);
    }
    if names.is_empty() {
        bugs.extend(&BUGS);
    }
    let (mut report, mut sound) = (Report { bugs: Vec::new() }, HashSet::new());
    for bug in bugs {
        let row = bug.drill(args, &mut sound).await;
        say(&format!("{}: {}", bug.name, row.by));
        report.bugs.push(row);
    }
    Ok(report)
}

impl Bug {
    /// Holds its round without it, unless that was held already, and with it.
    async fn drill(
        &'static self,
        args: &DrillArgs,
        sound: &mut HashSet<(&'static str, u64, Twist)>,
    ) -> Row {
        let fault = self.fault.and_then(named).unwrap_or(&CALM);
        let row = |caught, by| Row {
            name: self.name,
            fault: fault.id,
            seed: self.seed,
            caught,
            by,
        };
        if sound.insert((fault.id, self.seed, self.twist)) {
            let without = evidence(self.round(args, fault, false).await);
            if let Some(line) = without.first() {
                sound.remove(&(fault.id, self.seed, self.twist));
                return row(false, format!("without the bug: {line}"));
            }
        }
        let said = evidence(self.round(args, fault, true).await);
        let fits = |line: &&String| self.signs.iter().any(|sign| line.contains(sign));
        match said.iter().find(fits) {
            Some(line) => row(true, line.clone()),
            None if said.is_empty() => row(false, "the round held".into()),
            None => row(false, format!("only: {}", said.join("; "))),
        }
    }

    async fn round(
        &'static self,
        args: &DrillArgs,
        fault: &'static Fault,
        with: bool,
    ) -> Result<Outcome> {
        let everysec = with && self.name == EVERYSEC;
        let task = Task {
            fault,
            seed: self.seed,
            strikes: 1,
            rate: args.rate,
            outage: args.outage(),
            twist: self.twist,
            planted: (with && !everysec).then_some(self.name),
        };
        let name = format!("planted-{}", self.name);
        let held = async {
            if fault.kind == Kind::Loss {
                return loss::round(&task, &name).await;
            }
            let level = if everysec { "memory" } else { "fsync" };
            let ground = Ground::start(level, Redises::One, task.planted).await?;
            round::round(&ground, &task, &name).await
        };
        let in_time = timeout(DRILL_PLANTED_BOUND, held).await;
        in_time.unwrap_or_else(|_| bail!("the round did not end within {DRILL_PLANTED_BOUND:?}"))
    }
}

/// All that does not hold; nothing where all does.
fn evidence(outcome: Result<Outcome>) -> Vec<String> {
    match outcome {
        Ok(outcome) => {
            let numbers = outcome.numbers.named().into_iter();
            let wrong = numbers.filter(|(_, count)| *count > 0);
            let wrong = wrong.map(|(name, count)| format!("{name} {count}"));
            wrong.chain(outcome.broken).collect()
        }
        Err(error) => vec![format!("{error:#}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_of_the_engine_has_a_round_that_must_catch_it() {
        for name in doorbuster_core::planted::BUGS {
            assert!(BUGS.iter().any(|bug| bug.name == name), "{name}");
        }
        assert_eq!(BUGS.len(), doorbuster_core::planted::BUGS.len() + 1);
        for bug in &BUGS {
            assert!(bug.fault.is_none_or(|id| named(id).is_some()));
            assert!(!bug.signs.is_empty());
        }
    }
}
