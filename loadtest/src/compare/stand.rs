//! One way with units on sale: asked, watched while it works, and judged. Used by `cells`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::sleep;

use super::correct::{Course, Told, Wrongs};
use super::seller::Seller;
use super::way::Decider;
use crate::audit::Numbers;
use crate::bench::arena::{Arena, us_each};
use crate::limits::{COMPARE_QUIET_BOUND, COMPARE_QUIET_SPENT_MAX, COMPARE_QUIET_STEP};
use crate::load::volley::Fired;
use crate::load::{Buyers, Volley, told};
use crate::plan::Offer;

pub(super) struct Stand<'a> {
    pub(super) arena: &'a Arena,
    pub(super) seller: &'a Seller,
    pub(super) offer: Offer,
    pub(super) buyers: Arc<Buyers>,
}

/// Time on a processor: of the way's own process, and of the stores.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    front: Duration,
    redis: Duration,
    mysql: Duration,
}

/// The same in µs for each unit sold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct CpuUs {
    pub(super) front: f64,
    pub(super) redis: f64,
    pub(super) mysql: f64,
}

/// What came of holding answers against stores.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Judged {
    /// `None` where nothing is sold.
    pub(super) wrongs: Option<Wrongs>,
    /// Of ours.
    pub(super) audit: Option<Numbers>,
}

impl Spent {
    pub(super) fn since(self, before: Spent) -> Spent {
        Spent {
            front: self.front.saturating_sub(before.front),
            redis: self.redis.saturating_sub(before.redis),
            mysql: self.mysql.saturating_sub(before.mysql),
        }
    }

    fn all(self) -> Duration {
        self.front + self.redis + self.mysql
    }

    pub(super) fn us_each(self, count: u64) -> CpuUs {
        CpuUs {
            front: us_each(self.front, count),
            redis: us_each(self.redis, count),
            mysql: us_each(self.mysql, count),
        }
    }
}

impl CpuUs {
    pub(super) fn all(self) -> f64 {
        self.front + self.redis + self.mysql
    }
}

impl Stand<'_> {
    /// A closed loop over kept-alive connections, to be changed by the caller.
    pub(super) fn volley(&self, lasting: Duration) -> Volley {
        let volley = self.arena.volley(&self.offer, &self.buyers, lasting);
        match &self.seller.guest {
            None => volley,
            Some(guest) => Arena::at_guest(volley, guest, &self.offer),
        }
    }

    pub(super) fn spent(&self) -> Spent {
        let stores = self.arena.spent();
        Spent {
            front: self.seller.cpu_time(self.arena),
            redis: stores.redis,
            mysql: stores.mariadb,
        }
    }

    /// Returns once nothing works any more, so that what one way leaves to be done later is not charged to the next; for
    /// ours, with how long after the last answer MySQL had all of it.
    ///
    /// # Errors
    /// If the books do not get there.
    pub(super) async fn settle(&self, fired: &Fired) -> Result<Option<Duration>> {
        let books_after = match &self.seller.guest {
            None => Some(self.arena.drained(&self.offer.live, fired).await?),
            Some(_) => None,
        };
        self.quiet().await;
        Ok(books_after)
    }

    /// Waits until the processes hardly spend anything. One that never rests is not waited for.
    pub(super) async fn quiet(&self) {
        let mut before = self.spent();
        let steps = COMPARE_QUIET_BOUND.div_duration_f64(COMPARE_QUIET_STEP) as u32;
        for _ in 0..steps {
            sleep(COMPARE_QUIET_STEP).await;
            let now = self.spent();
            if now.since(before).all() <= COMPARE_QUIET_SPENT_MAX {
                return;
            }
            before = now;
        }
    }

    /// Holds all that was told against the stores: by the audit for ours, by what it counts for a rival.
    ///
    /// # Errors
    /// If a store cannot be read.
    pub(super) async fn judge(&self, fired: Vec<Fired>, course: Course) -> Result<Judged> {
        if self.seller.way.decider() == Decider::Nobody {
            return Ok(Judged::default());
        }
        let start_ms = fired.first().map_or(0, |fired| fired.start_ms);
        let clients = told::clients(fired, &self.buyers);
        let (wrongs, audit) = match &self.seller.guest {
            None => {
                let numbers = self.arena.numbers(&self.offer, clients, start_ms).await?;
                (Wrongs::of_audit(&numbers, course), Some(numbers))
            }
            Some(guest) => {
                let state = guest.state().await?;
                let told = Told::count(&clients);
                (Wrongs::of_state(&told, &state, course), None)
            }
        };
        Ok(Judged {
            wrongs: Some(wrongs),
            audit,
        })
    }
}
