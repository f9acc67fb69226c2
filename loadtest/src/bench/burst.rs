//! One hot sale at full speed beside the bare server: accepted a second, what each process spends, and the audit.

use std::time::Duration;

use anyhow::Result;

use super::arena::{Arena, us_each};
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::limits::{BENCH_BARE_SECONDS, BENCH_BUYERS, BENCH_STOCK};
use crate::load::fire;
use crate::load::volley::Fired;
use crate::rivals::Name;
use crate::rush::say;

pub(super) async fn run(args: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arena::start(&[]).await?;
    let bare = arena.guest(Name::Bare).await?;
    let buyers = arena.buyers(BENCH_BUYERS);
    let (mut ratios, mut engine, mut redis, mut drains) = (vec![], vec![], vec![], vec![]);
    for round in 1..=args.rounds {
        let offer = arena.offer(BENCH_STOCK).await?;
        let volley = arena.volley(&offer, &buyers, Duration::from_secs(args.seconds));
        let mut alike = Arena::at_guest(volley.clone(), &bare, &offer);
        alike.lasting = BENCH_BARE_SECONDS;
        let ours = async {
            let before = arena.spent();
            let fired = fire(volley).await?;
            let spent = arena.spent().since(before);
            let drained = arena.drained(&offer.live, &fired).await?;
            Ok((fired, spent, drained, arena.spent().since(before)))
        };
        let (ours, yardstick) = Arena::beside(alike, Fired::rate, ours).await?;
        let (fired, spent, drained, whole) = ours;
        let (rate, accepted) = (fired.rate(), fired.accepted());
        let latency = fired.latency(|_| true);
        say(&format!(
            "burst {round}: {rate:.0}/s beside {yardstick:.0}/s bare; p50 {} p99 {} µs; engine {:.1} redis {:.1} mariadb {:.1} µs each, with the books {:.1} {:.1} {:.1}; books complete after {:.1} s",
            latency.value_at_quantile(0.5),
            latency.value_at_quantile(0.99),
            us_each(spent.engine, accepted),
            us_each(spent.redis, accepted),
            us_each(spent.mariadb, accepted),
            us_each(whole.engine, accepted),
            us_each(whole.redis, accepted),
            us_each(whole.mariadb, accepted),
            drained.as_secs_f64(),
        ));
        ratios.push(rate / yardstick);
        engine.push(us_each(spent.engine, accepted));
        redis.push(us_each(spent.redis, accepted));
        drains.push(drained.as_secs_f64());
        arena.audit(&offer, vec![fired], &buyers).await?;
    }
    Ok(vec![
        Goal::at_least("burst, accepted beside the bare server", 0.60, &ratios, "×"),
        Goal::at_most("burst, books complete after", 20.0, &drains, "s"),
        Goal::at_most("Redis CPU per accepted reservation", 5.0, &redis, "µs"),
        Goal::at_most("engine CPU per accepted reservation", 10.0, &engine, "µs"),
    ])
}
