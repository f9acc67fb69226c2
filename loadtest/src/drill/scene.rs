//! One round as the faults see it: the ground, the sale, the crowd that is there, and what came of each strike.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use doorbuster_core::claims::Role;
use doorbuster_core::clock;
use doorbuster_core::ids::{IdempotencyKey, LiveId, ReservationId, UserId};
use rand::Rng;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::ground::Ground;
use crate::client::course::{self, Market};
use crate::crowd::{Behaviour, Errand};
use crate::history::{Client, Verb};
use crate::limits::{
    DRILL_DRAINED, DRILL_GOODPUT, DRILL_HEALED_BOUND, DRILL_PAYING, DRILL_READMISSION,
    DRILL_REBUILT, DRILL_SELLS, DRILL_STOPPED, POLL_STEP,
};

/// What is measured after a fault, each with its goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// From the moment when the fault was gone until units are sold.
    Selling,
    /// Until the books have all that Redis had then.
    Drained,
    /// From SIGTERM to the end of the process.
    Stopped,
    /// From the end of a storm until as many are served as before.
    Goodput,
    /// Until a loss was noticed.
    Noticed,
    /// From the moment when Redis and the engines were back until units are sold again in a new generation.
    Rebuilt,
    /// From the moment when the fault was gone until orders come to their end.
    Paying,
}

impl Goal {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Goal::Selling => "selling",
            Goal::Drained => "drained",
            Goal::Stopped => "stopped",
            Goal::Goodput => "goodput",
            Goal::Noticed => "noticed",
            Goal::Rebuilt => "rebuilt",
            Goal::Paying => "paying",
        }
    }

    pub(super) fn bound(self) -> Duration {
        match self {
            Goal::Selling | Goal::Noticed => DRILL_READMISSION,
            Goal::Rebuilt => DRILL_REBUILT,
            Goal::Paying => DRILL_PAYING,
            Goal::Drained => DRILL_DRAINED,
            Goal::Stopped => DRILL_STOPPED,
            Goal::Goodput => DRILL_GOODPUT,
        }
    }
}

/// How long something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recovery {
    pub(super) goal: Goal,
    pub(super) took: Duration,
}

/// What came of a round's strikes.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    pub(super) cycles: u32,
    pub(super) recoveries: Vec<Recovery>,
    /// What was ended, and how often.
    pub(super) ended: BTreeMap<&'static str, u32>,
    /// What did not hold, in words.
    pub(super) broken: Vec<String>,
    /// Buyers beside the crowd.
    pub(super) guests: Vec<Client>,
}

/// Whether other faults strike at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    Alone,
    /// Then a fault's own goals are not held against it.
    Among,
}

/// A buyer whom a fault brings along.
pub(super) struct Guest {
    client: Client,
    errand: Errand,
    token: String,
    id: ReservationId,
}

