//! Options of `compare`, checked and turned into what it does. Called by `command`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::BadConfig;
use crate::compare::{Plan, Pools, Verbosity, Way, levels};
use crate::limits::{COMPARE_ROUNDS_MAX, COMPARE_SECONDS_MAX, COMPARE_SECONDS_MIN};

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest compare                                          seven rounds, about ten minutes
  doorbuster-loadtest compare --quick
  doorbuster-loadtest compare --ways ours,guarded,redis-lua --rounds 3 --json
  doorbuster-loadtest compare --ack memory,fsync,replica,mysql         what each ack level costs
";

const SECONDS: f64 = 1.0;
const CUT_SECONDS: f64 = 5.0;

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Times that every way is measured, in turn with all others; medians are quoted.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=i64::from(COMPARE_ROUNDS_MAX)))]
    pub rounds: u32,
    /// Length of one rush; answers when all is sold are counted for half as long.
    #[arg(long, default_value_t = SECONDS)]
    pub seconds: f64,
    /// After which a crowd that came at once is no longer served.
    #[arg(long, default_value_t = CUT_SECONDS, value_name = "SECONDS")]
    pub cut_seconds: f64,
    /// Only these, as in ours,guarded,bare.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub ways: Vec<Way>,
    /// Instead: ours at each of these ack levels, each on a stage of its own.
    #[arg(long, value_delimiter = ',', value_name = "LEVELS", value_parser = LEVELS, conflicts_with_all = ["ways", "quick", "verbose", "report", "cut_seconds"])]
    pub ack: Vec<String>,
    /// One round, and 16 connections to the store instead of the best number for each.
    #[arg(long, conflicts_with = "rounds")]
    pub quick: bool,
    /// Shows every round.
    #[arg(long)]
    pub verbose: bool,
    /// Ends with one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
    /// Where the report goes; in target/report unless given.
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,
}

/// From the least that a yes is worth to the most.
const LEVELS: [&str; 4] = ["memory", "fsync", "replica", "mysql"];

impl CompareArgs {
    /// As if only the number of rounds had been given.
    pub fn of_rounds(rounds: u32) -> Self {
        Self {
            rounds,
            seconds: SECONDS,
            cut_seconds: CUT_SECONDS,
            ways: Vec::new(),
            ack: Vec::new(),
            quick: false,
            verbose: false,
            json: false,
            report: None,
        }
    }

    /// # Errors
    /// [`BadConfig`] naming the option.
    pub fn levels_plan(&self) -> Result<levels::Plan, BadConfig> {
        Ok(levels::Plan {
            levels: self.ack.clone(),
            rounds: self.rounds,
            lasting: seconds("--seconds", self.seconds)?,
            json: self.json,
        })
    }

    /// # Errors
    /// [`BadConfig`] naming the option.
    pub fn plan(&self) -> Result<Plan, BadConfig> {
        let wished = |way: &Way| self.ways.is_empty() || self.ways.contains(way);
        Ok(Plan {
            rounds: if self.quick { 1 } else { self.rounds },
            lasting: seconds("--seconds", self.seconds)?,
            cut: seconds("--cut-seconds", self.cut_seconds)?,
            ways: Way::value_variants()
                .iter()
                .copied()
                .filter(wished)
                .collect(),
            pools: if self.quick {
                Pools::AsShipped
            } else {
                Pools::Swept
            },
            verbosity: if self.verbose {
                Verbosity::EveryRound
            } else {
                Verbosity::Medians
            },
            json: self.json,
            report: self.report.clone(),
        })
    }
}

fn seconds(option: &str, value: f64) -> Result<Duration, BadConfig> {
    let range = COMPARE_SECONDS_MIN..=COMPARE_SECONDS_MAX;
    if range.contains(&value) {
        return Ok(Duration::from_secs_f64(value));
    }
    let (min, max) = (range.start(), range.end());
    Err(BadConfig(format!("{option} must be {min} to {max}")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn plan(args: &[&str]) -> Result<Plan, BadConfig> {
        let all = [&["doorbuster-loadtest", "compare"], args].concat();
        let Command::Compare(compare) = Cli::try_parse_from(all).unwrap().command else {
            panic!("not a comparison")
        };
        compare.plan()
    }

    #[test]
    fn all_ways_take_part_unless_some_are_named() {
        let all = plan(&[]).unwrap();
        assert_eq!((all.rounds, all.ways.len()), (7, 10));
        let some = plan(&["--ways", "ours,guarded", "--quick"]).unwrap();
        let names: Vec<&str> = some.ways.iter().map(|way| way.as_str()).collect();
        assert_eq!((some.rounds, names), (1, vec!["guarded", "ours"]));
        assert_eq!(some.pools, Pools::AsShipped);
    }

    #[test]
    fn levels_are_compared_instead_where_some_are_named() {
        let parse = |args: &[&str]| {
            let all = [&["doorbuster-loadtest", "compare"], args].concat();
            Cli::try_parse_from(all).map(|cli| cli.command)
        };
        match parse(&["--ack", "fsync,mysql", "--rounds", "2"]).unwrap() {
            Command::Compare(compare) => {
                let plan = compare.levels_plan().unwrap();
                assert_eq!(
                    (plan.rounds, plan.levels),
                    (2, vec!["fsync".into(), "mysql".into()])
                );
            }
            other => panic!("{other:?}"),
        }
        assert!(parse(&["--ack", "hope"]).is_err());
        assert!(parse(&["--ack", "fsync", "--ways", "ours"]).is_err());
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        for option in ["--seconds", "--cut-seconds"] {
            for value in ["0", "61", "NaN"] {
                let error = plan(&[option, value]).unwrap_err();
                assert!(error.to_string().contains(option), "{error}");
            }
        }
    }
}
