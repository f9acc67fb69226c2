//! The goals of the purchase path, measured: each beside its yardstick in alternating rounds, and audited.
//!
//! A machine that is shared runs several times slower for seconds at a time. So what is compared is measured in turn, the
//! ratios of neighbours are what counts, and every round is printed.

pub(crate) mod arena;
pub(crate) mod goals;

mod burst;
mod fresh;
mod idle;
mod memory;
mod per_call;
mod sold_out;
mod sustained;

use anyhow::Result;
use clap::ValueEnum;

use crate::args::BenchArgs;
use crate::command::{self, Verdict};
use crate::rush::{raise_file_limit, say};
pub use goals::Goal;

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
    /// Redis memory of holds, and of those that ended.
    Memory,
}

impl Measurement {
    const ALL: [Self; 7] = [
        Self::Idle,
        Self::Burst,
        Self::Sustained,
        Self::PerCall,
        Self::SoldOut,
        Self::Fresh,
        Self::Memory,
    ];
}

/// Measures what was asked for and prints the table.
///
/// # Errors
/// If something fails that leaves nothing to measure, or an audit is not zero.
pub async fn run(args: &BenchArgs) -> Result<Verdict> {
    raise_file_limit()?;
    let mut goals = Vec::new();
    for measurement in Measurement::ALL {
        if !args.only.is_empty() && !args.only.contains(&measurement) {
            continue;
        }
        let found = match measurement {
            Measurement::Idle => idle::run(args).await,
            Measurement::Burst => burst::run(args).await,
            Measurement::Sustained => sustained::run(args).await,
            Measurement::PerCall => per_call::run(args).await,
            Measurement::SoldOut => sold_out::run(args).await,
            Measurement::Fresh => fresh::run(args).await,
            Measurement::Memory => memory::run(args).await,
        };
        let found = found?;
        say(&goals::table(&found));
        goals.extend(found);
    }
    command::print(&goals::table(&goals))?;
    if args.json {
        command::print(&format!("{}\n", serde_json::to_string(&goals)?))?;
    }
    Ok(Verdict::Clean)
}
