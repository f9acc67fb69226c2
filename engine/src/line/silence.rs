//! How long a client is told to be silent before it polls again: a quarter of what is left to wait, within bounds. Whoever waits for the
//! opening, or for the draw, asks again after it, spread by how many they are. Pure.

use std::time::Duration;

use doorbuster_core::ticket::Place;

use crate::limits::{
    POLL_AFTER_EACH, POLL_AFTER_MAX, POLL_AFTER_MIN, POLL_AFTER_PART, POLL_SPREAD_MAX,
    POLL_SPREAD_PER_SECOND,
};

/// What it depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silence {
    pub(super) number: Place,
    /// Numbers given: how many may ask at once.
    pub(super) given: u32,
    /// 0 once the sale has opened.
    pub(super) opens_in_ms: u64,
    /// Nothing while the order is not drawn.
    pub(super) ahead: Option<u32>,
    /// The most likely wait; nothing while nothing is known of it.
    pub(super) remaining_ms: Option<u64>,
}

impl Silence {
    /// Before anything is known of the line.
    pub(super) fn unseen(number: Place) -> Self {
        Self {
            number,
            given: 0,
            opens_in_ms: 0,
            ahead: None,
            remaining_ms: None,
        }
    }

    pub(super) fn ms(&self) -> u64 {
        let (least, most) = (ms(POLL_AFTER_MIN), ms(POLL_AFTER_MAX));
        let crowd_ms = u64::from(self.given) * 1_000 / POLL_SPREAD_PER_SECOND;
        let crowd_ms = crowd_ms.clamp(least / 4, ms(POLL_SPREAD_MAX));
        if self.opens_in_ms > 0 {
            let after_ms = self.spread(self.opens_in_ms, crowd_ms);
            return if after_ms > most {
                self.spread(most - most / 4, most / 4)
            } else {
                after_ms.max(least)
            };
        }
        let after_ms = match (self.ahead, self.remaining_ms) {
            (None, _) => self.spread(least, crowd_ms),
            (Some(_), Some(remaining_ms)) => remaining_ms / POLL_AFTER_PART,
            (Some(ahead), None) => ms(POLL_AFTER_EACH.saturating_mul(ahead)),
        };
        let after_ms = after_ms.clamp(least, most);
        self.spread(after_ms - after_ms / 10, after_ms / 10)
    }

    /// `at_ms` and some of `within_ms`, by the number: neighbours differ.
    fn spread(&self, at_ms: u64, within_ms: u64) -> u64 {
        let number = u64::from(self.number.number);
        let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44;
        at_ms + scattered * within_ms / (1 << 20)
    }
}

fn ms(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(number: u32, given: u32) -> Silence {
        Silence {
            given,
            ..Silence::unseen(Place::general(number))
        }
    }

    #[test]
    fn polls_are_rarer_the_longer_the_wait() {
        let behind = |ahead| Silence {
            ahead: Some(ahead),
            ..silence(7, 1_000_000)
        };
        let waits = [2, 30_000, 900_000].map(|ahead| behind(ahead).ms());
        assert!(waits.is_sorted() && waits[0] < waits[1], "{waits:?}");
        assert!(waits[0] <= ms(POLL_AFTER_MIN) && waits[2] <= ms(POLL_AFTER_MAX));
        let known = Silence {
            remaining_ms: Some(40_000),
            ..behind(900_000)
        };
        assert!((9_000..=10_000).contains(&known.ms()));
    }

    #[test]
    fn those_who_wait_for_the_opening_ask_after_it_and_are_spread() {
        let times = (1..=1_000).map(|number| {
            let opening = Silence {
                opens_in_ms: 10_000,
                ..silence(number, 100_000)
            };
            opening.ms()
        });
        let (least, most) = times.fold((u64::MAX, 0), |(least, most), ms| {
            (least.min(ms), most.max(ms))
        });
        assert!(least >= 10_000 && most > 14_000 && most <= 15_000);
        let far = Silence {
            opens_in_ms: 3_600_000,
            ..silence(1, 100_000)
        };
        assert!((22_500..=30_000).contains(&far.ms()));
    }
}
