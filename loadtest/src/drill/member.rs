//! One program of ours on the ground of a drill, with its wires and its crash points. Started by `ground`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use doorbuster_core::clock;
use doorbuster_stage::{Program, Server, Stage};
use tokio::time::sleep;

use super::ground::{blocking, run_again};
use super::shim::Shim;
use super::store::USER;
use crate::client::endpoint::{Endpoint, Reach};
use crate::limits::{DRILL_LAST_WORDS, DRILL_LOG_LINES, DRILL_READY_BOUND, POLL_STEP};
use crate::setup::{self, Call};
use crate::wire::{Toxic, Wire};

const ENGINE: &str = "doorbuster-engine-drill";
const BACKOFFICE: &str = "doorbuster-backoffice";
/// The same with crash points.
const PAYING_BACKOFFICE: &str = "doorbuster-backoffice-drill";

/// One program of ours with its wires.
pub(super) struct Member {
    pub(super) server: Arc<Server>,
    /// From clients to it.
    pub(super) clients: Wire,
    pub(super) redis: Wire,
    pub(super) books: Wire,
    /// Of one front and one writer.
    pub(super) clock: Option<Shim>,
    crash_point: PathBuf,
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

    pub(super) async fn heal(&self) -> Result<()> {
        self.disarm();
        self.clock.iter().try_for_each(Shim::rest)?;
        self.heal_wires();
        self.act(run_again).await
    }

    /// Waits until it says so itself; asked around the wires.
    pub(super) async fn ready(&self) -> Result<()> {
        let endpoint = Endpoint::resolve(self.server.url(), Reach::LoopbackOnly).await?;
        let began = clock::instant();
        loop {
            self.act(start_if_struck).await?;
            let asked = setup::call(&endpoint, &Call::get("/readyz")).await;
            match asked {
                Ok(reply) if reply.status == 200 => return Ok(()),
                _ if began.elapsed() < DRILL_READY_BOUND => sleep(POLL_STEP).await,
                Ok(reply) => bail!(
                    "{} is not ready: {}",
                    self.server.name(),
                    String::from_utf8_lossy(&reply.body)
                ),
                Err(error) => {
                    let said = self.server.log_tail(DRILL_LOG_LINES);
                    return Err(error.context(format!(
                        "{} does not answer; its log ends:\n{said}",
                        self.server.name()
                    )));
                }
            }
        }
    }
}

/// One that had read the name of its crash point just before it was disarmed ends after it was seen to run.
fn start_if_struck(server: &Server) -> Result<()> {
    if server.is_running() || !server.log_tail(DRILL_LAST_WORDS).contains("crash point ") {
        return Ok(());
    }
    server.start()
}

/// An engine of this name and role; the shim's library where its clock shall be able to jump.
pub(super) async fn engine(
    stage: &Arc<Stage>,
    (name, role): (&str, &str),
    settings: [(&str, &str); 2],
    library: Option<&Path>,
) -> Result<Member> {
    let crash_point = stage.dir().join(format!("{name}.crash-point"));
    let crash_point = crash_point.display().to_string();
    let mut env = vec![
        ("ENGINE_LISTEN", "127.0.0.1:{port}"),
        settings[0],
        settings[1],
        ("RATE_PER_USER", "0"),
        ("CRASH_POINT_FILE", &crash_point),
    ];
    let shim = library.map(|library| Shim::env(library, name));
    let loaded = shim.iter().flatten();
    env.extend(loaded.map(|(name, value)| (&**name, &**value)));
    let post = Post {
        name,
        program: ENGINE,
        args: &["serve", "--role", role],
        port: None,
    };
    let member = member(stage, &post, &env).await?;
    Ok(Member {
        clock: shim.is_some().then(|| Shim::of(stage.dir(), name)),
        ..member
    })
}

pub(super) async fn backoffice(stage: &Arc<Stage>) -> Result<Member> {
    let post = Post {
        name: "backoffice",
        program: BACKOFFICE,
        args: &["serve"],
        port: None,
    };
    member(stage, &post, &[LISTEN]).await
}

/// One that can be ended at every step of an order; on a port that its provider was told.
pub(super) async fn paying_backoffice(
    stage: &Arc<Stage>,
    (name, port): (&str, Option<u16>),
    settings: &[(&str, &str)],
) -> Result<Member> {
    let crash_point = stage.dir().join(format!("{name}.crash-point"));
    let crash_point = crash_point.display().to_string();
    let mut env = vec![LISTEN, ("CRASH_POINT_FILE", crash_point.as_str())];
    env.extend_from_slice(settings);
    let post = Post {
        name,
        program: PAYING_BACKOFFICE,
        args: &["serve"],
        port,
    };
    member(stage, &post, &env).await
}

const LISTEN: (&str, &str) = ("BACKOFFICE_LISTEN", "127.0.0.1:{port}");

/// What a member is, and where.
struct Post<'a> {
    name: &'a str,
    program: &'a str,
    args: &'a [&'a str],
    port: Option<u16>,
}

async fn member(stage: &Arc<Stage>, post: &Post<'_>, env: &[(&str, &str)]) -> Result<Member> {
    let Post {
        name,
        program,
        args,
        port,
    } = *post;
    let books_url = stage.database_url();
    let (redis, books) = (wire_to(stage.redis_url())?, wire_to(&books_url)?);
    let redis_url = format!("redis://{}", redis.address);
    let books_url = format!(
        "mysql://{USER}@{}/{}",
        books.address,
        database_of(&books_url)
    );
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
            port,
        })
    })
    .await?;
    Ok(Member {
        clients: Wire::start(([127, 0, 0, 1], server.port()).into(), Toxic::Nothing)?,
        crash_point: stage.dir().join(format!("{name}.crash-point")),
        clock: None,
        server: Arc::new(server),
        redis,
        books,
    })
}

/// A wire to a server of the stage, named by its URL.
pub(super) fn wire_to(url: &str) -> Result<Wire> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split('/').next().unwrap_or(host);
    Wire::start(host.parse().context("an address")?, Toxic::Nothing)
}

/// The name after the last slash.
pub(super) fn database_of(url: &str) -> &str {
    url.rsplit_once('/').map_or("", |(_, name)| name)
}

/// A program of this project, beside this one or one level up.
pub(super) fn program_path(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("where this program lies cannot be told")?;
    let mut dirs = here.ancestors().skip(1).take(2);
    dirs.find_map(|dir| Some(dir.join(name)).filter(|path| path.is_file()))
        .with_context(|| format!("{name} is missing: run: make drill-programs"))
}
