//! The goals of the purchase path, measured: each beside its yardstick in alternating rounds, and audited.
//!
//! A machine that is shared runs several times slower for seconds at a time. So what is compared is measured in turn, the
//! ratios of neighbours are what counts, and every round is printed.

pub(crate) mod arena;
pub(crate) mod goals;

pub mod baseline;

mod burst;
mod checkout;
mod fresh;
mod idle;
mod line;
mod many;
mod memory;
mod per_call;
mod rivals;
mod sold_out;
mod spread;
mod sustained;

use anyhow::Result;
use clap::ValueEnum;

use crate::args::{BenchArgs, KneeArgs};
use crate::command::{self, Verdict};
use crate::knee;
use crate::rush::{raise_file_limit, say};
use goals::Findings;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Measurement {
    /// Memory and time of an engine that nobody asks.
    Idle,
    /// One hot sale at full speed for ten seconds, the books lagging as they may.
    Burst,
    /// The same for a minute, the books kept up.
    Sustained,
    /// Beside one script call per request.
    PerCall,
    /// Nothing left.
    SoldOut,
    /// Ten thousand connections at once.
    Fresh,
    /// Five times the knee.
    Overload,
    /// Redis memory of holds, and of those that ended.
    Memory,
    /// Batches over a thousand sales beside one, and among a million buyers beside a thousand.
    Spread,
    /// A thousand sales at once beside one script call per request.
    Many,
    /// A million people in one line: joins, polls, and what Redis keeps.
    Line,
    /// From holds to money: orders a second, and statements each.
    Checkout,
    /// A minute without the payment provider.
    ProviderAway,
    /// Beside the other ways to sell: the whole comparison.
    Rivals,
}

/// Measures what was asked for and prints the table; saves it for scripts.
///
/// # Errors
/// If something fails that leaves nothing to measure, an audit of ours alone is not zero, or the file cannot be written.
pub async fn run(args: &BenchArgs) -> Result<Verdict> {
    raise_file_limit()?;
    let mut all = Findings::default();
    let mut verdict = Verdict::Clean;
    for measurement in Measurement::value_variants() {
        if !args.only.is_empty() && !args.only.contains(measurement) {
            continue;
        }
        let goals = match measurement {
            Measurement::Idle => idle::run(args).await,
            Measurement::Burst => burst::run(args).await,
            Measurement::Sustained => sustained::run(args).await,
            Measurement::PerCall => per_call::run(args).await,
            Measurement::SoldOut => sold_out::run(args).await,
            Measurement::Fresh => fresh::run(args).await,
            Measurement::Overload => knee::goals(&KneeArgs::default()).await,
            Measurement::Memory => memory::run(args).await,
            Measurement::Spread => spread::run(args).await,
            Measurement::Many => many::run(args).await,
            Measurement::Line => line::run(args).await,
            Measurement::Checkout => checkout::run(args).await,
            Measurement::ProviderAway => checkout::run_away(args).await,
            Measurement::Rivals => {
                let (found, judged) = rivals::run(args).await?;
                verdict = judged;
                all.rows = found.rows;
                Ok(found.goals)
            }
        };
        let goals = goals?;
        say(&goals::table(&goals));
        all.goals.extend(goals);
        all.save(&args.out)?;
    }
    command::print(&goals::table(&all.goals))?;
    say(&format!("saved: {}", args.out.display()));
    if args.json {
        command::print_json(&all)?;
    }
    Ok(verdict)
}
