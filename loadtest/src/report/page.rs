//! The report: one HTML page with everything in it, for a browser without a network. Its text is in `templates/report.html`.

use anyhow::{Context, Result};
use askama::Template;
use doorbuster_core::clock;

use crate::command::Verdict;
use crate::history::Header;
use crate::plan::Scenario;
use crate::summary::{Outcome, Summary};

use super::chart::{self, Chart};
use super::number::grouped;
use super::story::story;
use super::tables::{self, AuditRow, Bar, CourseRow, LatencyRow, Row, Tile};
use super::{line, money};

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    title: String,
    when: String,
    clean: Clean,
    story: String,
    tiles: Vec<Tile>,
    outcomes: Vec<Row>,
    people: Chart,
    units: Chart,
    course: Vec<CourseRow>,
    latencies: Vec<LatencyRow>,
    within: Vec<Bar>,
    audit: Vec<AuditRow>,
    /// Empty where nobody paid.
    money: Vec<Row>,
    findings: Vec<String>,
    settings: Vec<Row>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clean {
    Yes,
    No,
}

/// The page of a run.
///
/// # Errors
/// If the template fails, which a bug would make it.
pub fn html(header: &Header, outcome: &Outcome) -> Result<String> {
    let summary = &outcome.summary;
    if let Some(line) = &summary.line {
        return line::html(header, outcome, line);
    }
    let page = Page {
        title: title(header),
        when: clock::from_ms(header.start_ms)
            .format("%Y-%m-%d %H:%M:%S UTC")
            .to_string(),
        clean: if Verdict::of_run(summary) == Verdict::Clean {
            Clean::Yes
        } else {
            Clean::No
        },
        story: story(header, summary),
        tiles: tables::tiles(summary),
        outcomes: tables::outcomes(summary),
        people: chart::people(outcome),
        units: chart::units(header, outcome),
        course: tables::course(&outcome.course),
        latencies: tables::latencies(summary),
        within: tables::within(outcome),
        audit: tables::audit(summary),
        money: money(summary),
        findings: outcome
            .findings
            .iter()
            .map(|finding| finding.text.clone())
            .chain(outcome.money_findings.iter().cloned())
            .collect(),
        settings: tables::settings(header, summary),
    };
    page.render().context("the report's template")
}

fn money(summary: &Summary) -> Vec<Row> {
    let figures = summary.money.iter();
    let rows = figures.flat_map(|figures| money::rows(figures));
    let row = |(name, value): (&str, String)| Row {
        name: name.to_owned(),
        value,
    };
    rows.map(row).collect()
}

fn title(header: &Header) -> String {
    let what = match header.scenario {
        Scenario::Coupon => "coupons",
        Scenario::Demo | Scenario::Rush | Scenario::Line => "units",
    };
    format!(
        "{} people, {} {what}",
        grouped(header.users.into()),
        grouped(header.stock.into())
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tests::Case;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let case = Case::sold(2);
        let page = html(&case.history.header, &case.outcome()).unwrap();
        for outside in ["http://", "https://", "src=", "@import", "url(", "<script"] {
            let found = page
                .replace("http://www.w3.org/2000/svg", "")
                .contains(outside);
            assert!(!found, "{outside}");
        }
        assert!(page.contains("prefers-color-scheme") && page.contains("name=\"viewport\""));
    }

    #[test]
    fn findings_are_shown_and_escaped() {
        let case = Case::sold(2);
        let mut outcome = case.outcome();
        outcome.summary.audit.lost = 7;
        outcome.findings.push(crate::audit::Finding {
            wrong: crate::audit::Wrong::Lost,
            count: 7,
            text: "<b>gone</b>".into(),
        });
        let page = html(&case.history.header, &outcome).unwrap();
        assert!(page.contains("&#60;b&#62;gone") && page.contains("is not one truth"));
    }
}
