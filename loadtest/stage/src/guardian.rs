//! The ground of a stage: its temporary directory, the mark that its processes carry, and the guardian, a shell in its own
//! process group that cleans up after an owner who cannot. The stage makes it first and drops it last.
//! If the owner dies between any two lines after `Ground::new`, the guardian ends what runs and removes the directory.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::config;
use crate::deadline::eventually;
use crate::limits::{GUARDIAN_BOUND, SOCKET_PATH_BYTES_MAX};

const SCRIPT: &str = include_str!("guardian.sh");
/// Carried by every process of a stage; its value is the stage's directory.
const MARK: &str = "DOORBUSTER_STAGE";
/// Room for the name of a socket inside the directory.
const SOCKET_NAME_BYTES_MAX: usize = 32;

pub(crate) struct Ground {
    dir: TempDir,
    guardian: Child,
}

impl Ground {
    pub(crate) fn new() -> Result<Self> {
        let dir = make_dir()?;
        // The write end of the guardian's standard input is closed on exec, so this process alone holds it.
        let guardian = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "doorbuster-guardian"])
            .arg(dir.path())
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/local/bin")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("the guardian (/bin/sh) cannot be started")?;
        Ok(Self { dir, guardian })
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What every process of this stage finds in its environment.
    pub(crate) fn env(&self) -> Vec<(OsString, OsString)> {
        let mut env = config::inherited_env();
        env.push((MARK.into(), self.dir().into()));
        env
    }
}

impl Drop for Ground {
    /// The end of its input tells the guardian to finish; by now the stage has stopped its servers itself.
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        let ended = eventually(GUARDIAN_BOUND, || self.guardian.try_wait().ok().flatten());
        if ended.is_none() {
            eprintln!(
                "stage: the guardian of {} has not finished",
                self.dir().display()
            );
        }
    }
}

/// In the usual temporary directory, or in /tmp where that one's name is too long for a socket's path.
fn make_dir() -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("doorbuster-");
    let dir = builder
        .tempdir()
        .context("no temporary directory can be made")?;
    if dir.path().as_os_str().as_bytes().len() + SOCKET_NAME_BYTES_MAX <= SOCKET_PATH_BYTES_MAX {
        return Ok(dir);
    }
    builder
        .tempdir_in("/tmp")
        .context("no directory can be made in /tmp, and TMPDIR is too long for a socket's path")
}
