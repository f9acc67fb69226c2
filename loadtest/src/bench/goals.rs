//! What was wanted, what was measured, and the table of both.

use serde::Serialize;

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Goal {
    pub what: &'static str,
    /// The bound, in words.
    pub wanted: String,
    /// The median, in the same words.
    pub measured: String,
    pub met: bool,
    /// Each round's value, in the order of the rounds.
    pub rounds: Vec<String>,
}

impl Goal {
    /// A value that shall be at least `bound`; `values` are those of the rounds, of which the median counts.
    pub(super) fn at_least(what: &'static str, bound: f64, values: &[f64], unit: &str) -> Self {
        let measured = median(values);
        Self {
            what,
            wanted: format!("≥ {bound}{unit}"),
            measured: format!("{measured:.2}{unit}"),
            met: measured >= bound,
            rounds: values.iter().map(|value| format!("{value:.2}")).collect(),
        }
    }

    /// The same with an upper bound.
    pub(super) fn at_most(what: &'static str, bound: f64, values: &[f64], unit: &str) -> Self {
        let measured = median(values);
        Self {
            wanted: format!("≤ {bound}{unit}"),
            met: measured <= bound,
            ..Self::at_least(what, bound, values, unit)
        }
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
pub(super) fn table(goals: &[Goal]) -> String {
    let wide = |text: &dyn Fn(&Goal) -> usize| goals.iter().map(text).max().unwrap_or(0);
    let (what, wanted, measured) = (
        wide(&|goal| goal.what.chars().count()),
        wide(&|goal| goal.wanted.chars().count()),
        wide(&|goal| goal.measured.chars().count()),
    );
    let mut text = String::new();
    for goal in goals {
        let met = if goal.met { "met" } else { "MISSED" };
        text += &format!(
            "{:what$}  {:>wanted$}  {:>measured$}  {met}\n    rounds: {}\n",
            goal.what,
            goal.wanted,
            goal.measured,
            goal.rounds.join(" ")
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
        assert!(Goal::at_least("a", 0.6, &[0.5, 0.7, 0.61], " ×").met);
        assert!(!Goal::at_least("a", 0.6, &[0.5, 0.7, 0.59], " ×").met);
        assert!(Goal::at_most("a", 5.0, &[9.0, 4.0, 5.0], " µs").met);
        assert!(!Goal::at_most("a", 5.0, &[5.1], " µs").met);
    }

    #[test]
    fn a_missed_goal_is_said_loudly() {
        let goals = [
            Goal::at_most("fast", 1.0, &[0.5], " s"),
            Goal::at_least("high", 1.0, &[0.5], ""),
        ];
        let text = table(&goals);
        assert!(text.contains("fast  ≤ 1 s  0.50 s  met"), "{text}");
        assert!(text.contains("high    ≥ 1    0.50  MISSED"), "{text}");
    }
}
