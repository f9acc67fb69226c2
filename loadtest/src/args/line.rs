//! Options of `line`.

use std::time::Duration;

use clap::Args;
use doorbuster_core::limits::UNITS_MAX;
use doorbuster_core::line::{LineDraft, Mode};

use super::plans::{BadConfig, check};
use super::{OutputArgs, TargetArgs, check_people};
use crate::limits::{
    ARRIVAL_SECONDS_MAX, CONNECTIONS_MAX, LINE_ARRIVALS_PER_SECOND, LINE_ARRIVING_MIN,
    LINE_CONNECTIONS_DEFAULT, LINE_TROUBLED_SECONDS,
};
use crate::line::{LinePlan, Trouble};
use crate::plan::{Offer, Room};
use crate::target::{Rate, Wanted};

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest line --people 200000 --stock 1000                  half of them before the opening, drawn
  doorbuster-loadtest line --people 20000 --stock 1000 --mode fixed --per-second 50 --leavers 50
  doorbuster-loadtest line --people 100000 --stock 1000 --early 100 --lose-redis
  doorbuster-loadtest line --people 20000 --stock 500 --bots 500 --kill-engine
  doorbuster-loadtest line --people 20000 --stock 500 --bots 500 --hang-redis
  doorbuster-loadtest line --forge 100000                                false tickets, none of which may pass
";

#[derive(Debug, Args)]
pub struct LineArgs {
    /// People who come, bots among them.
    #[arg(long, default_value_t = 20_000)]
    pub people: u32,
    /// Units on offer.
    #[arg(long, default_value_t = 1_000)]
    pub stock: u32,
    /// Percent of the people who come before the sale opens.
    #[arg(long, default_value_t = 50.0, value_name = "PERCENT", value_parser = percent)]
    pub early: f64,
    /// Percent who go away without a word while they wait.
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT", value_parser = percent)]
    pub leavers: f64,
    /// How many are bots, which poll far too early and try to buy without being admitted.
    #[arg(long, default_value_t = 0)]
    pub bots: u32,
    /// Seconds over which people come before the opening, and again after it; as many as 5,000 people a second need, unless given.
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Keep-alive connections that they share.
    #[arg(long)]
    pub connections: Option<usize>,
    /// The same seed gives the same crowd.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Empties Redis while the line moves.
    #[arg(long, group = "trouble")]
    pub lose_redis: bool,
    /// Stops Redis for ten seconds while the line moves: everyone is refused, and asks again.
    #[arg(long, group = "trouble", conflicts_with = "engine_url")]
    pub hang_redis: bool,
    /// Kills an engine while the line moves.
    #[arg(long, group = "trouble", conflicts_with = "engine_url")]
    pub kill_engine: bool,
    /// Tries so many false tickets instead: forged, altered, replayed, expired, another sale's, another user's.
    #[arg(long, value_name = "TRIES", conflicts_with = "trouble")]
    pub forge: Option<u32>,
    #[command(flatten)]
    pub room: RoomArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Waiting room")]
pub struct RoomArgs {
    /// follow-stock, follow-capacity or fixed. With --lose-redis, --hang-redis or --kill-engine fixed unless given, so that the line still moves then.
    #[arg(long, value_parser = mode)]
    pub mode: Option<Mode>,
    /// People a second: the rate of fixed, the bound of the others.
    #[arg(long, value_name = "PEOPLE")]
    pub per_second: Option<u32>,
    /// Admitted and unspent places for each unit left, for follow-stock.
    #[arg(long, default_value_t = 1.0)]
    pub factor: f64,
    /// How long an admitted person may take to reserve.
    #[arg(long, default_value_t = 120)]
    pub place_seconds: u32,
    /// Serves those who come early in the order in which they came.
    #[arg(long)]
    pub no_draw: bool,
    /// How long units are held.
    #[arg(long, default_value_t = 300)]
    pub hold_seconds: u32,
}

impl LineArgs {
    /// # Errors
    /// [`BadConfig`] naming the option or variable.
    pub fn plan(&self, name: &str) -> Result<(LinePlan, Wanted), BadConfig> {
        check_people(self.people)?;
        check((1..=UNITS_MAX).contains(&self.stock), || {
            format!("--stock must be 1 to {UNITS_MAX}")
        })?;
        check(self.bots <= self.people, || {
            "--bots must be at most --people".into()
        })?;
        check(self.room.hold_seconds >= 1, || {
            "--hold-seconds must be at least 1".into()
        })?;
        let arriving = self.arriving()?;
        let trouble = match (self.lose_redis, self.hang_redis, self.kill_engine) {
            (true, _, _) => Trouble::RedisLost,
            (_, true, _) => Trouble::RedisHangs,
            (_, _, true) => Trouble::EngineKilled,
            _ => Trouble::None,
        };
        let line = self.line(trouble, arriving)?;
        let rate = if self.forge.is_some() {
            Rate::Off
        } else {
            Rate::AsShipped
        };
        let wanted = self.target.wanted(rate)?;
        let engines = wanted.engines();
        let connections = self.connections.unwrap_or(
            LINE_CONNECTIONS_DEFAULT
                .min(self.people as usize)
                .max(engines),
        );
        check((engines..=CONNECTIONS_MAX).contains(&connections), || {
            format!("--connections must be {engines} (one per engine) to {CONNECTIONS_MAX}")
        })?;
        let offer = Offer {
            stock: self.stock,
            hold_seconds: self.room.hold_seconds,
            room: Some(Room { line, opens_ms: 0 }),
            ..Offer::sale(name)
        };
        let plan = LinePlan {
            offer,
            people: self.people,
            early: self.early / 100.0,
            leavers: self.leavers / 100.0,
            bots: self.bots,
            arriving,
            trouble,
            engines,
            connections,
            seed: self.seed,
        };
        Ok((plan, wanted))
    }

