//! What Redis keeps for an open hold, and for one that has ended: all keys of the sale, over many reservations with churn.

use std::time::Duration;

use anyhow::Result;
use doorbuster_core::ids::LiveId;
use tokio::time::sleep;

use super::arena::Arena;
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::audit::redis::Reader;
use crate::limits::{BENCH_MEMORY_BUYERS, BENCH_MEMORY_HOLDS, BENCH_STOCK, POLL_STEP};
use crate::load::fire;
use crate::rush::say;

async fn is_any_held(reader: &Reader, live: &LiveId) -> Result<bool> {
    let snapshot = reader.snapshot(live).await?;
    Ok(snapshot.stock.values().any(|stock| stock.held > 0))
}

pub(super) async fn run(_: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arena::start(&[]).await?;
    let buyers = arena.buyers(BENCH_MEMORY_BUYERS);
    let (mut open, mut ended) = (vec![], vec![]);
    let offer = arena.offer_for(BENCH_STOCK, Duration::from_secs(8)).await?;
    let reader = arena.sources.redis();
    let empty = reader.bytes(&offer.live).await?;
    let mut volley = arena.volley(&offer, &buyers, Duration::from_secs(60));
    volley.requests_max = BENCH_MEMORY_HOLDS;
    // Twice: what it costs must not grow with what has been there before.
    for _ in 0..2 {
        let before = reader.bytes(&offer.live).await?;
        let fired = fire(volley.clone()).await?;
        arena.drained(&offer.live, &fired).await?;
        let held = reader.bytes(&offer.live).await?;
        while is_any_held(reader, &offer.live).await? {
            sleep(POLL_STEP).await;
        }
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
