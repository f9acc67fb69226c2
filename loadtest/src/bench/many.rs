//! A thousand sales at once, so that batches are small, end to end beside one lean script call per request.

use std::sync::Arc;

use anyhow::Result;

use super::arena::{Arena, us_each};
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::client::request::Requests;
use crate::limits::{
    BENCH_BARE_SECONDS, BENCH_BUYERS, BENCH_STOCK, SPREAD_ROUNDS_MAX, SPREAD_SALES,
};
use crate::load::fire;
use crate::load::volley::Fired;
use crate::rivals::Name;
use crate::rush::say;

pub(super) async fn run(args: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arc::new(Arena::start(&[]).await?);
    let rival = arena.guest(Name::RedisLua).await?;
    let sales = arena.offers(SPREAD_SALES, BENCH_STOCK).await?;
    let buyers = arena.buyers(BENCH_BUYERS);
    let engine = &arena.target.engines[0];
    let asks = sales
        .iter()
        .map(|offer| Requests::new(engine, &offer.live, &offer.lines()));
    let mut volley = arena.volley(&sales[0], &buyers, BENCH_BARE_SECONDS);
    volley.servers = vec![(engine.clone(), asks.collect())];
    let (mut rates, mut costs) = (vec![], vec![]);
    let mut told: Vec<Vec<Fired>> = sales.iter().map(|_| Vec::new()).collect();
    for round in 1..=args.rounds.min(SPREAD_ROUNDS_MAX) {
        rival.reset(BENCH_STOCK).await?;
        let before = (arena.spent(), rival.server.cpu_time());
        let theirs = fire(Arena::at_guest(volley.clone(), &rival, &sales[0])).await?;
        let their_front = rival.server.cpu_time().saturating_sub(before.1);
        let their_spent = arena.spent().since(before.0);
        let before = arena.spent();
        let ours = fire(volley.clone()).await?;
        let spent = arena.spent().since(before);
        let our_cost = us_each(spent.engine + spent.redis, ours.accepted());
        let their_cost = us_each(their_front + their_spent.redis, theirs.accepted());
        say(&format!(
            "many {round}: {SPREAD_SALES} sales {:.0}/s, engine {:.1} redis {:.1} mariadb {:.1} µs each; one call per request {:.0}/s, front {:.1} redis {:.1} µs each",
            ours.rate(),
            us_each(spent.engine, ours.accepted()),
            us_each(spent.redis, ours.accepted()),
            us_each(spent.mariadb, ours.accepted()),
            theirs.rate(),
            us_each(their_front, theirs.accepted()),
            us_each(their_spent.redis, theirs.accepted()),
        ));
        rates.push(ours.rate() / theirs.rate());
        costs.push(our_cost / their_cost);
        volley.first += ours.shots.len() as u64;
        for offer in &sales {
            arena.drained(&offer.live, &ours).await?;
        }
        for (told, own) in told.iter_mut().zip(ours.dealt(sales.len())) {
            told.push(own);
        }
    }
    for (offer, told) in sales.iter().zip(told) {
        arena.audit(offer, told, &buyers).await?;
    }
    Ok(vec![
        Goal::at_least(
            "1,000 sales, accepted beside one script call per request",
            1.0,
            &rates,
            "×",
        ),
        Goal::at_most(
            "1,000 sales, engine and Redis CPU beside one script call per request",
            1.0,
            &costs,
            "×",
        ),
    ])
}
