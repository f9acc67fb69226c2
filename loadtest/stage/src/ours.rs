//! Recipes of this project's own programs: engines, back-offices, and back-office commands that run to an end.
//! Called by `stage` once Redis and the database answer.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::books::{DATABASE, PROGRAMS_HOST, PROGRAMS_USER};
use crate::guardian::Ground;
use crate::job::{Finished, Job};
use crate::limits::{JOB_BOUND, PROGRAM_START_BOUND};
use crate::options::{SandboxOptions, StageOptions};
use crate::ports::free_port;
use crate::probe::Probe;
use crate::programs::own_program;
use crate::recipe::{Recipe, env_entries};
use crate::server::Server;

const ENGINE: &str = "doorbuster-engine";
const BACKOFFICE: &str = "doorbuster-backoffice";

/// What the programs are told about the stage they run on.
pub(crate) struct Ours {
    dir: PathBuf,
    /// The same for all: inherited variables, the mark, the servers' addresses and the token secret.
    pub(crate) common_env: Vec<(OsString, OsString)>,
    /// The same for engines and back-offices that serve.
    serving_env: Vec<(OsString, OsString)>,
    ports: Ports,
    options: StageOptions,
}

/// Chosen before anything starts, because pages of a back-office call the first engine from a browser, and each must know of the other.
pub(crate) struct Ports {
    first_engine: u16,
    backoffices: Vec<u16>,
    /// Of the payment sandbox, if there is one: back-offices charge there, and it tells the first of them.
    sandbox: Option<u16>,
}

impl Ports {
    pub(crate) fn choose(options: &StageOptions) -> Result<Self> {
        Ok(Self {
            first_engine: free_port()?,
            backoffices: (0..options.backoffices)
                .map(|_| free_port())
                .collect::<Result<_>>()?,
            sandbox: options.sandbox.as_ref().map(|_| free_port()).transpose()?,
        })
    }

    /// Pages of these may call the engines.
    fn origins(&self) -> String {
        let origin = |port: &u16| format!("http://127.0.0.1:{port}");
        let origins: Vec<String> = self.backoffices.iter().map(origin).collect();
        origins.join(",")
    }
}

/// Addresses and secret that make up the common environment.
pub(crate) struct Surroundings<'a> {
    pub(crate) redis_url: &'a str,
    /// `None` on a stage without a database.
    pub(crate) database_url: Option<&'a str>,
    /// The same for those that serve: their account may not alter the audit log.
    pub(crate) programs_database_url: Option<&'a str>,
    pub(crate) token_secret: &'a str,
    /// `None` on a stage without an SMTP server.
    pub(crate) smtp_url: Option<&'a str>,
}

/// Says what is missing before anything is started.
pub(crate) fn check_programs(options: &StageOptions) -> Result<()> {
    if options.engines > 0 {
        own_program(ENGINE)?;
    }
    if options.engines + options.backoffices > 0 || options.sandbox.is_some() {
        own_program(BACKOFFICE)?;
    }
    Ok(())
}

impl Ours {
    pub(crate) fn new(
        ground: &Ground,
        around: &Surroundings<'_>,
        options: &StageOptions,
        ports: Ports,
    ) -> Self {
        let mut common_env = ground.env();
        common_env.push(("REDIS_URL".into(), around.redis_url.into()));
        common_env.push(("TOKEN_SECRET".into(), around.token_secret.into()));
        if let Some(url) = around.database_url {
            common_env.push(("DATABASE_URL".into(), url.into()));
        }
        if let Some(url) = around.smtp_url {
            common_env.push(("SMTP_URL".into(), url.into()));
        }
        let mut serving_env = common_env.clone();
        if let Some(url) = around.programs_database_url {
            serving_env.push(("DATABASE_URL".into(), url.into()));
        }
        serving_env.push(("CORS_ORIGINS".into(), ports.origins().into()));
        let engine = format!("http://127.0.0.1:{}", ports.first_engine);
        serving_env.push(("ENGINE_PUBLIC_URL".into(), engine.into()));
        if let Some(port) = ports.sandbox {
            let url = format!("http://127.0.0.1:{port}");
            serving_env.push(("PAYMENT_PROVIDER_URL".into(), url.into()));
            serving_env.push(webhook_secret(around));
        }
        Self {
            dir: ground.dir().to_owned(),
            common_env,
            serving_env,
            ports,
            options: options.clone(),
        }
    }

    /// `extra_env` wins over the options' `engine_env`, and that over the stage's own variables.
    pub(crate) fn start_engine(
        &self,
        index: usize,
        role: &str,
        extra_env: &[(&str, &str)],
    ) -> Result<Server> {
        let program = own_program(ENGINE)?;
        let extra_env = extra_env
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let extra_env: Vec<(OsString, OsString)> = extra_env.collect();
        let chosen = (index == 0).then_some(self.ports.first_engine);
        Server::start_on_chosen_port(chosen, |port| {
            let mut env = self.serving_env.clone();
            env.push(("ENGINE_LISTEN".into(), listen(port)));
            env.push(("ACK_LEVEL".into(), self.options.ack_level.clone().into()));
            env.extend(env_entries(&self.options.engine_env));
            env.extend(extra_env.iter().cloned());
            Recipe {
                name: format!("engine-{index}"),
                program: program.clone(),
                args: ["serve", "--role", role].map(OsString::from).into(),
                ..self.recipe(env, port)
            }
        })
    }

