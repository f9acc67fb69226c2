//! Options of `bench` and `baseline`.

use std::path::PathBuf;

use clap::Args;

use crate::bench::Measurement;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest bench
  doorbuster-loadtest bench --only burst --rounds 3 --seconds 5
";

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Rounds of each measurement; medians are quoted.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Seconds of a burst.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
    /// Only these; repeatable.
    #[arg(long, value_enum)]
    pub only: Vec<Measurement>,
    /// Where goals and rows are saved as JSON.
    #[arg(long, default_value = "target/bench/bench.json", value_name = "FILE")]
    pub out: PathBuf,
    /// Ends with the same JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// Rounds of two seconds; the median is quoted.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Ends with one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}
