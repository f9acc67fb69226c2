//! The published sales, and where each stands in Redis: one query now and then, one pipelined round each time.
//!
//! Not every sale in every round: one with backlog, or that nobody has vouched for, is looked at each time; the others share a fixed
//! number of looks a second; and one that is over and done with rests (`rest`). A change of the server process, or of what
//! the books say, wakes it at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::reads::Backlog;
use doorbuster_core::ids::LiveId;
use metrics::gauge;
use sqlx::MySqlPool;
use tokio::sync::{Mutex, watch};

use super::rest;
use super::store;
use crate::limits::{REST_LOOK_EVERY, ROSTER_EVERY, ROSTER_TIMEOUT};
use crate::metrics as names;

/// Sales with where they stood at the last look; `None` where Redis has none. Those at rest are not among them.
pub type Sales = Vec<(LiveId, Option<Backlog>)>;

/// A sale with the server process of its node.
pub(super) type Served = (LiveId, Option<Backlog>, Arc<str>);

/// Shared by writer, sweeper and gauges.
#[derive(Debug, Clone)]
pub struct Roster {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pool: MySqlPool,
    gate: Gate,
    known: Mutex<Known>,
    latest: watch::Sender<Arc<Sales>>,
}

#[derive(Debug, Default)]
struct Known {
    published: Vec<(LiveId, Booked)>,
    asked: Option<Instant>,
    seen: HashMap<LiveId, Seen>,
}

/// How far the books are with a sale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Booked {
    epoch: u32,
    seq: u64,
}

/// The last look at a sale.
#[derive(Debug, Clone)]
struct Seen {
    backlog: Option<Backlog>,
    server: Arc<str>,
    booked: Booked,
    next: Instant,
    awake_until: Instant,
    rests: bool,
}

impl Roster {
    pub(super) fn new(pool: MySqlPool, gate: Gate) -> Self {
        let (latest, _) = watch::channel(Arc::default());
        Self {
            shared: Arc::new(Shared {
                pool,
                gate,
                known: Mutex::default(),
                latest,
            }),
        }
    }

    /// The latest look, without a new one.
    pub fn latest(&self) -> Arc<Sales> {
        Arc::clone(&self.shared.latest.borrow())
    }

    /// Looks anew at the sales that are due. While MySQL is away those known so far go on being looked at: overdue holds must
    /// still end.
    pub(super) async fn refresh(&self) -> anyhow::Result<Vec<Served>> {
        let known = &mut *self.shared.known.lock().await;
        self.ask(known).await;
        let gate = &self.shared.gate;
        let all: Vec<LiveId> = known
            .published
            .iter()
            .map(|(live, _)| live.clone())
            .collect();
        let servers = gate.run_ids(&all).await?;
        let now = clock::instant();
        let due: Vec<usize> = (0..all.len())
            .filter(|i| {
                let (live, booked) = &known.published[*i];
                known
                    .seen
                    .get(live)
                    .is_none_or(|seen| seen.is_due(now, *booked, &servers[*i]))
            })
            .collect();
        let looked: Vec<LiveId> = due.iter().map(|i| all[*i].clone()).collect();
        let backlogs = gate.backlogs(&looked).await?;
        let over: Vec<LiveId> = looked
            .iter()
            .zip(&backlogs)
            .filter(|(_, backlog)| backlog.as_ref().is_some_and(rest::is_over))
            .map(|(live, _)| live.clone())
            .collect();
        let orders: HashMap<LiveId, u64> = over
            .iter()
            .cloned()
            .zip(gate.orders(&over).await?)
            .collect();
        let pause = rest::pause(all.len());
        for (i, backlog) in due.into_iter().zip(backlogs) {
            let (live, booked) = &known.published[i];
            let server = &servers[i];
            let quiet = backlog
                .as_ref()
                .is_none_or(|b| b.events() == 0 && b.run_id == **server);
            let awake_until = awake_until(known.seen.get(live), backlog.as_ref(), now);
            let rests = quiet && awake_until <= now && orders.get(live) == Some(&0);
            if rests {
                show_at_rest(live);
            }
            let wait = match (quiet, rests) {
                (false, _) => Duration::ZERO,
                (true, false) => pause,
                (true, true) => REST_LOOK_EVERY,
            };
            let seen = Seen {
                backlog,
                server: Arc::clone(server),
                booked: *booked,
                next: now + wait,
                awake_until,
                rests,
            };
            known.seen.insert(live.clone(), seen);
        }
        let sales = known.awake();
        let latest = sales
            .iter()
            .map(|(live, backlog, _)| (live.clone(), backlog.clone()));
        self.shared.latest.send_replace(Arc::new(latest.collect()));
        Ok(sales)
    }

