//! The writer: journal → MySQL, delivered at least once, applied once (design §4).
//!
//! The cursor row in MySQL is the truth. One step for one sale: begin; lock its cursor row (another writer's lock is
//! skipped); read the journal from the cursor's own entry on; check that it continues the books; apply; move the
//! cursor; commit; trim. Killed between any two lines it leaves either nothing (rolled back) or a commit whose trim the
//! next step repeats. An unanswered COMMIT is unknown: the next step starts from the cursor and finds out. Ownership
//! lasts one transaction, so any number of writers share the sales and a stopped one cannot write when it wakes: its
//! connection is gone after five seconds, and with it its lock.

pub mod gauges;
pub mod roster;

mod apply;
mod chunks;
mod continuity;
mod deferral;
mod lag;
mod projection;
mod rebuild;
mod step;
mod store;
mod vouch;

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::reads::Backlog;
use doorbuster_core::ids::LiveId;
use metrics::{counter, gauge};
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::limits::{
    DEAD_LETTERS_PER_MINUTE_MAX, WRITER_PAUSE_MAX, WRITER_PAUSE_MIN, WRITER_RETRY_PAUSE,
    WRITER_SALES_AT_ONCE, WRITER_TRANSACTION_TIMEOUT, WRITER_WAIT_TIMEOUT_S,
};
use crate::metrics as names;
use crate::pressure::Pressure;
use deferral::Deferral;
use lag::Lags;
use rebuild::Rebuilds;
use roster::Roster;
use step::{Step, Stepped};

/// One process's writer.
#[derive(Debug)]
pub struct Writer {
    pool: MySqlPool,
    gate: Gate,
    roster: Roster,
    /// When each sale's recent dead letters were written; more than three in a minute stop it.
    dead_letters: Mutex<HashMap<LiveId, Vec<Instant>>>,
    /// Sales that need a person: stopped by dead letters, or found rewound. Said once, counted always.
    stopped: Mutex<HashSet<LiveId>>,
    rewound: Mutex<HashSet<LiveId>>,
    rebuilds: Arc<Rebuilds>,
    deferral: Deferral,
    lags: Mutex<Lags>,
}

