//! Turns the orders that wait into one transaction, as ours turns them into one script call: while a transaction is under way
//! the next batch gathers, and a free slot takes all that waits, up to a cap. No timer; a full queue sheds at once.
//! Called by `combined`.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::queue::ArrayQueue;
use tokio::sync::oneshot;

use super::way::{Bought, Order, Trouble};
use crate::limits::{RIVAL_BATCH_ORDERS_MAX, RIVAL_QUEUE_ORDERS_MAX};

/// Decides a batch.
pub(crate) trait Decide: Send + Sync + 'static {
    /// One outcome per order, in order.
    fn decide(
        &self,
        orders: &[&Order],
    ) -> impl Future<Output = Result<Vec<Bought>, Trouble>> + Send;
}

/// The queue of the sale and the slots that empty it.
pub(crate) struct Combiner<D> {
    pub(crate) decide: D,
    queue: ArrayQueue<Waiting>,
    free_slots: AtomicUsize,
}

struct Waiting {
    order: Order,
    answer: oneshot::Sender<Result<Bought, Trouble>>,
}

impl<D: Decide> Combiner<D> {
    pub(crate) fn new(decide: D, slots: u32) -> Self {
        Self {
            decide,
            queue: ArrayQueue::new(RIVAL_QUEUE_ORDERS_MAX),
            free_slots: AtomicUsize::new(slots as usize),
        }
    }

    pub(crate) async fn submit(self: &Arc<Self>, order: Order) -> Result<Bought, Trouble> {
        let (answer, answered) = oneshot::channel();
        if self.queue.push(Waiting { order, answer }).is_err() {
            return Err(Trouble::Busy);
        }
        if let Some(slot) = self.take_slot() {
            tokio::spawn(slot.empty_the_queue());
        }
        answered
            .await
            .unwrap_or_else(|_| Err(Trouble::Store("the batch ended without an answer".into())))
    }

    fn take_slot(self: &Arc<Self>) -> Option<Slot<D>> {
        let taken = self
            .free_slots
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| {
                free.checked_sub(1)
            });
        taken.is_ok().then(|| Slot(Arc::clone(self)))
    }

    /// Those whose buyers have given up are left out.
    fn batch(&self) -> Vec<Waiting> {
        let waiting = std::iter::from_fn(|| self.queue.pop());
        waiting
            .filter(|waiting| !waiting.answer.is_closed())
            .take(RIVAL_BATCH_ORDERS_MAX)
            .collect()
    }

    async fn decide_batch(&self, batch: Vec<Waiting>) {
        let orders: Vec<&Order> = batch.iter().map(|waiting| &waiting.order).collect();
        match self.decide.decide(&orders).await {
            Ok(outcomes) => {
                for (waiting, outcome) in batch.into_iter().zip(outcomes) {
                    let _ = waiting.answer.send(Ok(outcome));
                }
            }
            Err(trouble) => {
                for waiting in batch {
                    let _ = waiting.answer.send(Err(trouble.clone()));
                }
            }
        }
    }
}

/// The right to have one transaction under way; given back on drop.
struct Slot<D: Decide>(Arc<Combiner<D>>);

impl<D: Decide> Slot<D> {
    async fn empty_the_queue(self) {
        let combiner = Arc::clone(&self.0);
        let mut held = Some(self);
        while let Some(slot) = held {
            loop {
                let batch = combiner.batch();
                if batch.is_empty() {
                    break;
                }
                combiner.decide_batch(batch).await;
            }
            // Whoever pushed while we held the last slot found none free: look once more after giving it back.
            drop(slot);
            held = if combiner.queue.is_empty() {
                None
            } else {
                combiner.take_slot()
            };
        }
    }
}

impl<D: Decide> Drop for Slot<D> {
    fn drop(&mut self) {
        self.0.free_slots.fetch_add(1, Ordering::AcqRel);
    }
}
