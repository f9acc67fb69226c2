//! Ours beside one lean script call per request: throughput, and what Redis spends on a reservation.

use std::time::Duration;

use anyhow::{Result, bail};

use super::arena::{Arena, us_each};
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::limits::{BENCH_BUYERS, BENCH_PER_CALL_REST, BENCH_STOCK, BENCH_TURN, BENCH_TURNS};
use crate::load::volley::Fired;
use crate::load::{Volley, fire};
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
        let mut volley = arena.volley(&offer, &buyers, BENCH_TURN);
        let (mut theirs, mut ours, mut told) = (Side::default(), Side::default(), vec![]);
        for _ in 0..BENCH_TURNS {
            let guest = Arena::at_guest(volley.clone(), &rival, &offer);
            let there = theirs.take(&arena, guest).await?;
            let here = ours.take(&arena, volley.clone()).await?;
            // What ours leave to the writer is not done in the rival's turn.
            arena.drained(&offer.live, &here).await?;
            // Nobody's request is another's repeat, at either.
            volley.first += there.shots.len().max(here.shots.len()) as u64;
            told.push(here);
        }
        if theirs.accepted == 0 {
            bail!("the rival accepts nothing");
        }
        let (our_redis, their_redis) = (ours.redis_us(), theirs.redis_us());
        say(&format!(
            "per call {round}: ours {:.0}/s with {our_redis:.1} µs of Redis each, one call per request {:.0}/s with {their_redis:.1} µs",
            ours.rate(),
            theirs.rate(),
        ));
        rates.push(ours.rate() / theirs.rate());
        cpu.push(our_redis / their_redis);
        arena.audit(&offer, told, &buyers).await?;
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

/// What one of the two came to in its turns.
#[derive(Default)]
struct Side {
    accepted: u64,
    elapsed: Duration,
    redis: Duration,
}

impl Side {
    async fn take(&mut self, arena: &Arena, volley: Volley) -> Result<Fired> {
        let before = arena.spent();
        let fired = fire(volley).await?;
        self.redis += arena.spent().since(before).redis;
        self.accepted += fired.accepted();
        self.elapsed += fired.elapsed;
        Ok(fired)
    }

    fn rate(&self) -> f64 {
        self.accepted as f64 / self.elapsed.as_secs_f64()
    }

    fn redis_us(&self) -> f64 {
        us_each(self.redis, self.accepted)
    }
}
