//! Options of `knee`.

use clap::Args;

use crate::limits::{KNEE_BOUND_MS_MAX, KNEE_BOUND_MS_MIN};

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest knee                        an engine slowed to about 5,000 a second, then five times that
  doorbuster-loadtest knee --redis-delay-ms 0     as fast as this machine is; the client may be the slower one
";

const BOUND_MS: f64 = 250.0;
const SECONDS: u64 = 5;
const REDIS_DELAY_MS: u64 = 49;

#[derive(Debug, Args)]
pub struct KneeArgs {
    /// The p99 within which a rate must be served.
    #[arg(long, default_value_t = BOUND_MS, value_parser = bound_ms, allow_negative_numbers = true)]
    pub bound_ms: f64,
    /// Seconds of one rate.
    #[arg(long, default_value_t = SECONDS, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
    /// How much longer every call to Redis takes.
    #[arg(long, default_value_t = REDIS_DELAY_MS, value_parser = clap::value_parser!(u64).range(..=500))]
    pub redis_delay_ms: u64,
    /// Ends with one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

impl Default for KneeArgs {
    fn default() -> Self {
        Self {
            bound_ms: BOUND_MS,
            seconds: SECONDS,
            redis_delay_ms: REDIS_DELAY_MS,
            json: false,
        }
    }
}

fn bound_ms(text: &str) -> Result<f64, String> {
    let range = KNEE_BOUND_MS_MIN..=KNEE_BOUND_MS_MAX;
    let value = text.parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| format!("must be {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn parse(args: &[&str]) -> Result<KneeArgs, clap::Error> {
        let all = [&["doorbuster-loadtest", "knee"], args].concat();
        match Cli::try_parse_from(all)?.command {
            Command::Knee(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_bench_measures_is_what_the_command_line_does_unless_asked() {
        let (parsed, default) = (parse(&[]).unwrap(), KneeArgs::default());
        assert_eq!(format!("{parsed:?}"), format!("{default:?}"));
    }

    #[test]
    fn a_bound_that_is_none_is_named() {
        for bound in ["NaN", "-1", "0", "inf", "10001", "soon"] {
            let error = parse(&["--bound-ms", bound]).unwrap_err();
            assert!(error.use_stderr(), "{bound}");
            let text = error.to_string();
            assert!(text.contains("--bound-ms"), "{text}");
        }
        for (bound, is_that) in [("1", 1.0), ("12.5", 12.5), ("10000", 10_000.0)] {
            let args = parse(&["--bound-ms", bound]).unwrap();
            assert!((args.bound_ms - is_that).abs() < 1e-9);
        }
    }
}
