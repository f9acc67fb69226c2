//! The knee: the highest arrival rate that is served within a bound on latency, and what becomes of twice and five times
//! that. Open loop: buyers come when they come, whatever the engine does.

mod step;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::args::KneeArgs;
use crate::bench::arena::Arena;
use crate::bench::goals::{self, Goal};
use crate::client::endpoint::{Endpoint, Reach};
use crate::command::{self, Verdict};
use crate::limits::{BENCH_BUYERS, KNEE_FIRST_RATE, KNEE_HALVINGS, KNEE_RATE_MAX};
use crate::rush::{raise_file_limit, say};
use crate::wire::{Toxic, Wire};
use step::{Ground, Step};

/// What was found; the last two rows are those past the knee.
#[derive(Debug, Serialize)]
struct Found {
    knee: f64,
    goals: Vec<Goal>,
    rows: Vec<Step>,
}

/// Finds the knee and goes past it.
///
/// # Errors
/// If the lowest rate is too high, or an audit is not zero.
pub async fn run(args: &KneeArgs) -> Result<Verdict> {
    raise_file_limit()?;
    let found = find(args).await?;
    command::print(&goals::table(&found.goals))?;
    if args.json {
        command::print_json(&found)?;
    }
    Ok(Verdict::Clean)
}

/// The goals that `bench` shows too.
///
/// # Errors
/// As [`run`].
pub(crate) async fn goals(args: &KneeArgs) -> Result<Vec<Goal>> {
    Ok(find(args).await?.goals)
}

async fn find(args: &KneeArgs) -> Result<Found> {
    let delay = Duration::from_millis(args.redis_delay_ms);
    let (arena, _wire) = slowed(delay).await?;
    let buyers = arena.buyers(BENCH_BUYERS);
    let mut ground = Ground::new(&arena, &buyers, args).await?;
    let mut steps = Vec::new();
    let (mut held, mut broke, mut rate) = (None, None, KNEE_FIRST_RATE);
    while broke.is_none() && rate < KNEE_RATE_MAX {
        let step = ground.step(rate).await?;
        if step.is_held(args.bound_ms) {
            held = Some(rate);
        } else {
            broke = Some(rate);
        }
        steps.push(step);
        rate *= 1.5;
    }
    let mut held = held.context("not even the lowest rate is served within the bound")?;
    let mut broke = broke.unwrap_or(KNEE_RATE_MAX);
    for _ in 0..KNEE_HALVINGS {
        let between = f64::midpoint(held, broke);
        let step = ground.step(between).await?;
        if step.is_held(args.bound_ms) {
            held = between;
        } else {
            broke = between;
        }
        steps.push(step);
    }
    say(&format!("knee: {held:.0}/s within {} ms", args.bound_ms));
    let twice = ground
        .step_for("twice the knee", 2.0 * held, 2 * args.seconds)
        .await?;
    let five_times = ground
        .step_for("five times the knee", 5.0 * held, 2 * args.seconds)
        .await?;
    ground.audit().await?;
    let share = [five_times.goodput / held];
    let goals = vec![
        Goal::at_least(
            "goodput at five times the knee, of the knee",
            0.9,
            &share,
            "×",
        ),
        Goal::at_most(
            "p99 of all answers at five times the knee",
            500.0,
            &[five_times.p99_ms],
            "ms",
        ),
    ];
    steps.extend([twice, five_times]);
    Ok(Found {
        knee: held,
        goals,
        rows: steps,
    })
}

/// An engine whose way to Redis takes `delay` longer, so that its knee is one that the client can go five times past.
async fn slowed(delay: Duration) -> Result<(Arena, Wire)> {
    let stage = Arena::stage_without_engine().await?;
    let redis = stage.redis_url().replacen("redis://", "http://", 1);
    let to = Endpoint::resolve(&redis, Reach::LoopbackOnly)
        .await?
        .address;
    let wire = Wire::start(to, Toxic::Slow(delay))?;
    let url = format!("redis://{}", wire.address);
    let stage = tokio::task::spawn_blocking(move || {
        stage.add_engine("all", &[("REDIS_URL", &url)])?;
        anyhow::Ok(stage)
    });
    let stage = stage.await.context("the stage panicked")??;
    if stage.engine_count() != 1 {
        bail!("one engine was wanted");
    }
    Ok((Arena::on(stage).await?, wire))
}
