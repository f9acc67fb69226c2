//! The programs under load: a stage of our own, or programs that run already. Started by `rush`, given up when dropped.

use anyhow::{Context, Result, bail};
use doorbuster_core::claims::{Claims, Role, TokenKeys};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_core::ticket::TicketKeys;
use doorbuster_stage::{SandboxOptions, Stage, StageOptions};
use serde::Deserialize;
use tokio::time::sleep;

use crate::client::endpoint::{Endpoint, Reach};
use crate::config::Secret;
use crate::limits::{OPENING_BOUND, POLL_STEP, TOKEN_LIFE};
use crate::setup;

/// Which programs are wanted.
#[derive(Debug, Clone)]
pub enum Wanted {
    Own(OwnStage),
    Running(Running),
}

impl Wanted {
    pub fn engines(&self) -> usize {
        match self {
            Wanted::Own(own) => own.engines,
            Wanted::Running(running) => running.engine_urls.len(),
        }
    }
}

/// A stage to start.
#[derive(Debug, Clone)]
pub struct OwnStage {
    pub engines: usize,
    /// The payment sandbox, where buyers pay.
    pub sandbox: Option<SandboxOptions>,
    pub ack_level: String,
    pub rate_per_user: Rate,
}

/// Whether engines of our own stage limit how often one user asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    AsShipped,
    /// For users who are meant to ask often.
    Off,
}

/// Programs that run already.
#[derive(Debug, Clone)]
pub struct Running {
    pub engine_urls: Vec<String>,
    pub backoffice_url: String,
    /// Further ones, where buyers pay too.
    pub more_backoffice_urls: Vec<String>,
    /// The payment sandbox, where there is one to be audited.
    pub payment_url: Option<String>,
    pub redis_url: String,
    pub database_url: String,
    pub secret: Secret,
    pub reach: Reach,
}

/// Programs to send a crowd to, and the stores to audit.
#[derive(Debug)]
pub struct Target {
    pub engines: Vec<Endpoint>,
    pub backoffice: Endpoint,
    /// That one, and all others: where buyers pay.
    pub backoffices: Vec<Endpoint>,
    /// The payment sandbox, for the audit.
    pub sandbox: Option<Endpoint>,
    pub redis_url: String,
    pub database_url: String,
    pub ack_level: String,
    keys: TokenKeys,
    tickets: TicketKeys,
    /// Kept alive as long as the target is.
    stage: Option<StageHandle>,
}

struct StageHandle(Stage);

impl std::fmt::Debug for StageHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stage({})", self.0.dir().display())
    }
}

#[derive(Deserialize)]
struct Ready {
    #[serde(default)]
    ack_level: Option<String>,
}

impl Running {
    /// The programs of a stage that someone else keeps.
    pub fn on(stage: &Stage) -> Self {
        Self {
            engine_urls: (0..stage.engine_count())
                .map(|i| stage.engine(i).url().to_owned())
                .collect(),
            backoffice_url: stage.backoffice(0).url().to_owned(),
            more_backoffice_urls: Vec::new(),
            payment_url: stage
                .has_sandbox()
                .then(|| stage.sandbox().url().to_owned()),
            redis_url: stage.redis_url().to_owned(),
            database_url: stage.database_url(),
            secret: Secret::new(stage.token_secret()),
            reach: Reach::LoopbackOnly,
        }
    }
}

impl Target {
    /// # Errors
    /// If the stage does not start, or the programs are out of reach.
    pub async fn reach(wanted: &Wanted) -> Result<Self> {
        match wanted {
            Wanted::Own(own) => Self::start_own(own.clone()).await,
            Wanted::Running(running) => Self::connect(running, None).await,
        }
    }

    async fn start_own(own: OwnStage) -> Result<Self> {
        let mut options = StageOptions::whole(own.engines).ack_level(&own.ack_level);
        options.sandbox = own.sandbox;
        Self::start(match own.rate_per_user {
            Rate::AsShipped => options,
            Rate::Off => options.engine_env("RATE_PER_USER", "0"),
        })
        .await
    }

