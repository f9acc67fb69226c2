//! Where a drill happens: two fronts, two writers and a back-office on a stage, with a wire between every two programs.
//!
//! Every process is one of the stage's, so that it ends with it, however the drill ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use doorbuster_core::clock;
use doorbuster_stage::{Program, Server, Stage, StageOptions};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::shim::{self, Shim};
use super::store::Session;
use super::talk;
use crate::audit::settle::Sources;
use crate::client::endpoint::{Endpoint, Reach};
use crate::config::Secret;
use crate::limits::{DRILL_FRONTS, DRILL_READY_BOUND, DRILL_WRITERS, POLL_STEP};
use crate::setup::{self, Call};
use crate::target::{Running, Target, Wanted};
use crate::wire::{Toxic, Wire};

const ENGINE: &str = "doorbuster-engine-drill";
const BACKOFFICE: &str = "doorbuster-backoffice";

/// One program of ours with its wires.
pub(super) struct Member {
    pub(super) server: Arc<Server>,
    /// From clients to it.
    pub(super) clients: Wire,
    pub(super) redis: Wire,
    pub(super) books: Wire,
    crash_point: PathBuf,
}

/// Whether Redis has a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redises {
    One,
    WithReplica,
}

/// All of it. Dropped in this order: programs, then what they use.
pub(super) struct Ground {
    pub(super) fronts: Vec<Member>,
    pub(super) writers: Vec<Member>,
    backoffice: Member,
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
    /// # Errors
    /// If anything of it does not start.
    pub(super) async fn start(ack_level: &str, company: Redises) -> Result<Self> {
        let library = shim::build().await?;
        let mut options = StageOptions::servers().ack_level(ack_level);
        options.replica = company == Redises::WithReplica;
        options.redis_env = vec![
            ("LD_PRELOAD".into(), library.display().to_string()),
            ("DRILL_SHIM".into(), shim::REDIS.into()),
        ];
        let stage = blocking(move || {
            let stage = Stage::start(&options)?;
            stage.run_backoffice(&["migrate"])?.success()?;
            Ok(Arc::new(stage))
        })
        .await?;
        let mut fronts = Vec::new();
        for i in 0..DRILL_FRONTS {
            fronts.push(engine(&stage, &format!("front-{i}"), "front", ack_level).await?);
        }
        let mut writers = Vec::new();
        for i in 0..DRILL_WRITERS {
            writers.push(engine(&stage, &format!("writer-{i}"), "writer", ack_level).await?);
        }
        let listen = ("BACKOFFICE_LISTEN", "127.0.0.1:{port}");
        let backoffice = member(&stage, "backoffice", BACKOFFICE, &["serve"], &[listen]).await?;
        let running = Running {
            engine_urls: fronts.iter().map(|front| url_of(&front.clients)).collect(),
            backoffice_url: url_of(&backoffice.clients),
            redis_url: stage.redis_url().to_owned(),
            database_url: stage.database_url(),
            secret: Secret::new(stage.token_secret()),
            reach: Reach::LoopbackOnly,
        };
        let audit = wire_to(stage.redis_url())?;
        let redis_url = format!("redis://{}", audit.address);
        let ground = Self {
            target: Target::reach(&Wanted::Running(running)).await?,
            sources: Sources::connect(&redis_url, &stage.database_url()).await?,
            audit,
            shim: Shim::new(stage.dir()),
            fronts,
            writers,
            backoffice,
            stage,
        };
        ground.ready().await?;
        Ok(ground)
    }

    /// All programs of ours.
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        let engines = self.fronts.iter().chain(&self.writers);
        engines.chain([&self.backoffice])
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
        self.redis(run_again).await?;
        self.mariadb(run_again).await?;
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
        let alarm = format!("alarm=\"{name}\"");
        let mut count = 0;
        for writer in &self.writers {
            let log = std::fs::read_to_string(writer.server.log_path())?;
            count += log.matches(&alarm).count();
        }
        Ok(count)
    }
}

fn run_again(server: &Server) -> Result<()> {
    if server.is_running() {
        return server.thaw();
    }
    server.start()
}

impl Member {
    /// Arms a crash point: the process ends when it comes there for the `times`th time.
    pub(super) fn arm(&self, point: &str, times: u32) -> Result<()> {
        // Written beside and moved, so that the process never reads half of it.
        let draft = self.crash_point.with_extension("draft");
        std::fs::write(&draft, format!("{point} {times}\n"))?;
        Ok(std::fs::rename(draft, &self.crash_point)?)
    }

