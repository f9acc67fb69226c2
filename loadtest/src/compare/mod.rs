//! Ours beside the other ways to sell the last unit: on one stage, under one client, in alternating rounds, audited.
//!
//! In reading order: who takes part ([`way`], [`seller`]), where ([`ground`], [`stand`]), what is measured ([`cells`], [`correct`],
//! [`sweep`], [`rounds`]), what it comes to ([`figures`], [`beside`]), and what is said about it ([`story`], [`columns`],
//! [`text`], [`page`]).
//! Instead of all that, [`levels`] holds ours against itself, at each ack level.

mod seller;
mod way;

mod ground;
mod hardware;
mod stand;

mod cells;
mod correct;
mod rounds;
mod sweep;

mod beside;
mod figures;

pub mod levels;

mod charts;
mod columns;
mod page;
mod story;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use doorbuster_core::clock;
use serde::Serialize;

use crate::audit::Numbers;
use crate::bench::goals::{Findings, Goal};
use crate::command::{self, Verdict};
use crate::limits::LOAD_CONNECTIONS;
use crate::rush::{raise_file_limit, say};
use figures::Row;
use ground::Ground;
use hardware::Hardware;
use rounds::Round;
use seller::Seller;
use sweep::Swept;

pub use way::Way;

/// What a comparison does.
#[derive(Debug, Clone)]
pub struct Plan {
    pub rounds: u32,
    /// Of a rush; half of it for those who come too late.
    pub lasting: Duration,
    /// After which a crowd that came at once is no longer served.
    pub cut: Duration,
    pub ways: Vec<Way>,
    pub pools: Pools,
    pub verbosity: Verbosity,
    pub json: bool,
    pub report: Option<PathBuf>,
}

/// How many connections to its store a rival gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pools {
    /// As many as suit it best.
    Swept,
    AsShipped,
}

/// What is shown on the terminal; the JSON and the report have all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    Medians,
    EveryRound,
}

/// All that a comparison found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    start_ms: u64,
    hardware: Hardware,
    rounds_of_each: u32,
    rush_seconds: f64,
    cut_seconds: f64,
    connections: usize,
    /// In plain words.
    story: String,
    goals: Vec<Goal>,
    rows: Vec<Row>,
    /// Of ours, all sales together.
    audit: Numbers,
    swept: Vec<Swept>,
    rounds: Vec<Round>,
}

impl Outcome {
    pub(crate) fn verdict(&self) -> Verdict {
        Verdict::of(&self.audit)
    }

    /// What `bench` shows of it.
    ///
    /// # Errors
    /// Never, unless a row is no JSON.
    pub(crate) fn findings(&self) -> Result<Findings> {
        let rows = self.rows.iter().map(serde_json::to_value);
        Ok(Findings {
            goals: self.goals.clone(),
            rows: rows.collect::<Result<_, _>>()?,
        })
    }
}

/// Compares, prints the table, and writes the report.
///
/// # Errors
/// If a way fails altogether, or the report cannot be written. A bad audit is no error.
pub async fn run(plan: &Plan) -> Result<Verdict> {
    let outcome = measure(plan).await?;
    if plan.json {
        command::print_json(&outcome)?;
    }
    Ok(outcome.verdict())
}

/// The same without the JSON.
///
/// # Errors
/// As [`run`].
pub(crate) async fn measure(plan: &Plan) -> Result<Outcome> {
    raise_file_limit()?;
    let start_ms = clock::now_ms();
    say("starting…");
    let ground = Ground::start().await?;
    let (sellers, swept) = gather(&ground, plan).await?;
    rounds::warm_up(&ground, &sellers).await?;
    let mut measured = Vec::new();
    for round in 1..=plan.rounds {
        measured.extend(rounds::run(&ground, &sellers, plan, round).await?);
    }
    let outcome = sum_up(plan, start_ms, &sellers, swept, measured);
    command::print(&text::text(&outcome, plan.verbosity))?;
    let path = write_report(plan, &outcome)?;
    say(&format!("report: {}", path.display()));
    Ok(outcome)
}

/// Starts every way, each with its connections.
async fn gather(ground: &Ground, plan: &Plan) -> Result<(Vec<Seller>, Vec<Swept>)> {
    let mut swept = Vec::new();
    if plan.pools == Pools::Swept {
        for way in &plan.ways {
            swept.extend(sweep::sweep(ground, *way).await?);
        }
    }
    let mut sellers = Vec::with_capacity(plan.ways.len());
    for way in &plan.ways {
        let found = swept.iter().find(|swept| swept.way == *way);
        let pool = found.map_or_else(|| sweep::as_shipped(*way), |swept| swept.kept);
        sellers.push(Seller::start(&ground.arena, *way, pool).await?);
    }
    Ok((sellers, swept))
}

fn sum_up(
    plan: &Plan,
    start_ms: u64,
    sellers: &[Seller],
    swept: Vec<Swept>,
    rounds: Vec<Round>,
) -> Outcome {
    let pools: Vec<(Way, Option<u32>)> = sellers
        .iter()
        .map(|seller| (seller.way, seller.pool))
        .collect();
    let mut outcome = Outcome {
        start_ms,
        hardware: Hardware::read(),
        rounds_of_each: plan.rounds,
        rush_seconds: plan.lasting.as_secs_f64(),
        cut_seconds: plan.cut.as_secs_f64(),
        connections: LOAD_CONNECTIONS,
        story: String::new(),
        goals: beside::goals(&rounds),
        rows: figures::rows(&pools, &rounds),
        audit: figures::audit(&rounds),
        swept,
        rounds,
    };
    outcome.story = story::story(&outcome);
    outcome
}

fn write_report(plan: &Plan, outcome: &Outcome) -> Result<PathBuf> {
    let path = plan.report.clone().unwrap_or_else(|| {
        let time = clock::from_ms(outcome.start_ms).format("%Y%m%d-%H%M%S");
        PathBuf::from(format!("target/report/compare-{time}.html"))
    });
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("{} cannot be made", dir.display()))?;
    }
    std::fs::write(&path, page::html(outcome)?)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}
