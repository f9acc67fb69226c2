//! What came of a run: the object that `--json` prints, its figures counted from the histories. Made by `rush`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::audit::ledger::Ledger;
use crate::audit::{Finding, Numbers, Verdict};
use crate::checkout::figures::MoneyFigures;
use crate::history::{Client, History, Seen, Verb};
use crate::limits::CHART_POINTS;
use crate::line::figures::{LineCourse, LineFigures};
use crate::plan::Scenario;
use crate::record::{self, Latency};

/// The figures of a run. The first ten are the contract's, in its order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub scenario: Scenario,
    pub ack_level: String,
    /// Errands: users' wishes, each under a key of its own.
    pub offered: u64,
    /// Errands that were told yes.
    pub accepted: u64,
    /// Errands that were told no, by code.
    pub refused: BTreeMap<String, u64>,
    /// Errands whose user gave up without a final answer.
    pub unanswered: u64,
    /// From the start to the last answer.
    pub seconds: f64,
    /// Errands settled per second of that time.
    pub throughput: f64,
    /// From the moment at which a user wanted to start to its first answer.
    pub latency_ms: Latency,
    pub audit: Numbers,

    /// The same to the first answer that settles the matter: a 429 or 503 is an answer, but not that.
    pub decision_ms: Latency,
    pub sale: String,
    pub stock: u64,
    /// Units left at the end.
    pub left: u64,
    /// Requests sent, repetitions included.
    pub sent: u64,
    /// Requests whose answer was lost on purpose.
    pub lost_on_the_wire: u64,
    /// Requests that broke off.
    pub broken: u64,
    /// Requests told to come back later.
    pub put_off: u64,
    pub cancelled: u64,
    pub expired: u64,
    /// Longest time from a hold's deadline until its units were back.
    pub sweep_lag_ms_max: Option<u64>,
    /// From the last answer until MySQL had everything.
    pub mysql_complete_seconds: f64,
    pub users: u64,
    pub engines: usize,
    pub connections: usize,
    pub seed: u64,
    /// Of a waiting room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Box<LineFigures>>,
    /// Of those who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Box<MoneyFigures>>,
}

/// A run as it is saved: its figures, what was wrong in words, and its course over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub summary: Summary,
    pub findings: Vec<Finding>,
    /// What was wrong with money, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub money_findings: Vec<String>,
    pub course: Vec<Moment>,
    /// How many first answers took at most so many ms.
    pub within: Vec<Within>,
    /// Of a waiting room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_course: Option<LineCourse>,
}

impl Outcome {
    /// What the provider said of its money is taken from what a run saved: the sandbox may be gone.
    #[must_use]
    pub fn with_money_of(mut self, before: &Outcome) -> Self {
        self.summary.money.clone_from(&before.summary.money);
        self.money_findings.clone_from(&before.money_findings);
        self
    }

    /// What only a run itself could see of its line is taken from what it saved.
    #[must_use]
    pub fn with_line_of(self, before: Outcome) -> Self {
        if before.summary.line.is_none() {
            return self;
        }
        let findings = before
            .findings
            .into_iter()
            .filter(|finding| finding.text.starts_with("line: "));
        Self {
            summary: Summary {
                audit: self.summary.audit,
                left: self.summary.left,
                ..before.summary
            },
            findings: self.findings.into_iter().chain(findings).collect(),
            line_course: before.line_course,
            ..self
        }
    }
}

/// One stretch of the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// End of the stretch, after the start.
    pub at_s: f64,
    /// Users who came in it.
    pub arrived: u64,
    /// Errands told yes in it.
    pub accepted: u64,
    /// Errands told no in it.
    pub refused: u64,
    /// Units left at its end, by the journal.
    pub left: i64,
}

/// A step of the latency distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Within {
    pub ms: u64,
    pub answers: u64,
}

const STEPS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

/// Counts everything.
pub fn sum_up(
    history: &History,
    verdict: Verdict,
    ledger: &Ledger,
    mysql_complete: Duration,
) -> Outcome {
    let latencies = record::first_answers(&history.clients);
    let within = STEPS_MS
        .into_iter()
        .zip(latencies.counts_within_ms(&STEPS_MS));
    Outcome {
        within: within.map(|(ms, answers)| Within { ms, answers }).collect(),
        course: course(history, ledger),
        summary: Summary {
            latency_ms: latencies.latency_ms(),
            audit: verdict.numbers,
            ..figures(history, ledger, mysql_complete)
        },
        findings: verdict.findings,
        money_findings: Vec::new(),
        line_course: None,
    }
}

