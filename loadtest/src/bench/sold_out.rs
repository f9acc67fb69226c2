//! Sold-out answers a second beside the bare server: token and body are checked, and Redis is not asked.

use anyhow::{Result, bail};

use super::arena::{Arena, us_each};
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::limits::{BENCH_BUYERS, BENCH_SMALL_STOCK, BENCH_TURN, BENCH_TURNS};
use crate::load::fire;
use crate::load::volley::Fired;
use crate::rivals::Name;
use crate::rush::say;

pub(super) async fn run(args: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arena::start(&[]).await?;
    let bare = arena.guest(Name::Bare).await?;
    let buyers = arena.buyers(BENCH_BUYERS);
    let offer = arena.offer(BENCH_SMALL_STOCK).await?;
    let mut volley = arena.volley(&offer, &buyers, BENCH_TURN);
    // Sells it out; what follows asks under other keys.
    volley.requests_max = u64::from(4 * BENCH_SMALL_STOCK);
    let mut told = vec![fire(volley.clone()).await?];
    (volley.first, volley.requests_max) = (volley.requests_max, u64::MAX);
    let mut ratios = vec![];
    for turn in 1..=args.rounds * BENCH_TURNS {
        let alike = Arena::at_guest(volley.clone(), &bare, &offer);
        let ours = async {
            let before = arena.spent();
            let fired = fire(volley.clone()).await?;
            Ok((fired, arena.spent().since(before)))
        };
        let ((fired, spent), yardstick) = Arena::beside(alike, Fired::rate, ours).await?;
        if fired.refused("sold_out") != fired.shots.len() as u64 {
            bail!("something else than sold_out was answered");
        }
        let rate = fired.rate_of(|_| true);
        say(&format!(
            "sold out {turn}: {rate:.0}/s beside {yardstick:.0}/s bare, engine {:.1} µs each",
            us_each(spent.engine, fired.shots.len() as u64)
        ));
        ratios.push(rate / yardstick);
        volley.first += fired.shots.len() as u64;
        told.push(fired);
    }
    arena.audit(&offer, told, &buyers).await?;
    Ok(vec![Goal::at_least(
        "sold-out answers beside the bare server",
        0.85,
        &ratios,
        "×",
    )])
}
