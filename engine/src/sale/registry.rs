//! The live sales at hand, and what the books say of those that Redis does not know.
//!
//! Both memories are bounded, what MySQL said of an id is believed for a second, and few look-ups run at once: ids that
//! do not exist cannot keep buyers or the witness from Redis and MySQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::notices::{Flushed, Restocked};
use doorbuster_core::gate::snapshot::Snapped;
use doorbuster_core::ids::{LiveId, SaleId};
use metrics::counter;
use moka::future::Cache;
use tokio::sync::Semaphore;

use super::{Around, LiveSale};
use crate::books::{Booked, Books};
use crate::front::problem::Refusal;
use crate::limits::{ABSENT_LIFE, ABSENT_SALES_MAX, HOT_EVERY, LIVE_SALES_MAX, LOOK_UPS_MAX};
use crate::metrics as names;

/// Sales by name.
#[derive(Debug)]
pub struct Registry {
    around: Around,
    live: Cache<LiveId, Arc<LiveSale>>,
    /// The one that was asked for last: on the evening that matters nearly all ask for the same.
    hot: ArcSwapOption<LiveSale>,
    misses: AtomicU64,
    absent: Absent,
    look_ups: Semaphore,
}

/// What a look at a sale found.
#[derive(Debug)]
pub enum Looked {
    Live(Arc<LiveSale>),
    /// Redis does not know it.
    Absent(Booked),
}

#[derive(Debug)]
enum NotLive {
    Fenced(Fenced),
    Refused(Refusal),
}

impl Registry {
    pub(crate) fn new(around: Around) -> Self {
        Self {
            absent: Absent::new(around.books.clone()),
            around,
            live: Cache::new(LIVE_SALES_MAX),
            hot: ArcSwapOption::empty(),
            misses: AtomicU64::new(0),
            look_ups: Semaphore::new(LOOK_UPS_MAX),
        }
    }

    /// # Errors
    /// Why it cannot be told now.
    pub async fn look_up(&self, live: &LiveId) -> Result<Looked, Refusal> {
        // Looked at before it is taken: another sale's buyers do not touch its count.
        if let Some(hot) = self.hot.load().as_ref().filter(|hot| hot.live == *live) {
            return Ok(Looked::Live(Arc::clone(hot)));
        }
        if let Some(sale) = self.live.get(live).await {
            if self
                .misses
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(HOT_EVERY)
            {
                self.hot.store(Some(Arc::clone(&sale)));
            }
            return Ok(Looked::Live(sale));
        }
        // Boxed: no request carries the room for what few of them need.
        Box::pin(self.look_further(live)).await
    }

    /// Of a sale that is not at hand.
    async fn look_further(&self, live: &LiveId) -> Result<Looked, Refusal> {
        if let Some(booked) = self.absent.remembered(live).await {
            return Ok(Looked::Absent(booked));
        }
        match self.live.try_get_with(live.clone(), self.load(live)).await {
            Ok(sale) => Ok(Looked::Live(sale)),
            Err(why) => match &*why {
                NotLive::Fenced(Fenced::UnknownSale) => {
                    Ok(Looked::Absent(self.absent.look_up(live).await?))
                }
                NotLive::Fenced(other) => Err(other.clone().into()),
                NotLive::Refused(refusal) => Err(refusal.clone()),
            },
        }
    }

    /// What `ask` says of the sale that nearly all ask for, if it is that one: without waiting, and without a share in it.
    pub(crate) fn with_hot<T>(
        &self,
        sale: &str,
        ask: impl FnOnce(&Arc<LiveSale>, &SaleId) -> T,
    ) -> Option<T> {
        let hot = self.hot.load();
        let hot = hot.as_ref()?;
        match &hot.live {
            LiveId::Sale(id) if id.as_str() == sale => Some(ask(hot, id)),
            _ => None,
        }
    }

    /// # Errors
    /// Why buyers cannot have anything of it now.
    pub async fn live(&self, live: &LiveId) -> Result<Arc<LiveSale>, Refusal> {
        match self.look_up(live).await? {
            Looked::Live(sale) => Ok(sale),
            Looked::Absent(booked) => Err(absent_refusal(&booked)),
        }
    }

