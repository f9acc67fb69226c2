//! This engine's testimony: how far it had seen every sale before the Redis process changed, and what it caused that the books
//! have not got.
//!
//! After a restart, restore or promotion, a writer vouches for Redis only when each engine that is alive has testified
//! for the new process, and none has seen more than Redis now holds (design §5). The testimony is complete because it
//! waits for every script call that was under way. A kill between any two lines leaves an older testimony or none; the
//! writer then waits until this engine's signs of life run out. Where Redis is older, a rebuild asks every live engine for what it
//! remembers, and waits likewise.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::handover;
use doorbuster_core::ids::LiveId;
use metrics::gauge;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::limits::{
    ASKS_EVERY, ASKS_REMEMBERED_MAX, FLUSHED_LOOK_SALES_MAX, HEARTBEAT_EVERY, WITNESS_EVERY,
};
use crate::metrics as names;

/// Watches Redis and testifies until told to stop, then leaves. Signs of life are given where nothing takes long: `prompt`.
pub(crate) async fn watch(app: &'static App, prompt: &Handle, stop: &CancellationToken) {
    // Beside everything else: an engine with much to hand over is alive.
    let goes = CancellationToken::new();
    let signs = prompt.spawn(give_signs(app, goes.clone()));
    let mut testified_for = String::new();
    let (mut notes, mut asks) = (Every::new(HEARTBEAT_EVERY), Every::new(ASKS_EVERY));
    let mut noted = Noted::default();
    let mut answered = VecDeque::new();
    while !stop.is_cancelled() {
        if notes.is_due() {
            notes.done();
            noted.note(app).await;
        }
        if let Ok(run_id) = app.gate.run_id().await
            && !run_id.is_empty()
            && run_id != testified_for
            && testify(app, &run_id).await
        {
            testified_for = run_id;
        }
        forget_what_the_books_have(app).await;
        if asks.is_due() {
            asks.done();
            answer(app, &mut answered).await;
        }
        let _ = stop
            .run_until_cancelled(tokio::time::sleep(WITNESS_EVERY))
            .await;
    }
    // Everything has been decided by now. While a rebuild asks, this engine goes with its word given or, where it cannot be given in the
    // time that is left, as one that died.
    noted.note(app).await;
    forget_what_the_books_have(app).await;
    while !answer(app, &mut answered).await {
        tokio::time::sleep(ASKS_EVERY).await;
    }
    goes.cancel();
    // A sign after it would bring this engine back.
    let _ = signs.await;
    if let Err(e) = app.books.leave(app.engine_id).await {
        tracing::debug!(error = %e, "could not say that this engine leaves");
    }
}

async fn give_signs(app: &App, goes: CancellationToken) {
    while !goes.is_cancelled() {
        let pause = match app.books.sign_of_life(app.engine_id).await {
            Ok(()) => HEARTBEAT_EVERY,
            Err(e) => {
                tracing::debug!(error = %e, "no sign of life could be given");
                WITNESS_EVERY
            }
        };
        let _ = goes.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

/// Something that is done now and then.
struct Every {
    pause: Duration,
    last: Option<Instant>,
}

impl Every {
    fn new(pause: Duration) -> Self {
        Self { pause, last: None }
    }

    fn is_due(&self) -> bool {
        self.last.is_none_or(|at| at.elapsed() >= self.pause)
    }

    fn done(&mut self) {
        self.last = Some(clock::instant());
    }
}

async fn testify(app: &App, run_id: &str) -> bool {
    let sightings = app.gate.settled_sightings().await;
    match app.books.testify(app.engine_id, run_id, &sightings).await {
        Ok(()) => {
            tracing::info!(
                run_id,
                sales = sightings.len(),
                "testified to what was seen before this redis process"
            );
            true
        }
        Err(e) => {
            tracing::warn!(error = %e, run_id, "could not testify; sales wait for it");
            false
        }
    }
}

/// How far the books know this engine to have seen each sale: what outlives it, a second old at most.
#[derive(Default)]
struct Noted(HashMap<LiveId, (u32, u64)>);

impl Noted {
    async fn note(&mut self, app: &App) {
        let sightings = app.gate.sightings();
        let newer =
            |(live, epoch, seq): &(LiveId, u32, u64)| self.0.get(live) != Some(&(*epoch, *seq));
        let newer: Vec<_> = sightings.into_iter().filter(newer).collect();
        if newer.is_empty() {
            return;
        }
        match app.books.note_sightings(&newer).await {
            Ok(()) => self
                .0
                .extend(newer.into_iter().map(|(l, e, s)| (l, (e, s)))),
            Err(e) => tracing::debug!(error = %e, "what was seen could not be noted"),
        }
    }
}

/// One look in one round trip at all sales of which something is remembered; no request pays for it.
async fn forget_what_the_books_have(app: &App) {
    let sales = app.gate.unflushed_sales();
    for sales in sales.chunks(FLUSHED_LOOK_SALES_MAX) {
        let Ok(backlogs) = app.gate.backlogs(sales).await else {
            break;
        };
        for (live, backlog) in sales.iter().zip(backlogs) {
            if let Some(backlog) = backlog {
                app.gate
                    .forget_flushed(live, backlog.epoch, backlog.flushed_seq);
            }
        }
    }
    let size = app.gate.unflushed_size();
    gauge!(names::UNFLUSHED).set(size.events as f64);
    gauge!(names::UNFLUSHED_FORGOTTEN).set(size.forgotten as f64);
}

/// Hands over to every rebuild that asks, once; whether none still waits for it.
async fn answer(app: &App, answered: &mut VecDeque<(LiveId, u32)>) -> bool {
    let asks = match app.books.open_asks().await {
        Ok(asks) => asks,
        Err(e) => {
            tracing::debug!(error = %e, "whether a rebuild asks could not be seen");
            return false;
        }
    };
    let mut all = true;
    for (live, ask) in asks {
        if answered.contains(&(live.clone(), ask)) {
            continue;
        }
        // From here on it is late, not dead.
        let _ = app.books.sign_of_life(app.engine_id).await;
        let entries = app.gate.settled_unflushed(&live).await;
        let events: usize = entries.iter().map(|entry| entry.events.len()).sum();
        let packed = tokio::task::spawn_blocking(move || handover::pack(&entries));
        let Ok(parts) = packed.await else {
            all = false;
            continue;
        };
        match app.books.hand_over(app.engine_id, &live, ask, &parts).await {
            Ok(()) => {
                tracing::info!(sale = %live, ask, events, "handed over to a rebuild");
                answered.push_back((live, ask));
                if answered.len() > ASKS_REMEMBERED_MAX {
                    answered.pop_front();
                }
            }
            Err(e) => {
                all = false;
                tracing::warn!(sale = %live, ask, error = %e, "could not hand over; the rebuild waits for it");
            }
        }
    }
    all
}
