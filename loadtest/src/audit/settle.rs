//! Waits until the books have caught up and nothing moves, and then reads both sides. Called after a run and by `audit`.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use doorbuster_core::clock;
use doorbuster_core::ids::LiveId;
use tokio::time::sleep;

use super::facts::{Books, LiveState};
use super::redis::{NotThere, Reader};
use super::store::Store;
use crate::limits::{FLUSH_BOUND, POLL_STEP, SETTLED_LOOKS_MAX};

/// Both sides of one sale, at the same event.
#[derive(Debug)]
pub struct Settled {
    pub live: LiveState,
    pub books: Books,
}

/// Where both sides are read from.
#[derive(Debug, Clone)]
pub struct Sources {
    redis: Reader,
    store: Store,
    /// How long the books are waited for.
    flush_bound: Duration,
}

/// How far the books are.
enum Flush {
    Complete,
    At(u64),
}

impl Sources {
    /// # Errors
    /// If one of them cannot be reached.
    pub async fn connect(redis_url: &str, database_url: &str) -> Result<Self> {
        Ok(Self {
            redis: Reader::connect(redis_url).await?,
            store: Store::connect(database_url).await?,
            flush_bound: FLUSH_BOUND,
        })
    }

    /// The same, but the books are not waited for any longer than this.
    #[must_use]
    pub fn within(mut self, flush_bound: Duration) -> Self {
        self.flush_bound = flush_bound;
        self
    }

    /// The reader of the live sale.
    pub fn redis(&self) -> &Reader {
        &self.redis
    }

    /// The books alone, as they are now.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn books(&self, live: &LiveId) -> Result<Books> {
        self.store.read(live).await
    }

    /// How long after `since` the books had every event that Redis had at the first look. Holds that run out meanwhile
    /// are not waited for.
    ///
    /// # Errors
    /// If they do not get there within a bound.
    pub async fn wait_flushed(&self, live: &LiveId, since: Instant) -> Result<Duration> {
        let (began, bound) = (clock::instant(), self.flush_bound);
        let mut target = None;
        loop {
            match self.look(live, &mut target).await {
                Ok(Flush::Complete) => {
                    return Ok(clock::instant().saturating_duration_since(since));
                }
                Err(error) if error.is::<NotThere>() || began.elapsed() > bound => {
                    return Err(error);
                }
                Ok(Flush::At(seq)) if began.elapsed() > bound => {
                    bail!("the books are at event {seq} of {target:?} after {bound:?}")
                }
                // A server that is just being started again is waited for.
                Ok(Flush::At(_)) | Err(_) => sleep(POLL_STEP).await,
            }
        }
    }

    /// `target` is filled by the first look at Redis that succeeds.
    async fn look(&self, live: &LiveId, target: &mut Option<u64>) -> Result<Flush> {
        let upto = match *target {
            Some(seq) => seq,
            None => *target.insert(self.redis.snapshot(live).await?.seq),
        };
        let cursor = self.store.cursor(live).await?;
        let cursor = cursor.ok_or_else(|| NotThere(format!("mysql has no {live}")))?;
        Ok(if cursor.seq >= upto {
            Flush::Complete
        } else {
            Flush::At(cursor.seq)
        })
    }

    /// Reads both sides until neither moves while they are read.
    ///
    /// # Errors
    /// If they do not come to rest, or cannot be read.
    pub async fn read(&self, live: &LiveId) -> Result<Settled> {
        for _ in 0..SETTLED_LOOKS_MAX {
            self.wait_flushed(live, clock::instant()).await?;
            let state = self.redis.read(live).await?;
            let books = self.store.read(live).await?;
            let after = self.redis.snapshot(live).await?;
            // The writer tells Redis what it has flushed after it has committed; it is not a contradiction if it has not yet.
            let at_rest = after.seq == state.seq && after.flushed_seq == state.flushed_seq;
            let same = books.cursor.is_some_and(|cursor| cursor.seq == state.seq)
                && state.flushed_seq == state.seq;
            if at_rest && same {
                return Ok(Settled { live: state, books });
            }
            sleep(POLL_STEP).await;
        }
        self.read_restless(live).await
    }

    /// What will not come to rest is read as it is; the judgement says what does not fit.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn read_restless(&self, live: &LiveId) -> Result<Settled> {
        Ok(Settled {
            live: self.redis.read(live).await?,
            books: self.store.read(live).await?,
        })
    }
}
