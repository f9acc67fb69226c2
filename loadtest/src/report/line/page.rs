//! A line as one HTML page with everything in it, for a browser without a network; in `templates/line.html`.

use anyhow::{Context, Result};
use askama::Template;
use doorbuster_core::clock;

use super::super::chart::{Chart, units};
use super::super::number::{grouped, ms, seconds};
use super::super::tables::{self, AuditRow, Row, Tile};
use super::charts::{self, Band};
use super::{rows, story};
use crate::history::Header;
use crate::line::figures::{LineCourse, LineFigures};
use crate::summary::{Outcome, Summary};

#[derive(Template)]
#[template(path = "line.html")]
struct Page {
    title: String,
    when: String,
    is_clean: bool,
    story: String,
    tiles: Vec<Tile>,
    people: Chart,
    places: Chart,
    units: Chart,
    promises: Band,
    course: Vec<Vec<String>>,
    line: Vec<Row>,
    line_audit: Vec<(&'static str, u64, &'static str)>,
    audit: Vec<AuditRow>,
    findings: Vec<String>,
    outcomes: Vec<Row>,
    settings: Vec<Row>,
}

/// What each number of a line's audit counts, in its order.
const MEANINGS: [&str; 10] = [
    "people who joined after another had a number, and were given a smaller one",
    "numbers that two people were given",
    "people whose number changed, or whose good ticket was refused",
    "numbers that nobody was given",
    "people let in or served beyond the highest place admitted",
    "looks at which the highest place admitted was lower than before",
    "looks at which more were admitted than the waiting room’s settings allow",
    "people who polled as told and waited on although a later place had long been let in",
    "people told that it was over while it was not",
    "what of the draw was not as pledged before, as shown to the early, or as it comes to",
];

/// The page of a run with a line.
///
/// # Errors
/// If the template fails, which a bug would make it.
pub(in crate::report) fn html(
    header: &Header,
    outcome: &Outcome,
    line: &LineFigures,
) -> Result<String> {
    let summary = &outcome.summary;
    let nothing = LineCourse::default();
    let over_time = outcome.line_course.as_ref().unwrap_or(&nothing);
    let named = line.audit.named().into_iter().zip(MEANINGS);
    let page = Page {
        title: format!(
            "{} people in line, {} units",
            grouped(line.people),
            grouped(summary.stock)
        ),
        when: clock::from_ms(header.start_ms)
            .format("%Y-%m-%d %H:%M:%S UTC")
            .to_string(),
        is_clean: summary.audit.are_zero() && line.audit.are_zero(),
        story: story(summary, line),
        tiles: tiles(summary, line),
        people: charts::people(line, over_time),
        places: charts::places(line, over_time),
        units: units(header, outcome),
        promises: charts::promises(line, over_time),
        course: course(over_time),
        line: rows(line)
            .into_iter()
            .map(|(name, value)| Row {
                name: name.to_owned(),
                value,
            })
            .collect(),
        line_audit: named
            .map(|((name, count), meaning)| (name, count, meaning))
            .collect(),
        audit: tables::audit(summary),
        findings: outcome
            .findings
            .iter()
            .map(|finding| finding.text.clone())
            .collect(),
        outcomes: tables::outcomes(summary),
        settings: tables::settings(header, summary),
    };
    page.render().context("the report's template")
}

fn tiles(summary: &Summary, line: &LineFigures) -> Vec<Tile> {
    let tile = |name, value: String, note: String| Tile { name, value, note };
    let sold_out = line.sold_out_seconds.map_or("no".to_owned(), seconds);
    vec![
        tile(
            "joined",
            grouped(line.joined),
            format!("of {}", grouped(line.people)),
        ),
        tile(
            "let in",
            grouped(line.admitted),
            line.mode.replace('_', " "),
        ),
        tile(
            "reserved",
            grouped(line.reserved),
            format!("of {}", grouped(summary.stock)),
        ),
        tile("sold out", sold_out, "after the opening".into()),
        tile(
            "join, p99",
            ms(summary.latency_ms.p99),
            "to the number".into(),
        ),
        tile(
            "promises",
            format!("{:.1} %", 100.0 * line.eta.share),
            "came true".into(),
        ),
    ]
}

fn course(over_time: &LineCourse) -> Vec<Vec<String>> {
    let row = over_time.moments.iter().map(|moment| {
        vec![
            format!("{:.1}", moment.at_s),
            grouped(moment.waiting),
            grouped(moment.admitted),
            grouped(moment.watermark),
        ]
    });
    row.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tests::Case;
    use crate::line::figures::tests::figures;

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_says_what_is_wrong() {
        let case = Case::sold(2);
        let mut line = figures();
        let page = html(&case.history.header, &case.outcome(), &line).unwrap();
        for outside in ["http://", "https://", "src=", "@import", "url(", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("prefers-color-scheme") && page.contains("audit: all zero"));
        line.audit.places_lost = 3;
        let page = html(&case.history.header, &case.outcome(), &line).unwrap();
        assert!(page.contains("audit: not zero") && page.contains("<code>places lost</code>"));
    }
}
