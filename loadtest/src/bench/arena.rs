//! Where benchmarks run: one engine on a private stage, the light client, and what each process spent. One engine, because
//! what is measured shares two cores with all the rest; more engines would only share them again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use doorbuster_core::ids::LiveId;
use doorbuster_stage::Stage;

use crate::audit;
use crate::audit::Numbers;
use crate::audit::settle::Sources;
use crate::client::request::Requests;
use crate::command;
use crate::history::{Header, History};
use crate::limits::LOAD_CONNECTIONS;
use crate::load::told;
use crate::load::volley::Fired;
use crate::load::{Buyers, Pace, Volley, Wire};
use crate::plan::{Offer, Scenario};
use crate::setup;
use crate::target::{OwnStage, Rate, Target, Wanted};

/// A stage with one engine, and readers for the audit.
pub(super) struct Arena {
    pub(super) target: Target,
    pub(super) sources: Sources,
}

/// Time on a processor, by process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) engine: Duration,
    pub(super) redis: Duration,
    pub(super) mariadb: Duration,
}

impl Spent {
    /// What was spent since `before`.
    pub(super) fn since(self, before: Spent) -> Spent {
        Spent {
            engine: self.engine.saturating_sub(before.engine),
            redis: self.redis.saturating_sub(before.redis),
            mariadb: self.mariadb.saturating_sub(before.mariadb),
        }
    }
}

/// µs of `spent` for each of `count`.
pub(super) fn us_each(spent: Duration, count: u64) -> f64 {
    spent.as_secs_f64() * 1e6 / count.max(1) as f64
}

impl Arena {
    pub(super) async fn start(ack_level: &str) -> Result<Self> {
        let target = Target::reach(&Wanted::Own(OwnStage {
            engines: 1,
            ack_level: ack_level.to_owned(),
            rate_per_user: Rate::AsShipped,
        }))
        .await?;
        let sources = Sources::connect(&target.redis_url, &target.database_url).await?;
        Ok(Self { target, sources })
    }

    pub(super) fn stage(&self) -> &Stage {
        self.target
            .stage()
            .expect("an arena has a stage of its own")
    }

    pub(super) fn spent(&self) -> Spent {
        let stage = self.stage();
        Spent {
            engine: stage.engine(0).cpu_time(),
            redis: stage.redis().cpu_time(),
            mariadb: stage.mariadb().cpu_time(),
        }
    }

    /// Opens a sale with so many units, no limit per user.
    pub(super) async fn offer(&self, stock: u32) -> Result<Offer> {
        let offer = Offer {
            stock,
            per_user: 0,
            hold_seconds: 3_600,
            ..Offer::sale(&command::name(Scenario::Rush))
        };
        setup::open(&self.target, &offer, self.sources.redis()).await?;
        Ok(offer)
    }

    /// A closed loop over kept-alive connections, to be changed by the caller.
    pub(super) fn volley(&self, offer: &Offer, buyers: &Arc<Buyers>, lasting: Duration) -> Volley {
        let engine = &self.target.engines[0];
        let requests = Requests::new(engine, &offer.live, &offer.lines());
        Volley {
            servers: vec![(engine.clone(), requests)],
            buyers: Arc::clone(buyers),
            pace: Pace::AsAnswered,
            wire: Wire::KeptAlive,
            connections: LOAD_CONNECTIONS,
            first: 0,
            requests_max: u64::MAX,
            lasting,
        }
    }

    /// How long after the last answer MySQL had all of it.
    pub(super) async fn drained(&self, live: &LiveId, fired: &Fired) -> Result<Duration> {
        let last_answer = fired.start + fired.elapsed;
        self.sources.wait_flushed(live, last_answer).await
    }

    /// The whole audit of what the light client was told.
    pub(super) async fn audit(
        &self,
        offer: &Offer,
        fired: Vec<Fired>,
        buyers: &Buyers,
    ) -> Result<Numbers> {
        let start_ms = fired.first().map_or(0, |fired| fired.start_ms);
        let settled = self.sources.read(&offer.live).await?;
        let history = History {
            header: self.header(offer, buyers, start_ms),
            clients: told::clients(fired, buyers),
        };
        let (verdict, _) = audit::judge(&history, &settled.live, &settled.books)?;
        for finding in &verdict.findings {
            eprintln!("audit: {}", finding.text);
        }
        Ok(verdict.numbers)
    }

    fn header(&self, offer: &Offer, buyers: &Buyers, start_ms: u64) -> Header {
        Header {
            format: Header::format(),
            scenario: Scenario::Rush,
            book_id: offer.live.book_id(),
            lines: offer.lines(),
            stock: offer.stock,
            per_user: offer.per_user,
            users: buyers.count(),
            hold_seconds: offer.hold_seconds,
            engines: 1,
            connections: LOAD_CONNECTIONS,
            ack_level: self.target.ack_level.clone(),
            seed: 0,
            arrival_seconds: 0.0,
            start_ms,
        }
    }

    /// Buyers enough that no limit per user is met.
    pub(super) fn buyers(&self, count: u32) -> Arc<Buyers> {
        Arc::new(Buyers::new(&self.target, "b", count))
    }
}

/// The middle one; 0 where there is none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}
