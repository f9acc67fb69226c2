//! Ten thousand connections at once for a hundred units: until the last answer, beside the bare server.

use anyhow::Result;

use super::arena::Arena;
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::limits::{BENCH_CROWD, BENCH_CROWD_STOCK, EXCHANGE_TIMEOUT};
use crate::load::volley::Fired;
use crate::load::{Pace, Wire, fire};
use crate::rivals::Name;
use crate::rush::say;

pub(super) async fn run(args: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arena::start(&[]).await?;
    let bare = arena.guest(Name::Bare).await?;
    let buyers = arena.buyers(BENCH_CROWD);
    let mut ratios = vec![];
    for round in 1..=args.rounds {
        let offer = arena.offer(BENCH_CROWD_STOCK).await?;
        let mut volley = arena.volley(&offer, &buyers, EXCHANGE_TIMEOUT);
        (volley.pace, volley.wire) = (Pace::AtOnce, Wire::Fresh);
        volley.connections = BENCH_CROWD as usize;
        volley.requests_max = BENCH_CROWD.into();
        let alike = Arena::at_guest(volley.clone(), &bare, &offer);
        let until_last = |fired: &Fired| fired.elapsed.as_secs_f64();
        let (fired, yardstick) = Arena::beside(alike, until_last, fire(volley)).await?;
        let took = until_last(&fired);
        say(&format!(
            "fresh {round}: last answer after {took:.3} s beside {yardstick:.3} s bare; {} accepted, {} broken",
            fired.accepted(),
            fired.broken()
        ));
        ratios.push(took / yardstick);
        arena.audit(&offer, vec![fired], &buyers).await?;
    }
    Ok(vec![Goal::at_most(
        "10,000 fresh connections, last answer beside the bare server",
        1.5,
        &ratios,
        "×",
    )])
}
