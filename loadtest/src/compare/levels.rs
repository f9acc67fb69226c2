//! Ours at each ack level: what it costs to be told yes only once it is safe enough.
//!
//! Every level has a stage of its own, started as the level asks, and its turn in every round; every rush is audited.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::audit::Numbers;
use crate::bench::arena::Arena;
use crate::bench::goals::median;
use crate::command::{self, Verdict};
use crate::limits::{BENCH_BUYERS, BENCH_STOCK};
use crate::load::{Heard, Shot, fire, told};
use crate::rush::{raise_file_limit, say};

/// What is compared.
#[derive(Debug, Clone)]
pub struct Plan {
    pub levels: Vec<String>,
    pub rounds: u32,
    /// Of a rush.
    pub lasting: Duration,
    pub json: bool,
}

/// One rush.
#[derive(Debug, Clone)]
struct Rushed {
    level: String,
    goodput: f64,
    p50_ms: f64,
    p99_ms: f64,
    put_off: u64,
    audit: Numbers,
}

/// One level, its medians; the contract names the fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    strategy: &'static str,
    ack_level: String,
    goodput: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Answers that said: later.
    put_off: u64,
    oversold: u64,
    undersold: u64,
}

#[derive(Debug, Serialize)]
struct Outcome {
    rounds: u32,
    rows: Vec<Row>,
    audit: Numbers,
}

/// Compares and prints the table.
///
/// # Errors
/// If a level cannot be sold at. A bad audit is no error.
pub async fn run(plan: &Plan) -> Result<Verdict> {
    raise_file_limit()?;
    let mut rushes = Vec::new();
    for round in 1..=plan.rounds {
        say(&format!("round {round} of {}", plan.rounds));
        for level in &plan.levels {
            rushes.push(rush(level, plan.lasting).await?);
        }
    }
    let outcome = Outcome {
        rounds: plan.rounds,
        rows: plan
            .levels
            .iter()
            .map(|level| row(level, &rushes))
            .collect(),
        audit: sum(&rushes),
    };
    command::print(&text(&outcome))?;
    if plan.json {
        command::print_json(&outcome)?;
    }
    Ok(Verdict::of(&outcome.audit))
}

async fn rush(level: &str, lasting: Duration) -> Result<Rushed> {
    let arena = Arena::start_at(level, &[]).await?;
    let buyers = arena.buyers(BENCH_BUYERS);
    let offer = arena.offer(BENCH_STOCK).await?;
    let fired = fire(arena.volley(&offer, &buyers, lasting)).await?;
    arena.drained(&offer.live, &fired).await?;
    let is_accepted = |shot: &Shot| matches!(shot.heard, Heard::Accepted(..));
    let latency = fired.latency(is_accepted);
    let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1_000.0;
    let (goodput, start_ms) = (fired.rate(), fired.start_ms);
    let put_off = fired.answered() - fired.accepted();
    let (p50_ms, p99_ms) = (at(0.5), at(0.99));
    say(&format!(
        "{level}: {goodput:.0}/s, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, put off {put_off}"
    ));
    let clients = told::clients(vec![fired], &buyers);
    Ok(Rushed {
        level: level.to_owned(),
        goodput,
        p50_ms,
        p99_ms,
        put_off,
        audit: arena.numbers(&offer, clients, start_ms).await?,
    })
}

fn row(level: &str, rushes: &[Rushed]) -> Row {
    let of_level = || rushes.iter().filter(|rushed| rushed.level == level);
    let middle = |value: fn(&Rushed) -> f64| median(&of_level().map(value).collect::<Vec<_>>());
    Row {
        strategy: "ours",
        ack_level: level.to_owned(),
        goodput: middle(|rushed| rushed.goodput),
        p50_ms: middle(|rushed| rushed.p50_ms),
        p99_ms: middle(|rushed| rushed.p99_ms),
        put_off: of_level().map(|rushed| rushed.put_off).sum(),
        oversold: of_level().map(|rushed| rushed.audit.oversold).sum(),
        undersold: of_level().map(|rushed| rushed.audit.undersold).sum(),
    }
}

fn sum(rushes: &[Rushed]) -> Numbers {
    rushes.iter().map(|rushed| rushed.audit).sum()
}

fn text(outcome: &Outcome) -> String {
    let mut text = format!(
        "ours at each ack level, medians of {}\n{:<8}  {:>10}  {:>8}  {:>8}  {:>7}\n",
        outcome.rounds, "ack", "accepted/s", "p50 ms", "p99 ms", "put off"
    );
    for row in &outcome.rows {
        text += &format!(
            "{:<8}  {:>10.0}  {:>8.1}  {:>8.1}  {:>7}\n",
            row.ack_level, row.goodput, row.p50_ms, row.p99_ms, row.put_off
        );
    }
    let audit: Vec<String> = outcome
        .audit
        .named()
        .map(|(name, count)| format!("{} {count}", name.replace('_', " ")))
        .into();
    text + "audit     " + &audit.join(" · ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rushed(level: &str, goodput: f64, lost: u64) -> Rushed {
        Rushed {
            level: level.into(),
            goodput,
            p50_ms: 1.0,
            p99_ms: 2.0,
            put_off: 1,
            audit: Numbers {
                lost,
                ..Numbers::default()
            },
        }
    }

    #[test]
    fn a_level_has_the_middle_of_its_own_rounds() {
        let rushes = [
            rushed("fsync", 30.0, 0),
            rushed("mysql", 7.0, 1),
            rushed("fsync", 10.0, 0),
            rushed("fsync", 20.0, 1),
        ];
        let row = row("fsync", &rushes);
        assert!((row.goodput - 20.0).abs() < 1e-9);
        assert_eq!((row.put_off, sum(&rushes).lost), (3, 2));
    }
}
