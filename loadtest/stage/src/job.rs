//! A program that the stage runs to its end within a bound: making a data directory, migrating, back-office commands.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use crate::deadline::eventually;

/// How a program ended and what it said.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its data.
    pub stdout: String,
    /// Its logs.
    pub stderr: String,
}

impl Finished {
    /// Standard output of a program that succeeded; an error with its logs otherwise.
    pub fn success(self) -> Result<String> {
        if !self.status.success() {
            bail!("{}: {}{}", self.status, self.stderr, self.stdout);
        }
        Ok(self.stdout)
    }
}

pub(crate) struct Job<'a> {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    /// What it reads from its standard input: less than a pipe holds.
    pub(crate) input: Vec<u8>,
    pub(crate) dir: &'a Path,
    pub(crate) bound: Duration,
}

impl Job<'_> {
    /// Runs it; kills it when the bound has passed. Its output goes through files, so no pipe can fill up and block it.
    pub(crate) fn run(&self) -> Result<Finished> {
        let stdout = NamedTempFile::new_in(self.dir)?;
        let stderr = NamedTempFile::new_in(self.dir)?;
        let name = self.program.display();
        let mut child = self
            .command(stdout.reopen()?, stderr.reopen()?)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that reads nothing has closed its end: that is no failure of its own.
            match stdin.write_all(&self.input) {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
                _ => {}
            }
        }
        let Some(status) = eventually(self.bound, || child.try_wait().transpose()) else {
            child.kill()?;
            child.wait()?;
            let said = read(stderr.path())?;
            bail!("{name} did not end within {:?}: {said}", self.bound);
        };
        Ok(Finished {
            status: status?,
            stdout: read(stdout.path())?,
            stderr: read(stderr.path())?,
        })
    }

    fn command(&self, stdout: File, stderr: File) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir)
            .process_group(0)
            .stdin(if self.input.is_empty() {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(stdout)
            .stderr(stderr);
        command
    }
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
