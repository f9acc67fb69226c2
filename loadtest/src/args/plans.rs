//! Options checked and turned into plans. Called by `command`. Whatever is wrong names its option or variable.

use std::time::Duration;

use doorbuster_core::limits::{TOKEN_SECRET_BYTES_MIN, UNITS_MAX};

use super::{CouponArgs, CrowdArgs, RushArgs, Spread, TargetArgs};
use crate::client::endpoint::Reach;
use crate::config;
use crate::crowd::Mix;
use crate::limits::{
    ARRIVAL_SECONDS_MAX, CONNECTIONS_DEFAULT, CONNECTIONS_MAX, ENGINES_MAX, ERRANDS_MAX, SENDS_MAX,
    SENDS_PER_ERRAND_MAX,
};
use crate::plan::{Losses, Offer, Plan, Scenario};
use crate::schedule::Arrivals;
use crate::target::{OwnStage, Rate, Running, Wanted};

/// An option or variable that cannot be used, named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadConfig(pub String);

pub(super) fn check(fits: bool, text: impl FnOnce() -> String) -> Result<(), BadConfig> {
    if fits { Ok(()) } else { Err(BadConfig(text())) }
}

impl RushArgs {
    /// # Errors
    /// [`BadConfig`] naming the option or variable.
    pub fn plan(&self, name: &str) -> Result<(Plan, Wanted), BadConfig> {
        check(self.quantity >= 1, || {
            "--quantity must be at least 1".into()
        })?;
        check(self.stock <= UNITS_MAX, || {
            format!("--stock must be at most {UNITS_MAX}")
        })?;
        check(self.hold_seconds >= 1, || {
            "--hold-seconds must be at least 1".into()
        })?;
        let (per_user, quantity, hold_seconds) = (self.per_user, self.quantity, self.hold_seconds);
        let offer = Offer {
            stock: self.stock,
            per_user,
            quantity,
            hold_seconds,
            ..Offer::sale(name)
        };
        let mix = Mix {
            cancel: self.cancel,
            abandon: self.abandon,
            ..self.crowd.mix()
        };
        let draft = Draft {
            scenario: Scenario::Rush,
            offer,
            mix,
        };
        let (plan, wanted) = self.crowd.plan(draft, &self.target)?;
        self.till.added(plan, wanted)
    }
}

impl CouponArgs {
    /// # Errors
    /// [`BadConfig`] naming the option or variable.
    pub fn plan(&self, name: &str) -> Result<(Plan, Wanted), BadConfig> {
        check((1..=UNITS_MAX).contains(&self.coupons), || {
            format!("--coupons must be 1 to {UNITS_MAX}")
        })?;
        check(self.per_user >= 1, || {
            "--per-user must be at least 1".into()
        })?;
        let offer = Offer {
            stock: self.coupons,
            per_user: self.per_user,
            ..Offer::coupon(name)
        };
        self.crowd.plan(
            Draft {
                scenario: Scenario::Coupon,
                offer,
                mix: self.crowd.mix(),
            },
            &self.target,
        )
    }
}

/// What the kinds of runs do not share.
struct Draft {
    scenario: Scenario,
    offer: Offer,
    mix: Mix,
}

impl CrowdArgs {
    fn mix(&self) -> Mix {
        let CrowdArgs {
            retry,
            double_click,
            lose_answer,
            ..
        } = *self;
        Mix {
            retry,
            double_click,
            lose_answer,
            ..Mix::default()
        }
    }

    fn arrivals(&self) -> Arrivals {
        let over = Duration::from_secs(self.seconds);
        match (self.seconds, self.arrivals) {
            (0, _) => Arrivals::AtOnce,
            (_, Spread::Even) => Arrivals::Even(over),
            (_, Spread::Poisson) => Arrivals::Poisson(over),
        }
    }

    fn check(&self, mix: &Mix) -> Result<(), BadConfig> {
        let errands = u64::from(self.users) * u64::from(self.keys);
        check((1..=ERRANDS_MAX).contains(&errands), || {
            format!("--users times --keys must be 1 to {ERRANDS_MAX}")
        })?;
        let sends_fit = (1..=SENDS_PER_ERRAND_MAX).contains(&self.duplicate);
        check(sends_fit, || {
            format!("--duplicate must be 1 to {SENDS_PER_ERRAND_MAX}")
        })?;
        let all = errands * u64::from(self.duplicate);
        check(all <= SENDS_MAX, || {
            format!("--users times --keys times --duplicate must be at most {SENDS_MAX}")
        })?;
        check(self.seconds <= ARRIVAL_SECONDS_MAX, || {
            format!("--seconds must be at most {ARRIVAL_SECONDS_MAX}")
        })?;
        check(mix.is_valid(), || {
            "--retry, --double-click, --cancel, --abandon and --lose-answer must be shares from 0 to 1, and at most 1 together".into()
        })
    }

