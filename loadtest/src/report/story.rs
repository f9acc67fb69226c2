//! What happened, in one paragraph of plain words. Called by `page`, and by the demo for the terminal.

use crate::history::Header;
use crate::plan::Scenario;
use crate::summary::Summary;

use super::number::{counted, grouped, ms, seconds};

/// The paragraph.
pub fn story(header: &Header, summary: &Summary) -> String {
    let mut sentences = vec![crowd(header, summary), answers(summary), waiting(summary)];
    sentences.extend(came_back(summary));
    sentences.push(format!(
        "At the end {} left.",
        counted(summary.left, "unit was", "units were")
    ));
    sentences.push(format!(
        "MySQL had every event {} after the last answer.",
        seconds(summary.mysql_complete_seconds)
    ));
    sentences.push(verdict(summary).to_owned());
    sentences.join(" ")
}

/// What was on offer, counted.
pub(super) fn offered_units(summary: &Summary) -> String {
    match summary.scenario {
        Scenario::Coupon => counted(summary.stock, "coupon", "coupons"),
        Scenario::Demo | Scenario::Rush | Scenario::Line => counted(summary.stock, "unit", "units"),
    }
}

fn crowd(header: &Header, summary: &Summary) -> String {
    let came = if header.arrival_seconds > 0.0 {
        format!("within {:.0} seconds", header.arrival_seconds)
    } else {
        "all at once".to_owned()
    };
    format!(
        "{} came {came} for {}, sold by {} at ack level {}.",
        counted(summary.users, "person", "people"),
        offered_units(summary),
        counted(summary.engines as u64, "engine", "engines"),
        summary.ack_level
    )
}

fn answers(summary: &Summary) -> String {
    let requests = if summary.offered == summary.users {
        "people".to_owned()
    } else {
        format!("of their {} requests", grouped(summary.offered))
    };
    let unanswered = if summary.unanswered > 0 {
        format!(", and {} never got an answer", grouped(summary.unanswered))
    } else {
        String::new()
    };
    format!(
        "{} {requests} were told yes, {} were told no{unanswered}.",
        grouped(summary.accepted),
        grouped(summary.refused.values().sum())
    )
}

fn waiting(summary: &Summary) -> String {
    format!(
        "Half of the first answers came within {}, 99 % within {}.",
        ms(summary.latency_ms.p50),
        ms(summary.latency_ms.p99)
    )
}

fn came_back(summary: &Summary) -> Option<String> {
    let ends = [
        (summary.cancelled, "cancelled"),
        (summary.expired, "left to run out"),
    ];
    let ends: Vec<String> = ends
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("{} {how}", counted(*count, "hold was", "holds were")))
        .collect();
    let back = "and their units went back on sale.";
    (!ends.is_empty()).then(|| format!("{}, {back}", ends.join(" and ")))
}

fn verdict(summary: &Summary) -> &'static str {
    if summary.audit.are_zero() {
        "What every client was told is what Redis and MySQL hold, field by field."
    } else {
        "What clients were told, what Redis holds and what MySQL holds is not one truth: see the audit."
    }
}
