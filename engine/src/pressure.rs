//! Who yields to whom. While buyers keep this process busy the writer lets the books lag (design §4, write-back): a machine
//! that can do one of the two answers buyers first. Once the books lag past what is allowed it is the buyers who are slowed,
//! by a pause before each batch. Told by the combiner and the writer, asked by the other. Who of the buyers yields to whom is
//! [`Load`]'s to say.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doorbuster_core::clock;

use crate::limits::{
    LAG_SLOWING, PACE_MAX, PRESSED_BATCH_REQUESTS, PRESSED_FOR, PRESSED_WINDOW,
    PRESSED_WINDOW_REQUESTS,
};
use crate::load::Load;

/// Shared by the combiners of all sales and the writer.
#[derive(Debug, Default)]
pub struct Pressure {
    /// Which buyers yield to which.
    pub load: Load,
    /// When buyers last kept this process busy, by [`clock::now_ms`].
    pressed_ms: AtomicU64,
    /// Number of the window that is counted, and the requests decided in it.
    window: AtomicU64,
    in_window: AtomicU64,
    /// Pause before a batch.
    pace_ms: AtomicU64,
    /// Requests shed since somebody last asked.
    shed: AtomicU64,
}

impl Pressure {
    /// A batch grows while calls are under way: a large one means that more is asked than is answered. Small ones do, if
    /// there are many: of a thousand sales at once. Counted without a lock; a count that is lost to a neighbour's is made up
    /// for by the next.
    pub(crate) fn batch(&self, requests: usize) {
        self.batch_at(requests, clock::now_ms());
    }

    fn batch_at(&self, requests: usize, now_ms: u64) {
        let window = now_ms / PRESSED_WINDOW.as_millis() as u64;
        if self.window.swap(window, Ordering::Relaxed) != window {
            self.in_window.store(0, Ordering::Relaxed);
        }
        let before = self.in_window.fetch_add(requests as u64, Ordering::Relaxed);
        if requests >= PRESSED_BATCH_REQUESTS || before + requests as u64 >= PRESSED_WINDOW_REQUESTS
        {
            self.pressed_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    /// A request was shed: more is asked than can be answered.
    pub(crate) fn shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were, since this was last asked.
    pub(crate) fn take_shed(&self) -> u64 {
        self.shed.swap(0, Ordering::Relaxed)
    }

    /// The writer has looked: the books lag by so much more than they may. The lag adds up what buyers are too fast by, so a pause in
    /// proportion to it finds, and keeps, the pace of the books.
    pub(crate) fn books_lag(&self, beyond: Duration) {
        let beyond = beyond.min(LAG_SLOWING).as_millis();
        // Whole milliseconds are what a timer can tell apart.
        let pace = PACE_MAX.as_millis() * beyond / LAG_SLOWING.as_millis();
        self.pace_ms.store(pace as u64, Ordering::Relaxed);
    }

    /// What a batch waits before it is decided.
    pub(crate) fn pace(&self) -> Duration {
        Duration::from_millis(self.pace_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn is_high(&self) -> bool {
        self.is_high_at(clock::now_ms())
    }

    fn is_high_at(&self, now_ms: u64) -> bool {
        let since = now_ms.saturating_sub(self.pressed_ms.load(Ordering::Relaxed));
        since < PRESSED_FOR.as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_large_batch_presses_and_so_do_many_small_ones_at_once() {
        let pressure = Pressure::default();
        let (window, start) = (PRESSED_WINDOW.as_millis() as u64, 1_000_000);
        for n in 0..PRESSED_WINDOW_REQUESTS {
            // One in a window, which is no hurry.
            pressure.batch_at(1, start + n * window);
        }
        let later = start + PRESSED_WINDOW_REQUESTS * window;
        assert!(!pressure.is_high_at(later));
        (0..PRESSED_WINDOW_REQUESTS).for_each(|_| pressure.batch_at(1, later));
        assert!(pressure.is_high_at(later));
        let calm = later + PRESSED_FOR.as_millis() as u64;
        assert!(!pressure.is_high_at(calm));
        pressure.batch_at(PRESSED_BATCH_REQUESTS, calm);
        assert!(pressure.is_high_at(calm));
    }

    #[test]
    fn buyers_are_slowed_as_far_as_the_books_lag_within_a_bound_and_let_go_again() {
        let pressure = Pressure::default();
        assert_eq!(pressure.pace(), Duration::ZERO);
        for (beyond, pace) in [
            (Duration::from_millis(1), Duration::ZERO),
            (LAG_SLOWING / 4, PACE_MAX / 4),
            (LAG_SLOWING / 2, PACE_MAX / 2),
            (LAG_SLOWING, PACE_MAX),
            (LAG_SLOWING * 100, PACE_MAX),
            (Duration::ZERO, Duration::ZERO),
        ] {
            pressure.books_lag(beyond);
            assert_eq!(pressure.pace(), pace, "{beyond:?}");
        }
    }
}
