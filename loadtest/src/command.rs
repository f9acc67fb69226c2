//! What each command of the program does, and what it prints. Called by `main`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use doorbuster_core::clock;
use rand::Rng;
use serde::Serialize;

use crate::args::{AuditArgs, Command, LineArgs, ReportArgs};
use crate::audit::Numbers;
use crate::bench;
use crate::compare;
use crate::demo;
use crate::drill;
use crate::history::History;
use crate::knee;
use crate::line;
use crate::plan::{Plan, Scenario};
use crate::report;
use crate::rivals;
use crate::rush::{self, Finished, Output, say};
use crate::summary::{Outcome, Summary};
use crate::target::{Target, Wanted};
use crate::verify;

/// Whether all of the audit is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    Wrong,
}

impl Verdict {
    /// Of a run: its audit, and those of its line and its money where it had them.
    pub fn of_run(summary: &Summary) -> Self {
        let line_is_right = summary
            .line
            .as_ref()
            .is_none_or(|line| line.audit.are_zero());
        let money_is_right = summary
            .money
            .as_ref()
            .is_none_or(|money| money.audit.are_zero());
        match Self::of(&summary.audit) {
            Verdict::Clean if line_is_right && money_is_right => Verdict::Clean,
            _ => Verdict::Wrong,
        }
    }

    pub fn of(numbers: &Numbers) -> Self {
        if numbers.are_zero() {
            Verdict::Clean
        } else {
            Verdict::Wrong
        }
    }
}

/// Runs one command to its end.
///
/// # Errors
/// [`crate::args::BadConfig`] for options that cannot be used; else whatever kept the command from a verdict.
pub async fn run(command: Command) -> Result<Verdict> {
    match command {
        Command::Demo(args) => demo::run(&args).await,
        Command::Rush(args) => {
            let (plan, wanted) = args.plan(&name(Scenario::Rush))?;
            rush_and_report(&plan, &wanted, &args.output.output()).await
        }
        Command::Coupon(args) => {
            let (plan, wanted) = args.plan(&name(Scenario::Coupon))?;
            rush_and_report(&plan, &wanted, &args.output.output()).await
        }
        Command::Line(args) => line(&args).await,
        Command::Compare(args) if args.ack.is_empty() => compare::run(&args.plan()?).await,
        Command::Compare(args) => compare::levels::run(&args.levels_plan()?).await,
        Command::Bench(args) => bench::run(&args).await,
        Command::Knee(args) => knee::run(&args).await,
        Command::Baseline(args) => bench::baseline::run(&args).await,
        Command::Drill(args) => drill::run(&args).await,
        Command::Audit(args) => audit(&args).await,
        Command::Report(args) => report_again(&args),
        Command::VerifyDraw(args) => verify::run(&args).await,
        Command::Rival(args) => {
            rivals::run(&args.setup()?).await?;
            Ok(Verdict::Clean)
        }
    }
}

/// A name that no other run has.
pub fn name(scenario: Scenario) -> String {
    let random: u64 = rand::rng().random();
    format!("{}-{random:016x}", scenario.as_str())
}

async fn rush_and_report(plan: &Plan, wanted: &Wanted, output: &Output) -> Result<Verdict> {
    rush::raise_file_limit()?;
    say("starting…");
    let target = Target::reach(wanted).await?;
    say(&target.described());
    settle(&rush::run(plan, &target, output.colour).await?, output)
}

/// Saves a run, and says what came of it.
fn settle(finished: &Finished, output: &Output) -> Result<Verdict> {
    let report = save(finished, output)?;
    print(&report::text(&finished.outcome))?;
    say(&format!("report: {}", report.display()));
    finish(&finished.outcome, output.json)
}

async fn line(args: &LineArgs) -> Result<Verdict> {
    let (plan, wanted) = args.plan(&name(Scenario::Line))?;
    rush::raise_file_limit()?;
    say("starting…");
    let target = Target::reach(&wanted).await?;
    say(&target.described());
    let Some(tries) = args.forge else {
        return settle(&line::run(&plan, &target).await?, &args.output.output());
    };
    let forged = line::forge::run(&plan, &target, tries).await?;
    print(&forged.text())?;
    if args.output.json {
        print_json(&forged)?;
    }
    Ok(forged.verdict())
}

/// Writes the history and the report; returns the report's path.
///
/// # Errors
/// If one of them cannot be written.
pub fn save(finished: &Finished, output: &Output) -> Result<PathBuf> {
    let Finished { outcome, history } = finished;
    let path = output
        .report
        .clone()
        .unwrap_or_else(|| default_path(history.header.scenario));
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("{} cannot be made", dir.display()))?;
    }
    history.save(&path.with_extension("jsonl"), outcome)?;
    write_report(&path, history, outcome)?;
    Ok(path)
}

fn default_path(scenario: Scenario) -> PathBuf {
    let time = clock::now().format("%Y%m%d-%H%M%S");
    PathBuf::from(format!("target/report/{}-{time}.html", scenario.as_str()))
}

fn write_report(path: &Path, history: &History, outcome: &Outcome) -> Result<()> {
    let page = report::html(&history.header, outcome)?;
    std::fs::write(path, page).with_context(|| format!("{} cannot be written", path.display()))
}

async fn audit(args: &AuditArgs) -> Result<Verdict> {
    let outcome = rush::audit_again(
        &args.history,
        &args.stores.redis_url,
        &args.stores.database_url,
    )
    .await?;
    print(&report::text(&outcome))?;
    finish(&outcome, args.json)
}

fn report_again(args: &ReportArgs) -> Result<Verdict> {
    let (history, outcome) = History::load(&args.history)?;
    let outcome = outcome
        .with_context(|| format!("{} has no outcome: run audit first", args.history.display()))?;
    let path = args
        .report
        .clone()
        .unwrap_or_else(|| args.history.with_extension("html"));
    write_report(&path, &history, &outcome)?;
    print(&format!("{}\n", path.display()))?;
    Ok(Verdict::of_run(&outcome.summary))
}

/// Prints the JSON object, if wished, as the last line.
///
/// # Errors
/// If standard output is closed.
pub fn finish(outcome: &Outcome, json: bool) -> Result<Verdict> {
    if json {
        print_json(&outcome.summary)?;
    }
    Ok(Verdict::of_run(&outcome.summary))
}

/// Prints one JSON object on a line.
///
/// # Errors
/// If standard output is closed.
pub fn print_json(object: &impl Serialize) -> Result<()> {
    print(&format!("{}\n", serde_json::to_string(object)?))
}

/// Data goes to standard output.
///
/// # Errors
/// If it is closed.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("standard output")
}
