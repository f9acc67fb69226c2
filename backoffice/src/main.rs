//! `doorbuster-backoffice`: reads the configuration, starts logging, runs the job, picks the exit code.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use doorbuster_backoffice::config::{Cli, Command, ConfigError};
use doorbuster_backoffice::{migrate, reconcile, server, token};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

/// Reconcile found differences.
const DIFFERENCES: u8 = 1;
const FAILED: u8 = 2;
/// `EX_USAGE` of sysexits.h: the configuration is wrong and a restart will not mend it.
const BAD_CONFIGURATION: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            let _ = message.print();
            return if message.use_stderr() {
                ExitCode::from(BAD_CONFIGURATION)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match start(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("doorbuster-backoffice: {error:#}");
            let is_configuration = error.downcast_ref::<ConfigError>().is_some();
            ExitCode::from(if is_configuration {
                BAD_CONFIGURATION
            } else {
                FAILED
            })
        }
    }
}

fn start(cli: &Cli) -> Result<ExitCode> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("a TLS provider is installed already")?;
    let filter = EnvFilter::try_new(&cli.log).map_err(|_| ConfigError::Log)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(&cli.command))
}

async fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Migrate(migrate) => {
            let done = migrate::migrate(migrate.database.options()?).await?;
            print(migrate.output.json, &done)
        }
        Command::Token(request) => print(request.output.json, &token::issue(request)?),
        Command::Serve(config) => server::serve(config).await.map(|()| ExitCode::SUCCESS),
        Command::Reconcile(request) => {
            let report = reconcile::reconcile(request).await?;
            print(request.output.json, &report)?;
            Ok(if report.differences == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(DIFFERENCES)
            })
        }
    }
}

fn print(json: bool, result: &(impl Serialize + std::fmt::Display)) -> Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string(result)?);
    } else {
        println!("{result}");
    }
    Ok(ExitCode::SUCCESS)
}