    /// # Errors
    /// If the stage does not start.
    pub async fn start(options: StageOptions) -> Result<Self> {
        // Starting servers blocks; the thread is given to it.
        let stage = tokio::task::spawn_blocking(move || Stage::start(&options));
        Self::on(stage.await.context("the stage panicked")??).await
    }

    /// # Errors
    /// If its programs are out of reach.
    pub async fn on(stage: Stage) -> Result<Self> {
        let running = Running::on(&stage);
        Self::connect(&running, Some(StageHandle(stage))).await
    }

    async fn connect(running: &Running, stage: Option<StageHandle>) -> Result<Self> {
        let mut engines = Vec::with_capacity(running.engine_urls.len());
        for url in &running.engine_urls {
            engines.push(Endpoint::resolve(url, running.reach).await?);
        }
        let first = engines.first().context("no engine to send anyone to")?;
        let ack_level = ack_level(first).await?;
        let backoffice = Endpoint::resolve(&running.backoffice_url, running.reach).await?;
        let mut backoffices = vec![backoffice.clone()];
        for url in &running.more_backoffice_urls {
            backoffices.push(Endpoint::resolve(url, running.reach).await?);
        }
        let sandbox = match &running.payment_url {
            Some(url) => Some(Endpoint::resolve(url, running.reach).await?),
            None => None,
        };
        Ok(Self {
            backoffice,
            backoffices,
            sandbox,
            engines,
            redis_url: running.redis_url.clone(),
            database_url: running.database_url.clone(),
            ack_level,
            keys: TokenKeys::new(running.secret.bytes(), None).context("TOKEN_SECRET")?,
            tickets: TicketKeys::derive(running.secret.bytes(), None).context("TOKEN_SECRET")?,
            stage,
        })
    }

    /// The stage of our own, if it is one.
    pub fn stage(&self) -> Option<&Stage> {
        self.stage.as_ref().map(|handle| &handle.0)
    }

    /// An access token for `user`.
    pub fn token(&self, user: UserId, role: Role) -> String {
        self.keys.sign(&Claims::access(
            user,
            role,
            clock::now_s(),
            TOKEN_LIFE.as_secs(),
        ))
    }

    /// What tickets are signed with, for those that are true in all but one thing.
    pub fn tickets(&self) -> &TicketKeys {
        &self.tickets
    }

    /// Where everything runs, in words.
    pub fn described(&self) -> String {
        let engines: Vec<&str> = self
            .engines
            .iter()
            .map(|engine| engine.host.as_str())
            .collect();
        let whose = if self.stage.is_some() {
            "private"
        } else {
            "running"
        };
        format!(
            "{whose} servers: engines on {}, back-office on {}, {}, {}",
            engines.join(", "),
            self.backoffice.host,
            without_password(&self.redis_url),
            without_password(&self.database_url)
        )
    }
}

/// Of an engine that is ready, or becomes so in time: one that has just been started looks at Redis first.
async fn ack_level(engine: &Endpoint) -> Result<String> {
    let began = clock::instant();
    let answer = loop {
        let answer = setup::call(engine, &setup::Call::get("/readyz")).await?;
        if answer.status == 200 || began.elapsed() > OPENING_BOUND {
            break answer;
        }
        sleep(POLL_STEP).await;
    };
    if answer.status != 200 {
        bail!(
            "{} is not ready: {}",
            engine.host,
            String::from_utf8_lossy(&answer.body)
        );
    }
    let ready: Ready = serde_json::from_slice(&answer.body).context("/readyz")?;
    Ok(ready.ack_level.unwrap_or_else(|| "unknown".to_owned()))
}

/// A URL fit for a log.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(
            without_password("mysql://root:p@ss@127.0.0.1:1/d"),
            "mysql://127.0.0.1:1/d"
        );
        assert_eq!(
            without_password("redis://127.0.0.1:1"),
            "redis://127.0.0.1:1"
        );
    }
}
