//! Who yields to whom. While buyers keep this process busy the writer lets the books lag (design §4, write-back): a machine
//! that can do one of the two answers buyers first. Once the books lag past what is allowed it is the buyers who are slowed,
//! by a pause before each batch. Told by the combiner and the writer, asked by the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doorbuster_core::clock;

use crate::limits::{PACE_MAX, PACE_STEP, PRESSED_BATCH_REQUESTS, PRESSED_FOR};

/// Shared by the combiners of all sales and the writer.
#[derive(Debug, Default)]
pub struct Pressure {
    /// When the last large batch was decided, by [`clock::now_ms`].
    large_batch_ms: AtomicU64,
    /// Pause before a batch, in µs.
    pace_us: AtomicU64,
}

impl Pressure {
    /// A batch grows while calls are under way: a large one means that more is asked than is answered.
    pub(crate) fn batch(&self, requests: usize) {
        if requests >= PRESSED_BATCH_REQUESTS {
            self.large_batch_ms
                .store(clock::now_ms(), Ordering::Relaxed);
        }
    }

    /// The writer has looked: the books lag too far, or not.
    pub(crate) fn books_lag(&self, too_far: bool) {
        let (step, most) = (PACE_STEP.as_micros() as u64, PACE_MAX.as_micros() as u64);
        let now = self.pace_us.load(Ordering::Relaxed);
        let next = if too_far {
            (now + step).min(most)
        } else {
            now.saturating_sub(step)
        };
        self.pace_us.store(next, Ordering::Relaxed);
    }

    /// What a batch waits before it is decided.
    pub(crate) fn pace(&self) -> Duration {
        Duration::from_micros(self.pace_us.load(Ordering::Relaxed))
    }

    pub(crate) fn is_high(&self) -> bool {
        let since = clock::now_ms().saturating_sub(self.large_batch_ms.load(Ordering::Relaxed));
        since < PRESSED_FOR.as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buyers_are_slowed_step_by_step_within_a_bound_and_let_go_again() {
        let pressure = Pressure::default();
        assert_eq!(pressure.pace(), Duration::ZERO);
        pressure.books_lag(true);
        assert_eq!(pressure.pace(), PACE_STEP);
        (0..1_000).for_each(|_| pressure.books_lag(true));
        assert_eq!(pressure.pace(), PACE_MAX);
        (0..1_000).for_each(|_| pressure.books_lag(false));
        assert_eq!(pressure.pace(), Duration::ZERO);
    }
}