    pub(super) fn disarm(&self) {
        // Gone already where it has struck.
        let _ = std::fs::remove_file(&self.crash_point);
    }

    /// Does something that waits for the process.
    pub(super) async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Server) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let server = Arc::clone(&self.server);
        blocking(move || act(&server)).await
    }

    /// Waits until it has ended by itself.
    pub(super) async fn wait_exit(&self, bound: Duration) -> Result<()> {
        self.act(move |server| server.wait_exit(bound).map(drop))
            .await
    }

    pub(super) fn heal_wires(&self) {
        [&self.clients, &self.redis, &self.books]
            .into_iter()
            .for_each(Wire::heal);
    }

    async fn heal(&self) -> Result<()> {
        self.disarm();
        self.heal_wires();
        self.act(run_again).await
    }

    /// Waits until it says so itself; asked around the wires.
    pub(super) async fn ready(&self) -> Result<()> {
        let endpoint = Endpoint::resolve(self.server.url(), Reach::LoopbackOnly).await?;
        let began = clock::instant();
        loop {
            let asked = setup::call(&endpoint, &Call::get("/readyz")).await;
            match asked {
                Ok(reply) if reply.status == 200 => return Ok(()),
                _ if began.elapsed() < DRILL_READY_BOUND => sleep(POLL_STEP).await,
                Ok(reply) => bail!(
                    "{} is not ready: {}",
                    self.server.name(),
                    String::from_utf8_lossy(&reply.body)
                ),
                Err(error) => return Err(error),
            }
        }
    }
}

async fn engine(stage: &Arc<Stage>, name: &str, role: &str, ack_level: &str) -> Result<Member> {
    let crash_point = stage.dir().join(format!("{name}.crash-point"));
    let crash_point = crash_point.display().to_string();
    let env = [
        ("ENGINE_LISTEN", "127.0.0.1:{port}"),
        ("ACK_LEVEL", ack_level),
        ("RATE_PER_USER", "0"),
        ("CRASH_POINT_FILE", &crash_point),
    ];
    member(stage, name, ENGINE, &["serve", "--role", role], &env).await
}

async fn member(
    stage: &Arc<Stage>,
    name: &str,
    program: &str,
    args: &[&str],
    env: &[(&str, &str)],
) -> Result<Member> {
    let books_url = stage.database_url();
    let (redis, books) = (wire_to(stage.redis_url())?, wire_to(&books_url)?);
    let redis_url = format!("redis://{}", redis.address);
    let behind = books_url.rsplit_once('/').map_or("", |(_, name)| name);
    let books_url = format!("mysql://root@{}/{behind}", books.address);
    let mut all: Vec<(String, String)> = vec![
        ("REDIS_URL".into(), redis_url),
        ("DATABASE_URL".into(), books_url),
        // Logs are read for alarms and panics.
        ("NO_COLOR".into(), "1".into()),
    ];
    let owned = |text: &&str| (*text).to_owned();
    all.extend(env.iter().map(|(name, value)| (owned(name), owned(value))));
    let (stage_of, name_of) = (Arc::clone(stage), name.to_owned());
    let path = program_path(program)?;
    let args: Vec<String> = args.iter().map(owned).collect();
    let server = blocking(move || {
        let env: Vec<(&str, &str)> = all.iter().map(|(n, v)| (&**n, &**v)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        stage_of.start_program(&Program {
            name: &name_of,
            path: &path,
            args: &args,
            env: &env,
            port: None,
        })
    })
    .await?;
    Ok(Member {
        clients: Wire::start(([127, 0, 0, 1], server.port()).into(), Toxic::Nothing)?,
        crash_point: stage.dir().join(format!("{name}.crash-point")),
        server: Arc::new(server),
        redis,
        books,
    })
}

/// A wire to a server of the stage, named by its URL.
fn wire_to(url: &str) -> Result<Wire> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split('/').next().unwrap_or(host);
    Wire::start(host.parse().context("an address")?, Toxic::Nothing)
}

fn url_of(wire: &Wire) -> String {
    format!("http://{}", wire.address)
}

/// A program of this project, beside this one or one level up.
fn program_path(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("where this program lies cannot be told")?;
    let mut dirs = here.ancestors().skip(1).take(2);
    dirs.find_map(|dir| Some(dir.join(name)).filter(|path| path.is_file()))
        .with_context(|| format!("{name} is missing: run: make drill-programs"))
}
