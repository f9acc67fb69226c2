//! What the program does around [`run`]: reads the configuration, starts logging, runs, picks the exit code.

use std::process::ExitCode;

use crate::config::{Config, Refused};
use crate::run;

/// `EX_USAGE` of sysexits.h: the configuration is wrong and a restart will not mend it.
const BAD_CONFIGURATION: u8 = 64;

/// The whole program.
pub fn main() -> ExitCode {
    let config = match Config::from_process() {
        Ok(config) => config,
        Err(Refused::Answered) => return ExitCode::SUCCESS,
        Err(Refused::Bad(why)) => {
            eprintln!("doorbuster-engine: {why}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    #[cfg(feature = "planted-bugs")]
    if crate::config::planted_bug().is_some_and(|bug| !doorbuster_core::planted::arm(&bug)) {
        eprintln!("doorbuster-engine: PLANTED_BUG names no bug");
        return ExitCode::from(BAD_CONFIGURATION);
    }
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
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("doorbuster-engine: {e:#}");
            ExitCode::FAILURE
        }
    }
}
