//! The way into the saga, and between its steps: bounded queues in memory. What does not fit waits in the books.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorbuster_core::ids::{LiveId, SaleId};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::capture::Captured;
use super::placing::New;
use crate::app::App;
use crate::error::ApiError;
use crate::live;
use crate::orders::limits::{
    BOOKS_AWAITED_MAX, BOOKS_AWAITED_OF_SALE_MAX, EPOCH_LIFE, EPOCHS_KEPT, FRESH_FOR, QUEUE_MAX,
    TALKS_MAX,
};
use crate::orders::model::Order;

/// An order that this process has, for a while.
pub(in crate::orders) struct Job {
    pub(super) order: Order,
    /// Taken from the books: what was done of its step before is not known.
    pub(super) resumed: bool,
    since: Instant,
    /// Dropped with the job: whoever waits for the order looks at it then.
    _told: Option<oneshot::Sender<()>>,
}

impl Job {
    /// One that was written down just now; what comes with it ends when it has gone as far as it goes for now.
    pub(super) fn placed(order: Order) -> (Self, oneshot::Receiver<()>) {
        let (told, until) = oneshot::channel();
        let job = Self {
            order,
            resumed: false,
            since: Instant::now(),
            _told: Some(told),
        };
        (job, until)
    }

    /// One that was taken from the books just now.
    pub(super) fn taken(order: Order) -> Self {
        Self {
            order,
            resumed: true,
            since: Instant::now(),
            _told: None,
        }
    }

    pub(super) fn is_overdue(&self) -> bool {
        self.since.elapsed() > FRESH_FOR
    }

    /// It has been moved on, and is the caller's for as long as one that was just taken.
    pub(super) fn renewed(mut self) -> Self {
        self.since = Instant::now();
        self.resumed = false;
        self
    }
}

/// The way into the saga. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Saga(Arc<Inner>);

struct Inner {
    place: mpsc::Sender<New>,
    begin: mpsc::Sender<Job>,
    charge: mpsc::Sender<Job>,
    capture: mpsc::Sender<Captured>,
    settle: mpsc::Sender<Job>,
    talks: Arc<Semaphore>,
    books: Awaited,
    wake: Notify,
    epochs: Mutex<HashMap<SaleId, (u32, Instant)>>,
    ends: Mutex<Option<Ends>>,
}

pub(super) struct Ends {
    pub(super) place: mpsc::Receiver<New>,
    pub(super) begin: mpsc::Receiver<Job>,
    pub(super) charge: mpsc::Receiver<Job>,
    pub(super) capture: mpsc::Receiver<Captured>,
    pub(super) settle: mpsc::Receiver<Job>,
}

impl Default for Saga {
    fn default() -> Self {
        let (place, of_place) = mpsc::channel(QUEUE_MAX);
        let (begin, of_begin) = mpsc::channel(QUEUE_MAX);
        let (charge, of_charge) = mpsc::channel(QUEUE_MAX);
        let (capture, of_capture) = mpsc::channel(QUEUE_MAX);
        let (settle, of_settle) = mpsc::channel(QUEUE_MAX);
        Self(Arc::new(Inner {
            place,
            begin,
            charge,
            capture,
            settle,
            talks: Arc::new(Semaphore::new(TALKS_MAX)),
            books: Awaited::default(),
            wake: Notify::new(),
            epochs: Mutex::default(),
            ends: Mutex::new(Some(Ends {
                place: of_place,
                begin: of_begin,
                charge: of_charge,
                capture: of_capture,
                settle: of_settle,
            })),
        }))
    }
}

impl Saga {
    /// To be written down; waits where too many do.
    pub(in crate::orders) async fn place(&self, new: New) {
        let _ = self.0.place.send(new).await;
    }

