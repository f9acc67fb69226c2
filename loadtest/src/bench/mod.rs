//! The goals of the purchase path, measured: each beside its yardstick, in alternating rounds.

mod arena;
mod burst;

use anyhow::Result;
use clap::Args;

use crate::command::Verdict;

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Rounds of each measurement; medians are quoted.
    #[arg(long, default_value_t = 7)]
    pub rounds: u32,
    /// Seconds of one round.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// What a yes is worth.
    #[arg(long, default_value = "fsync")]
    pub ack_level: String,
    #[arg(long)]
    pub audit: bool,
}

/// # Errors
/// If something fails that leaves nothing to measure.
pub async fn run(args: &BenchArgs) -> Result<Verdict> {
    crate::rush::raise_file_limit()?;
    burst::run(args).await?;
    Ok(Verdict::Clean)
}
