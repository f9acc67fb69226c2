//! What was wanted, what was measured: as a table, and as the JSON that scripts read.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Goal {
    pub name: &'static str,
    pub unit: &'static str,
    pub bound: Bound,
    pub goal: f64,
    /// The median of the rounds, or of the turns.
    pub measured: f64,
    pub met: bool,
    pub rounds: Vec<f64>,
}

/// On which side of the goal what is measured shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast,
    AtMost,
}

/// The JSON of everything that measures: goals, and a row for each way to sell that was compared.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    pub goals: Vec<Goal>,
    /// A type of their own in `compare`; here they are only handed on.
    pub rows: Vec<serde_json::Value>,
}

impl Goal {
    /// `values` of the rounds, of which the median shall be at least `goal`.
    pub(crate) fn at_least(
        name: &'static str,
        goal: f64,
        values: &[f64],
        unit: &'static str,
    ) -> Self {
        let measured = median(values);
        Self {
            name,
            unit,
            bound: Bound::AtLeast,
            goal,
            measured,
            met: !values.is_empty() && measured >= goal,
            rounds: values.to_vec(),
        }
    }

    /// The same with an upper bound.
    pub(crate) fn at_most(
        name: &'static str,
        goal: f64,
        values: &[f64],
        unit: &'static str,
    ) -> Self {
        let lower = Self::at_least(name, goal, values, unit);
        Self {
            bound: Bound::AtMost,
            met: !values.is_empty() && lower.measured <= goal,
            ..lower
        }
    }

    fn wanted(&self) -> String {
        let sign = match self.bound {
            Bound::AtLeast => '≥',
            Bound::AtMost => '≤',
        };
        format!("{sign} {} {}", self.goal, self.unit)
    }

    fn found(&self) -> String {
        format!("{:.2} {}", self.measured, self.unit)
    }
}

impl Findings {
    /// Puts them where a script looks for them.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("{} cannot be made", dir.display()))?;
        }
        std::fs::write(path, format!("{}\n", serde_json::to_string(self)?))
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// The middle one; 0 where there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// The table for a terminal, every round below its line.
pub(crate) fn table(goals: &[Goal]) -> String {
    let lines: Vec<[String; 3]> = goals
        .iter()
        .map(|goal| [goal.name.to_owned(), goal.wanted(), goal.found()])
        .collect();
    let wide = |column: usize| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let (names, wanted, found) = (wide(0), wide(1), wide(2));
    let mut text = String::new();
    for (goal, line) in goals.iter().zip(&lines) {
        let met = if goal.met { "met" } else { "MISSED" };
        let rounds: Vec<String> = goal
            .rounds
            .iter()
            .map(|value| format!("{value:.2}"))
            .collect();
        text += &format!(
            "{:names$}  {:>wanted$}  {:>found$}  {met}\n    rounds: {}\n",
            line[0],
            line[1],
            line[2],
            rounds.join(" ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_rounds_decides() {
        assert_eq!(
            (median(&[]), median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0])),
            (0.0, 2.0, 2.5)
        );
        assert!(Goal::at_least("a", 0.6, &[0.5, 0.7, 0.61], "×").met);
        assert!(!Goal::at_least("a", 0.6, &[0.5, 0.7, 0.59], "×").met);
        assert!(Goal::at_most("a", 5.0, &[9.0, 4.0, 5.0], "µs").met);
        assert!(!Goal::at_most("a", 5.0, &[5.1], "µs").met);
        assert!(
            !Goal::at_most("a", 5.0, &[], "µs").met,
            "nothing was measured"
        );
    }

    #[test]
    fn a_missed_goal_is_said_loudly() {
        let goals = [
            Goal::at_most("fast", 1.0, &[0.5], "s"),
            Goal::at_least("high", 1.0, &[0.5], "×"),
        ];
        let text = table(&goals);
        assert!(text.contains("fast  ≤ 1 s  0.50 s  met"), "{text}");
        assert!(text.contains("high  ≥ 1 ×  0.50 ×  MISSED"), "{text}");
    }

    #[test]
    fn scripts_find_the_names_of_the_contract() {
        let findings = Findings {
            goals: vec![Goal::at_least("fast", 1.0, &[2.0], "×")],
            rows: Vec::new(),
        };
        let json = serde_json::to_value(findings).unwrap();
        let goal = &json["goals"][0];
        assert_eq!(
            (
                &goal["name"],
                &goal["unit"],
                &goal["goal"],
                &goal["measured"],
                &goal["met"]
            ),
            (
                &"fast".into(),
                &"×".into(),
                &1.0.into(),
                &2.0.into(),
                &true.into()
            )
        );
        assert_eq!(json["rows"], serde_json::json!([]));
    }
}