    fn plan(&self, draft: Draft, target: &TargetArgs) -> Result<(Plan, Wanted), BadConfig> {
        self.check(&draft.mix)?;
        let asks_often = u64::from(self.keys) * u64::from(self.duplicate) > 20;
        let wanted = target.wanted(if asks_often {
            Rate::Off
        } else {
            Rate::AsShipped
        })?;
        let engines = wanted.engines();
        let plan = Plan {
            scenario: draft.scenario,
            offer: draft.offer,
            users: self.users,
            keys_per_user: self.keys,
            arrivals: self.arrivals(),
            engines,
            connections: self.connections(engines)?,
            mix: draft.mix,
            sends: self.duplicate,
            keeps_receipts: false,
            checkout: false,
            losses: if self.lose_every_answer {
                Losses::EveryAcceptance
            } else {
                Losses::None
            },
            seed: self.seed,
        };
        Ok((plan, wanted))
    }

    fn connections(&self, engines: usize) -> Result<usize, BadConfig> {
        let sends = self.users as usize * self.keys as usize * self.duplicate as usize;
        let default = CONNECTIONS_DEFAULT.min(sends).max(engines);
        let wished = self.connections.unwrap_or(default);
        check((engines..=CONNECTIONS_MAX).contains(&wished), || {
            format!("--connections must be {engines} (one per engine) to {CONNECTIONS_MAX}")
        })?;
        Ok(wished)
    }
}

impl TargetArgs {
    pub(super) fn wanted(&self, rate_per_user: Rate) -> Result<Wanted, BadConfig> {
        let Some(backoffice_url) = self.backoffice_url.clone() else {
            let engines = self.engines.unwrap_or(3);
            check_engines(engines)?;
            return Ok(Wanted::Own(OwnStage {
                engines,
                sandbox: None,
                ack_level: self.ack_level.clone(),
                rate_per_user,
            }));
        };
        let secret = config::token_secret()
            .filter(|secret| secret.bytes().len() >= TOKEN_SECRET_BYTES_MIN)
            .ok_or_else(|| BadConfig("TOKEN_SECRET must be set to the running programs' secret, of at least 32 bytes".into()))?;
        Ok(Wanted::Running(Running {
            engine_urls: self.engine_url.clone(),
            backoffice_url,
            more_backoffice_urls: Vec::new(),
            payment_url: None,
            redis_url: self.stores.redis_url.clone(),
            database_url: self.stores.database_url.clone(),
            secret,
            reach: if self.allow_remote {
                Reach::Anywhere
            } else {
                Reach::LoopbackOnly
            },
        }))
    }
}

pub(crate) fn check_engines(engines: usize) -> Result<(), BadConfig> {
    check((1..=ENGINES_MAX).contains(&engines), || {
        format!("--engines must be 1 to {ENGINES_MAX}")
    })
}

pub(crate) fn check_people(people: u32) -> Result<(), BadConfig> {
    check((1..=ERRANDS_MAX).contains(&u64::from(people)), || {
        format!("--people must be 1 to {ERRANDS_MAX}")
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn plan(args: &[&str]) -> Result<(Plan, Wanted), BadConfig> {
        let cli = Cli::try_parse_from([&["doorbuster-loadtest", "rush"], args].concat()).unwrap();
        let Command::Rush(rush) = cli.command else {
            panic!("not a rush")
        };
        rush.plan("r-1")
    }

    #[test]
    fn the_contract_example_is_ten_thousand_at_once_on_three_engines() {
        let (plan, _) = plan(&["--users", "10000", "--stock", "100"]).unwrap();
        assert_eq!(
            (
                plan.errands(),
                plan.offer.stock,
                plan.engines,
                plan.connections
            ),
            (10_000, 100, 3, 1_000)
        );
        assert_eq!(
            (plan.arrivals, plan.offer.per_user, plan.offer.quantity),
            (Arrivals::AtOnce, 1, 1)
        );
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let cases: [(&[&str], &str); 6] = [
            (&["--users", "0"], "--users"),
            (&["--quantity", "0"], "--quantity"),
            (&["--connections", "8001"], "--connections"),
            (&["--cancel", "1.5"], "--cancel"),
            (&["--engines", "0"], "--engines"),
            (&["--duplicate", "0"], "--duplicate"),
        ];
        for (args, name) in cases {
            let error = plan(args).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn running_programs_need_both_urls() {
        let parse =
            |args: &[&str]| Cli::try_parse_from([&["doorbuster-loadtest", "rush"], args].concat());
        assert!(parse(&["--engine-url", "http://127.0.0.1:1"]).is_err());
        assert!(parse(&["--allow-remote"]).is_err());
        assert!(
            parse(&[
                "--engine-url",
                "http://127.0.0.1:1",
                "--backoffice-url",
                "http://127.0.0.1:2"
            ])
            .is_ok()
        );
    }
}
