//! The report: one HTML page with everything in it, for a browser without a network. Its text is in `templates/report.html`.

use anyhow::{Context, Result};
use askama::Template;
use doorbuster_core::clock;

use crate::history::Header;
use crate::plan::Scenario;
use crate::record::Latency;
use crate::summary::{Moment, Outcome, Summary};

use super::chart::{Join, Series, axis_top, series};
use super::number::{counted, grouped, ms, seconds};
use super::text::offered;

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
    findings: Vec<String>,
    settings: Vec<Row>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clean {
    Yes,
    No,
}

struct Tile {
    name: &'static str,
    value: String,
    note: String,
}

struct Row {
    name: String,
    value: String,
}

/// Two series over the same time.
struct Chart {
    top: String,
    middle: String,
    until: String,
    area: Series,
    line: Series,
    /// The chart in a sentence.
    said: String,
}

struct CourseRow {
    at: String,
    arrived: String,
    answered: String,
    accepted: String,
    left: String,
}

struct LatencyRow {
    name: &'static str,
    first: String,
    settled: String,
}

struct Bar {
    name: String,
    share: String,
    width: String,
}

struct AuditRow {
    name: &'static str,
    count: u64,
    meaning: &'static str,
}

/// What each audit number counts, in the contract's order.
const MEANINGS: [&str; 7] = [
    "units in buyers’ hands above what was stocked",
    "units left although someone was refused as sold out while they were on sale",
    "acceptances told to a client and missing in Redis or MySQL",
    "reservations that nobody asked for, or whose client was told no",
    "keys with two outcomes, numbers used twice, gaps in the journal",
    "users who had more than one user may have, at any moment",
    "fields in which clients, Redis and MySQL contradict each other",
];

/// The page of a run.
///
/// # Errors
/// If the template fails, which a bug would make it.
pub fn html(header: &Header, outcome: &Outcome) -> Result<String> {
    let summary = &outcome.summary;
    let page = Page {
        title: title(header),
        when: clock::from_ms(header.start_ms)
            .format("%Y-%m-%d %H:%M:%S UTC")
            .to_string(),
        clean: if summary.audit.are_zero() {
            Clean::Yes
        } else {
            Clean::No
        },
        story: story(header, summary),
        tiles: tiles(summary),
        outcomes: outcomes(summary),
        people: people(outcome),
        units: units(header, outcome),
        course: course(&outcome.course),
        latencies: latencies(summary),
        within: within(outcome),
        audit: summary
            .audit
            .named()
            .into_iter()
            .zip(MEANINGS)
            .map(audit_row)
            .collect(),
        findings: outcome
            .findings
            .iter()
            .map(|finding| finding.text.clone())
            .collect(),
        settings: settings(header, summary),
    };
    page.render().context("the report's template")
}

