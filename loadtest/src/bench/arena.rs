//! Where benchmarks run: one engine on a private stage, the light client, and what each process spent. One engine, because
//! what is measured shares two cores with all the rest; more engines would only share them again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use doorbuster_core::ids::LiveId;
use doorbuster_stage::{Program, Server, Stage, StageOptions};
use tokio::task::JoinSet;

use crate::audit;
use crate::audit::settle::Sources;
use crate::audit::{Numbers, Verdict};
use crate::client::endpoint::{Endpoint, Reach};
use crate::client::request::Requests;
use crate::command;
use crate::history::{Client, Header, History};
use crate::limits::{
    BENCH_OPENED_AT_ONCE, BENCH_UNITS_PER_USER, LOAD_CONNECTIONS, RIVAL_STORE_CONNECTIONS,
};
use crate::load::told;
use crate::load::volley::Fired;
use crate::load::{Buyers, Pace, Volley, Wire, fire};
use crate::plan::{Offer, Scenario};
use crate::rivals;
use crate::rush::say;
use crate::setup;
use crate::target::Target;

/// A stage with one engine, and readers for the audit.
pub(crate) struct Arena {
    pub(crate) target: Target,
    pub(crate) sources: Sources,
}

/// Longer than any measurement.
const LONG_HOLD: Duration = Duration::from_secs(3_600);

/// A rival on the same stage.
pub(crate) struct Guest {
    pub(crate) server: Server,
    endpoint: Endpoint,
}

/// Time on a processor, by process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) engine: Duration,
    pub(crate) redis: Duration,
    pub(crate) mariadb: Duration,
}

impl Spent {
    /// What was spent since `before`.
    pub(crate) fn since(self, before: Spent) -> Spent {
        Spent {
            engine: self.engine.saturating_sub(before.engine),
            redis: self.redis.saturating_sub(before.redis),
            mariadb: self.mariadb.saturating_sub(before.mariadb),
        }
    }
}

/// µs of `spent` for each of `count`.
pub(crate) fn us_each(spent: Duration, count: u64) -> f64 {
    spent.as_secs_f64() * 1e6 / count.max(1) as f64
}

impl Guest {
    /// Where it listens.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Empty tables and so many units.
    pub(crate) async fn reset(&self, stock: u32) -> Result<()> {
        let path = format!("/reset?stock={stock}");
        self.ask(&setup::Call::post(&path)).await.map(drop)
    }

    /// What its store holds.
    pub(crate) async fn state(&self) -> Result<rivals::State> {
        let body = self.ask(&setup::Call::get("/state")).await?;
        serde_json::from_slice(&body).with_context(|| format!("/state of {}", self.server.name()))
    }

    async fn ask(&self, call: &setup::Call<'_>) -> Result<Vec<u8>> {
        let reply = setup::call(&self.endpoint, call).await?;
        if reply.status != 200 {
            let text = String::from_utf8_lossy(&reply.body);
            bail!("{} answers {}: {text}", self.server.name(), reply.status);
        }
        Ok(reply.body)
    }
}

impl Arena {
    /// With further variables for the engine.
    pub(crate) async fn start(engine_env: &[(&str, &str)]) -> Result<Self> {
        Self::start_at("fsync", engine_env).await
    }

    /// The same at another ack level.
    pub(crate) async fn start_at(level: &str, engine_env: &[(&str, &str)]) -> Result<Self> {
        let mut options = StageOptions::whole(1).ack_level(level).large_database();
        for (name, value) in engine_env {
            options = options.engine_env(name, value);
        }
        Self::of(Target::start(options).await?).await
    }

    /// On a stage of these options.
    pub(crate) async fn started(options: StageOptions) -> Result<Self> {
        Self::of(Target::start(options).await?).await
    }

    /// A stage whose engine is still to come.
    pub(crate) async fn stage_without_engine() -> Result<Stage> {
        let options = StageOptions::whole(0).ack_level("fsync").large_database();
        let stage = tokio::task::spawn_blocking(move || Stage::start(&options));
        stage.await.context("the stage panicked")?
    }

    /// On a stage that has one by now.
    pub(crate) async fn on(stage: Stage) -> Result<Self> {
        Self::of(Target::on(stage).await?).await
    }

    async fn of(target: Target) -> Result<Self> {
        let sources = Sources::connect(&target.redis_url, &target.database_url).await?;
        Ok(Self { target, sources })
    }

    pub(crate) fn stage(&self) -> &Stage {
        self.target
            .stage()
            .expect("an arena has a stage of its own")
    }

    pub(crate) fn spent(&self) -> Spent {
        let stage = self.stage();
        Spent {
            engine: stage.engine(0).cpu_time(),
            redis: stage.redis().cpu_time(),
            mariadb: stage.mariadb().cpu_time(),
        }
    }

    /// Opens a sale with so many units and a limit per user that is counted and never met.
    pub(crate) async fn offer(&self, stock: u32) -> Result<Offer> {
        self.offer_for(stock, LONG_HOLD).await
    }

    /// The same with holds that last so long.
    pub(crate) async fn offer_for(&self, stock: u32, hold: Duration) -> Result<Offer> {
        let offer = Self::unopened(stock, hold);
        setup::open(&self.target, &offer, self.sources.redis()).await?;
        Ok(offer)
    }

