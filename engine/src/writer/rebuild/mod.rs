//! Rebuild: a sale that Redis lost, or has older than the books, is put together again from the books and from what live engines
//! remember (design §5).
//!
//! In two transactions, both under the cursor's lock. The first settles the books: stake in Redis, so that the sale as it is decides
//! nothing more; ask every live engine for what it caused; drain what continues the books; write what was taken over; mark as
//! lost what is proven and nobody can tell; raise the epoch. The second loads Redis beside the sale as it is, and swaps. A
//! kill between any two lines leaves a sale that is recovering, which the next attempt rebuilds into a later generation; no two attempts share
//! a generation, so a late swap of an older one is refused.

mod book_store;
mod gather;
mod image;
mod replay;
mod report;
mod returns;
mod seen;
mod settle;
pub(super) mod store;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::ids::LiveId;
use metrics::{counter, gauge};
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::limits::{
    ENGINE_LIFE, ENGINE_MEMORY, HEARTBEAT_EVERY, REBUILD_RETRY_PAUSE, REBUILD_TIMEOUT,
    REBUILD_WAIT_TIMEOUT_S, REBUILD_WAITS_PAUSE, REBUILDS_AT_ONCE, REQUESTS_EVERY,
    REQUESTS_TIMEOUT,
};
use crate::metrics as names;
use report::Report;

/// The rebuilds of one process's writer.
#[derive(Debug)]
pub(super) struct Rebuilds {
    pool: MySqlPool,
    gate: Gate,
    permits: Semaphore,
    /// What is under way, and what is not tried again before a time.
    sales: Mutex<HashMap<LiveId, Now>>,
    /// Since when, and when last, MySQL has answered every look for requests at once.
    steady: Mutex<Option<(Instant, Instant)>>,
}

#[derive(Debug, Clone, Copy)]
enum Now {
    UnderWay,
    Rests(Instant),
}

/// Who wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Redis was found older than the books, or empty.
    Found,
    /// Staff, whatever Redis has.
    Requested,
}

