//! Where a drill happens: two fronts, two writers and a back-office, or two and a payment sandbox, on a stage, with a wire between every two programs.
//!
//! Every process is one of the stage's, so that it ends with it, however the drill ends.

use std::sync::Arc;

use anyhow::{Context, Result};
use doorbuster_stage::{Server, Stage, StageOptions};
use tokio::task::spawn_blocking;

use super::member::{self, Member, database_of, wire_to};
use super::money::Money;
use super::shim::{self, Shim};
use super::store::Session;
use super::talk;
use crate::audit::money::source::Source;
use crate::audit::settle::Sources;
use crate::client::endpoint::Reach;
use crate::config::Secret;
use crate::limits::{DRILL_FRONTS, DRILL_PLANTED_FLUSH, DRILL_WRITERS};
use crate::target::{Running, Target, Wanted};
use crate::wire::Wire;

/// Whether Redis has a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redises {
    One,
    WithReplica,
}

/// Whether buyers pay for what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paying {
    No,
    Yes,
}

/// All of it. Dropped in this order: programs, then what they use.
pub(super) struct Ground {
    pub(super) fronts: Vec<Member>,
    pub(super) writers: Vec<Member>,
    pub(super) backoffices: Vec<Member>,
    /// Where buyers pay, if they do.
    pub(super) money: Option<Money>,
    /// Through the wires, as buyers and operators come.
    pub(super) target: Target,
    /// Around the wires, for the audit.
    pub(super) sources: Sources,
    /// The audit's own, which is never broken: it leads to whatever Redis is the one.
    audit: Wire,
    pub(super) shim: Shim,
    pub(super) stage: Arc<Stage>,
}

/// Runs what waits for processes on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.context("a thread panicked")?
}

impl Ground {
    /// With the planted bug of this name in its engines.
    ///
    /// # Errors
    /// If anything of it does not start.
    pub(super) async fn start(
        ack_level: &str,
        company: Redises,
        planted: Option<&str>,
    ) -> Result<Self> {
        Self::set_up(ack_level, company, planted, Paying::No).await
    }

    /// With a payment sandbox and two back-offices that can be ended at every step of an order.
    ///
    /// # Errors
    /// If anything of it does not start.
    pub(super) async fn start_paying() -> Result<Self> {
        Self::set_up("fsync", Redises::One, None, Paying::Yes).await
    }

    async fn set_up(
        ack_level: &str,
        company: Redises,
        planted: Option<&str>,
        paying: Paying,
    ) -> Result<Self> {
        let library = shim::build().await?;
        let mut options = StageOptions::servers().ack_level(ack_level);
        options.replica = company == Redises::WithReplica;
        options.redis_env = Shim::env(&library, shim::REDIS).into();
        let stage = blocking(move || {
            let stage = Stage::start(&options)?;
            stage.run_backoffice(&["migrate"])?.success()?;
            Ok(Arc::new(stage))
        })
        .await?;
        let mut operator = Session::open(&stage.database_url()).await?;
        operator
            .make_user(database_of(&stage.database_url()))
            .await?;
        operator.end().await;
        let (mut fronts, mut writers) = (Vec::new(), Vec::new());
        let settings = [
            ("ACK_LEVEL", ack_level),
            ("PLANTED_BUG", planted.unwrap_or("")),
        ];
        for i in 0..DRILL_FRONTS {
            let (name, clock) = (format!("front-{i}"), Some(&*library).filter(|_| i == 0));
            fronts.push(member::engine(&stage, (&name, "front"), settings, clock).await?);
        }
        for i in 0..DRILL_WRITERS {
            let (name, clock) = (format!("writer-{i}"), Some(&*library).filter(|_| i == 0));
            writers.push(member::engine(&stage, (&name, "writer"), settings, clock).await?);
        }
        let (backoffices, money) = match paying {
            Paying::No => (vec![member::backoffice(&stage).await?], None),
            Paying::Yes => {
                let (backoffices, money) = Money::start(&stage).await?;
                (backoffices, Some(money))
            }
        };
        let running = Running {
            engine_urls: fronts.iter().map(|front| url_of(&front.clients)).collect(),
            backoffice_url: url_of(&backoffices[0].clients),
            more_backoffice_urls: backoffices[1..]
                .iter()
                .map(|backoffice| url_of(&backoffice.clients))
                .collect(),
            payment_url: money.as_ref().map(|money| money.sandbox.url().to_owned()),
            redis_url: stage.redis_url().to_owned(),
            database_url: stage.database_url(),
            secret: Secret::new(stage.token_secret()),
            reach: Reach::LoopbackOnly,
        };
        let audit = wire_to(stage.redis_url())?;
        let redis_url = format!("redis://{}", audit.address);
        let sources = Sources::connect(&redis_url, &stage.database_url()).await?;
        let ground = Self {
            target: Target::reach(&Wanted::Running(running)).await?,
            sources: match planted {
                Some(_) => sources.within(DRILL_PLANTED_FLUSH),
                None => sources,
            },
            audit,
            shim: Shim::of(stage.dir(), shim::REDIS),
            fronts,
            writers,
            backoffices,
            money,
            stage,
        };
        ground.ready().await?;
        Ok(ground)
    }

