//! Options of `drill`. Checked by `drill` itself, which knows the faults.

use std::time::Duration;

use clap::Args;

use crate::limits::{
    DRILL_CYCLES_MAX, DRILL_HOURS_MAX, DRILL_OUTAGE_SECONDS, DRILL_RATE, DRILL_RATE_MAX,
    DRILL_STRIKES_MAX,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest drill --list
  doorbuster-loadtest drill F6
  doorbuster-loadtest drill F5 F6 --cycles 100
  doorbuster-loadtest drill --all --seed 7
  doorbuster-loadtest drill --documented --seed 7     as many kills and acknowledgements as RELIABILITY.md tells of
  doorbuster-loadtest drill --planted                 gives engines one bug after the other: is each caught?
  doorbuster-loadtest drill --seed 7 --hours 2        two to four faults at once, drawn from the seed, for two hours
";

#[derive(Debug, Clone, Args)]
pub struct DrillArgs {
    /// Faults to drill, as in F5 F6; see --list.
    #[arg(value_name = "FAULT")]
    pub faults: Vec<String>,
    /// Says what each fault is, and what must hold.
    #[arg(long)]
    pub list: bool,
    /// Every fault alone, then combinations.
    #[arg(long, conflicts_with = "faults")]
    pub all: bool,
    /// Everything that is drawn is drawn from it: the same seed is the same drill. Alone: combinations.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Goes on with new seeds for so long.
    #[arg(long, value_name = "HOURS")]
    pub hours: Option<f64>,
    /// Times that each fault strikes; unless given, as often as its line in --list says.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(DRILL_CYCLES_MAX)))]
    pub cycles: Option<u32>,
    /// Times that it strikes in one round; unless given, few.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(DRILL_STRIKES_MAX)))]
    pub strikes: Option<u32>,
    /// As many kills, power cuts and acknowledgements as RELIABILITY.md tells of, or the share of the faults named.
    #[arg(long, conflicts_with_all = ["all", "hours", "cycles", "strikes", "rate", "planted"])]
    pub documented: bool,
    /// How long the database is away in F12.
    #[arg(long, default_value_t = DRILL_OUTAGE_SECONDS, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=DRILL_OUTAGE_SECONDS))]
    pub outage: u64,
    /// Buyers a second while faults strike.
    #[arg(long, default_value_t = DRILL_RATE, value_parser = clap::value_parser!(u32).range(50..=i64::from(DRILL_RATE_MAX)))]
    pub rate: u32,
    /// Gives engines the bugs of these names, or all that there are, one after the other: each must be caught.
    #[arg(long, value_name = "BUG", num_args = 0.., conflicts_with_all = ["faults", "all", "seed", "hours", "cycles"])]
    pub planted: Option<Vec<String>>,
    /// Ends with one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

impl DrillArgs {
    /// How long the database is away.
    pub(crate) fn outage(&self) -> Duration {
        Duration::from_secs(self.outage)
    }

    /// Whether `hours` is a time to wait for.
    pub(crate) fn hours_fit(&self) -> bool {
        self.hours
            .is_none_or(|hours| hours > 0.0 && hours <= DRILL_HOURS_MAX)
    }
}