    async fn ask(&self, known: &mut Known) {
        if known.asked.is_some_and(|at| at.elapsed() < ROSTER_EVERY) {
            return;
        }
        known.asked = Some(clock::instant());
        match tokio::time::timeout(ROSTER_TIMEOUT, store::published_sales(&self.shared.pool)).await
        {
            Ok(Ok(rows)) => {
                let parsed = rows.into_iter().filter_map(|(id, epoch, seq)| {
                    Some((LiveId::from_book_id(&id).ok()?, Booked { epoch, seq }))
                });
                known.published = parsed.collect();
            }
            Ok(Err(e)) => tracing::warn!(error = %e, "the published sales could not be read"),
            Err(_) => tracing::warn!("the published sales could not be read in time"),
        }
    }
}

fn awake_until(seen: Option<&Seen>, backlog: Option<&Backlog>, now: Instant) -> Instant {
    let before = seen.and_then(|seen| Some((seen.backlog.as_ref()?.epoch, seen.awake_until)));
    backlog.map_or(now, |backlog| rest::awake_until(before, backlog.epoch, now))
}

/// Nobody else sets them while it rests. With every look, for one who looked a moment ago may have set them since.
fn show_at_rest(live: &LiveId) {
    for name in [
        names::RECOVERING,
        names::VOUCH_UNHEARD_SECONDS,
        names::BACKLOG_USED,
        names::WRITER_LAG_EVENTS,
        names::WRITER_LAG_SECONDS,
        names::SWEEPER_LAG_SECONDS,
        names::CLOCK_BEHIND_SECONDS,
    ] {
        gauge!(name, "sale" => live.book_id()).set(0.0);
    }
}

impl Known {
    /// Those that are not at rest. Published and not in Redis, with nothing in the books: it has not been opened yet.
    fn awake(&self) -> Vec<Served> {
        let seen = self.published.iter().filter_map(|(live, booked)| {
            let seen = self.seen.get(live)?;
            let opened = seen.backlog.is_some() || booked.seq > 0;
            (opened && !seen.rests).then(|| {
                let server = Arc::clone(&seen.server);
                (live.clone(), seen.backlog.clone(), server)
            })
        });
        seen.collect()
    }
}

impl Seen {
    /// The books are behind their own cursor as we knew it while a sale has backlog, so only one at rest is woken by them.
    fn is_due(&self, now: Instant, booked: Booked, server: &str) -> bool {
        let woken = self.rests && booked != self.booked;
        self.next <= now || woken || *self.server != *server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resting_sale_is_woken_by_its_time_the_books_or_another_server_process() {
        let now = clock::instant();
        let booked = Booked { epoch: 1, seq: 9 };
        let seen = Seen {
            backlog: None,
            server: "a".into(),
            booked,
            next: now + REST_LOOK_EVERY,
            awake_until: now,
            rests: true,
        };
        assert!(!seen.is_due(now, booked, "a"));
        assert!(seen.is_due(now + REST_LOOK_EVERY, booked, "a"));
        assert!(seen.is_due(now, Booked { epoch: 2, seq: 9 }, "a"));
        assert!(seen.is_due(now, booked, "b"));
        let awake = Seen {
            rests: false,
            ..seen
        };
        assert!(!awake.is_due(now, Booked { epoch: 1, seq: 10 }, "a"));
    }
}