    /// So many sales, some opened at once.
    pub(crate) async fn offers(self: &Arc<Self>, sales: usize, stock: u32) -> Result<Vec<Offer>> {
        let mut opening = JoinSet::new();
        let mut opened = Vec::with_capacity(sales);
        for _ in 0..sales {
            if opening.len() == BENCH_OPENED_AT_ONCE
                && let Some(offer) = opening.join_next().await
            {
                opened.push(offer.context("a task panicked")??);
            }
            let arena = Arc::clone(self);
            opening.spawn(async move { arena.offer(stock).await });
        }
        while let Some(offer) = opening.join_next().await {
            opened.push(offer.context("a task panicked")??);
        }
        Ok(opened)
    }

    /// The same for a rival, which sells under any name.
    pub(crate) fn offer_of_guest(stock: u32) -> Offer {
        Self::unopened(stock, LONG_HOLD)
    }

    fn unopened(stock: u32, hold: Duration) -> Offer {
        Offer {
            stock,
            per_user: BENCH_UNITS_PER_USER,
            hold_seconds: u32::try_from(hold.as_secs()).unwrap_or(u32::MAX),
            ..Offer::sale(&command::name(Scenario::Rush))
        }
    }

    /// Starts a rival; it ends when it is dropped.
    pub(crate) async fn guest(&self, way: rivals::Name) -> Result<Guest> {
        self.guest_with(way, RIVAL_STORE_CONNECTIONS).await
    }

    /// The same with so many connections to its store.
    pub(crate) async fn guest_with(&self, way: rivals::Name, pool: u32) -> Result<Guest> {
        let path = std::env::current_exe().context("this program's own file")?;
        let (way, pool) = (way.as_str(), pool.to_string());
        let args = ["rival", "--way", way, "--listen-port", "{port}", "--pool"];
        let server = self.stage().start_program(&Program {
            name: &format!("{way}-{pool}"),
            path: &path,
            args: &[&args[..], &[&pool]].concat(),
            env: &[],
            port: None,
        })?;
        let endpoint = Endpoint::resolve(server.url(), Reach::LoopbackOnly).await?;
        Ok(Guest { server, endpoint })
    }

    /// The same volley at a rival.
    pub(crate) fn at_guest(volley: Volley, guest: &Guest, offer: &Offer) -> Volley {
        let requests = Requests::new(&guest.endpoint, &offer.live, &offer.lines());
        Volley {
            servers: vec![(guest.endpoint.clone(), vec![requests])],
            ..volley
        }
    }

    /// What was measured, and beside it the yardstick: the mean of what the same volley came to right before and right after.
    pub(crate) async fn beside<T>(
        yardstick: Volley,
        value: fn(&Fired) -> f64,
        measured: impl Future<Output = Result<T>>,
    ) -> Result<(T, f64)> {
        let before = value(&fire(yardstick.clone()).await?);
        let measured = measured.await?;
        let after = value(&fire(yardstick).await?);
        ensure!(
            before > 0.0 && after > 0.0,
            "what it is measured beside did nothing: {before} and {after}"
        );
        Ok((measured, f64::midpoint(before, after)))
    }

    /// A closed loop over kept-alive connections, to be changed by the caller.
    pub(crate) fn volley(&self, offer: &Offer, buyers: &Arc<Buyers>, lasting: Duration) -> Volley {
        let engine = &self.target.engines[0];
        let requests = Requests::new(engine, &offer.live, &offer.lines());
        Volley {
            servers: vec![(engine.clone(), vec![requests])],
            buyers: Arc::clone(buyers),
            pace: Pace::AsAnswered,
            wire: Wire::KeptAlive,
            connections: LOAD_CONNECTIONS,
            first: 0,
            requests_max: u64::MAX,
            lasting,
            cut: None,
        }
    }

    /// How long after the last answer MySQL had all of it.
    pub(crate) async fn drained(&self, live: &LiveId, fired: &Fired) -> Result<Duration> {
        let last_answer = fired.start + fired.elapsed;
        self.sources.wait_flushed(live, last_answer).await
    }

    /// The whole audit of what the light client was told.
    ///
    /// # Errors
    /// If any number of it is not zero.
    pub(crate) async fn audit(
        &self,
        offer: &Offer,
        fired: Vec<Fired>,
        buyers: &Buyers,
    ) -> Result<()> {
        let start_ms = fired.first().map_or(0, |fired| fired.start_ms);
        let clients = told::clients(fired, buyers);
        let verdict = self.verdict(offer, clients, start_ms).await?;
        if let Some(finding) = verdict.findings.first() {
            bail!("the audit is not zero: {}", finding.text);
        }
        Ok(())
    }

    /// The same, counted.
    pub(crate) async fn numbers(
        &self,
        offer: &Offer,
        clients: Vec<Client>,
        start_ms: u64,
    ) -> Result<Numbers> {
        let verdict = self.verdict(offer, clients, start_ms).await?;
        for finding in &verdict.findings {
            say(&format!("audit: {}", finding.text));
        }
        Ok(verdict.numbers)
    }

    async fn verdict(&self, offer: &Offer, clients: Vec<Client>, start_ms: u64) -> Result<Verdict> {
        let settled = self.sources.read(&offer.live).await?;
        let history = History {
            header: self.header(offer, u32::try_from(clients.len())?, start_ms),
            clients,
        };
        let (verdict, _) = audit::judge(&history, &settled.live, &settled.books)?;
        Ok(verdict)
    }

    fn header(&self, offer: &Offer, users: u32, start_ms: u64) -> Header {
        Header {
            format: Header::format(),
            scenario: Scenario::Rush,
            book_id: offer.live.book_id(),
            lines: offer.lines(),
            stock: offer.stock,
            per_user: offer.per_user,
            users,
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
    pub(crate) fn buyers(&self, count: u32) -> Arc<Buyers> {
        Arc::new(Buyers::new(&self.target, "b", count))
    }
}
