//! Which sales need a person: a sale of which MySQL has refused too many events is stopped, for every writer and across restarts, by
//! a row in MySQL. It goes on by itself: once no dead letter of it is open, a step is tried now and then, and the first that
//! gets through takes the row away.

mod store;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::ids::LiveId;
use metrics::{counter, gauge};
use sqlx::MySqlPool;

use crate::limits::{DEAD_LETTERS_PER_MINUTE_MAX, ROSTER_TIMEOUT, STOPPED_LOOK_EVERY, STOPS_EVERY};
use crate::metrics as names;

/// What is known of them.
#[derive(Debug)]
pub(super) struct Stops {
    pool: MySqlPool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// With the time of the next try.
    stopped: HashMap<LiveId, Instant>,
    asked: Option<Instant>,
    /// When each sale's recent dead letters were written; more than three in a minute stop it.
    recent: HashMap<LiveId, Vec<Instant>>,
}

/// Whether a sale's step is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Goes,
    /// It is stopped.
    Stands,
    /// It is stopped, and due to be tried.
    Tries,
}

impl Stops {
    pub(super) fn new(pool: MySqlPool) -> Self {
        Self {
            pool,
            state: Mutex::default(),
        }
    }

    /// Learns now and then what other writers have stopped. While MySQL is away nothing is learnt, and no step gets through either.
    pub(super) async fn refresh(&self) {
        let now = clock::instant();
        let recently = |asked: Instant| now.saturating_duration_since(asked) < STOPS_EVERY;
        if self.lock().asked.is_some_and(recently) {
            return;
        }
        self.lock().asked = Some(now);
        match tokio::time::timeout(ROSTER_TIMEOUT, store::stops(&self.pool)).await {
            Ok(Ok(ids)) => self.learn(&ids, now),
            Ok(Err(e)) => tracing::debug!(error = %e, "the stopped sales could not be read"),
            Err(_) => tracing::debug!("the stopped sales could not be read in time"),
        }
    }

    fn learn(&self, ids: &[String], now: Instant) {
        let mut state = self.lock();
        for live in ids.iter().filter_map(|id| LiveId::from_book_id(id).ok()) {
            gauge!(names::WRITER_STOPPED, "sale" => live.book_id()).set(1.0);
            state.stopped.entry(live).or_insert(now);
        }
        // What another writer got going again. One of ours that could not be written down is found once more.
        state.stopped.retain(|live, next| {
            let stands = *next >= now || ids.contains(&live.book_id());
            if !stands {
                gauge!(names::WRITER_STOPPED, "sale" => live.book_id()).set(0.0);
            }
            stands
        });
    }

    pub(super) fn is_stopped(&self, live: &LiveId) -> bool {
        self.lock().stopped.contains_key(live)
    }

    pub(super) fn turn(&self, live: &LiveId, now: Instant) -> Turn {
        let mut state = self.lock();
        match state.stopped.get_mut(live) {
            None => Turn::Goes,
            Some(next) if *next > now => Turn::Stands,
            Some(next) => {
                *next = now + STOPPED_LOOK_EVERY;
                Turn::Tries
            }
        }
    }

    /// Whether a stopped sale may be tried: people have settled every letter of it.
    pub(super) async fn is_settled(&self, live: &LiveId) -> bool {
        let book_id = live.book_id();
        let open = store::open_letters(&self.pool, &book_id);
        matches!(tokio::time::timeout(ROSTER_TIMEOUT, open).await, Ok(Ok(0)))
    }

    /// A step has written `new` letters.
    pub(super) async fn count(&self, live: &LiveId, new: usize) {
        counter!(names::DEAD_LETTERS).increment(new as u64);
        tracing::error!(alarm = "dead_letter", sale = %live, new, "events were refused by mysql; see dead_letters");
        let too_many = {
            let mut state = self.lock();
            let recent = state.recent.entry(live.clone()).or_default();
            recent.retain(|at| at.elapsed() < Duration::from_secs(60));
            let at_most = new.min(2 * DEAD_LETTERS_PER_MINUTE_MAX);
            recent.extend(std::iter::repeat_n(clock::instant(), at_most));
            recent.len() > DEAD_LETTERS_PER_MINUTE_MAX
        };
        if too_many {
            self.stop(live, "too many dead letters within a minute")
                .await;
        }
    }

    /// Said once, however often it is found.
    pub(super) async fn stop(&self, live: &LiveId, why: &str) {
        let next = clock::instant() + STOPPED_LOOK_EVERY;
        if self.lock().stopped.insert(live.clone(), next).is_some() {
            return;
        }
        tracing::error!(alarm = "writer_stopped", sale = %live, why, "this sale's writer stops and asks for a person");
        gauge!(names::WRITER_STOPPED, "sale" => live.book_id()).set(1.0);
        let book_id = live.book_id();
        let put = store::put_stop(&self.pool, &book_id, why);
        if !matches!(tokio::time::timeout(ROSTER_TIMEOUT, put).await, Ok(Ok(()))) {
            tracing::warn!(sale = %live, "that it is stopped could not be written down; other writers find out by themselves");
        }
    }

    /// A step got through: if the sale was stopped, it is no longer.
    pub(super) async fn got_on(&self, live: &LiveId) {
        if !self.lock().stopped.contains_key(live) {
            return;
        }
        let book_id = live.book_id();
        let taken = store::take_stop(&self.pool, &book_id);
        if !matches!(
            tokio::time::timeout(ROSTER_TIMEOUT, taken).await,
            Ok(Ok(()))
        ) {
            return;
        }
        let mut state = self.lock();
        state.stopped.remove(live);
        state.recent.remove(live);
        gauge!(names::WRITER_STOPPED, "sale" => live.book_id()).set(0.0);
        tracing::info!(sale = %live, "the cause is mended: this sale's writer goes on");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::SaleId;
    use sqlx::mysql::MySqlPoolOptions;

    use super::*;

    /// Nobody answers there: what is decided without MySQL.
    fn stops() -> Stops {
        let pool = MySqlPoolOptions::new()
            .connect_lazy("mysql://nobody@127.0.0.1:1/none")
            .unwrap();
        Stops::new(pool)
    }

    #[tokio::test]
    async fn a_stopped_sale_stands_and_is_tried_now_and_then() {
        let (stops, live) = (stops(), LiveId::Sale(SaleId::parse("s").unwrap()));
        let now = clock::instant();
        assert_eq!(stops.turn(&live, now), Turn::Goes);
        stops.learn(&["s".into()], now);
        assert_eq!(stops.turn(&live, now), Turn::Tries);
        assert_eq!(stops.turn(&live, now), Turn::Stands);
        let later = now + STOPPED_LOOK_EVERY;
        assert_eq!(stops.turn(&live, later), Turn::Tries);
        stops.learn(&[], later + STOPPED_LOOK_EVERY + Duration::from_millis(1));
        assert_eq!(
            stops.turn(&live, later),
            Turn::Goes,
            "another writer got on"
        );
    }
}
