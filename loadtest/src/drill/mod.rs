//! Drills: real processes are broken while a crowd is there, and afterwards every audit number must still be zero.
//!
//! In reading order: [`faults`] is the list; [`ground`] is where it happens, with a wire between every two programs, each of ours
//! a [`member`]; [`scene`] is one round as faults see it, and [`strikes`] leads to them: [`processes`], [`disk`], [`books`],
//! [`network`], [`settings`], [`money`]; [`round`] holds a round, and [`ending`] judges it; [`loss`] holds one in which Redis loses data,
//! with [`lost`] for what that cost, [`storm`] one of retries, [`planted`] those that must fail, [`documented`] as many as are
//! promised; [`shim`] is loaded into Redis for its clock and its disk; [`report`] says what came of it.
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
mod money;
mod network;
mod processes;
mod settings;

mod documented;
mod ending;
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
use crate::limits::{DRILL_HOURS_MAX, DRILL_PAYING_RATE, DRILL_ROUNDS_PER_STAGE};
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
        let seed = args.seed.unwrap_or_else(|| rand::rng().random());
        let report = if args.documented {
            documented::run(args, seed, &documented::faults(&named(args)?)).await
        } else {
            drill_all(args, seed, &wanted(args)?).await
        };
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
    named(args)
}

fn named(args: &DrillArgs) -> Result<Vec<&'static Fault>, BadConfig> {
    let find = |id: &String| {
        faults::named(id).ok_or_else(|| BadConfig(format!("there is no fault {id}: see --list")))
    };
    args.faults.iter().map(find).collect()
}

async fn drill_all(args: &DrillArgs, seed: u64, faults: &[&'static Fault]) -> Report {
    let until = args
        .hours
        .map(|hours| clock::instant() + Duration::from_secs_f64(hours * 3_600.0));
    let mut series = Series::new(seed, until);
    loop {
        for fault in faults {
            series.drill(Dose::asked(args, fault)).await;
        }
        if until.is_none_or(|until| clock::instant() >= until) {
            return series.report;
        }
    }
}

/// How much of a fault.
#[derive(Debug, Clone, Copy)]
struct Dose {
    fault: &'static Fault,
    cycles: u32,
    per_round: u32,
    /// Buyers a second.
    rate: u32,
    /// The longest outage.
    outage: Duration,
}

impl Dose {
    fn asked(args: &DrillArgs, fault: &'static Fault) -> Self {
        Self {
            fault,
            cycles: args.cycles.unwrap_or(fault.cycles),
            per_round: args.strikes.unwrap_or(fault.per_round),
            rate: match fault.pays {
                true => args.rate.min(DRILL_PAYING_RATE),
                false => args.rate,
            },
            outage: args.outage(),
        }
    }
}

/// One fault after the other, and what came of it so far.
struct Series {
    /// Of the next round.
    seed: u64,
    until: Option<Instant>,
    /// With how many rounds have been held on it.
    ground: Option<(Ground, u32)>,
    report: Report,
}

impl Series {
    fn new(seed: u64, until: Option<Instant>) -> Self {
        say(&format!("seed {seed}"));
        Self {
            seed,
            until,
            ground: None,
            report: Report::default(),
        }
    }

    /// Holds rounds until there are as many cycles as asked for.
    async fn drill(&mut self, dose: Dose) {
        let mut row = Row::new(dose.fault, self.seed);
        let (mut done, until) = (0, self.until);
        while done < dose.cycles && until.is_none_or(|until| clock::instant() < until) {
            let strikes = dose.per_round.min(dose.cycles - done);
            let task = Task {
                fault: dose.fault,
                seed: self.seed,
                strikes,
                rate: dose.rate,
                outage: dose.outage,
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
            tell(&task, row.cycles(), &outcome);
            if !outcome.holds() {
                // What is broken now shall not be blamed on the next round.
                self.ground = None;
            }
            row.add(outcome);
            done += strikes;
            self.seed = self.seed.wrapping_add(1);
        }
        self.report.faults.push(row);
    }

    async fn round(&mut self, task: &Task) -> Result<Outcome> {
        let name = format!("drill-{}-{:x}", task.fault.id.to_lowercase(), task.seed);
        if task.fault.kind == Kind::Loss {
            self.ground = None;
            return loss::round(task, &name).await;
        }
        let (ground, rounds) = match self.ground.take() {
            Some((ground, rounds))
                if rounds < DRILL_ROUNDS_PER_STAGE && ground.money.is_some() == task.fault.pays =>
            {
                (ground, rounds)
            }
            used => {
                drop(used);
                let ground = match task.fault.pays {
                    true => Ground::start_paying().await?,
                    false => Ground::start("fsync", Redises::One, None).await?,
                };
                (ground, 0)
            }
        };
        let (ground, _) = self.ground.insert((ground, rounds + 1));
        match task.fault.kind {
            Kind::Storm => storm::round(ground, task, &name).await,
            _ => round::round(ground, task, &name).await,
        }
    }
}

/// What came of a round, after so many cycles before it, and how to hold it again where it is broken.
fn tell(task: &Task, before: u32, outcome: &Outcome) {
    let fault = task.fault;
    say(&format!(
        "{:<5} {:<20} cycle {}, {} acks: {}",
        fault.id,
        fault.name,
        before + outcome.cycles,
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
        "      replay: doorbuster-loadtest drill {} --seed {} --cycles {strikes} --strikes {strikes} --rate {} --outage {}",
        fault.id,
        task.seed,
        task.rate,
        task.outage.as_secs(),
        strikes = task.strikes
    ));
}
