//! What Redis keeps for an open hold, and for one that has ended: all keys of the sale, over many reservations with churn.

use anyhow::{Context, Result};
use doorbuster_core::ids::LiveId;
use tokio::time::{sleep, timeout};

use super::arena::Arena;
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::audit::redis::Reader;
use crate::limits::{
    BENCH_MEMORY_BUYERS, BENCH_MEMORY_ENDED_BOUND, BENCH_MEMORY_HOLD_LIFE, BENCH_MEMORY_HOLDS,
    BENCH_MEMORY_PLACING_MAX, BENCH_STOCK, POLL_STEP,
};
use crate::load::fire;
use crate::rush::say;

/// Returns once nothing is held any more.
async fn all_ended(reader: &Reader, live: &LiveId) -> Result<()> {
    loop {
        let snapshot = reader.snapshot(live).await?;
        if snapshot.stock.values().all(|stock| stock.held == 0) {
            return Ok(());
        }
        sleep(POLL_STEP).await;
    }
}

pub(super) async fn run(_: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arena::start(&[]).await?;
    let buyers = arena.buyers(BENCH_MEMORY_BUYERS);
    let (mut open, mut ended) = (vec![], vec![]);
    let offer = arena.offer_for(BENCH_STOCK, BENCH_MEMORY_HOLD_LIFE).await?;
    let reader = arena.sources.redis();
    let empty = reader.bytes(&offer.live).await?;
    let mut volley = arena.volley(&offer, &buyers, BENCH_MEMORY_PLACING_MAX);
    volley.requests_max = BENCH_MEMORY_HOLDS;
    // Twice: what it costs must not grow with what has been there before.
    for _ in 0..2 {
        let before = reader.bytes(&offer.live).await?;
        let fired = fire(volley.clone()).await?;
        arena.drained(&offer.live, &fired).await?;
        let held = reader.bytes(&offer.live).await?;
        timeout(BENCH_MEMORY_ENDED_BOUND, all_ended(reader, &offer.live))
            .await
            .context("holds that have run out do not end")??;
        arena.sources.wait_flushed(&offer.live, fired.start).await?;
        let after = reader.bytes(&offer.live).await?;
        let each = |bytes: u64, before: u64| {
            (bytes.saturating_sub(before)) as f64 / fired.accepted() as f64
        };
        open.push(each(held, before));
        ended.push(each(after, before));
        say(&format!(
            "memory: {} holds over {empty} bytes, {:.0} B open, {:.0} B ended",
            fired.accepted(),
            each(held, before),
            each(after, before)
        ));
        volley.first += volley.requests_max;
    }
    Ok(vec![
        Goal::at_most("Redis memory per open hold", 260.0, &open, "B"),
        Goal::at_most("Redis memory per ended hold", 120.0, &ended, "B"),
    ])
}