impl Writer {
    /// # Errors
    /// Where `database_url` cannot be parsed.
    pub fn new(
        database_url: &str,
        gate: Gate,
        pressure: Arc<Pressure>,
        lag_max: Duration,
    ) -> Result<Self, sqlx::Error> {
        let options = MySqlConnectOptions::from_str(database_url)?;
        let connections = u32::try_from(WRITER_SALES_AT_ONCE).unwrap_or(4) + 1;
        let pool = MySqlPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(WRITER_TRANSACTION_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(store::prepare_session(connection, WRITER_WAIT_TIMEOUT_S))
            })
            .connect_lazy_with(options);
        let roster = Roster::new(pool.clone(), gate.clone());
        let rebuilds = Arc::new(Rebuilds::new(database_url, gate.clone())?);
        Ok(Self {
            pool,
            gate,
            roster,
            dead_letters: Mutex::default(),
            stopped: Mutex::default(),
            rewound: Mutex::default(),
            rebuilds,
            deferral: Deferral::new(pressure, lag_max),
            lags: Mutex::default(),
        })
    }

    /// The published sales and where they stand, for the sweeper and the gauges.
    pub fn roster(&self) -> Roster {
        self.roster.clone()
    }

    /// Writes until told to stop; the step under way is finished.
    pub async fn run(self: &Arc<Self>, stop: &CancellationToken) {
        tokio::join!(self.write(stop), self.rebuilds.serve_requests(stop));
    }

    async fn write(self: &Arc<Self>, stop: &CancellationToken) {
        let mut pause = WRITER_PAUSE_MIN;
        while !stop.is_cancelled() {
            let worked = match self.roster.refresh().await {
                Ok(sales) => self.round(sales).await,
                Err(e) => {
                    counter!(names::WRITER_ERRORS).increment(1);
                    tracing::warn!(error = %e, "the backlog could not be read");
                    Round::Failed
                }
            };
            pause = match worked {
                Round::Worked => continue,
                Round::Idle => (pause * 2).min(WRITER_PAUSE_MAX),
                Round::Failed => WRITER_RETRY_PAUSE,
            };
            let _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            pause = pause.min(WRITER_PAUSE_MAX);
        }
    }

    /// One step for every sale that needs one.
    async fn round(self: &Arc<Self>, sales: Vec<(LiveId, Option<Backlog>)>) -> Round {
        let server = self.gate.run_id().await.unwrap_or_default();
        let now = clock::instant();
        let lag = self.lag(&sales, now);
        let permits = Arc::new(Semaphore::new(WRITER_SALES_AT_ONCE));
        let mut steps = JoinSet::new();
        for (live, backlog) in sales {
            if self.rebuilds.is_under_way(&live) {
                continue;
            }
            let Some(backlog) = backlog else {
                self.missing(&live);
                continue;
            };
            let vouched = backlog.run_id == server;
            gauge!(names::RECOVERING, "sale" => live.book_id()).set(if vouched {
                0.0
            } else {
                1.0
            });
            let waiting = backlog.seq.saturating_sub(backlog.flushed_seq);
            let rests = waiting == 0 || self.deferral.defers(&live, waiting, now);
            if (vouched && rests) || server.is_empty() || self.is_stopped(&live) {
                continue;
            }
            let (me, permits, server) = (Arc::clone(self), Arc::clone(&permits), server.clone());
            steps.spawn(async move {
                let _permit = permits.acquire_owned().await;
                me.step(live, vouched, &server).await
            });
        }
        let mut round = Round::Idle;
        while let Some(done) = steps.join_next().await {
            round = round.max(done.unwrap_or(Round::Failed));
        }
        self.deferral.lagged(lag, round != Round::Failed);
        round
    }

    /// How far the books of the sale that is furthest behind lag.
    fn lag(&self, sales: &[(LiveId, Option<Backlog>)], now: Instant) -> Duration {
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sales
            .iter()
            .filter_map(|(live, backlog)| Some((live, backlog.as_ref()?)));
        let behind =
            known.map(|(live, backlog)| lags.look(live, now, backlog.seq, backlog.flushed_seq));
        behind.max().unwrap_or_default()
    }

    async fn step(&self, live: LiveId, vouched: bool, server: &str) -> Round {
        let step = Step {
            pool: &self.pool,
            gate: &self.gate,
            live: &live,
            server,
            vouched,
            engine_life: self.rebuilds.engine_life(),
        };
        match tokio::time::timeout(WRITER_TRANSACTION_TIMEOUT, step.run()).await {
            Ok(Ok(stepped)) => self.judge(live, stepped),
            Ok(Err(e)) => {
                counter!(names::WRITER_ERRORS).increment(1);
                tracing::warn!(sale = %live, error = format!("{e:#}"), "a writer step failed and will be tried again");
                Round::Failed
            }
            Err(_) => {
                counter!(names::WRITER_ERRORS).increment(1);
                tracing::warn!(sale = %live, "a writer step took too long and will be tried again");
                Round::Failed
            }
        }
    }

    fn judge(&self, live: LiveId, stepped: Stepped) -> Round {
        match stepped {
            Stepped::Wrote { dead_letters } => {
                self.lock(&self.rewound).remove(&live);
                if dead_letters > 0 {
                    self.count_dead_letters(live, dead_letters);
                }
                Round::Worked
            }
            Stepped::Vouched => {
                self.lock(&self.rewound).remove(&live);
                counter!(names::VOUCHES).increment(1);
                tracing::info!(sale = %live, "vouched: redis is as new as the books and as any live engine saw");
                Round::Worked
            }
            Stepped::Poisoned => {
                self.stop(live);
                Round::Failed
            }
            Stepped::Waits(why) => {
                tracing::debug!(sale = %live, why, "not this time");
                Round::Idle
            }
            Stepped::Rewound(why) => {
                if self.lock(&self.rewound).insert(live.clone()) {
                    counter!(names::REWINDS).increment(1);
                    tracing::error!(alarm = "rewind", sale = %live, why, "redis is older than the books or than an engine saw: the sale is recovering until it is rebuilt");
                }
                self.rebuilds.found(&live, &why);
                Round::Failed
            }
        }
    }

    fn missing(&self, live: &LiveId) {
        gauge!(names::RECOVERING, "sale" => live.book_id()).set(1.0);
        if self.lock(&self.rewound).insert(live.clone()) {
            tracing::error!(alarm = "rewind", sale = %live, "a published sale is not in redis: it is recovering until it is rebuilt");
        }
        self.rebuilds.found(live, "redis does not have it");
    }

    fn count_dead_letters(&self, live: LiveId, new: usize) {
        counter!(names::DEAD_LETTERS).increment(new as u64);
        let mut all = self
            .dead_letters
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let recent = all.entry(live.clone()).or_default();
        recent.retain(|at| at.elapsed().as_secs() < 60);
        recent.extend(std::iter::repeat_n(
            clock::instant(),
            new.min(2 * DEAD_LETTERS_PER_MINUTE_MAX),
        ));
        tracing::error!(alarm = "dead_letter", sale = %live, new, "events were refused by mysql; see dead_letters");
        if recent.len() > DEAD_LETTERS_PER_MINUTE_MAX {
            drop(all);
            self.stop(live);
        }
    }

    fn stop(&self, live: LiveId) {
        tracing::error!(alarm = "writer_stopped", sale = %live, "too many dead letters: this sale's writer stops and asks for a person");
        self.lock(&self.stopped).insert(live);
    }

    fn is_stopped(&self, live: &LiveId) -> bool {
        self.lock(&self.stopped).contains(live)
    }

    fn lock<'a>(
        &self,
        set: &'a Mutex<HashSet<LiveId>>,
    ) -> std::sync::MutexGuard<'a, HashSet<LiveId>> {
        set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a round was worth: decides how soon the next one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Round {
    Idle,
    Failed,
    Worked,
}
