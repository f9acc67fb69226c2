//! Whether buyers keep this process busy. Told by the combiner, asked by the writer, which then lets the books lag a while:
//! a machine that can do one of the two answers buyers first (design §4, write-back).

use std::sync::atomic::{AtomicU64, Ordering};

use doorbuster_core::clock;

use crate::limits::{PRESSED_BATCH_REQUESTS, PRESSED_FOR};

/// Shared by the combiners of all sales and the writer.
#[derive(Debug, Default)]
pub struct Pressure {
    /// When the last large batch was decided, by [`clock::now_ms`].
    large_batch_ms: AtomicU64,
}

impl Pressure {
    /// A batch grows while calls are under way: a large one means that more is asked than is answered.
    pub(crate) fn batch(&self, requests: usize) {
        if requests >= PRESSED_BATCH_REQUESTS {
            self.large_batch_ms
                .store(clock::now_ms(), Ordering::Relaxed);
        }
    }

    pub(crate) fn is_high(&self) -> bool {
        let since = clock::now_ms().saturating_sub(self.large_batch_ms.load(Ordering::Relaxed));
        since < PRESSED_FOR.as_millis() as u64
    }
}
