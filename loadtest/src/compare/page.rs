//! A comparison as one HTML page with everything in it, for a browser without a network; in `templates/compare.html`.

use anyhow::{Context, Result};
use askama::Template;
use doorbuster_core::clock;

use super::Outcome;
use super::charts::{self, Chart};
use super::figures::Row;
use super::rounds::Round;
use super::text::{cpu, short, whole};
use super::way::Way;
use crate::report::number::{grouped, seconds};

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
    ways: Vec<WayRow>,
    rounds: Vec<Vec<String>>,
    settings: Vec<(&'static str, String)>,
}

struct WayRow {
    name: &'static str,
    said: &'static str,
    ack: &'static str,
    class: &'static str,
    numbers: Vec<String>,
}

/// The page.
///
/// # Errors
/// If the template fails, which a bug would make it.
pub(super) fn html(outcome: &Outcome) -> Result<String> {
    let has_ours = outcome.rows.iter().any(|row| row.way == Way::Ours);
    let page = Page {
        title: format!("{} ways to sell the last unit", outcome.rows.len()),
        when: clock::from_ms(outcome.start_ms)
            .format("%Y-%m-%d %H:%M:%S UTC")
            .to_string(),
        hardware: format!("{}, {} cores", outcome.hardware.cpu, outcome.hardware.cores),
        audit_is_zero: has_ours.then(|| outcome.audit.are_zero()),
        story: outcome.story.clone(),
        charts: charts::charts(outcome),
        ways: outcome.rows.iter().map(way).collect(),
        rounds: outcome.rounds.iter().map(round).collect(),
        settings: settings(outcome),
    };
    page.render().context("the report's template")
}

/// In the order of the page's heads.
fn way(row: &Row) -> WayRow {
    let wrong = |count: Option<u64>| count.map_or("–".to_owned(), grouped);
    let at_least = if row.shelf_cuts > 0 { "≥ " } else { "" };
    WayRow {
        name: row.way.as_str(),
        said: row.way.said(),
        ack: row.ack,
        class: if row.way == Way::Ours { "ours" } else { "" },
        numbers: vec![
            row.pool.map_or("–".to_owned(), |pool| pool.to_string()),
            whole(row.goodput),
            row.ours_times.map_or("–".to_owned(), short),
            whole(row.refusals_per_s),
            format!("{at_least}{}", short(row.shelf_ms.p50)),
            format!("{at_least}{}", short(row.shelf_ms.p99)),
            format!("{at_least}{}", short(row.shelf_ms.p999)),
            short(row.scarce_last_s * 1_000.0),
            wrong(row.wrongs.map(|wrongs| wrongs.oversold)),
            wrong(row.wrongs.and_then(|wrongs| wrongs.undersold)),
            wrong(row.wrongs.map(|wrongs| wrongs.duplicates)),
            wrong(row.wrongs.map(|wrongs| wrongs.lost)),
            wrong(row.wrongs.map(|wrongs| wrongs.miscounted)),
            cpu(row.cpu_us),
            cpu(row.cpu_with_books_us),
        ],
    }
}

fn round(round: &Round) -> Vec<String> {
    vec![
        round.round.to_string(),
        round.way.as_str().to_owned(),
        whole(round.rush.goodput),
        cpu(round.rush.cpu_us),
        cpu(round.rush.cpu_with_books_us),
        whole(round.sold_out.refusals_per_s),
        whole(round.shelf.goodput),
        short(round.shelf.latency_ms.p99),
        grouped(round.shelf.unsent),
        short(round.scarce.last_answer_s * 1_000.0),
        short(round.scarce.latency_ms.p99),
    ]
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
        ] {
            assert!(page.contains(part), "{part}");
        }
    }
}