pub(super) struct Scene<'a> {
    pub(super) ground: &'a Ground,
    pub(super) live: &'a LiveId,
    pub(super) market: &'a Arc<Market>,
    pub(super) company: Company,
    /// How long the longest outage lasts.
    pub(super) outage: Duration,
    notes: Mutex<Notes>,
    /// For choices that go through all there is in turn.
    turn: AtomicU64,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        ground: &'a Ground,
        live: &'a LiveId,
        market: &'a Arc<Market>,
        company: Company,
        (outage, turn): (Duration, u64),
    ) -> Self {
        Self {
            ground,
            live,
            market,
            company,
            outage,
            notes: Mutex::default(),
            turn: AtomicU64::new(turn),
        }
    }

    /// A number that is one higher each time; it begins somewhere else in every round.
    pub(super) fn turn(&self) -> usize {
        usize::try_from(self.turn.fetch_add(1, Ordering::Relaxed)).unwrap_or(0)
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Notes)) {
        change(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn into_notes(self) -> Notes {
        self.notes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts something that was ended.
    pub(super) fn ended(&self, what: &'static str) {
        self.note(|notes| *notes.ended.entry(what).or_default() += 1);
    }

    /// Something that must hold and does not.
    pub(super) fn broken(&self, text: String) {
        self.note(|notes| notes.broken.push(text));
    }

    pub(super) fn check(&self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.broken(text());
        }
    }

    pub(super) fn recovered(&self, goal: Goal, took: Duration) {
        self.note(|notes| notes.recoveries.push(Recovery { goal, took }));
        if self.company == Company::Alone {
            self.check(took <= goal.bound(), || {
                format!(
                    "{} after {:.1} s, not within {:.0} s",
                    goal.as_str(),
                    took.as_secs_f64(),
                    goal.bound().as_secs_f64()
                )
            });
        }
    }

    /// Errands that were told yes so far.
    pub(super) fn accepted(&self) -> u64 {
        self.market.tally.counts().accepted
    }

    /// Waits until units are sold again, which they could be since `since`.
    ///
    /// # Errors
    /// If they are not, within a bound far above the goal.
    pub(super) async fn selling_again(&self, since: Instant) -> Result<()> {
        self.sells().await?;
        self.recovered(Goal::Selling, since.elapsed());
        Ok(())
    }

    /// Waits until a few more are told yes.
    ///
    /// # Errors
    /// If they are not, within a bound.
    pub(super) async fn sells(&self) -> Result<()> {
        let began = clock::instant();
        let before = self.accepted();
        while self.accepted() < before + DRILL_SELLS {
            if began.elapsed() > DRILL_HEALED_BOUND {
                bail!("nothing was sold for {DRILL_HEALED_BOUND:?}");
            }
            sleep(POLL_STEP).await;
        }
        Ok(())
    }

    /// Waits until the books have all that Redis has now, since when they could.
    ///
    /// # Errors
    /// If they do not get there.
    pub(super) async fn drained(&self, since: Instant) -> Result<()> {
        let took = self.ground.sources.wait_flushed(self.live, since).await?;
        self.recovered(Goal::Drained, took);
        Ok(())
    }

    /// Someone comes beside the crowd, and gets a unit.
    ///
    /// # Errors
    /// If that is not so.
    pub(super) async fn guest(&self) -> Result<Guest> {
        let number = self.turn();
        let user = UserId::parse(format!("guest-{number}")).context("a user id")?;
        let errand = Errand {
            user: user.clone(),
            key: IdempotencyKey::parse(format!("guest-{number}")).context("a key")?,
            behaviour: Behaviour::Plain,
            due: clock::instant().saturating_duration_since(self.market.origin),
            engine: number,
            seed: number as u64,
        };
        let token = self.ground.target.token(user, Role::Buyer);
        let market = Arc::clone(self.market);
        let client = course::walk(market, errand.clone(), token.clone()).await;
        let told = client.verdict().and_then(|answer| answer.told.as_ref());
        let id = told.context("a guest was not served")?.id;
        Ok(Guest {
            client,
            errand,
            token,
            id,
        })
    }

    /// A guest cancels its hold, and leaves; whether it was told yes.
    pub(super) async fn cancels(&self, mut guest: Guest) -> bool {
        let market = Arc::clone(self.market);
        let asks = course::cancel(market, guest.errand, guest.token, guest.id).await;
        guest.client.asks.extend(asks);
        let mut answers = guest.client.answers(Verb::Cancel);
        let cancelled = answers.any(|(_, answer)| answer.is_acceptance());
        drop(answers);
        self.note(|notes| notes.guests.push(guest.client));
        cancelled
    }

    /// Sells nothing for `time`, but for what was under way at its beginning; whether that was so.
    pub(super) async fn sells_nothing(&self, time: Duration) -> bool {
        let before = self.accepted();
        sleep(time).await;
        self.accepted() == before
    }
}

/// From `from` to `to`, in milliseconds.
pub(super) fn some_ms(rng: &mut StdRng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.random_range(from..=to))
}
