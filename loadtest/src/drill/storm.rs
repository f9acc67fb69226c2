//! Storms. First hundreds look at the sale without pause while others buy: as many as before are served. Then Redis hangs while
//! hundreds who buy ask again the moment they are answered, without any patience: afterwards as many as before are served.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use super::ground::Ground;
use super::round::{Outcome, Task};
use super::scene::{Goal, Recovery};
use crate::audit;
use crate::client::request::Requests;
use crate::history::{Header, History};
use crate::limits::{BENCH_UNITS_PER_USER, DRILL_FRONTS, DRILL_GOODPUT};
use crate::load::volley::Fired;
use crate::load::{Buyers, Heard, Pace, Volley, Wire, fire, told};
use crate::plan::{Offer, Scenario};
use crate::setup;

const CALM: Duration = Duration::from_secs(4);
const LOOKED_AT: Duration = Duration::from_secs(6);
const STORM: Duration = Duration::from_secs(8);
const AFTERWARDS: Duration = Duration::from_secs(14);
/// Goodput is looked at over stretches of this length.
const STRETCH: Duration = Duration::from_millis(500);
const BUYERS: u32 = 20_000;
const CONNECTIONS: usize = 400;
/// What is left of the usual, at the least, while others only look, and once a storm is over.
const ENOUGH: f64 = 0.9;

/// # Errors
/// If the round cannot be held at all.
pub(super) async fn round(ground: &Ground, task: &Task, name: &str) -> Result<Outcome> {
    let mut rng = StdRng::seed_from_u64(task.seed);
    let offer = Offer {
        stock: 10_000_000,
        per_user: BENCH_UNITS_PER_USER,
        hold_seconds: 3_600,
        ..Offer::sale(name)
    };
    setup::open(&ground.target, &offer, ground.sources.redis()).await?;
    let buyers = Arc::new(Buyers::new(&ground.target, "storm", BUYERS));
    let rate = Pace::PerSecond(task.rate.into());
    let mut volleys = Volleys {
        ground,
        offer: &offer,
        buyers: &buyers,
        first: 0,
    };
    let calm = volleys.fire(rate, CALM).await?;
    let (looked_at, looks) =
        tokio::join!(volleys.fire(rate, LOOKED_AT), look(ground, &offer, &buyers));
    let (looked_at, looks) = (looked_at?, looks?);
    let outage = Duration::from_millis(rng.random_range(3_000..=6_000));
    let (storm, frozen) = tokio::join!(volleys.fire(Pace::AsAnswered, STORM), async {
        sleep(Duration::from_secs(1)).await;
        ground.redis(|redis| redis.freeze()).await?;
        sleep(outage).await;
        ground.redis(|redis| redis.thaw()).await
    });
    frozen?;
    let storm = storm?;
    let after = volleys.fire(rate, AFTERWARDS).await?;
    let usual = calm.accepted() as f64 / CALM.as_secs_f64();
    let mut outcome = Outcome {
        cycles: 1,
        ..Outcome::default()
    };
    let beside = looked_at.accepted() as f64 / LOOKED_AT.as_secs_f64();
    if beside < ENOUGH * usual {
        outcome.broken.push(format!(
            "goodput fell from {usual:.0}/s to {beside:.0}/s while {CONNECTIONS} connections looked {} times",
            looks.answered()
        ));
    }
    match until_usual(&after, usual) {
        Some(took) => outcome.recoveries.push(Recovery {
            goal: Goal::Goodput,
            took,
        }),
        None => outcome.broken.push(format!(
            "goodput was not back at 90 % of {usual:.0}/s within {DRILL_GOODPUT:?}"
        )),
    }
    ground.heal().await?;
    let header = header(&offer, task, &calm);
    let clients = told::clients(vec![calm, looked_at, storm, after], &buyers);
    // A client whose request met the frozen Redis hears from its engine that the outcome is unknown.
    outcome.clients(&clients, false);
    outcome.none_sold_out(&clients);
    let settled = ground.sources.read(&offer.live).await?;
    let history = History { header, clients };
    let (verdict, _) = audit::judge(&history, &settled.live, &settled.books)?;
    outcome.judged(verdict.numbers, &verdict.findings);
    outcome.broken.extend(ground.panics()?);
    Ok(outcome)
}

struct Volleys<'a> {
    ground: &'a Ground,
    offer: &'a Offer,
    buyers: &'a Arc<Buyers>,
    first: u64,
}

impl Volleys<'_> {
    async fn fire(&mut self, pace: Pace, lasting: Duration) -> Result<Fired> {
        let engines = &self.ground.target.engines;
        let servers = engines.iter().map(|engine| {
            let requests = Requests::new(engine, &self.offer.live, &self.offer.lines());
            (engine.clone(), vec![requests])
        });
        let fired = fire(Volley {
            servers: servers.collect(),
            buyers: Arc::clone(self.buyers),
            pace,
            wire: Wire::KeptAlive,
            connections: CONNECTIONS,
            first: self.first,
            requests_max: u64::MAX,
            lasting,
            // Who has not been sent by then has nothing to do with what comes next.
            cut: Some(lasting + Duration::from_millis(200)),
        })
        .await
        .context("a volley")?;
        self.first += fired.shots.len() as u64 + CONNECTIONS as u64;
        Ok(fired)
    }
}

/// Looks at the sale on connections of its own, each again as soon as it is answered.
async fn look(ground: &Ground, offer: &Offer, buyers: &Arc<Buyers>) -> Result<Fired> {
    let engines = &ground.target.engines;
    let servers = engines.iter().map(|engine| {
        let requests = Requests::looking(engine, &offer.live);
        (engine.clone(), vec![requests])
    });
    let volley = Volley {
        servers: servers.collect(),
        buyers: Arc::clone(buyers),
        pace: Pace::AsAnswered,
        wire: Wire::KeptAlive,
        connections: CONNECTIONS,
        first: 0,
        requests_max: u64::MAX,
        lasting: LOOKED_AT,
        cut: None,
    };
    fire(volley).await.context("a crowd that looks")
}

/// When the first of two stretches in a row began in which at least 90 % of what is usual was accepted.
fn until_usual(after: &Fired, usual: f64) -> Option<Duration> {
    let stretch_us = STRETCH.as_micros() as u64;
    let stretches = (AFTERWARDS.as_micros() as u64 / stretch_us) as usize;
    let mut accepted = vec![0u32; stretches];
    for shot in &after.shots {
        let at = (shot.done_us / stretch_us) as usize;
        if let (Heard::Accepted(..), Some(count)) = (&shot.heard, accepted.get_mut(at)) {
            *count += 1;
        }
    }
    let enough = ENOUGH * usual * STRETCH.as_secs_f64();
    let back = accepted
        .windows(2)
        .position(|pair| pair.iter().all(|count| f64::from(*count) >= enough));
    back.map(|stretch| STRETCH * u32::try_from(stretch).unwrap_or(u32::MAX))
        .filter(|took| *took <= DRILL_GOODPUT)
}

fn header(offer: &Offer, task: &Task, first: &Fired) -> Header {
    Header {
        format: Header::format(),
        scenario: Scenario::Rush,
        book_id: offer.live.book_id(),
        lines: offer.lines(),
        stock: offer.stock,
        per_user: offer.per_user,
        users: BUYERS,
        hold_seconds: offer.hold_seconds,
        engines: DRILL_FRONTS,
        connections: CONNECTIONS,
        ack_level: "fsync".into(),
        seed: task.seed,
        arrival_seconds: (CALM + LOOKED_AT + STORM + AFTERWARDS).as_secs_f64(),
        start_ms: first.start_ms,
    }
}
