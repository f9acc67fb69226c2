//! How far the books of one sale are, as far as this engine knows, and those who wait for them (ack level `mysql`).
//!
//! What it knows comes by notices of the writers' trims, and from looks at Redis while somebody waits, in case a notice is
//! lost. Who waits too long is told to ask again, and until the books have what was waited for in vain the sale decides
//! nothing more: units would be held for buyers who could not be told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::ids::LiveId;
use metrics::{Counter, Histogram, counter, histogram};
use tokio::sync::watch;

use crate::front::problem::{Refusal, UNCONFIRMED};
use crate::limits::{BOOKS_LOOK_EVERY, BOOKS_LOOK_EVERY_IDLE, BOOKS_WAIT_MAX};
use crate::metrics as names;

/// Generation and seq of an event: those of a later generation are later.
type At = (u32, u64);

#[derive(Debug)]
pub(super) struct FlushedSeq {
    gate: Gate,
    live: LiveId,
    /// The last event that the books have; never goes back.
    known: watch::Sender<At>,
    /// Whether a task looks at Redis for those who wait.
    is_looking: AtomicBool,
    /// The latest event that somebody waited for in vain, until the books have it.
    missed: Mutex<Option<At>>,
    waits: Histogram,
    misses: Counter,
}

impl FlushedSeq {
    pub(super) fn new(gate: Gate, live: LiveId) -> Self {
        Self {
            gate,
            live,
            known: watch::channel((0, 0)).0,
            is_looking: AtomicBool::new(false),
            missed: Mutex::default(),
            waits: histogram!(names::ACK_WAIT_SECONDS),
            misses: counter!(names::ACK_MISSED),
        }
    }

    /// Waits until the books have event `seq` of generation `epoch`.
    pub(super) async fn reach(self: &Arc<Self>, epoch: u32, seq: u64) -> Result<(), Refusal> {
        let since = clock::instant();
        let mut known = self.known.subscribe();
        self.look_while_awaited();
        let reached = known.wait_for(|known| *known >= (epoch, seq));
        let reached = tokio::time::timeout(BOOKS_WAIT_MAX, reached).await;
        // In a later generation the number is another event's.
        if matches!(&reached, Ok(Ok(known)) if known.0 == epoch) {
            self.waits.record(since.elapsed().as_secs_f64());
            return Ok(());
        }
        self.misses.increment(1);
        if reached.is_err() {
            let mut missed = self.missed();
            *missed = (*missed).max(Some((epoch, seq)));
        }
        Err(UNCONFIRMED)
    }

    /// The books have event `seq` of generation `epoch`, and all before it.
    pub(super) fn note(&self, epoch: u32, seq: u64) {
        let at = (epoch, seq);
        self.known.send_if_modified(|known| {
            let is_news = at > *known;
            *known = (*known).max(at);
            is_news
        });
        // No news may be news to one who waited in vain a moment ago.
        let mut missed = self.missed();
        *missed = missed.filter(|missed| *missed > at);
    }

    /// Whether the books lack what somebody waited for in vain.
    pub(super) fn is_behind(&self) -> bool {
        self.missed().is_some()
    }

    fn look_while_awaited(self: &Arc<Self>) {
        if !self.is_looking.swap(true, Ordering::SeqCst) {
            let me = Arc::clone(self);
            tokio::spawn(async move { me.keep_looking().await });
        }
    }

    async fn keep_looking(&self) {
        loop {
            while let Some(pause) = self.awaited() {
                tokio::time::sleep(pause).await;
                if let Ok(Some((epoch, seq))) = self.gate.flushed(&self.live).await {
                    self.note(epoch, seq);
                }
            }
            self.is_looking.store(false, Ordering::SeqCst);
            // Who came in between found this task still looking.
            if self.awaited().is_none() || self.is_looking.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }

    /// How soon to look again; `None` where nobody waits, and nobody waited in vain.
    fn awaited(&self) -> Option<std::time::Duration> {
        match self.known.receiver_count() {
            0 => self.is_behind().then_some(BOOKS_LOOK_EVERY_IDLE),
            _ => Some(BOOKS_LOOK_EVERY),
        }
    }

    fn missed(&self) -> MutexGuard<'_, Option<At>> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
