//! What this engine caused and has not seen in the books yet: enough to write it into them, should Redis lose it (design §5).
//!
//! Off by default; an engine switches it on. A batch costs one allocation and a copy of some fifty bytes a hold. Bounded in events and
//! bytes: past that the oldest are forgotten, and counted.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Gate;
use super::remembered::Remembered;
use crate::ids::LiveId;
use crate::journal::Entry;
use crate::limits::{UNFLUSHED_BYTES_MAX, UNFLUSHED_EVENTS_MAX};

/// Batches of all sales, the oldest of each first.
#[derive(Debug)]
pub(crate) struct Unflushed {
    on: AtomicBool,
    events_max: usize,
    bytes_max: usize,
    kept: Mutex<Kept>,
}

impl Default for Unflushed {
    fn default() -> Self {
        Self::new(UNFLUSHED_EVENTS_MAX, UNFLUSHED_BYTES_MAX)
    }
}

#[derive(Debug, Default)]
struct Kept {
    sales: HashMap<LiveId, VecDeque<Remembered>>,
    size: Size,
}

/// How much is remembered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub events: usize,
    pub bytes: usize,
    /// Events that were forgotten for want of room, ever.
    pub forgotten: u64,
}

impl Unflushed {
    fn new(events_max: usize, bytes_max: usize) -> Self {
        Self {
            on: AtomicBool::new(false),
            events_max,
            bytes_max,
            kept: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, live: &LiveId, batch: Remembered) {
        let mut kept = self.lock();
        let Kept { sales, size } = &mut *kept;
        size.events += batch.count as usize;
        size.bytes += batch.bytes();
        let is_over = |size: &Size| size.events > self.events_max || size.bytes > self.bytes_max;
        // It was within bounds before, so the sale that asks for room has enough to give up. No other is looked for: buyers wait.
        match sales.get_mut(live) {
            Some(batches) => {
                batches.push_back(batch);
                while is_over(size) {
                    let Some(oldest) = batches.pop_front() else {
                        break;
                    };
                    size.forget(&oldest);
                }
            }
            None if is_over(size) => size.forget(&batch),
            None => drop(sales.insert(live.clone(), VecDeque::from([batch]))),
        }
    }

    fn flushed(&self, live: &LiveId, epoch: u32, flushed_seq: u64) {
        let mut kept = self.lock();
        let Kept { sales, size } = &mut *kept;
        let Some(batches) = sales.get_mut(live) else {
            return;
        };
        while let Some(oldest) =
            batches.pop_front_if(|b| (b.epoch, b.last_seq()) <= (epoch, flushed_seq))
        {
            size.drop(&oldest);
        }
        if batches.is_empty() {
            sales.remove(live);
        }
    }
}

impl Size {
    fn drop(&mut self, batch: &Remembered) {
        self.events -= batch.count as usize;
        self.bytes -= batch.bytes();
    }

    fn forget(&mut self, batch: &Remembered) {
        self.drop(batch);
        self.forgotten += batch.count;
    }
}

impl Gate {
    /// From here on what this gate's calls cause is remembered until [`Gate::forget_flushed`] says that the books have it.
    pub fn remember_unflushed(&self) {
        self.shared.unflushed.on.store(true, Ordering::Relaxed);
    }

    pub(super) fn remember(&self, live: &LiveId, batch: impl FnOnce() -> Option<Remembered>) {
        if self.shared.unflushed.on.load(Ordering::Relaxed)
            && let Some(batch) = batch()
        {
            self.shared.unflushed.push(live, batch);
        }
    }

    /// The sales of which something is remembered.
    pub fn unflushed_sales(&self) -> Vec<LiveId> {
        self.shared.unflushed.lock().sales.keys().cloned().collect()
    }

    pub fn unflushed_size(&self) -> Size {
        self.shared.unflushed.lock().size
    }

    /// The books have every event of `live` up to `flushed_seq`, and all of earlier generations that there will ever be.
    pub fn forget_flushed(&self, live: &LiveId, epoch: u32, flushed_seq: u64) {
        self.shared.unflushed.flushed(live, epoch, flushed_seq);
    }

    /// What is remembered of `live`, once every call that was under way has ended.
    pub async fn settled_unflushed(&self, live: &LiveId) -> Vec<Entry> {
        let _none_under_way = self.shared.under_way.write().await;
        let kept = self.shared.unflushed.lock();
        let batches = kept.sales.get(live).into_iter().flatten();
        batches.map(Remembered::entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::remembered::events;
    use crate::ids::SaleId;

    fn sale(name: &str) -> LiveId {
        LiveId::Sale(SaleId::parse(name).unwrap())
    }

    fn batch(epoch: u32, last_seq: u64) -> Remembered {
        events(
            epoch,
            1,
            last_seq,
            vec![(vec![1; 16], b"k1|2|ann".to_vec())],
        )
        .unwrap()
    }

    #[test]
    fn what_the_books_have_is_forgotten_and_nothing_else() {
        let (unflushed, live) = (Unflushed::default(), sale("s"));
        for (epoch, seq) in [(1, 1), (1, 2), (1, 3), (2, 4)] {
            unflushed.push(&live, batch(epoch, seq));
        }
        unflushed.flushed(&live, 1, 2);
        assert_eq!(unflushed.lock().size.events, 2);
        unflushed.flushed(&sale("other"), 9, 9);
        unflushed.flushed(&live, 2, 3);
        assert_eq!(unflushed.lock().size.events, 1, "an older generation's go");
        unflushed.flushed(&live, 2, 4);
        assert_eq!(unflushed.lock().size, Size::default());
        assert!(unflushed.lock().sales.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_is_counted() {
        for (events_max, bytes_max) in [(10, usize::MAX), (usize::MAX, 10 * 200)] {
            let unflushed = Unflushed::new(events_max, bytes_max);
            (1..=99).for_each(|seq| unflushed.push(&sale("s"), batch(1, seq)));
            let size = unflushed.lock().size;
            assert!((1..=15).contains(&size.events) && size.bytes <= bytes_max);
            assert_eq!(size.forgotten, 99 - size.events as u64);
            let first = unflushed.lock().sales[&sale("s")][0].first_seq;
            assert_eq!(first, size.forgotten + 1, "the oldest go first");
        }
    }

    #[test]
    fn the_sale_that_asks_for_room_gives_way() {
        let unflushed = Unflushed::new(10, usize::MAX);
        (1..=8).for_each(|seq| unflushed.push(&sale("a"), batch(1, seq)));
        (1..=5).for_each(|seq| unflushed.push(&sale("b"), batch(1, seq)));
        let (a, b) = (sale("a"), sale("b"));
        let kept = unflushed.lock();
        assert_eq!((kept.sales[&a].len(), kept.sales[&b].len()), (8, 2));
        assert_eq!(kept.sales[&b][0].first_seq, 4);
        drop(kept);
        (9..=10).for_each(|seq| unflushed.push(&a, batch(1, seq)));
        unflushed.push(&sale("c"), batch(1, 1));
        let kept = unflushed.lock();
        assert_eq!((kept.size.events, kept.size.forgotten), (10, 6));
        assert!(
            !kept.sales.contains_key(&sale("c")),
            "nothing of it is left"
        );
    }
}