    /// A notice that units came back; a sale that nobody asks for needs none.
    pub async fn restocked(&self, notice: &Restocked) {
        for sale in self.at_hand(&notice.live).await {
            sale.shield.restocked(&notice.sku, notice.seq);
        }
    }

    /// A notice that the books have got further.
    pub async fn flushed(&self, notice: &Flushed) {
        for sale in self.at_hand(&notice.live).await {
            sale.flushed(notice.epoch, notice.seq);
        }
    }

    /// Counts a refusal that was given before the sale was looked up, if it is one that buyers ask for.
    pub(crate) async fn refused(&self, live: &LiveId, refusal: &Refusal) {
        if let Some(sale) = self.at_hand(live).await.next() {
            sale.tally.count(refusal.code());
        }
    }

    /// Every sale at hand, once.
    pub(crate) async fn all(&self) -> Vec<Arc<LiveSale>> {
        let mut all: Vec<Arc<LiveSale>> = self.live.iter().map(|(_, sale)| sale).collect();
        // The hot one may have left the cache.
        if let Some(hot) = self.hot.load_full()
            && !all.iter().any(|sale| Arc::ptr_eq(sale, &hot))
        {
            all.push(hot);
        }
        all
    }

    async fn at_hand(&self, live: &LiveId) -> impl Iterator<Item = Arc<LiveSale>> {
        // The hot one may have left the cache.
        let hot = self.hot.load_full().filter(|hot| hot.live == *live);
        hot.into_iter().chain(self.live.get(live).await)
    }

    async fn load(&self, live: &LiveId) -> Result<Arc<LiveSale>, NotLive> {
        // Here, where one of many who ask for the same sale comes by, and not where each of them does.
        let Ok(_permit) = self.look_ups.try_acquire() else {
            counter!(names::SHED, "reason" => "look_ups").increment(1);
            return Err(NotLive::Refused(Refusal::Overloaded));
        };
        match self.around.gate.snapshot(live).await {
            Ok(Snapped::Snapshot(first)) => {
                let absent = self.absent.clone();
                let sale = LiveSale::new(&self.around, live.clone(), *first, absent);
                sale.map(Arc::new).map_err(NotLive::Refused)
            }
            Ok(Snapped::Fenced(fenced)) => Err(NotLive::Fenced(fenced)),
            Err(e) => Err(NotLive::Refused(Refusal::from(&e))),
        }
    }
}

/// What the books said of sales that Redis does not know.
#[derive(Debug, Clone)]
pub(crate) struct Absent {
    books: Books,
    remembered: Cache<LiveId, Booked>,
}

impl Absent {
    fn new(books: Books) -> Self {
        let remembered = Cache::builder()
            .max_capacity(ABSENT_SALES_MAX)
            .time_to_live(ABSENT_LIFE)
            .build();
        Self { books, remembered }
    }

    async fn remembered(&self, live: &LiveId) -> Option<Booked> {
        self.remembered.get(live).await
    }

    async fn look_up(&self, live: &LiveId) -> Result<Booked, Refusal> {
        self.remembered
            .try_get_with(live.clone(), self.books.look_up(live))
            .await
            .map_err(|e| {
                tracing::debug!(error = %e, sale = %live, "the books could not be asked");
                Refusal::Unavailable {
                    detail: "whether there is such a sale cannot be told now; try again",
                }
            })
    }

    /// What a buyer is told of a sale that Redis does not know.
    pub(crate) async fn refusal(&self, live: &LiveId) -> Refusal {
        match self.look_up(live).await {
            Ok(booked) => absent_refusal(&booked),
            Err(refusal) => refusal,
        }
    }
}

fn absent_refusal(booked: &Booked) -> Refusal {
    match booked {
        Booked::Unknown => Refusal::UnknownSale,
        Booked::Draft { .. } => Refusal::NotOpen,
        Booked::Published => Refusal::Recovering,
    }
}
