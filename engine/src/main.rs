//! `doorbuster-engine`: reads the configuration, starts logging, runs, picks the exit code.

use std::process::ExitCode;

use doorbuster_engine::config::{Config, Refused};

/// A request makes some thirty short-lived allocations, and a reservation's answer often frees on another thread than the
/// one that made them: measured in PERFORMANCE.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `EX_USAGE` of sysexits.h: the configuration is wrong and a restart will not mend it.
const BAD_CONFIGURATION: u8 = 64;

fn main() -> ExitCode {
    let config = match Config::from_process() {
        Ok(config) => config,
        Err(Refused::Answered) => return ExitCode::SUCCESS,
        Err(Refused::Bad(why)) => {
            eprintln!("doorbuster-engine: {why}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(config.log_filter())
        .with_writer(std::io::stderr)
        .init();
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a TLS provider was installed before");
    }
    match doorbuster_engine::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("doorbuster-engine: {e:#}");
            ExitCode::FAILURE
        }
    }
}
