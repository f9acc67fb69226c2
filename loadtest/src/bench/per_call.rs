//! Ours beside one lean script call per request: throughput, and what Redis spends on a reservation.

use anyhow::{Result, bail};

use super::arena::{Arena, us_each};
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::limits::{BENCH_BARE_SECONDS, BENCH_BUYERS, BENCH_PER_CALL_REST, BENCH_STOCK};
use crate::load::fire;
use crate::rivals::Name;
use crate::rush::say;

pub(super) async fn run(args: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arena::start(&[]).await?;
    let rival = arena.guest(Name::RedisLua).await?;
    let buyers = arena.buyers(BENCH_BUYERS);
    let (mut rates, mut cpu) = (vec![], vec![]);
    for round in 1..=args.rounds {
        let offer = arena.offer(BENCH_STOCK).await?;
        rival.reset(BENCH_STOCK).await?;
        let volley = arena.volley(&offer, &buyers, BENCH_BARE_SECONDS);
        let before = arena.spent();
        let theirs = fire(Arena::at_guest(volley.clone(), &rival, &offer)).await?;
        let their_redis = us_each(arena.spent().since(before).redis, theirs.accepted());
        if theirs.accepted() == 0 {
            bail!("the rival accepts nothing");
        }
        let before = arena.spent();
        let ours = fire(volley).await?;
        let our_redis = us_each(arena.spent().since(before).redis, ours.accepted());
        say(&format!(
            "per call {round}: ours {:.0}/s with {our_redis:.1} µs of Redis each, one call per request {:.0}/s with {their_redis:.1} µs",
            ours.rate(),
            theirs.rate(),
        ));
        rates.push(ours.rate() / theirs.rate());
        cpu.push(our_redis / their_redis);
        arena.drained(&offer.live, &ours).await?;
        arena.audit(&offer, vec![ours], &buyers).await?;
        tokio::time::sleep(BENCH_PER_CALL_REST).await;
    }
    Ok(vec![
        Goal::at_least(
            "accepted beside one script call per request",
            1.5,
            &rates,
            "×",
        ),
        Goal::at_most(
            "Redis CPU beside one script call per request",
            0.4,
            &cpu,
            "×",
        ),
    ])
}