/// How an attempt ended.
#[derive(Debug)]
enum Ended {
    Done(Box<Report>),
    /// A person must look first.
    Waits(String),
    /// Another writer is at it, or an engine has not answered: it is tried again soon.
    NotNow(&'static str),
}

impl Rebuilds {
    /// # Errors
    /// Where `database_url` cannot be parsed.
    pub(super) fn new(database_url: &str, gate: Gate) -> Result<Self, sqlx::Error> {
        let options = MySqlConnectOptions::from_str(database_url)?;
        let connections = u32::try_from(REBUILDS_AT_ONCE).unwrap_or(4);
        let pool = MySqlPoolOptions::new()
            .max_connections(2 * connections + 1)
            .acquire_timeout(REBUILD_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(super::store::prepare_session(
                    connection,
                    REBUILD_WAIT_TIMEOUT_S,
                ))
            })
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            gate,
            permits: Semaphore::new(REBUILDS_AT_ONCE),
            sales: Mutex::default(),
            steady: Mutex::default(),
        })
    }

    pub(super) fn is_under_way(&self, live: &LiveId) -> bool {
        matches!(self.lock().get(live), Some(Now::UnderWay))
    }

    /// Redis was found not to have `live` as the books have it: rebuilds it beside, unless that is under way or has just been tried.
    pub(super) fn found(self: &Arc<Self>, live: &LiveId, why: &str) {
        self.begin(live, why, Cause::Found);
    }

    /// Does what staff request until told to stop.
    pub(super) async fn serve_requests(self: &Arc<Self>, stop: &CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(REQUESTS_EVERY))
            .await
            .is_some()
        {
            let asked = clock::instant();
            let requests = in_time(store::requests(&self.pool)).await;
            self.note_mysql(requests.is_ok() && asked.elapsed() < HEARTBEAT_EVERY);
            match requests {
                Ok(sales) => sales
                    .iter()
                    .for_each(|live| self.begin(live, "staff asked for it", Cause::Requested)),
                Err(e) => tracing::debug!(error = %e, "requests could not be read"),
            }
        }
    }

    fn note_mysql(&self, answers: bool) {
        let mut steady = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::instant();
        *steady = answers.then(|| (steady.map_or(now, |(since, _)| since), now));
    }

    /// How long an engine may be silent before it counts as dead. While MySQL was away all were silent, so until each has had the
    /// time for a sign of life again, none counts as dead that was there of late.
    pub(super) fn engine_life(&self) -> Duration {
        let steady = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let is_steady = |(since, last): (Instant, Instant)| {
            since.elapsed() >= ENGINE_LIFE && last.elapsed() < REQUESTS_EVERY + HEARTBEAT_EVERY
        };
        if steady.is_some_and(is_steady) {
            ENGINE_LIFE
        } else {
            ENGINE_MEMORY
        }
    }

    fn begin(self: &Arc<Self>, live: &LiveId, why: &str, cause: Cause) {
        let mut sales = self.lock();
        match sales.get(live) {
            Some(Now::UnderWay) => return,
            Some(Now::Rests(until)) if cause == Cause::Found && *until > clock::instant() => return,
            _ => sales.insert(live.clone(), Now::UnderWay),
        };
        drop(sales);
        let mut under_way = UnderWay {
            rebuilds: Arc::clone(self),
            live: live.clone(),
            pause: REBUILD_RETRY_PAUSE,
        };
        let why = why.to_owned();
        tokio::spawn(async move { under_way.attempt(&why, cause).await });
    }

    /// One attempt; how long to rest after it.
    async fn attempt(&self, live: &LiveId, why: &str, cause: Cause) -> Duration {
        let Ok(_permit) = self.permits.acquire().await else {
            return REBUILD_RETRY_PAUSE;
        };
        let attempt = self.settle_and_load(live, why, cause);
        let ended = tokio::time::timeout(REBUILD_TIMEOUT, attempt).await;
        match ended {
            Ok(Ok(Ended::Done(report))) => {
                self.told(live, "done", "", Some(&report)).await;
                tell(live, &report);
                self.drop_handovers(live).await;
                REBUILD_RETRY_PAUSE
            }
            Ok(Ok(Ended::Waits(why))) => {
                counter!(names::REBUILDS, "outcome" => "waits").increment(1);
                tracing::error!(alarm = "rebuild", sale = %live, why, "the rebuild waits for a person");
                self.told(live, "waits", &why, None).await;
                REBUILD_WAITS_PAUSE
            }
            Ok(Ok(Ended::NotNow(why))) => {
                tracing::info!(sale = %live, why, "not rebuilt this time");
                REBUILD_RETRY_PAUSE
            }
            Ok(Err(e)) => {
                tracing::warn!(sale = %live, error = format!("{e:#}"), "a rebuild failed and will be tried again");
                REBUILD_RETRY_PAUSE
            }
            Err(_) => {
                tracing::warn!(sale = %live, "a rebuild took too long and will be tried again");
                REBUILD_RETRY_PAUSE
            }
        }
    }

    async fn settle_and_load(
        &self,
        live: &LiveId,
        why: &str,
        cause: Cause,
    ) -> anyhow::Result<Ended> {
        let started = clock::instant();
        let attempt = settle::Attempt {
            pool: &self.pool,
            gate: &self.gate,
            live,
            why,
            cause,
        };
        let settled = match attempt.settle().await? {
            Ok(settled) => settled,
            Err(ended) => return Ok(ended),
        };
        let loaded = match image::load(&attempt, &settled).await? {
            Ok(loaded) => loaded,
            Err(ended) => return Ok(ended),
        };
        let seconds = started.elapsed().as_secs_f64();
        Ok(Ended::Done(Box::new(Report::new(
            live, &settled, loaded, seconds,
        ))))
    }

    /// Writes the outcome where staff look for it. Failing costs a request its answer, which the next attempt gives.
    async fn told(&self, live: &LiveId, state: &'static str, why: &str, report: Option<&Report>) {
        let book_id = live.book_id();
        let ended = in_time(store::end(&self.pool, &book_id, state, why, report)).await;
        if let Err(e) = ended {
            tracing::warn!(sale = %live, error = %e, "what came of a rebuild could not be written down");
        }
    }

    /// They are in the books. Failing leaves them to the next rebuild that is done.
    async fn drop_handovers(&self, live: &LiveId) {
        let dropped = in_time(store::drop_handovers(&self.pool, &live.book_id())).await;
        if let Err(e) = dropped {
            tracing::warn!(sale = %live, error = %e, "what was handed over to a rebuild could not be dropped");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LiveId, Now>> {
        self.sales.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends with the attempt, whichever way that ends.
struct UnderWay {
    rebuilds: Arc<Rebuilds>,
    live: LiveId,
    /// To rest after it.
    pause: Duration,
}

impl UnderWay {
    async fn attempt(&mut self, why: &str, cause: Cause) {
        self.pause = self.rebuilds.attempt(&self.live, why, cause).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let until = clock::instant() + self.pause;
        let live = self.live.clone();
        self.rebuilds.lock().insert(live, Now::Rests(until));
    }
}

/// The driver bounds the wait for a connection, not that for an answer on it.
async fn in_time<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(REQUESTS_TIMEOUT, asked)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Logs and counts what came of it; a loss is an alarm.
fn tell(live: &LiveId, report: &Report) {
    counter!(names::REBUILDS, "outcome" => "done").increment(1);
    counter!(names::TAKEN_OVER).increment(report.taken_over);
    counter!(names::LOST).increment(report.lost);
    gauge!(names::REBUILD_SECONDS, "sale" => live.book_id()).set(report.seconds);
    let told = serde_json::to_string(report).unwrap_or_default();
    if report.lost > 0 {
        tracing::error!(alarm = "lost", sale = %live, lost = report.lost, report = told, "rebuilt; events are lost");
    } else {
        tracing::warn!(alarm = "rebuilt", sale = %live, report = told, "rebuilt; nothing is known to be lost");
    }
}