    pub(crate) fn start_backoffice(&self, index: usize) -> Result<Server> {
        let program = own_program(BACKOFFICE)?;
        let chosen = self.ports.backoffices.get(index).copied();
        Server::start_on_chosen_port(chosen, |port| {
            let mut env = self.serving_env.clone();
            env.push(("ACK_LEVEL".into(), self.options.ack_level.clone().into()));
            env.extend(env_entries(&self.options.backoffice_env));
            env.push(("BACKOFFICE_LISTEN".into(), listen(port)));
            Recipe {
                name: format!("backoffice-{index}"),
                program: program.clone(),
                args: vec!["serve".into()],
                ..self.recipe(env, port)
            }
        })
    }

    /// On the port that back-offices were told. Its books are in the stage's directory.
    pub(crate) fn start_sandbox(&self, sandbox: &SandboxOptions) -> Result<Server> {
        let port = self.ports.sandbox.context("the stage has no sandbox")?;
        let mut env = self.serving_env.clone();
        env.push(("PAYMENT_SANDBOX_LISTEN".into(), listen(port)));
        let latency = sandbox.latency_ms.to_string();
        env.push(("PAYMENT_SANDBOX_LATENCY_MS".into(), latency.into()));
        let script = sandbox.script.clone();
        env.push(("PAYMENT_SANDBOX_SCRIPT".into(), script.into()));
        if let Some(port) = self.ports.backoffices.first() {
            let url = format!("http://127.0.0.1:{port}/v1/webhooks/payments");
            env.push(("PAYMENT_WEBHOOK_URL".into(), url.into()));
        }
        Server::start_on(Recipe {
            name: "payment-sandbox".to_owned(),
            program: own_program(BACKOFFICE)?,
            args: vec!["payment-sandbox".into()],
            ..self.recipe(env, port)
        })
    }

    pub(crate) fn run_backoffice(&self, args: &[&str], input: &str) -> Result<Finished> {
        let job = Job {
            program: own_program(BACKOFFICE)?,
            args: args.iter().map(OsString::from).collect(),
            env: self.command_env(),
            input: input.as_bytes().to_vec(),
            dir: &self.dir,
            bound: JOB_BOUND,
        };
        job.run()
    }

    /// Creates the database if need be, and its tables, and gives the programs' account its rights.
    pub(crate) fn migrate(&self) -> Result<()> {
        let args = migrate_args();
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let finished = self.run_backoffice(&args, "")?;
        finished.success().map(drop).context("migrate failed")
    }

    /// Commands are the operator's: they have all rights.
    fn command_env(&self) -> Vec<(OsString, OsString)> {
        let mut env = self.common_env.clone();
        env.extend(env_entries(&self.options.backoffice_env));
        env
    }

    /// What all programs have in common; the caller names the program.
    pub(crate) fn recipe(&self, env: Vec<(OsString, OsString)>, port: u16) -> Recipe {
        Recipe {
            name: String::new(),
            program: PathBuf::new(),
            args: Vec::new(),
            env,
            dir: self.dir.clone(),
            port,
            url: format!("http://127.0.0.1:{port}"),
            probe: Probe::Program,
            start_bound: PROGRAM_START_BOUND,
        }
    }
}

/// Migrates the database of a server that no stage has yet.
pub(crate) fn migrate_alone(ground: &Ground, database: &Server) -> Result<()> {
    let mut env = ground.env();
    let url = format!("{}/{DATABASE}", database.url());
    env.push(("DATABASE_URL".into(), url.into()));
    let job = Job {
        program: own_program(BACKOFFICE)?,
        args: migrate_args().map(OsString::from).into(),
        env,
        dir: ground.dir(),
        input: Vec::new(),
        bound: JOB_BOUND,
    };
    job.run()?.success().map(drop).context("migrate failed")
}

fn migrate_args() -> [String; 3] {
    let account = format!("{PROGRAMS_USER}@{PROGRAMS_HOST}");
    ["migrate".to_owned(), "--grant-to".to_owned(), account]
}

/// What sandbox and back-offices of a stage share: a secret as random as the stage's other one, and not the same.
fn webhook_secret(around: &Surroundings<'_>) -> (OsString, OsString) {
    let secret = format!("webhooks-{}", around.token_secret);
    ("PAYMENT_WEBHOOK_SECRET".into(), secret.into())
}

fn listen(port: u16) -> OsString {
    format!("127.0.0.1:{port}").into()
}
