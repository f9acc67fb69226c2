//! A run in a dozen lines of text.

use crate::summary::{Outcome, Summary};

use super::number::{counted, grouped, ms, seconds};
use super::story::offered_units;
use super::{line, money};

/// Findings shown on a terminal; all that were kept are in the report.
const FINDINGS_SHOWN_MAX: usize = 10;

/// What happened, figure by figure.
pub fn text(outcome: &Outcome) -> String {
    let summary = &outcome.summary;
    let mut lines = vec![
        row("offered", &offered(summary)),
        row("accepted", &accepted(summary)),
        row("refused", &refused(summary)),
        row("unanswered", &grouped(summary.unanswered)),
        row("left", &counted(summary.left, "unit", "units")),
        row("waiting", &waiting(summary)),
        row(
            "rate",
            &format!(
                "{} settled per second, over {}",
                grouped(summary.throughput.round() as u64),
                seconds(summary.seconds)
            ),
        ),
        row("wire", &wire(summary)),
        row(
            "books",
            &format!(
                "MySQL complete {} after the last answer; ack level {}",
                seconds(summary.mysql_complete_seconds),
                summary.ack_level
            ),
        ),
    ];
    lines.extend(audit(outcome));
    if let Some(figures) = &summary.money {
        lines.extend(
            money::rows(figures)
                .iter()
                .map(|(name, value)| row(name, value)),
        );
        let findings = outcome.money_findings.iter().take(FINDINGS_SHOWN_MAX);
        lines.extend(findings.map(|finding| row("", &format!("! {finding}"))));
    }
    if let Some(figures) = &summary.line {
        lines.extend(
            line::rows(figures)
                .iter()
                .map(|(name, value)| row(name, value)),
        );
        lines.push(row("the line", &line::audit(figures)));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn row(name: &str, value: &str) -> String {
    format!("{name:<11}{value}")
}

fn offered(summary: &Summary) -> String {
    let requests = if summary.offered == summary.users {
        String::new()
    } else {
        format!(", {}", counted(summary.offered, "request", "requests"))
    };
    format!(
        "{} to {}{requests}",
        offered_units(summary),
        counted(summary.users, "person", "people")
    )
}

fn accepted(summary: &Summary) -> String {
    let ends = [
        (summary.cancelled, "cancelled again"),
        (summary.expired, "ran out"),
    ];
    let ends: Vec<String> = ends
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("{} {how}", grouped(*count)))
        .collect();
    let accepted = grouped(summary.accepted);
    if ends.is_empty() {
        accepted
    } else {
        format!("{accepted}, of which {}", ends.join(" and "))
    }
}

fn refused(summary: &Summary) -> String {
    let codes: Vec<String> = summary
        .refused
        .iter()
        .map(|(code, count)| format!("{} {code}", grouped(*count)))
        .collect();
    if codes.is_empty() {
        "0".to_owned()
    } else {
        codes.join(", ")
    }
}

fn waiting(summary: &Summary) -> String {
    let latency = summary.latency_ms;
    format!(
        "half within {}, 99 % within {}, 99.9 % within {}, all within {} of wanting to",
        ms(latency.p50),
        ms(latency.p99),
        ms(latency.p999),
        ms(latency.max)
    )
}

fn wire(summary: &Summary) -> String {
    format!(
        "{} sent on {}; {} put off, {} lost on purpose, {} broken",
        counted(summary.sent, "request", "requests"),
        counted(summary.connections as u64, "connection", "connections"),
        grouped(summary.put_off),
        grouped(summary.lost_on_the_wire),
        grouped(summary.broken)
    )
}

fn audit(outcome: &Outcome) -> Vec<String> {
    let numbers = outcome.summary.audit;
    let all: Vec<String> = numbers
        .named()
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let verdict = if numbers.are_zero() { "clean" } else { "WRONG" };
    let mut lines = vec![row("audit", &format!("{verdict}: {}", all.join(", ")))];
    for finding in outcome.findings.iter().take(FINDINGS_SHOWN_MAX) {
        lines.push(row("", &format!("! {}", finding.text)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tests::Case;

    #[test]
    fn a_clean_run_says_so_and_a_wrong_one_says_what() {
        let text_of = |case: Case| text(&case.outcome());
        let clean = text_of(Case::sold(2));
        assert!(
            clean.contains("offered    2 units to 3 people\n"),
            "{clean}"
        );
        assert!(
            clean.contains("refused    1 sold_out\n")
                && clean.contains("audit      clean: oversold 0, "),
            "{clean}"
        );
        let mut case = Case::sold(2);
        case.books.holdings.clear();
        let wrong = text_of(case);
        assert!(
            wrong.contains("audit      WRONG: ")
                && wrong.contains("lost 2")
                && wrong.contains("! "),
            "{wrong}"
        );
    }
}