    fn arriving(&self) -> Result<Duration, BadConfig> {
        let needed = u64::from(self.people / LINE_ARRIVALS_PER_SECOND);
        let seconds = self.seconds.unwrap_or(needed.max(LINE_ARRIVING_MIN));
        check((1..=ARRIVAL_SECONDS_MAX).contains(&seconds), || {
            format!("--seconds must be 1 to {ARRIVAL_SECONDS_MAX}")
        })?;
        Ok(Duration::from_secs(seconds))
    }

    fn line(&self, trouble: Trouble, arriving: Duration) -> Result<LineDraft, BadConfig> {
        let room = &self.room;
        let (mut mode, mut per_second) = (room.mode.unwrap_or_default(), room.per_second);
        if trouble != Trouble::None && room.mode.is_none() {
            // Slow enough that most still wait when it breaks, and go on waiting for a while.
            let seconds = arriving.as_secs() + LINE_TROUBLED_SECONDS;
            let rate = u32::try_from(u64::from(self.stock) / seconds).unwrap_or(u32::MAX);
            (mode, per_second) = (Mode::Fixed, Some(per_second.unwrap_or(rate.max(1))));
        }
        let line = LineDraft {
            mode,
            per_second,
            factor: room.factor,
            place_seconds: room.place_seconds,
            draw: !room.no_draw,
            invites: false,
        };
        line.check()
            .map_err(|refused| BadConfig(format!("the waiting room: {refused}")))?;
        Ok(line)
    }
}

fn mode(text: &str) -> Result<Mode, String> {
    let all = [Mode::FollowStock, Mode::FollowCapacity, Mode::Fixed];
    let found = all
        .into_iter()
        .find(|mode| mode.as_str().replace('_', "-") == text);
    found.ok_or_else(|| "must be follow-stock, follow-capacity or fixed".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let value = text
        .parse()
        .ok()
        .filter(|value| (0.0..=100.0).contains(value));
    value.ok_or_else(|| "must be 0 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn plan(line: &str) -> Result<LinePlan, String> {
        let all = ["doorbuster-loadtest", "line"].into_iter();
        let cli = Cli::try_parse_from(all.chain(line.split_whitespace()));
        match cli.map_err(|error| error.to_string())?.command {
            Command::Line(args) => {
                let plan = args.plan("test").map(|(plan, _)| plan);
                plan.map_err(|error| error.to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_line_is_drawn_and_follows_stock_unless_asked() {
        let plan = plan("--people 200000").unwrap();
        let line = plan.offer.room.unwrap().line;
        assert_eq!((line.mode, line.draw), (Mode::FollowStock, true));
        assert_eq!(
            (plan.early_people(), plan.arriving.as_secs()),
            (100_000, 40)
        );
    }

    #[test]
    fn what_breaks_breaks_while_the_line_moves() {
        let plan = plan("--people 1000 --stock 1000 --seconds 20 --lose-redis").unwrap();
        let line = plan.offer.room.unwrap().line;
        let over_s = 20 + LINE_TROUBLED_SECONDS as u32;
        assert_eq!(
            (line.mode, line.per_second),
            (Mode::Fixed, Some(1_000 / over_s))
        );
        assert_eq!(plan.trouble, Trouble::RedisLost);
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (line, named) in [
            ("--people 0", "--people"),
            ("--early 101", "--early"),
            ("--leavers=-1", "--leavers"),
            ("--people 10 --bots 11", "--bots"),
            ("--mode fixed", "per_second"),
            ("--mode sideways", "--mode"),
            ("--factor 0", "factor"),
            ("--seconds 0", "--seconds"),
            ("--connections 9000", "--connections"),
            ("--lose-redis --kill-engine", "--kill-engine"),
            ("--hang-redis --lose-redis", "--lose-redis"),
            ("--forge 10 --hang-redis", "--hang-redis"),
        ] {
            let error = plan(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