    /// An order is due.
    pub(in crate::orders) fn wake(&self) {
        self.0.wake.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// What leads out of the queues, for the one who works; none after the first time.
    pub(super) fn ends(&self) -> Option<Ends> {
        self.0
            .ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    // A queue that is closed belongs to a program that ends; its orders are another's when their leases are over.

    pub(super) async fn begin(&self, job: Job) {
        let _ = self.0.begin.send(job).await;
    }

    pub(super) async fn charge(&self, job: Job) {
        let _ = self.0.charge.send(job).await;
    }

    pub(super) async fn capture(&self, captured: Captured) {
        let _ = self.0.capture.send(captured).await;
    }

    pub(super) async fn settle(&self, job: Job) {
        let _ = self.0.settle.send(job).await;
    }

    /// Leave to talk to the provider.
    pub(super) async fn talk(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.talks).acquire_owned().await.ok()
    }

    /// Leave to wait for the books of a sale, where not too many do, of all sales or of that one.
    pub(super) fn await_books(&self, live: &LiveId) -> Option<Leave> {
        self.0.books.enter(live)
    }

    /// The sale's epoch, which the scripts want to hear; they refuse a wrong one.
    pub(in crate::orders) async fn epoch(&self, app: &App, sale: &SaleId) -> Result<u32, ApiError> {
        let known = self.epochs().get(sale).copied();
        if let Some((epoch, since)) = known
            && since.elapsed() < EPOCH_LIFE
        {
            return Ok(epoch);
        }
        let cursor = live::store::cursor(&app.books, &LiveId::Sale(sale.clone())).await?;
        let cursor = cursor.ok_or(ApiError::UnknownSale)?;
        let mut epochs = self.epochs();
        if epochs.len() >= EPOCHS_KEPT {
            epochs.clear();
        }
        epochs.insert(sale.clone(), (cursor.epoch, Instant::now()));
        Ok(cursor.epoch)
    }

    /// Never held while anything is awaited.
    fn epochs(&self) -> MutexGuard<'_, HashMap<SaleId, (u32, Instant)>> {
        self.0.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the books that are under way, by sale.
#[derive(Clone, Default)]
struct Awaited(Arc<Mutex<HashMap<LiveId, usize>>>);

/// To wait for the books of a sale, until it is dropped.
pub(super) struct Leave {
    awaited: Awaited,
    live: LiveId,
}

impl Awaited {
    fn enter(&self, live: &LiveId) -> Option<Leave> {
        let mut waits = self.waits();
        let of_sale = waits.get(live).copied().unwrap_or(0);
        if of_sale >= BOOKS_AWAITED_OF_SALE_MAX
            || waits.values().sum::<usize>() >= BOOKS_AWAITED_MAX
        {
            return None;
        }
        waits.insert(live.clone(), of_sale + 1);
        Some(Leave {
            awaited: self.clone(),
            live: live.clone(),
        })
    }

    /// Never held while anything is awaited.
    fn waits(&self) -> MutexGuard<'_, HashMap<LiveId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut waits = self.awaited.waits();
        match waits.get_mut(&self.live) {
            Some(of_sale) if *of_sale > 1 => *of_sale -= 1,
            _ => drop(waits.remove(&self.live)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sale_never_has_all_the_waits() {
        let awaited = Awaited::default();
        let sale = |n: usize| LiveId::Sale(SaleId::parse(format!("s{n}")).unwrap());
        let enter = |n| awaited.enter(&sale(n));
        let mut stopped: Vec<Leave> = std::iter::from_fn(|| enter(0)).collect();
        assert_eq!(stopped.len(), BOOKS_AWAITED_OF_SALE_MAX);
        let others: Vec<Leave> = (1..).map_while(enter).collect();
        assert_eq!(stopped.len() + others.len(), BOOKS_AWAITED_MAX);
        // What ends makes room for the sale, and for all.
        drop(stopped.pop());
        assert!(enter(0).is_some());
        drop((stopped, others));
        assert!(awaited.waits().is_empty());
    }
}
