//! How one server is started, again and again in the same way: on the same port, with the same data.
//! Written by `live`, `books` and `ours`, cooked by `server`.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::probe::Probe;

pub(crate) struct Recipe {
    /// Unique in its stage; also the stem of its log's name.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// All of its environment: nothing else is inherited.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// The stage's directory.
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) url: String,
    pub(crate) probe: Probe,
    pub(crate) start_bound: Duration,
}

impl Recipe {
    pub(crate) fn log_path(&self) -> PathBuf {
        self.dir.join(format!("{}.log", self.name))
    }

    /// In a process group of its own, so that Ctrl-C reaches the owner alone and the owner decides what stops when.
    pub(crate) fn spawn(&self) -> Result<Child> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .with_context(|| format!("the log of {} cannot be written", self.name))?;
        Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.dir)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.program.display()))
    }
}

/// Text pairs as environment entries.
pub(crate) fn env_entries<'a>(
    pairs: impl IntoIterator<Item = &'a (String, String)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
}
