//! A seeded script: which fate each charge has, and which its webhooks. A key's fate depends on the seed and the key alone, so that a
//! run can be repeated whatever order its requests come in.

use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::fate::{Fate, HookFate};

/// Of a thousand keys, how many.
type PerMille = u16;

/// How long at most what takes long takes, where the script does not say.
const MS_DEFAULT: u64 = 1_000;
/// And how long it may say.
const MS_MAX: u64 = 60_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    seed: u64,
    slow_ms: u64,
    pending_ms: u64,
    late_ms: u64,
    /// Of charges, in the order of [`CHARGES`].
    charges: [PerMille; CHARGES.len()],
    /// Of webhooks, in the order of [`HOOKS`].
    hooks: [PerMille; HOOKS.len()],
}

const CHARGES: [&str; 8] = [
    "decline",
    "insufficient",
    "slow",
    "timeout",
    "error",
    "busy",
    "pending",
    "wrong_amount",
];
const HOOKS: [&str; 5] = ["duplicate", "reorder", "late", "unsigned", "lost"];

/// Why a text is no script.
#[derive(Debug, thiserror::Error)]
#[error("must be like seed=7,decline=5,timeout=3,late=2% (see --help): {0}")]
pub struct NoScript(String);

impl Default for Script {
    fn default() -> Self {
        Self {
            seed: 0,
            slow_ms: MS_DEFAULT,
            pending_ms: MS_DEFAULT,
            late_ms: MS_DEFAULT,
            charges: Default::default(),
            hooks: Default::default(),
        }
    }
}

impl FromStr for Script {
    type Err = NoScript;

    fn from_str(text: &str) -> Result<Self, NoScript> {
        let mut script = Self::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let no = || NoScript(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(no)?;
            let place = |names: &[&str]| names.iter().position(|known| *known == name);
            let ms = || {
                value
                    .parse()
                    .ok()
                    .filter(|ms| (1..=MS_MAX).contains(ms))
                    .ok_or_else(no)
            };
            match name {
                "seed" => script.seed = value.parse().map_err(|_| no())?,
                "slow_ms" => script.slow_ms = ms()?,
                "pending_ms" => script.pending_ms = ms()?,
                "late_ms" => script.late_ms = ms()?,
                _ => match (place(&CHARGES), place(&HOOKS)) {
                    (Some(at), _) => script.charges[at] = per_mille(value).ok_or_else(no)?,
                    (_, Some(at)) => script.hooks[at] = per_mille(value).ok_or_else(no)?,
                    _ => return Err(no()),
                },
            }
        }
        for list in [&script.charges[..], &script.hooks[..]] {
            if list.iter().map(|share| u32::from(*share)).sum::<u32>() > 1_000 {
                return Err(NoScript("more than everything".to_owned()));
            }
        }
        Ok(script)
    }
}

/// `5` of a thousand, or `5%`.
fn per_mille(text: &str) -> Option<PerMille> {
    let share: PerMille = match text.strip_suffix('%') {
        Some(per_cent) => per_cent.parse::<PerMille>().ok()?.checked_mul(10)?,
        None => text.parse().ok()?,
    };
    (share <= 1_000).then_some(share)
}

impl Script {
    /// What becomes of the charge of this key.
    pub(crate) fn fate(&self, key: Uuid) -> Fate {
        let dice = self.dice("charge", key);
        let within = |ms: u64| Duration::from_millis(1 + dice.1 % ms);
        match drawn(&self.charges, dice.0) {
            Some(0) => Fate::Decline("declined"),
            Some(1) => Fate::Decline("insufficient_funds"),
            Some(2) => Fate::Slow(within(self.slow_ms)),
            Some(3) => Fate::SilentOnce,
            Some(4) => Fate::ErrorOnce,
            Some(5) => Fate::BusyOnce,
            Some(6) => Fate::Pending {
                wait: within(self.pending_ms),
                declined: false,
            },
            Some(7) => Fate::WrongAmount,
            _ => Fate::Capture,
        }
    }

    /// What becomes of the webhooks of this key.
    pub(crate) fn hook_fate(&self, key: Uuid) -> HookFate {
        let dice = self.dice("hook", key);
        match drawn(&self.hooks, dice.0) {
            Some(0) => HookFate::Duplicate,
            Some(1) => HookFate::Reordered,
            Some(2) => HookFate::Late(Duration::from_millis(1 + dice.1 % self.late_ms)),
            Some(3) => HookFate::Unsigned,
            Some(4) => HookFate::Lost,
            _ => HookFate::Plain,
        }
    }

    /// Two numbers that seed, purpose and key give.
    fn dice(&self, purpose: &str, key: Uuid) -> (u64, u64) {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(self.seed.to_be_bytes())
            .chain_update(purpose)
            .chain_update(key.as_bytes())
            .finalize()
            .into();
        let number = |at: usize| {
            digest[at..at + 8]
                .iter()
                .fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        (number(0), number(8))
    }
}

/// Which of the shares a number falls into.
fn drawn(shares: &[PerMille], number: u64) -> Option<usize> {
    let mut left = number % 1_000;
    for (at, share) in shares.iter().enumerate() {
        let share = u64::from(*share);
        if left < share {
            return Some(at);
        }
        left -= share;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_per_mille_or_per_cent_and_no_more_than_everything() {
        let script: Script = "seed=7, decline=5,timeout=3%,late=2,late_ms=50"
            .parse()
            .unwrap();
        assert_eq!((script.seed, script.late_ms), (7, 50));
        assert_eq!(
            (script.charges[0], script.charges[3], script.hooks[2]),
            (5, 30, 2)
        );
        assert_eq!("".parse::<Script>().unwrap(), Script::default());
        for bad in [
            "decline",
            "decline=x",
            "decline=-1",
            "decline=101%",
            "nothing=1",
            "late_ms=0",
            "decline=60%,timeout=50%",
            "seed=x",
        ] {
            assert!(bad.parse::<Script>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_keys_fate_is_that_of_its_seed_and_about_as_many_have_it_as_the_script_says() {
        let script: Script = "seed=1,decline=100,lost=50".parse().unwrap();
        let other: Script = "seed=2,decline=100,lost=50".parse().unwrap();
        let keys: Vec<Uuid> = (0..10_000u128).map(Uuid::from_u128).collect();
        let fates: Vec<Fate> = keys.iter().map(|key| script.fate(*key)).collect();
        assert!(
            keys.iter()
                .zip(&fates)
                .all(|(key, fate)| script.fate(*key) == *fate)
        );
        assert!(
            keys.iter()
                .zip(&fates)
                .any(|(key, fate)| other.fate(*key) != *fate)
        );
        let declined = fates
            .iter()
            .filter(|fate| **fate == Fate::Decline("declined"))
            .count();
        assert!((800..1_200).contains(&declined), "{declined}");
        let lost = keys
            .iter()
            .filter(|key| script.hook_fate(**key) == HookFate::Lost)
            .count();
        assert!((350..650).contains(&lost), "{lost}");
    }
}
