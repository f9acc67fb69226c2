//! doorbuster-loadtest: reads the command line, runs the command, and says by its exit status whether all of the audit is zero.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use doorbuster_loadtest::args::{BadConfig, Cli, Command};
use doorbuster_loadtest::command::{self, Verdict};
use tokio::runtime::Builder;

/// The engine's, so that rivals are served as well as ours.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As `EX_USAGE` of sysexits.h.
const BAD_CONFIG: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell if this cannot be printed.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(BAD_CONFIG)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match run(cli) {
        Ok(Verdict::Clean) => ExitCode::SUCCESS,
        Ok(Verdict::Wrong) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("doorbuster-loadtest: {error:#}");
            let bad_config = error.downcast_ref::<BadConfig>().is_some();
            ExitCode::from(if bad_config { BAD_CONFIG } else { 1 })
        }
    }
}

/// One thread for all clients: it costs least, and leaves the other cores to what is measured.
fn run(cli: Cli) -> Result<Verdict> {
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.map_err(|_| anyhow::anyhow!("another TLS provider is installed"))?;
    let mut builder = match cli.command {
        // A server, which has no clients to spare the cores for.
        Command::Rival(_) => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build().context("no runtime")?;
    runtime.block_on(command::run(cli.command))
}
