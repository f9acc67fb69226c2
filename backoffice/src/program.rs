//! The program from its command line to its exit code: reads the configuration, starts logging, runs the job. Called by both `main`s.

use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::config::{Cli, ConfigError};
use crate::run::run;

const FAILED: u8 = 2;
/// `EX_USAGE` of sysexits.h: the configuration is wrong and a restart will not mend it.
const BAD_CONFIGURATION: u8 = 64;

/// The whole program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            let _ = message.print();
            let code = if message.use_stderr() {
                BAD_CONFIGURATION
            } else {
                0
            };
            return ExitCode::from(code);
        }
    };
    start(&cli).unwrap_or_else(|error| {
        eprintln!("doorbuster-backoffice: {error:#}");
        let is_configuration = error.is::<ConfigError>();
        let code = if is_configuration {
            BAD_CONFIGURATION
        } else {
            FAILED
        };
        ExitCode::from(code)
    })
}

fn start(cli: &Cli) -> Result<ExitCode> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("a TLS provider is installed already")?;
    let filter = EnvFilter::try_new(&cli.log).map_err(|_| ConfigError::Log)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&cli.command))
}
