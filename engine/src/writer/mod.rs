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
mod draw_store;
mod lag;
mod projection;
mod rebuild;
mod rest;
mod returns_store;
mod step;
mod stops;
mod store;
mod vouch;

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::ids::LiveId;
use metrics::{counter, gauge};
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::limits::{
    VOUCH_UNHEARD_ALARM, WRITER_PAUSE_MAX, WRITER_PAUSE_MIN, WRITER_RETRY_PAUSE,
    WRITER_SALES_AT_ONCE, WRITER_TRANSACTION_TIMEOUT, WRITER_WAIT_TIMEOUT_S,
};
use crate::metrics as names;
use crate::pressure::Pressure;
use deferral::Deferral;
use lag::Lags;
use rebuild::Rebuilds;
use roster::{Roster, Served};
use step::{NOTHING_NEW, Step, Stepped};
use stops::{Stops, Turn};
use vouch::UNTESTIFIED;

/// How soon the books follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Buyers wait for them.
    AtOnce,
    /// They may lag for so long while buyers keep the process busy.
    LagAtMost(Duration),
}

impl Pace {
    fn lag_max(self) -> Duration {
        match self {
            Pace::AtOnce => Duration::ZERO,
            Pace::LagAtMost(lag) => lag,
        }
    }

    /// Longest wait between two looks for backlog.
    fn pause_max(self) -> Duration {
        match self {
            Pace::AtOnce => WRITER_PAUSE_MIN,
            Pace::LagAtMost(_) => WRITER_PAUSE_MAX,
        }
    }
}

/// One process's writer.
#[derive(Debug)]
pub struct Writer {
    pool: MySqlPool,
    gate: Gate,
    roster: Roster,
    stops: Stops,
    /// Sales that were found rewound. Said once, counted always.
    rewound: Mutex<HashSet<LiveId>>,
    pace: Pace,
    /// Since when a sale's vouch waits for an engine's word.
    unheard: Mutex<HashMap<LiveId, Unheard>>,
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
        pace: Pace,
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
        let backlog_max = gate.backlog_max().events;
        let rebuilds = Arc::new(Rebuilds::new(database_url, gate.clone())?);
        Ok(Self {
            stops: Stops::new(pool.clone()),
            pool,
            gate,
            roster,
            rewound: Mutex::default(),
            unheard: Mutex::default(),
            pace,
            rebuilds,
            deferral: Deferral::new(pressure, pace.lag_max(), backlog_max),
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
            let (looked, ()) = tokio::join!(self.roster.refresh(), self.stops.refresh());
            let worked = match looked {
                Ok(sales) => self.round(sales).await,
                Err(e) => {
                    counter!(names::WRITER_ERRORS).increment(1);
                    tracing::warn!(error = %e, "the backlog could not be read");
                    Round::Failed
                }
            };
            pause = match worked {
                Round::Worked => continue,
                Round::Idle => (pause * 2).min(self.pace.pause_max()),
                Round::Failed => WRITER_RETRY_PAUSE,
            };
            let _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            pause = pause.min(self.pace.pause_max());
        }
    }

    /// One step for every sale that needs one.
    async fn round(self: &Arc<Self>, sales: Vec<Served>) -> Round {
        let now = clock::instant();
        let lag = self.lag(&sales, now);
        let permits = Arc::new(Semaphore::new(WRITER_SALES_AT_ONCE));
        let mut steps = JoinSet::new();
        for (live, backlog, server) in sales {
            if self.rebuilds.is_under_way(&live) {
                continue;
            }
            let Some(backlog) = backlog else {
                self.missing(&live);
                continue;
            };
            let vouched = backlog.run_id == *server;
            gauge!(names::RECOVERING, "sale" => live.book_id()).set(if vouched {
                0.0
            } else {
                1.0
            });
            let waiting = backlog.events();
            let rests = waiting == 0 || self.deferral.defers(&live, waiting, lag, now);
            let turn = self.stops.turn(&live, now);
            let idle = vouched && rests && turn != Turn::Tries;
            if idle || server.is_empty() || turn == Turn::Stands {
                continue;
            }
            let (me, permits) = (Arc::clone(self), Arc::clone(&permits));
            steps.spawn(async move {
                let _permit = permits.acquire_owned().await;
                if turn == Turn::Tries && !me.stops.is_settled(&live).await {
                    return Round::Idle;
                }
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

    /// How far the books of the sale that is furthest behind lag; one that cannot be written now, or that waits for a person,
    /// slows nobody else's buyers.
    fn lag(&self, sales: &[Served], now: Instant) -> Duration {
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sales
            .iter()
            .filter(|(live, ..)| !self.stops.is_stopped(live) && !self.rebuilds.is_under_way(live))
            .filter_map(|(live, backlog, server)| {
                let backlog = backlog.as_ref()?;
                (*backlog.run_id == **server).then_some((live, backlog))
            });
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
            rebuilds: &self.rebuilds,
        };
        match tokio::time::timeout(WRITER_TRANSACTION_TIMEOUT, step.run()).await {
            Ok(Ok(stepped)) => self.judge(live, stepped).await,
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

    async fn judge(&self, live: LiveId, stepped: Stepped) -> Round {
        self.hear(&live, &stepped);
        match stepped {
            Stepped::Wrote { dead_letters } => {
                self.lock(&self.rewound).remove(&live);
                if dead_letters > 0 {
                    self.stops.count(&live, dead_letters).await;
                } else {
                    self.stops.got_on(&live).await;
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
                let why = "too many events of one transaction were refused, and none was written";
                self.stops.stop(&live, why).await;
                Round::Failed
            }
            Stepped::Waits(why) => {
                if why == NOTHING_NEW {
                    self.stops.got_on(&live).await;
                }
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

    /// Notes whether a vouch waits for an engine's word, and says so once it has waited for longer than a dead one would make it.
    fn hear(&self, live: &LiveId, stepped: &Stepped) {
        let mut unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = matches!(stepped, Stepped::Waits(why) if *why == UNTESTIFIED);
        if !waits {
            if unheard.remove(live).is_some() {
                gauge!(names::VOUCH_UNHEARD_SECONDS, "sale" => live.book_id()).set(0.0);
            }
            return;
        }
        let began = unheard.entry(live.clone()).or_insert_with(|| Unheard {
            since: clock::instant(),
            said: false,
        });
        let seconds = began.since.elapsed().as_secs_f64();
        gauge!(names::VOUCH_UNHEARD_SECONDS, "sale" => live.book_id()).set(seconds);
        if !began.said && began.since.elapsed() >= VOUCH_UNHEARD_ALARM {
            began.said = true;
            tracing::warn!(alarm = "unheard_engine", sale = %live, "an engine gives signs of life in mysql and has not said what it saw of redis: \
                it may be cut off from redis, and the sale stays recovering until it says so or goes");
        }
    }

    fn lock<'a>(
        &self,
        set: &'a Mutex<HashSet<LiveId>>,
    ) -> std::sync::MutexGuard<'a, HashSet<LiveId>> {
        set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A vouch that waits for an engine's word.
#[derive(Debug)]
struct Unheard {
    since: Instant,
    said: bool,
}

/// What a round was worth: decides how soon the next one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Round {
    Idle,
    Failed,
    Worked,
}
