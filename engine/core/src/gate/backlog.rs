//! How much of a sale may wait for MySQL: past it the deciding scripts refuse `backlog`. Set once, when a program starts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Gate;
use crate::limits::{BACKLOG_BYTES_MAX, BACKLOG_EVENTS_MAX};

/// Of each sale, what may be in its journal and not in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogMax {
    pub events: u64,
    pub bytes: u64,
}

impl Default for BacklogMax {
    fn default() -> Self {
        Self {
            events: BACKLOG_EVENTS_MAX,
            bytes: BACKLOG_BYTES_MAX,
        }
    }
}

impl BacklogMax {
    /// How much of the bound is used up: 1 and more is full.
    pub fn used(&self, events: u64, bytes: u64) -> f64 {
        let part = |of: u64, most: u64| of as f64 / most.max(1) as f64;
        part(events, self.events).max(part(bytes, self.bytes))
    }
}

/// The bound that a gate hands to the scripts.
#[derive(Debug)]
pub(super) struct Bound {
    events: AtomicU64,
    bytes: AtomicU64,
}

impl Default for Bound {
    fn default() -> Self {
        let BacklogMax { events, bytes } = BacklogMax::default();
        Self {
            events: events.into(),
            bytes: bytes.into(),
        }
    }
}

impl Gate {
    /// From the next call on, for every clone of this gate.
    pub fn set_backlog_max(&self, max: BacklogMax) {
        let bound = &self.shared.backlog;
        bound.events.store(max.events, Ordering::Relaxed);
        bound.bytes.store(max.bytes, Ordering::Relaxed);
    }

    pub fn backlog_max(&self) -> BacklogMax {
        let bound = &self.shared.backlog;
        BacklogMax {
            events: bound.events.load(Ordering::Relaxed),
            bytes: bound.bytes.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_the_two_tells_how_full_it_is() {
        let max = BacklogMax {
            events: 100,
            bytes: 1_000,
        };
        assert_eq!(max.used(0, 0), 0.0);
        assert_eq!(max.used(50, 100), 0.5);
        assert_eq!(max.used(1, 2_000), 2.0);
    }
}
