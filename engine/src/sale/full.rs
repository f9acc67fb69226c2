//! Whether a sale's backlog is full: what the last batch was told, remembered so that those who come next are shed from memory.
//!
//! While it is full one request in each interval goes through to Redis, and what it is told opens the door again or keeps it
//! shut. So a long absence of MySQL costs Redis a call now and then, not one for each buyer.

use std::sync::atomic::{AtomicU64, Ordering};

use doorbuster_core::clock;
use doorbuster_core::ids::LiveId;
use metrics::counter;

use crate::limits::{BACKLOG_LOOK_EVERY, BACKLOG_SAID_EVERY};
use crate::metrics as names;

/// Of one sale.
#[derive(Debug, Default)]
pub(crate) struct Full {
    /// By [`clock::now_ms`]; 0: it is not full.
    until_ms: AtomicU64,
    /// When that was last said.
    said_ms: AtomicU64,
}

/// What an outcome says of the backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Full,
    /// The bound was asked, and there was room.
    Room,
    /// It was not asked.
    Nothing,
}

impl Full {
    /// A batch was decided.
    pub(super) fn told(&self, live: &LiveId, outcomes: impl Iterator<Item = Says>) {
        let mut said = Says::Nothing;
        for says in outcomes {
            match says {
                Says::Full => {
                    said = Says::Full;
                    break;
                }
                Says::Room => said = Says::Room,
                Says::Nothing => {}
            }
        }
        match said {
            Says::Full => {
                let now_ms = clock::now_ms();
                let until_ms = now_ms + BACKLOG_LOOK_EVERY.as_millis() as u64;
                self.until_ms.store(until_ms, Ordering::Relaxed);
                let said_ms = self.said_ms.load(Ordering::Relaxed);
                if now_ms.saturating_sub(said_ms) >= BACKLOG_SAID_EVERY.as_millis() as u64 {
                    self.said_ms.store(now_ms, Ordering::Relaxed);
                    tracing::warn!(alarm = "backlog", sale = %live, "too much waits for mysql: buyers are told to come back");
                }
            }
            // Looked at first: a store for each batch would have all threads fetch it anew.
            Says::Room if self.until_ms.load(Ordering::Relaxed) != 0 => {
                self.until_ms.store(0, Ordering::Relaxed);
                tracing::debug!(sale = %live, "mysql has caught up enough: buyers are let in again");
            }
            Says::Room | Says::Nothing => {}
        }
    }

    /// Whether this request is to be shed. Each interval one is not.
    pub(crate) fn sheds(&self) -> bool {
        let until_ms = self.until_ms.load(Ordering::Relaxed);
        until_ms != 0 && self.sheds_at(clock::now_ms(), until_ms)
    }

    fn sheds_at(&self, now_ms: u64, until_ms: u64) -> bool {
        let next_ms = now_ms + BACKLOG_LOOK_EVERY.as_millis() as u64;
        let goes_through = now_ms >= until_ms
            && self
                .until_ms
                .compare_exchange(until_ms, next_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !goes_through {
            counter!(names::SHED, "reason" => "backlog").increment(1);
        }
        !goes_through
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::SaleId;

    use super::*;

    #[test]
    fn a_full_sale_sheds_all_but_one_in_each_interval_until_there_is_room() {
        let (full, live) = (Full::default(), LiveId::Sale(SaleId::parse("s").unwrap()));
        assert!(!full.sheds());
        full.told(&live, [Says::Room, Says::Full].into_iter());
        assert!(full.sheds() && full.sheds());
        let until_ms = full.until_ms.load(Ordering::Relaxed);
        assert!(!full.sheds_at(until_ms, until_ms), "one goes through");
        let until_ms = full.until_ms.load(Ordering::Relaxed);
        assert!(full.sheds_at(until_ms - 1, until_ms), "and no other");
        full.told(&live, [Says::Nothing].into_iter());
        assert!(full.sheds(), "a repeat proves no room");
        full.told(&live, [Says::Nothing, Says::Room].into_iter());
        assert!(!full.sheds());
    }
}
