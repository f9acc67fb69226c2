//! A circuit breaker. A provider that fails again and again is left alone for a while, and then asked by a few probes only, so that it can come
//! back, and so that nobody waits for what will not come.
//!
//! Closed: all pass. Failures in a row open it. Open: nobody passes for a pause, which doubles each time. Half-open: a few probes at once; one
//! failure opens it again, some successes in a row close it. What a call tells that began before the last change is not counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng as _;
use serde::Serialize;
use tokio::time::Instant;

use super::limits::{
    BREAKER_FAILURES, BREAKER_PAUSE_FIRST, BREAKER_PAUSE_MAX, BREAKER_PROBES_MAX, BREAKER_SUCCESSES,
};
use crate::metrics;

/// How it stands. The words are those of metrics and pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    Closed,
    Open,
    HalfOpen,
}

impl Stand {
    pub fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Breaker(Arc<Mutex<State>>);

struct State {
    stand: Stand,
    /// Raised with every change of the stand.
    turn: u64,
    /// In a row, while closed.
    failures: u32,
    /// In a row, while half-open.
    successes: u32,
    probes: u32,
    pause: Duration,
    /// End of the pause, while open.
    until: Option<Instant>,
    since: Option<Instant>,
    opened: u64,
}

/// What pages tell of it.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub stand: Stand,
    pub failures_in_a_row: u32,
    /// How often it has opened since this process began.
    pub opened: u64,
    /// For how long it has stood so; none where it has never changed.
    pub since: Option<Duration>,
    /// Until probes may pass.
    pub probes_in: Option<Duration>,
}

/// Leave to make one call. Whoever drops it without a word tells nothing.
pub(crate) struct Permit {
    breaker: Breaker,
    turn: u64,
    is_probe: bool,
    told: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            stand: Stand::Closed,
            turn: 0,
            failures: 0,
            successes: 0,
            probes: 0,
            pause: BREAKER_PAUSE_FIRST,
            until: None,
            since: None,
            opened: 0,
        }
    }
}

impl Breaker {
    /// Never held while anything is awaited.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leave to make a call; none while the provider is left alone.
    pub(crate) fn admit(&self) -> Option<Permit> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<Permit> {
        let mut state = self.state();
        if state.stand == Stand::Open && state.until.is_some_and(|until| now >= until) {
            state.turn_to(Stand::HalfOpen, now);
        }
        let is_probe = match state.stand {
            Stand::Closed => false,
            Stand::HalfOpen if state.probes < BREAKER_PROBES_MAX => {
                state.probes += 1;
                true
            }
            Stand::HalfOpen | Stand::Open => return None,
        };
        Some(Permit {
            breaker: self.clone(),
            turn: state.turn,
            is_probe,
            told: false,
        })
    }

    pub(crate) fn view(&self) -> View {
        let state = self.state();
        let now = Instant::now();
        View {
            stand: state.stand,
            failures_in_a_row: state.failures,
            opened: state.opened,
            since: state.since.map(|since| now - since),
            probes_in: state
                .until
                .map(|until| until.saturating_duration_since(now)),
        }
    }
}

impl Permit {
    pub(crate) fn success(mut self) {
        self.tell(true, Instant::now());
    }

    pub(crate) fn failure(mut self) {
        self.tell(false, Instant::now());
    }

