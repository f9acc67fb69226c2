//! Who does what: every errand of a run, drawn from a seed before the start. Called by `rush`.
//!
//! An errand is one user's wish under one Idempotency-Key. The same plan and seed give the same crowd.

use std::time::Duration;

use doorbuster_core::ids::{IdempotencyKey, UserId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// What a user does beyond asking until there is an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    Plain,
    /// Sends the same request again after its answer.
    Retry,
    /// Sends the same request twice at once, on two connections and, where there are two, to two engines.
    DoubleClick,
    /// Cancels the hold it got.
    Cancel,
    /// Leaves the hold alone until it ends by itself.
    Abandon,
    /// Loses the connection before reading the first answer, and asks again.
    LoseAnswer,
}

/// Shares of the crowd that behave in some way; the rest is plain.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mix {
    pub retry: f64,
    pub double_click: f64,
    pub cancel: f64,
    pub abandon: f64,
    pub lose_answer: f64,
}

impl Mix {
    /// What an evening of impatient people on mobile phones looks like.
    pub const REALISTIC: Mix = Mix {
        retry: 0.08,
        double_click: 0.12,
        cancel: 0.05,
        abandon: 0.05,
        lose_answer: 0.05,
    };

    fn shares(&self) -> [(f64, Behaviour); 5] {
        [
            (self.retry, Behaviour::Retry),
            (self.double_click, Behaviour::DoubleClick),
            (self.cancel, Behaviour::Cancel),
            (self.abandon, Behaviour::Abandon),
            (self.lose_answer, Behaviour::LoseAnswer),
        ]
    }

    /// Whether these are shares of one crowd.
    pub fn is_valid(&self) -> bool {
        let shares = self.shares().map(|(share, _)| share);
        shares.iter().all(|share| (0.0..=1.0).contains(share))
            && shares.iter().sum::<f64>() <= 1.0 + 1e-9
    }

    /// The behaviour of someone who drew `roll` from 0 to 1.
    fn pick(&self, roll: f64) -> Behaviour {
        let mut upto = 0.0;
        for (share, behaviour) in self.shares() {
            upto += share;
            if roll < upto {
                return behaviour;
            }
        }
        Behaviour::Plain
    }
}

/// One user's wish under one key.
#[derive(Debug, Clone)]
pub struct Errand {
    pub user: UserId,
    pub key: IdempotencyKey,
    pub behaviour: Behaviour,
    /// When the user starts, after the start of the run.
    pub due: Duration,
    /// The engine that it asks first.
    pub engine: usize,
    /// Of its own pauses and choices.
    pub seed: u64,
}

/// Everyone, earliest first.
pub fn gather(plan: &Plan) -> Vec<Errand> {
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let count = plan.errands();
    let starts = plan.arrivals.starts(count, rng.random());
    let errand = |(i, due): (usize, Duration)| Errand {
        user: user(i / plan.keys_per_user as usize),
        key: key(plan.seed, i),
        behaviour: plan.mix.pick(rng.random()),
        due,
        engine: i % plan.engines,
        seed: rng.random(),
    };
    starts.into_iter().enumerate().map(errand).collect()
}

fn user(number: usize) -> UserId {
    UserId::parse(format!("buyer-{number:07}")).expect("letters and digits")
}

fn key(seed: u64, number: usize) -> IdempotencyKey {
    IdempotencyKey::parse(format!("key-{seed:x}-{number:07}")).expect("printable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    #[test]
    fn shares_are_kept_and_repeat_with_the_seed() {
        let mut plan = plan(10_000);
        plan.mix = Mix {
            cancel: 0.25,
            double_click: 0.5,
            ..Mix::default()
        };
        let crowd = gather(&plan);
        let share = |behaviour| crowd.iter().filter(|e| e.behaviour == behaviour).count();
        assert!((2_300..2_700).contains(&share(Behaviour::Cancel)));
        assert!((4_800..5_200).contains(&share(Behaviour::DoubleClick)));
        assert_eq!(share(Behaviour::Retry), 0);
        assert!(
            gather(&plan)
                .iter()
                .zip(&crowd)
                .all(|(a, b)| (a.behaviour, a.seed) == (b.behaviour, b.seed))
        );
    }

    #[test]
    fn every_errand_has_a_key_of_its_own_and_users_share_as_asked() {
        let mut plan = plan(10);
        plan.keys_per_user = 3;
        let crowd = gather(&plan);
        let keys: std::collections::HashSet<_> = crowd.iter().map(|e| e.key.as_str()).collect();
        let users: std::collections::HashSet<_> = crowd.iter().map(|e| e.user.as_str()).collect();
        assert_eq!((crowd.len(), keys.len(), users.len()), (30, 30, 10));
    }

    #[test]
    fn shares_above_one_are_no_mix() {
        assert!(Mix::REALISTIC.is_valid() && Mix::default().is_valid());
        assert!(
            !Mix {
                retry: 0.6,
                cancel: 0.6,
                ..Mix::default()
            }
            .is_valid()
        );
        assert!(
            !Mix {
                retry: -0.1,
                ..Mix::default()
            }
            .is_valid()
        );
    }
}
