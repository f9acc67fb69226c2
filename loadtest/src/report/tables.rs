//! The report's tables, row by row. Called by `page`.

use crate::history::Header;
use crate::record::Latency;
use crate::summary::{Moment, Outcome, Summary, Within};

use super::number::{grouped, ms, seconds};

pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) note: String,
}

pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: String,
}

pub(super) struct CourseRow {
    pub(super) at: String,
    pub(super) arrived: String,
    pub(super) answered: String,
    pub(super) accepted: String,
    pub(super) left: String,
}

pub(super) struct LatencyRow {
    pub(super) name: &'static str,
    pub(super) first: String,
    pub(super) settled: String,
}

pub(super) struct Bar {
    pub(super) name: String,
    pub(super) share: String,
    pub(super) width: String,
}

pub(super) struct AuditRow {
    pub(super) name: &'static str,
    pub(super) count: u64,
    pub(super) meaning: &'static str,
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

pub(super) fn audit(summary: &Summary) -> Vec<AuditRow> {
    let named = summary.audit.named().into_iter().zip(MEANINGS);
    named
        .map(|((name, count), meaning)| AuditRow {
            name,
            count,
            meaning,
        })
        .collect()
}

pub(super) fn tiles(summary: &Summary) -> Vec<Tile> {
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

pub(super) fn outcomes(summary: &Summary) -> Vec<Row> {
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

pub(super) fn course(course: &[Moment]) -> Vec<CourseRow> {
    let row = |moment: &Moment| CourseRow {
        at: format!("{:.2}", moment.at_s),
        arrived: grouped(moment.arrived),
        answered: grouped(moment.accepted + moment.refused),
        accepted: grouped(moment.accepted),
        left: moment.left.to_string(),
    };
    course.iter().map(row).collect()
}

pub(super) fn latencies(summary: &Summary) -> Vec<LatencyRow> {
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
pub(super) fn within(outcome: &Outcome) -> Vec<Bar> {
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
    let bar = |step: &Within| {
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

pub(super) fn settings(header: &Header, summary: &Summary) -> Vec<Row> {
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