    fn tell(&mut self, well: bool, now: Instant) {
        self.told = true;
        let mut state = self.breaker.state();
        if state.turn != self.turn {
            return;
        }
        if self.is_probe {
            state.probes = state.probes.saturating_sub(1);
        }
        match (state.stand, well) {
            (Stand::Closed, true) => state.failures = 0,
            (Stand::Closed, false) => {
                state.failures += 1;
                if state.failures >= BREAKER_FAILURES {
                    state.open(BREAKER_PAUSE_FIRST, now);
                }
            }
            (Stand::HalfOpen, true) => {
                state.successes += 1;
                if state.successes >= BREAKER_SUCCESSES {
                    state.turn_to(Stand::Closed, now);
                }
            }
            (Stand::HalfOpen, false) => {
                let longer = (state.pause * 2).min(BREAKER_PAUSE_MAX);
                state.open(longer, now);
            }
            // Nobody has leave of an open one.
            (Stand::Open, _) => {}
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        let mut state = self.breaker.state();
        if self.is_probe && state.turn == self.turn {
            state.probes = state.probes.saturating_sub(1);
        }
    }
}

impl State {
    /// The pause is drawn a fifth shorter or longer, so that back-offices do not probe all at once.
    fn open(&mut self, pause: Duration, now: Instant) {
        self.turn_to(Stand::Open, now);
        self.pause = pause;
        self.opened += 1;
        self.until = Some(now + pause.mul_f64(rand::rng().random_range(0.8..1.2)));
        metrics::breaker_opened();
    }

    fn turn_to(&mut self, stand: Stand, now: Instant) {
        tracing::warn!(?stand, "the payment provider's breaker turns");
        self.stand = stand;
        self.turn += 1;
        self.since = Some(now);
        (self.failures, self.successes, self.probes, self.until) = (0, 0, 0, None);
        metrics::breaker(stand);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, now: Instant) {
        breaker.admit_at(now).unwrap().tell(false, now);
    }

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..BREAKER_FAILURES {
            fail(&breaker, now);
        }
        assert_eq!(breaker.view().stand, Stand::Open);
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..3 {
            for _ in 1..BREAKER_FAILURES {
                fail(&breaker, now);
            }
            breaker.admit_at(now).unwrap().success();
        }
        assert_eq!(breaker.view().stand, Stand::Closed);
        drop(opened(now));
    }

    #[test]
    fn an_open_one_lets_nobody_through_and_then_a_few_probes() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.admit_at(now).is_none());
        let later = now + BREAKER_PAUSE_FIRST * 2;
        let probes: Vec<Permit> = std::iter::from_fn(|| breaker.admit_at(later)).collect();
        assert_eq!(probes.len(), BREAKER_PROBES_MAX as usize);
        // One that nobody hears of again leaves its place to another.
        drop(probes);
        let mut probe = breaker.admit_at(later).unwrap();
        assert_eq!(breaker.view().stand, Stand::HalfOpen);
        probe.tell(false, later);
        assert_eq!(
            (breaker.view().stand, breaker.view().opened),
            (Stand::Open, 2)
        );
        assert!(breaker.admit_at(later).is_none());
    }

    #[test]
    fn some_successes_in_a_row_close_it() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + BREAKER_PAUSE_FIRST * 2;
        for _ in 0..BREAKER_SUCCESSES {
            assert!(breaker.view().stand != Stand::Closed);
            breaker.admit_at(later).unwrap().tell(true, later);
        }
        assert_eq!(breaker.view().stand, Stand::Closed);
    }

    #[test]
    fn what_began_before_it_opened_says_nothing_of_now() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        let old: Vec<Permit> = (0..10).filter_map(|_| breaker.admit_at(now)).collect();
        for _ in 0..BREAKER_FAILURES {
            fail(&breaker, now);
        }
        let probe = breaker.admit_at(now + BREAKER_PAUSE_FIRST * 2).unwrap();
        old.into_iter().for_each(Permit::failure);
        assert_eq!(breaker.view().stand, Stand::HalfOpen);
        probe.success();
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut now = Instant::now();
        let breaker = opened(now);
        for _ in 0..8 {
            now += BREAKER_PAUSE_MAX * 2;
            fail(&breaker, now);
        }
        assert!(breaker.admit_at(now + BREAKER_PAUSE_MAX / 2).is_none());
        assert!(breaker.admit_at(now + BREAKER_PAUSE_MAX * 2).is_some());
    }
}
