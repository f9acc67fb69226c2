//! Drills: real processes are broken while a crowd is there, and afterwards every audit number must still be zero.
//!
//! In reading order: [`faults`] is the list; [`ground`] is where it happens, with a wire between every two programs, each of ours a [`member`]; [`scene`]
//! is one round as faults see it, and [`strikes`] leads to them: [`processes`], [`disk`], [`books`], [`network`],
//! [`settings`]; [`round`] holds a round and judges it, [`loss`] one in which Redis loses data, with [`lost`] for what that cost,
//! [`storm`] one of retries; [`planted`] holds rounds that must fail;
//! [`shim`] is loaded into Redis for its clock and its disk; [`report`] says what came of it.
//!
//! Everything that is drawn is drawn from a seed. Only processes of the stage are ever signalled.

mod faults;
mod report;

mod ground;
mod member;
mod scene;

mod strikes;

mod books;
mod disk;
mod network;
mod processes;
mod settings;

mod loss;
mod lost;
mod planted;
mod round;
mod storm;

mod shim;
mod store;
mod talk;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use doorbuster_core::clock;
use rand::Rng;
use serde::Serialize;

use crate::args::{BadConfig, DrillArgs};
use crate::command::{self, Verdict};
use crate::limits::{DRILL_HOURS_MAX, DRILL_ROUNDS_PER_STAGE};
use crate::rush::{raise_file_limit, say};
use faults::{FAULTS, Fault, Kind};
use ground::{Ground, Redises};
use report::{Report, Row};
use round::{Outcome, Task, Twist};

/// Drills what the options say.
///
/// # Errors
/// [`BadConfig`] for a fault that there is not; else what kept the drill from a verdict.
pub async fn run(args: &DrillArgs) -> Result<Verdict> {
    if args.list {
        command::print(&report::list())?;
        return Ok(Verdict::Clean);
    }
    raise_file_limit()?;
    let interrupted = async { tokio::signal::ctrl_c().await.context("Ctrl-C") };
    tokio::select! {
        verdict = drill(args) => verdict,
        told = interrupted => {
            told?;
            anyhow::bail!("interrupted");
        }
    }
}

async fn drill(args: &DrillArgs) -> Result<Verdict> {
    let holds = if let Some(names) = &args.planted {
        let report = planted::run(args, names).await?;
        say_all(args, &report.table(), &report)?;
        report.all_caught()
    } else {
        let report = drill_all(args, &wanted(args)?).await?;
        say_all(args, &report.table(), &report)?;
        report.holds()
    };
    Ok(if holds {
        Verdict::Clean
    } else {
        Verdict::Wrong
    })
}

fn say_all(args: &DrillArgs, table: &str, report: &impl Serialize) -> Result<()> {
    command::print(table)?;
    if args.json {
        command::print_json(report)?;
    }
    Ok(())
}

fn wanted(args: &DrillArgs) -> Result<Vec<&'static Fault>, BadConfig> {
    if !args.hours_fit() {
        return Err(BadConfig(format!(
            "--hours must be more than 0 and at most {DRILL_HOURS_MAX}"
        )));
    }
    if args.all {
        return Ok(FAULTS.iter().collect());
    }
    if args.faults.is_empty() {
        let asked = args.seed.is_some() || args.hours.is_some();
        let combined = FAULTS.iter().filter(|fault| fault.kind == Kind::Combined);
        return if asked {
            Ok(combined.collect())
        } else {
            Err(BadConfig(
                "name a fault, as in drill F6, or give --all, --seed or --list".into(),
            ))
        };
    }
    let find = |id: &String| {
        faults::named(id).ok_or_else(|| BadConfig(format!("there is no fault {id}: see --list")))
    };
    args.faults.iter().map(find).collect()
}

async fn drill_all(args: &DrillArgs, faults: &[&'static Fault]) -> Result<Report> {
    let seed = args.seed.unwrap_or_else(|| rand::rng().random());
    say(&format!("seed {seed}"));
    let until = args
        .hours
        .map(|hours| clock::instant() + Duration::from_secs_f64(hours * 3_600.0));
    let mut report = Report { faults: Vec::new() };
    let mut next_seed = seed;
    let mut ground = None;
    loop {
        for fault in faults {
            let mut series = Series {
                fault,
                args,
                row: Row::new(fault, next_seed),
                until,
                ground,
            };
            next_seed = series.drill(next_seed).await;
            ground = series.ground;
            report.faults.push(series.row);
        }
        if until.is_none_or(|until| clock::instant() >= until) {
            return Ok(report);
        }
    }
}

/// The cycles of one fault.
struct Series<'a> {
    fault: &'static Fault,
    args: &'a DrillArgs,
    row: Row,
    until: Option<Instant>,
    /// With how many rounds have been held on it.
    ground: Option<(Ground, u32)>,
}

impl Series<'_> {
    /// Holds rounds until there are as many cycles as asked for; returns the seed after the last.
    async fn drill(&mut self, mut seed: u64) -> u64 {
        let cycles = self.args.cycles.unwrap_or(self.fault.cycles);
        let mut done = 0;
        while done < cycles && self.until.is_none_or(|until| clock::instant() < until) {
            let strikes = self.fault.per_round.min(cycles - done);
            let task = Task {
                fault: self.fault,
                seed,
                strikes,
                rate: self.args.rate,
                outage: self.args.outage(),
                twist: Twist::Nothing,
                planted: None,
            };
            let outcome = match self.round(&task).await {
                Ok(outcome) => outcome,
                Err(error) => Outcome {
                    broken: vec![format!("{error:#}")],
                    ..Outcome::default()
                },
            };
            self.say(&task, &outcome);
            if !outcome.holds() {
                // What is broken now shall not be blamed on the next round.
                self.ground = None;
            }
            self.row.add(outcome);
            done += strikes;
            seed = seed.wrapping_add(1);
        }
        seed
    }

    async fn round(&mut self, task: &Task) -> Result<Outcome> {
        let name = format!("drill-{}-{:x}", task.fault.id.to_lowercase(), task.seed);
        if task.fault.kind == Kind::Loss {
            self.ground = None;
            return loss::round(task, &name).await;
        }
        let (ground, rounds) = match self.ground.take() {
            Some((ground, rounds)) if rounds < DRILL_ROUNDS_PER_STAGE => (ground, rounds),
            used => {
                drop(used);
                (Ground::start("fsync", Redises::One, None).await?, 0)
            }
        };
        let (ground, _) = self.ground.insert((ground, rounds + 1));
        match task.fault.kind {
            Kind::Storm => storm::round(ground, task, &name).await,
            _ => round::round(ground, task, &name).await,
        }
    }

    fn say(&self, task: &Task, outcome: &Outcome) {
        let done = self.row.cycles() + outcome.cycles;
        say(&format!(
            "{:<5} {:<20} cycle {done}, {} acks: {}",
            self.fault.id,
            self.fault.name,
            outcome.acked,
            if outcome.holds() { "holds" } else { "BROKEN" }
        ));
        if outcome.holds() {
            return;
        }
        for what in &outcome.broken {
            say(&format!("      {what}"));
        }
        say(&format!(
            "      replay: doorbuster-loadtest drill {} --seed {} --cycles {} --rate {} --outage {}",
            self.fault.id, task.seed, task.strikes, task.rate, self.args.outage
        ));
    }
}