    /// All programs of ours.
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        let engines = self.fronts.iter().chain(&self.writers);
        engines.chain(&self.backoffices)
    }

    /// Where what came of money is read.
    ///
    /// # Errors
    /// If it cannot be reached, or nobody pays here.
    pub(super) async fn money_source(&self) -> Result<Source> {
        Source::connect(&self.target).await
    }

    /// A session of an operator with the database, around the wires.
    ///
    /// # Errors
    /// If it does not answer.
    pub(super) async fn session(&self) -> Result<Session> {
        Session::open(&self.stage.database_url()).await
    }

    /// Does something to Redis that waits for its process.
    pub(super) async fn redis(
        &self,
        act: impl FnOnce(&Server) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let stage = Arc::clone(&self.stage);
        blocking(move || act(stage.redis())).await
    }

    /// The same to its replica.
    pub(super) async fn replica(
        &self,
        act: impl FnOnce(&Server) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let stage = Arc::clone(&self.stage);
        blocking(move || act(stage.replica())).await
    }

    /// The replica becomes the Redis of all, as a sentinel or a person would have it.
    ///
    /// # Errors
    /// If it does not do so.
    pub(super) async fn promote(&self) -> Result<()> {
        let port = self.stage.replica().port();
        talk::redis(port, &["REPLICAOF", "NO", "ONE"]).await?;
        let wires = self.members().map(|member| &member.redis);
        wires
            .chain([&self.audit])
            .for_each(|wire| wire.lead(([127, 0, 0, 1], port).into()));
        Ok(())
    }

    /// The Redis of before starts again, and copies what the promoted one has.
    ///
    /// # Errors
    /// If it does not.
    pub(super) async fn demote(&self) -> Result<()> {
        self.redis(|redis| redis.start()).await?;
        let to = self.stage.replica().port().to_string();
        let port = self.stage.redis().port();
        talk::redis(port, &["REPLICAOF", "127.0.0.1", &to]).await?;
        Ok(())
    }

    /// The same to the database.
    pub(super) async fn mariadb(
        &self,
        act: impl FnOnce(&Server) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let stage = Arc::clone(&self.stage);
        blocking(move || act(stage.mariadb())).await
    }

    /// All faults end, and all that was stopped runs again.
    ///
    /// # Errors
    /// If something does not come back.
    pub(super) async fn heal(&self) -> Result<()> {
        self.shim.rest()?;
        for member in self.members() {
            member.heal().await?;
        }
        if let Some(money) = &self.money {
            money.heal().await?;
        }
        self.redis(run_again).await?;
        self.mariadb(run_again).await?;
        let mut operator = self.session().await?;
        operator.set_right().await?;
        operator.end().await;
        self.ready().await
    }

    /// Waits until all programs say that they are ready.
    async fn ready(&self) -> Result<()> {
        for member in self.members() {
            member.ready().await?;
        }
        Ok(())
    }

    /// What programs of ours wrote about a panic.
    pub(super) fn panics(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for member in self.members() {
            let log = std::fs::read_to_string(member.server.log_path())?;
            let said = log.lines().filter(|line| line.contains("panicked at"));
            found.extend(said.map(|line| format!("{}: {line}", member.server.name())));
        }
        Ok(found)
    }

    /// How often writers have raised this alarm.
    pub(super) fn alarms(&self, name: &str) -> Result<usize> {
        self.alarms_of(&self.writers, name)
    }

    /// How often these have.
    pub(super) fn alarms_of(&self, members: &[Member], name: &str) -> Result<usize> {
        let alarm = format!("alarm=\"{name}\"");
        let mut count = 0;
        for member in members {
            let log = std::fs::read_to_string(member.server.log_path())?;
            count += log.matches(&alarm).count();
        }
        Ok(count)
    }
}

pub(super) fn run_again(server: &Server) -> Result<()> {
    if server.is_running() {
        return server.thaw();
    }
    server.start()
}

pub(super) fn url_of(wire: &Wire) -> String {
    format!("http://{}", wire.address)
}
