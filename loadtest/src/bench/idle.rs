//! An engine that nobody asks, with one sale at hand: memory, and time on a processor.

use anyhow::Result;
use tokio::time::sleep;

use super::arena::Arena;
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::limits::{BENCH_IDLE_LOOK, BENCH_IDLE_REST, BENCH_SMALL_STOCK};

pub(super) async fn run(_: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arena::start(&[]).await?;
    arena.offer(BENCH_SMALL_STOCK).await?;
    sleep(BENCH_IDLE_REST).await;
    let before = arena.spent();
    sleep(BENCH_IDLE_LOOK).await;
    let spent = arena.spent().since(before).engine.as_secs_f64() / BENCH_IDLE_LOOK.as_secs_f64();
    let mib = arena.stage().engine(0).resident_bytes() as f64 / (1024.0 * 1024.0);
    Ok(vec![
        Goal::at_most("idle engine, memory", 30.0, &[mib], "MiB"),
        Goal::at_most("idle engine, share of one core", 1.0, &[100.0 * spent], "%"),
    ])
}
