//! One hot sale at full speed: accepted a second beside the bare server, and what each process spends on one.

use std::time::Duration;

use anyhow::Result;

use super::BenchArgs;
use super::arena::{Arena, median, us_each};
use crate::limits::BENCH_BUYERS;
use crate::load::fire;
use crate::rush::say;

pub(super) async fn run(args: &BenchArgs) -> Result<()> {
    let arena = Arena::start(&args.ack_level).await?;
    let buyers = arena.buyers(BENCH_BUYERS);
    let lasting = Duration::from_secs_f64(args.seconds);
    let (mut rates, mut engine, mut redis) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..args.rounds {
        let offer = arena.offer(10_000_000).await?;
        let before = arena.spent();
        let fired = fire(arena.volley(&offer, &buyers, lasting)).await?;
        let spent = arena.spent().since(before);
        let accepted = fired.accepted();
        let rate = accepted as f64 / fired.elapsed.as_secs_f64();
        let latency = fired.latency(|_| true);
        let drained = arena.drained(&offer.live, &fired).await?;
        let whole = arena.spent().since(before);
        let of = fired.shots.len();
        let numbers = if args.audit {
            format!("{:?}", arena.audit(&offer, vec![fired], &buyers).await?)
        } else {
            String::new()
        };
        say(&format!(
            "round {round}: {rate:.0}/s of {of}, p50 {} p99 {} µs; engine {:.1} redis {:.1} mariadb {:.1} µs; drained {drained:?}; whole engine {:.1} redis {:.1} mariadb {:.1} {numbers}",
            latency.value_at_quantile(0.5),
            latency.value_at_quantile(0.99),
            us_each(spent.engine, accepted),
            us_each(spent.redis, accepted),
            us_each(spent.mariadb, accepted),
            us_each(whole.engine, accepted),
            us_each(whole.redis, accepted),
            us_each(whole.mariadb, accepted),
        ));
        rates.push(rate);
        engine.push(us_each(spent.engine, accepted));
        redis.push(us_each(spent.redis, accepted));
    }
    say(&format!(
        "median {:.0}/s, engine {:.1} µs, redis {:.1} µs",
        median(&rates),
        median(&engine),
        median(&redis)
    ));
    Ok(())
}
