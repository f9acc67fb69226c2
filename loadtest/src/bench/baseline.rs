//! The yardstick by itself: a bare hyper server with the body, the headers and the connections of a purchase.

use anyhow::Result;
use serde_json::json;

use super::arena::{Arena, us_each};
use super::goals::{Findings, median};
use crate::args::BaselineArgs;
use crate::command::{self, Verdict};
use crate::limits::{BENCH_BARE_SECONDS, BENCH_BUYERS};
use crate::load::fire;
use crate::plan::Offer;
use crate::rivals::Name;
use crate::rush::raise_file_limit;

/// Measures it.
///
/// # Errors
/// If the server cannot be started or asked.
pub async fn run(args: &BaselineArgs) -> Result<Verdict> {
    raise_file_limit()?;
    let arena = Arena::start(&[]).await?;
    let bare = arena.guest(Name::Bare).await?;
    let buyers = arena.buyers(BENCH_BUYERS);
    let offer = Offer::sale("baseline");
    let volley = arena.volley(&offer, &buyers, BENCH_BARE_SECONDS);
    let (mut rates, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let before = bare.server.cpu_time();
        let fired = fire(Arena::at_guest(volley.clone(), &bare, &offer)).await?;
        let spent = bare.server.cpu_time().saturating_sub(before);
        let latency = fired.latency(|_| true);
        command::print(&format!(
            "round {round}: {:.0}/s over {} connections, p50 {} p99 {} µs, {:.1} µs of the server each\n",
            fired.rate(),
            volley.connections,
            latency.value_at_quantile(0.5),
            latency.value_at_quantile(0.99),
            us_each(spent, fired.accepted())
        ))?;
        rates.push(fired.rate());
        p50.push(latency.value_at_quantile(0.5) as f64 / 1_000.0);
        p99.push(latency.value_at_quantile(0.99) as f64 / 1_000.0);
    }
    command::print(&format!("median {:.0}/s\n", median(&rates)))?;
    if args.json {
        // Nothing is sold, so nothing can be sold out, or wrong.
        let row = json!({
            "strategy": Name::Bare.as_str(),
            "goodput": median(&rates),
            "refusals_per_second": 0,
            "p50_ms": median(&p50),
            "p99_ms": median(&p99),
            "oversold": null,
            "undersold": null,
            "ack_level": "-",
        });
        command::print_json(&Findings {
            goals: Vec::new(),
            rows: vec![row],
        })?;
    }
    Ok(Verdict::Clean)
}