fn figures(history: &History, ledger: &Ledger, mysql_complete: Duration) -> Summary {
    let (header, clients) = (&history.header, &history.clients);
    let told = |yes: bool| {
        clients
            .iter()
            .filter_map(Client::verdict)
            .filter(move |answer| answer.is_acceptance() == yes)
    };
    let mut refused = BTreeMap::new();
    for answer in told(false) {
        let code = answer
            .code
            .clone()
            .unwrap_or_else(|| format!("status_{}", answer.status));
        *refused.entry(code).or_default() += 1;
    }
    let seen = |counts: fn(&Seen) -> bool| asks(clients).filter(|seen| counts(seen)).count() as u64;
    let accepted = told(true).count() as u64;
    let settled = accepted + refused.values().sum::<u64>();
    let seconds = last_answer_us(clients) as f64 / 1e6;
    let course = header
        .lines
        .first()
        .and_then(|line| ledger.skus.get(&line.sku));
    let nothing = record::Latencies::default().latency_ms();
    Summary {
        scenario: header.scenario,
        ack_level: header.ack_level.clone(),
        offered: clients.len() as u64,
        accepted,
        refused,
        unanswered: clients.len() as u64 - settled,
        seconds,
        throughput: if seconds > 0.0 {
            settled as f64 / seconds
        } else {
            0.0
        },
        latency_ms: nothing,
        audit: Numbers::default(),
        decision_ms: record::final_answers(clients).latency_ms(),
        sale: header.book_id.clone(),
        stock: header.stock.into(),
        left: course.map_or(0, |course| u64::try_from(course.left).unwrap_or(0)),
        sent: seen(|_| true),
        lost_on_the_wire: seen(|seen| matches!(seen, Seen::Lost)),
        broken: seen(|seen| matches!(seen, Seen::Broken(_))),
        put_off: seen(|seen| matches!(seen, Seen::Answered(answer) if !answer.is_final())),
        cancelled: ledger.cancelled,
        expired: ledger.expired,
        sweep_lag_ms_max: ledger.sweep_lag_ms_max,
        mysql_complete_seconds: mysql_complete.as_secs_f64(),
        users: header.users.into(),
        engines: header.engines,
        connections: header.connections,
        seed: header.seed,
        line: None,
        money: None,
    }
}

fn asks(clients: &[Client]) -> impl Iterator<Item = &Seen> {
    clients
        .iter()
        .flat_map(|client| &client.asks)
        .map(|ask| &ask.seen)
}

/// When the last answer came, after the start.
pub fn last_answer_us(clients: &[Client]) -> u64 {
    clients
        .iter()
        .flat_map(|client| &client.asks)
        .map(|ask| ask.done_us)
        .max()
        .unwrap_or(0)
}

/// The run in stretches of equal length.
fn course(history: &History, ledger: &Ledger) -> Vec<Moment> {
    let stretch_us = (last_answer_us(&history.clients) / CHART_POINTS as u64 + 1).max(1_000);
    let left = history
        .header
        .lines
        .first()
        .and_then(|line| ledger.skus.get(&line.sku));
    let mut moments: Vec<Moment> = (1..=CHART_POINTS as u64)
        .map(|i| {
            let at_ms = history.header.start_ms + i * stretch_us / 1_000;
            let left = left.map_or(0, |course| course.left_at(at_ms));
            Moment {
                at_s: (i * stretch_us) as f64 / 1e6,
                arrived: 0,
                accepted: 0,
                refused: 0,
                left,
            }
        })
        .collect();
    let index = |us: u64| {
        usize::try_from(us / stretch_us)
            .unwrap_or(usize::MAX)
            .min(CHART_POINTS - 1)
    };
    for client in &history.clients {
        moments[index(client.due_us)].arrived += 1;
        if let Some((yes, done_us)) = settled(client) {
            let moment = &mut moments[index(done_us)];
            *(if yes {
                &mut moment.accepted
            } else {
                &mut moment.refused
            }) += 1;
        }
    }
    moments
}

/// Whether it was told yes, and when it first was told what it was told in the end.
fn settled(client: &Client) -> Option<(bool, u64)> {
    let verdict = client.verdict()?;
    let same = |yes: bool| yes == verdict.is_acceptance();
    let answers = client
        .answers(Verb::Take)
        .filter(|(_, answer)| answer.is_final() && same(answer.is_acceptance()));
    Some((
        verdict.is_acceptance(),
        answers.map(|(ask, _)| ask.done_us).min()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tests::Case;

    #[test]
    fn the_object_begins_as_the_contract_has_it() {
        let outcome = Case::sold(2).outcome();
        let text = serde_json::to_string(&outcome.summary).unwrap();
        let expected = r#"{"scenario":"rush","ack_level":"fsync","offered":3,"accepted":2,"refused":{"sold_out":1},"unanswered":0,"seconds":"#;
        assert!(text.starts_with(expected), "{text}");
        let rest = [
            r#""throughput":"#,
            r#""latency_ms":{"p50":"#,
            r#""p99":"#,
            r#""p999":"#,
            r#""max":"#,
        ];
        let audit = r#""audit":{"oversold":0,"undersold":0,"lost":0,"phantom":0,"duplicated":0,"limit_breaches":0,"differences":0}"#;
        let found: Vec<usize> = rest
            .iter()
            .chain([&audit])
            .map(|part| text.find(part).unwrap())
            .collect();
        assert!(found.is_sorted(), "{text}");
        assert!(!text.contains('\n'));
    }

    #[test]
    fn everyone_is_accepted_refused_or_unanswered() {
        let mut case = Case::sold(2);
        case.history.clients[2].asks.clear();
        let summary = case.outcome().summary;
        assert_eq!(
            (summary.offered, summary.accepted, summary.unanswered),
            (3, 2, 1)
        );
        assert!(summary.refused.is_empty());
    }

    #[test]
    fn the_course_counts_everyone_once() {
        let outcome = Case::sold(2).outcome();
        let sum = |count: fn(&Moment) -> u64| outcome.course.iter().map(count).sum::<u64>();
        assert_eq!(
            (sum(|m| m.arrived), sum(|m| m.accepted), sum(|m| m.refused)),
            (3, 2, 1)
        );
        assert_eq!(outcome.course.last().unwrap().left, 0);
    }
}
