//! Options of `knee`.

use clap::Args;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest knee                        an engine slowed to about 5,000 a second, then five times that
  doorbuster-loadtest knee --redis-delay-ms 0     as fast as this machine is; the client may be the slower one
";

#[derive(Debug, Args)]
pub struct KneeArgs {
    /// The p99 within which a rate must be served.
    #[arg(long, default_value_t = 250.0)]
    pub bound_ms: f64,
    /// Seconds of one rate.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
    /// How much longer every call to Redis takes.
    #[arg(long, default_value_t = 49, value_parser = clap::value_parser!(u64).range(..=500))]
    pub redis_delay_ms: u64,
    /// Ends with one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

impl Default for KneeArgs {
    fn default() -> Self {
        Self {
            bound_ms: 250.0,
            seconds: 5,
            redis_delay_ms: 49,
            json: false,
        }
    }
}