fn audit_row(((name, count), meaning): ((&'static str, u64), &'static str)) -> AuditRow {
    AuditRow {
        name,
        count,
        meaning,
    }
}

fn title(header: &Header) -> String {
    let what = match header.scenario {
        Scenario::Coupon => "coupons",
        Scenario::Demo | Scenario::Rush => "units",
    };
    format!(
        "{} people, {} {what}",
        grouped(header.users.into()),
        grouped(header.stock.into())
    )
}

fn story(header: &Header, summary: &Summary) -> String {
    let came = if header.arrival_seconds > 0.0 {
        format!("over {:.0} seconds", header.arrival_seconds)
    } else {
        "all at once".to_owned()
    };
    let mut story = format!(
        "{} on {}, {came}. {} accepted, {} refused, {} left without an answer. \
         Half of them had their first answer within {}, 99 % within {}. ",
        capital(&offered(summary)),
        counted(summary.engines as u64, "engine", "engines"),
        grouped(summary.accepted),
        grouped(summary.refused.values().sum()),
        grouped(summary.unanswered),
        ms(summary.latency_ms.p50),
        ms(summary.latency_ms.p99),
    );
    let back = summary.cancelled + summary.expired;
    if back > 0 {
        story.push_str(&format!(
            "{} came back by cancellation or because a hold ran out, and went on sale again. ",
            counted(back, "hold", "holds")
        ));
    }
    story.push_str(&format!(
        "At the end {} left. MySQL had every event {} after the last answer. ",
        counted(summary.left, "unit was", "units were"),
        seconds(summary.mysql_complete_seconds)
    ));
    story.push_str(if summary.audit.are_zero() {
        "What every client was told is what Redis and MySQL hold, field by field."
    } else {
        "What clients were told, what Redis holds and what MySQL holds is not one truth: see the audit."
    });
    story
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn tiles(summary: &Summary) -> Vec<Tile> {
    let tile = |name, value: String, note: String| Tile { name, value, note };
    vec![
        tile(
            "accepted",
            grouped(summary.accepted),
            format!("of {} asked", grouped(summary.offered)),
        ),
        tile(
            "refused",
            grouped(summary.refused.values().sum()),
            "told so".into(),
        ),
        tile("unanswered", grouped(summary.unanswered), "gave up".into()),
        tile("p50", ms(summary.latency_ms.p50), "first answer".into()),
        tile("p99", ms(summary.latency_ms.p99), "first answer".into()),
        tile(
            "rate",
            format!("{}/s", grouped(summary.throughput.round() as u64)),
            "settled".into(),
        ),
    ]
}

fn outcomes(summary: &Summary) -> Vec<Row> {
    let row = |name: &str, count: u64| Row {
        name: name.to_owned(),
        value: grouped(count),
    };
    let mut rows = vec![row("accepted", summary.accepted)];
    rows.extend(
        summary
            .refused
            .iter()
            .map(|(code, count)| row(&format!("refused: {code}"), *count)),
    );
    rows.extend([
        row("unanswered", summary.unanswered),
        row("cancelled afterwards", summary.cancelled),
        row("holds that ran out", summary.expired),
        row("units left", summary.left),
        row("requests sent, repetitions included", summary.sent),
        row("answers that said: later (429, 503)", summary.put_off),
        row("answers lost on purpose", summary.lost_on_the_wire),
        row("requests that broke off", summary.broken),
    ]);
    rows
}

/// Running totals.
fn totals(course: &[Moment], count: impl Fn(&Moment) -> u64) -> Vec<f64> {
    let running = course.iter().scan(0, |sum, moment| {
        *sum += count(moment);
        Some(*sum as f64)
    });
    running.collect()
}

fn people(outcome: &Outcome) -> Chart {
    let top = axis_top(outcome.summary.offered);
    let came = totals(&outcome.course, |moment| moment.arrived);
    let answered = totals(&outcome.course, |moment| moment.accepted + moment.refused);
    Chart {
        top: grouped(top),
        middle: grouped(top / 2),
        until: seconds(outcome.course.last().map_or(0.0, |moment| moment.at_s)),
        area: series(0.0, &came, top, Join::Straight),
        line: series(0.0, &answered, top, Join::Straight),
        said: format!(
            "{} came and {} got a final answer within {}.",
            grouped(outcome.summary.offered),
            grouped(outcome.summary.offered - outcome.summary.unanswered),
            seconds(outcome.summary.seconds)
        ),
    }
}

fn units(header: &Header, outcome: &Outcome) -> Chart {
    let per_request: u64 = header
        .lines
        .iter()
        .map(|line| u64::from(line.quantity))
        .sum();
    let accepted = totals(&outcome.course, |moment| moment.accepted * per_request);
    let left: Vec<f64> = outcome
        .course
        .iter()
        .map(|moment| moment.left as f64)
        .collect();
    let most = accepted.last().copied().unwrap_or(0.0) as u64;
    let top = axis_top(outcome.summary.stock.max(most));
    Chart {
        top: grouped(top),
        middle: grouped(top / 2),
        until: seconds(outcome.course.last().map_or(0.0, |moment| moment.at_s)),
        area: series(outcome.summary.stock as f64, &left, top, Join::Step),
        line: series(0.0, &accepted, top, Join::Straight),
        said: format!(
            "Stock went from {} to {}; {} accepted in all.",
            grouped(outcome.summary.stock),
            grouped(outcome.summary.left),
            counted(most, "unit was", "units were")
        ),
    }
}

fn course(course: &[Moment]) -> Vec<CourseRow> {
    let row = |moment: &Moment| CourseRow {
        at: format!("{:.2}", moment.at_s),
        arrived: grouped(moment.arrived),
        answered: grouped(moment.accepted + moment.refused),
        accepted: grouped(moment.accepted),
        left: moment.left.to_string(),
    };
    course.iter().map(row).collect()
}

fn latencies(summary: &Summary) -> Vec<LatencyRow> {
    let row = |name, of: fn(&Latency) -> f64| LatencyRow {
        name,
        first: ms(of(&summary.latency_ms)),
        settled: ms(of(&summary.decision_ms)),
    };
    vec![
        row("p50", |latency| latency.p50),
        row("p99", |latency| latency.p99),
        row("p99.9", |latency| latency.p999),
        row("slowest", |latency| latency.max),
    ]
}

/// The distribution from the first step that has anyone to the first that has all.
fn within(outcome: &Outcome) -> Vec<Bar> {
    let all = outcome.within.last().map_or(0, |last| last.answers).max(1);
    let from = outcome
        .within
        .iter()
        .position(|step| step.answers > 0)
        .unwrap_or(0);
    let upto = outcome
        .within
        .iter()
        .position(|step| step.answers == all)
        .unwrap_or(outcome.within.len().saturating_sub(1));
    let steps = outcome.within.get(from..=upto).unwrap_or_default();
    let bar = |step: &crate::summary::Within| {
        let share = 100.0 * step.answers as f64 / all as f64;
        Bar {
            name: ms_bound(step.ms),
            share: format!("{share:.1} %"),
            width: format!("{share:.2}"),
        }
    };
    steps.iter().map(bar).collect()
}

fn ms_bound(bound_ms: u64) -> String {
    if bound_ms >= 1_000 {
        format!("{} s", bound_ms / 1_000)
    } else {
        format!("{bound_ms} ms")
    }
}

fn settings(header: &Header, summary: &Summary) -> Vec<Row> {
    let row = |name: &str, value: String| Row {
        name: name.to_owned(),
        value,
    };
    let arrivals = if header.arrival_seconds > 0.0 {
        format!("over {:.0} s", header.arrival_seconds)
    } else {
        "all at once".into()
    };
    let sweep = summary
        .sweep_lag_ms_max
        .map_or("no hold ran out".to_owned(), |lag_ms| {
            format!("{} after its deadline at the latest", ms(lag_ms as f64))
        });
    vec![
        row("sale", header.book_id.clone()),
        row("ack level", header.ack_level.clone()),
        row("engines", header.engines.to_string()),
        row("users", grouped(header.users.into())),
        row("arrivals", arrivals),
        row("keep-alive connections", grouped(header.connections as u64)),
        row(
            "units per user",
            if header.per_user == 0 {
                "any number".into()
            } else {
                header.per_user.to_string()
            },
        ),
        row("a hold lasts", format!("{} s", header.hold_seconds)),
        row("a hold that ran out was back", sweep),
        row(
            "MySQL complete after the last answer",
            seconds(summary.mysql_complete_seconds),
        ),
        row("seed", header.seed.to_string()),
    ]
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
