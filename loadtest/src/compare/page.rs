//! A comparison as one HTML page with everything in it, for a browser without a network; in `templates/compare.html`.

use anyhow::{Context, Result};
use askama::Template;
use doorbuster_core::clock;

use super::Outcome;
use super::charts::{self, Chart};
use super::columns::{
    CPU, Column, MISCOUNTED, ROUND, SCARCE_LAST, SPEED, WAY, WRONGS, cells, heads, whole,
};
use super::figures::Row;
use super::way::Way;
use crate::report::number::seconds;

#[derive(Template)]
#[template(path = "compare.html")]
struct Page {
    title: String,
    when: String,
    hardware: String,
    /// `None` where ours did not take part.
    audit_is_zero: Option<bool>,
    story: String,
    charts: Vec<Chart>,
    way_heads: Vec<&'static str>,
    ways: Vec<WayRow>,
    round_heads: Vec<&'static str>,
    rounds: Vec<Vec<String>>,
    settings: Vec<(&'static str, String)>,
}

struct WayRow {
    name: &'static str,
    said: &'static str,
    class: &'static str,
    cells: Vec<String>,
}

/// The page.
///
/// # Errors
/// If the template fails, which a bug would make it.
pub(super) fn html(outcome: &Outcome) -> Result<String> {
    let has_ours = outcome.rows.iter().any(|row| row.way == Way::Ours);
    let columns = [&WAY[..], &SPEED, &SCARCE_LAST, &WRONGS, &MISCOUNTED, &CPU].concat();
    let page = Page {
        title: format!("{} ways to sell the last unit", outcome.rows.len()),
        when: clock::from_ms(outcome.start_ms)
            .format("%Y-%m-%d %H:%M:%S UTC")
            .to_string(),
        hardware: format!("{}, {} cores", outcome.hardware.cpu, outcome.hardware.cores),
        audit_is_zero: has_ours.then(|| outcome.audit.are_zero()),
        story: outcome.story.clone(),
        charts: charts::charts(outcome),
        way_heads: heads(&columns),
        ways: outcome.rows.iter().map(|row| way(&columns, row)).collect(),
        round_heads: heads(&ROUND),
        rounds: outcome
            .rounds
            .iter()
            .map(|round| cells(&ROUND, round))
            .collect(),
        settings: settings(outcome),
    };
    page.render().context("the report's template")
}

fn way(columns: &[Column<Row>], row: &Row) -> WayRow {
    WayRow {
        name: row.way.as_str(),
        said: row.way.said(),
        class: if row.way == Way::Ours { "ours" } else { "" },
        cells: cells(columns, row),
    }
}

fn settings(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let swept = outcome.swept.iter().map(|swept| {
        let tried: Vec<String> = swept
            .tried
            .iter()
            .map(|(pool, rate)| format!("{pool}: {}/s", whole(*rate)))
            .collect();
        format!(
            "{}: kept {} ({})",
            swept.way.as_str(),
            swept.kept,
            tried.join(", ")
        )
    });
    let swept: Vec<String> = swept.collect();
    vec![
        ("rounds", outcome.rounds_of_each.to_string()),
        ("length of a rush", seconds(outcome.rush_seconds)),
        ("a crowd is cut after", seconds(outcome.cut_seconds)),
        ("keep-alive connections", outcome.connections.to_string()),
        (
            "connections to the store that were tried",
            if swept.is_empty() {
                "none".into()
            } else {
                swept.join("; ")
            },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::figures::tests::{GUARDED, round};
    use crate::compare::story::tests::outcome;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let rounds = vec![round(GUARDED, 1, 1_000.0), round(Way::Ours, 1, 9_000.0)];
        let page = html(&outcome(rounds)).unwrap();
        for outside in ["http://", "https://", "src=", "@import", "url(", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
        for part in [
            "prefers-color-scheme",
            "name=\"viewport\"",
            "audit of ours: all zero",
            "Who oversold",
            "<tr class=\"ours\"><th scope=\"row\">ours</th><td class=\"t\">Redis fsync</td><td class=\"n\">-</td><td class=\"n\">9,000</td>",
            "<th scope=\"col\">way</th><th scope=\"col\" class=\"t\">ack</th><th scope=\"col\" class=\"n\">conn</th>",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }
}
