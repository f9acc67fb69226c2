//! What a drill says: the list of faults, a line for each round, the table, and the JSON object.

use std::collections::BTreeMap;

use serde::Serialize;

use super::documented::Counted;
use super::faults::{FAULTS, Fault};
use super::round::Outcome;
use super::scene::{Goal, Recovery};
use crate::audit::Numbers;
use crate::audit::money::MoneyNumbers;

/// Everything about one fault. The first of them are the contract's.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: &'static str,
    name: &'static str,
    seed: u64,
    cycles: u32,
    acked: u64,
    /// The worst of all that was measured.
    recovery_seconds: f64,
    audit: Numbers,
    /// What was measured that worst time.
    recovery_of: &'static str,
    /// Orders, and what was wrong with their money, where buyers paid.
    orders: u64,
    money: MoneyNumbers,
    /// Acknowledged, lost with Redis, and known to be.
    lost_and_listed: u64,
    /// Of those, given again to buyers who presented their receipts.
    honoured: u64,
    /// What was ended, and how often.
    ended: BTreeMap<&'static str, u32>,
    /// What did not hold, in words.
    broken: Vec<String>,
    #[serde(skip)]
    worst: Option<Recovery>,
}

/// The object that `--json` prints.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) faults: Vec<Row>,
    /// Of a documented run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) counted: Vec<Counted>,
}

impl Row {
    pub(super) fn new(fault: &Fault, seed: u64) -> Self {
        Self {
            id: fault.id,
            name: fault.name,
            seed,
            cycles: 0,
            acked: 0,
            recovery_seconds: 0.0,
            audit: Numbers::default(),
            recovery_of: "",
            orders: 0,
            money: MoneyNumbers::default(),
            lost_and_listed: 0,
            honoured: 0,
            ended: BTreeMap::new(),
            broken: Vec::new(),
            worst: None,
        }
    }

    pub(super) fn id(&self) -> &'static str {
        self.id
    }

    pub(super) fn cycles(&self) -> u32 {
        self.cycles
    }

    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    /// How often this was ended.
    pub(super) fn ended(&self, what: &str) -> u64 {
        self.ended.get(what).copied().unwrap_or(0).into()
    }

    pub(super) fn orders(&self) -> u64 {
        self.orders
    }

    pub(super) fn holds(&self) -> bool {
        self.audit.are_zero() && self.money.are_zero() && self.broken.is_empty()
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        self.cycles += outcome.cycles;
        self.acked += outcome.acked;
        self.lost_and_listed += outcome.listed;
        self.honoured += outcome.honoured;
        self.audit += outcome.numbers;
        self.orders += outcome.orders;
        self.money += outcome.money;
        for (what, times) in outcome.ended {
            *self.ended.entry(what).or_default() += times;
        }
        self.broken.extend(outcome.broken);
        let all = outcome.recoveries.into_iter().chain(self.worst);
        self.worst = all.max_by(|one, other| part(one).total_cmp(&part(other)));
        if let Some(worst) = self.worst {
            self.recovery_seconds = worst.took.as_secs_f64();
            self.recovery_of = worst.goal.as_str();
        }
    }
}

/// Of what it may take.
fn part(recovery: &Recovery) -> f64 {
    recovery.took.as_secs_f64() / recovery.goal.bound().as_secs_f64()
}

impl Report {
    pub(super) fn holds(&self) -> bool {
        self.faults.iter().all(Row::holds) && self.counted.iter().all(Counted::is_enough)
    }

    /// For a terminal.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{:<5} {:<20} {:>6} {:>9}  {:<26} {:<8} \n",
            "fault", "", "cycles", "acks", "slowest recovery", "audit"
        );
        for row in &self.faults {
            text += &row.line();
            for what in &row.broken {
                text += &format!("      {what}\n");
            }
        }
        let counted: String = self.counted.iter().map(Counted::line).collect();
        text + &counted
    }
}

impl Row {
    fn line(&self) -> String {
        let recovery = self
            .worst
            .map_or_else(String::new, |Recovery { goal, took }| {
                format!(
                    "{:.2} s of {} s {}",
                    took.as_secs_f64(),
                    goal.bound().as_secs(),
                    goal.as_str()
                )
            });
        let audit = if self.audit.are_zero() {
            "0".to_owned()
        } else {
            let wrong = self
                .audit
                .named()
                .into_iter()
                .filter(|(_, count)| *count > 0);
            let words: Vec<String> = wrong
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            words.join(", ")
        };
        let lost = match self.lost_and_listed {
            0 if self.orders > 0 => format!(" ({} orders)", self.orders),
            0 => String::new(),
            lost => format!(
                " ({lost} lost and listed, {} honoured by receipt)",
                self.honoured
            ),
        };
        let verdict = if self.holds() { "holds" } else { "BROKEN" };
        format!(
            "{:<5} {:<20} {:>6} {:>9}  {recovery:<26} {audit:<8} {verdict}{lost}\n",
            self.id, self.name, self.cycles, self.acked
        )
    }
}

/// What `--list` prints.
pub(super) fn list() -> String {
    let line = |fault: &Fault| {
        format!(
            "{:<5} {:<20} {:>3} cycles  {}\n",
            fault.id, fault.name, fault.cycles, fault.text
        )
    };
    let goals = [Goal::Selling, Goal::Drained, Goal::Stopped, Goal::Goodput]
        .map(|goal| format!("{} within {} s", goal.as_str(), goal.bound().as_secs()));
    let mut text: String = FAULTS.iter().map(line).collect();
    text += &format!(
        "\nAfter each: every answer is held against Redis and the books, and all audit numbers are 0; the last unit is sold;\n\
         no panic, no 500, nobody left waiting. Where it applies: {}.\n",
        goals.join(", ")
    );
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_row_keeps_the_worst_and_says_what_broke() {
        let mut row = Row::new(&FAULTS[0], 7);
        let took = |goal, ms| Recovery {
            goal,
            took: Duration::from_millis(ms),
        };
        row.add(Outcome {
            cycles: 2,
            acked: 10,
            // A third of what it may take is worse than a quarter, however long.
            recoveries: vec![took(Goal::Selling, 1_800), took(Goal::Drained, 8_000)],
            ..Outcome::default()
        });
        row.add(Outcome {
            cycles: 1,
            recoveries: vec![took(Goal::Selling, 100)],
            ..Outcome::default()
        });
        assert!(row.holds());
        assert_eq!((row.cycles, row.recovery_of), (3, "selling"));
        let faults = vec![row];
        let text = Report {
            faults,
            ..Report::default()
        }
        .table();
        assert!(text.contains("1.80 s of 5 s selling"), "{text}");
        assert!(text.contains("holds"), "{text}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut row = Row::new(&FAULTS[0], 7);
        row.add(Outcome {
            numbers: Numbers {
                lost: 2,
                ..Numbers::default()
            },
            broken: vec!["two of them".into()],
            ..Outcome::default()
        });
        let report = Report {
            faults: vec![row],
            ..Report::default()
        };
        assert!(!report.holds());
        let text = report.table();
        assert!(text.contains("lost 2") && text.contains("BROKEN") && text.contains("two of them"));
    }

    #[test]
    fn the_object_is_the_contracts() {
        let report = Report {
            faults: vec![Row::new(&FAULTS[0], 7)],
            ..Report::default()
        };
        let text = serde_json::to_string(&report).unwrap();
        let expected = r#"{"faults":[{"id":"F1","name":"engine killed","seed":7,"cycles":0,"acked":0,"recovery_seconds":0.0,"audit":{"oversold":0"#;
        assert!(text.starts_with(expected), "{text}");
    }
}
