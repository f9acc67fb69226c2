//! What this engine knows of each number and place of one lane: when its holder was last heard of, and how the place stands. No lock:
//! a poll reads two words and writes one. Memory grows with the numbers given, 16 bytes each.
//!
//! A slot is found by number for the one and by place for the other; they differ where the sale draws.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use doorbuster_core::gate::advance::Standing;
use doorbuster_core::limits::LINE_PLACES_MAX;

use crate::limits::{ALIVE_GRACE, LINE_CHUNK_SLOTS};

/// One lane.
#[derive(Debug)]
pub(super) struct Slots {
    chunks: Box<[OnceLock<Box<[Slot]>>]>,
}

#[derive(Debug, Default)]
struct Slot {
    pulse: AtomicU64,
    standing: AtomicU64,
}

/// When the holder of a number was last heard of, and how long it was told to stay silent; ms on the line's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pulse {
    pub(super) seen_ms: u64,
    pub(super) after_ms: u64,
}

const AFTER_BITS: u32 = 20;
const AFTER_MAX: u64 = (1 << AFTER_BITS) - 1;

impl Pulse {
    fn pack(self) -> u64 {
        // A pulse at 0 would be none.
        (self.seen_ms.max(1) << AFTER_BITS) | self.after_ms.min(AFTER_MAX)
    }

    fn unpack(packed: u64) -> Option<Self> {
        (packed != 0).then_some(Self {
            seen_ms: packed >> AFTER_BITS,
            after_ms: packed & AFTER_MAX,
        })
    }

    /// Whether a missed poll, and some grace, have not passed yet.
    pub(super) fn is_alive(self, now_ms: u64) -> bool {
        let grace_ms = ALIVE_GRACE.as_millis() as u64;
        now_ms < self.seen_ms + 2 * self.after_ms + grace_ms
    }

    /// From when on the next poll counts.
    pub(super) fn next_ms(self) -> u64 {
        self.seen_ms + self.after_ms / 2
    }
}

const KIND_BITS: u32 = 2;

fn pack(standing: Standing) -> u64 {
    match standing {
        Standing::Waiting => 0,
        Standing::Offered { until_ms } => (until_ms << KIND_BITS) | 1,
        Standing::Admitted { until_ms } => (until_ms << KIND_BITS) | 2,
        Standing::Over => 3,
    }
}

fn unpack(packed: u64) -> Standing {
    let until_ms = packed >> KIND_BITS;
    match packed & 3 {
        0 => Standing::Waiting,
        1 => Standing::Offered { until_ms },
        2 => Standing::Admitted { until_ms },
        _ => Standing::Over,
    }
}

impl Slots {
    pub(super) fn new() -> Self {
        let chunks = (LINE_PLACES_MAX as usize).div_ceil(LINE_CHUNK_SLOTS) + 1;
        Self {
            chunks: (0..chunks).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Nothing where nobody was heard of yet, nor past the last number that there can be.
    fn get(&self, at: u32) -> Option<&Slot> {
        let chunk = self.chunks.get(at as usize / LINE_CHUNK_SLOTS)?.get()?;
        chunk.get(at as usize % LINE_CHUNK_SLOTS)
    }

    fn made(&self, at: u32) -> Option<&Slot> {
        let chunk = self.chunks.get(at as usize / LINE_CHUNK_SLOTS)?;
        let chunk = chunk.get_or_init(|| (0..LINE_CHUNK_SLOTS).map(|_| Slot::default()).collect());
        chunk.get(at as usize % LINE_CHUNK_SLOTS)
    }

    pub(super) fn pulse(&self, number: u32) -> Option<Pulse> {
        Pulse::unpack(self.get(number)?.pulse.load(Ordering::Relaxed))
    }

    pub(super) fn beat(&self, number: u32, pulse: Pulse) {
        if let Some(slot) = self.made(number) {
            slot.pulse.store(pulse.pack(), Ordering::Relaxed);
        }
    }

    /// Was offered admission and did not ask: counts as gone until it asks again.
    pub(super) fn still(&self, number: u32, not_since_ms: u64) {
        if let Some(slot) = self.get(number)
            && Pulse::unpack(slot.pulse.load(Ordering::Relaxed))
                .is_some_and(|pulse| pulse.seen_ms < not_since_ms)
        {
            slot.pulse.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn standing(&self, place: u32) -> Standing {
        self.get(place).map_or(Standing::Waiting, |slot| {
            unpack(slot.standing.load(Ordering::Relaxed))
        })
    }

    pub(super) fn set(&self, place: u32, standing: Standing) {
        if let Some(slot) = self.made(place) {
            slot.standing.store(pack(standing), Ordering::Relaxed);
        }
    }

    /// The holder of an offered place has been told: true for the first who tells.
    pub(super) fn tell(&self, place: u32, offered: Standing, until_ms: u64) -> bool {
        let admitted = pack(Standing::Admitted { until_ms });
        self.get(place).is_some_and(|slot| {
            let (ordering, else_) = (Ordering::Relaxed, Ordering::Relaxed);
            slot.standing
                .compare_exchange(pack(offered), admitted, ordering, else_)
                .is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_found_and_nothing_else() {
        let slots = Slots::new();
        assert_eq!(slots.pulse(5), None);
        assert_eq!(slots.standing(5), Standing::Waiting);
        let pulse = Pulse {
            seen_ms: 123_456_789,
            after_ms: 30_000,
        };
        slots.beat(5, pulse);
        assert_eq!(slots.pulse(5), Some(pulse));
        let last = LINE_PLACES_MAX;
        for (place, standing) in [
            (5, Standing::Offered { until_ms: 1 << 41 }),
            (6, Standing::Admitted { until_ms: 7 }),
            (last, Standing::Over),
        ] {
            slots.set(place, standing);
            assert_eq!(slots.standing(place), standing);
        }
        assert_eq!(slots.pulse(5), Some(pulse));
        slots.set(u32::MAX, Standing::Over);
        assert_eq!(slots.standing(u32::MAX), Standing::Waiting);
    }

    #[test]
    fn an_offer_is_told_once() {
        let (slots, offered) = (Slots::new(), Standing::Offered { until_ms: 9 });
        slots.set(1, offered);
        assert!(slots.tell(1, offered, 99));
        assert!(!slots.tell(1, offered, 100));
        assert_eq!(slots.standing(1), Standing::Admitted { until_ms: 99 });
    }

    #[test]
    fn one_poll_may_be_missed_and_half_of_the_wait_must_be_waited() {
        let pulse = Pulse {
            seen_ms: 1_000,
            after_ms: 4_000,
        };
        let end = 1_000 + 8_000 + ALIVE_GRACE.as_millis() as u64;
        assert!(pulse.is_alive(end - 1) && !pulse.is_alive(end));
        assert_eq!(pulse.next_ms(), 3_000);
        let slots = Slots::new();
        slots.beat(3, pulse);
        slots.still(3, 1_000);
        assert!(slots.pulse(3).is_some(), "was heard of since");
        slots.still(3, 1_001);
        assert!(slots.pulse(3).is_none());
    }
}
