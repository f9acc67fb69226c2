//! The library that a drill loads into Redis: builds it, and turns its knobs while the server runs. See `shim.c`.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tokio::task::spawn_blocking;

const SOURCE: &str = include_str!("shim.c");
/// What the shim of Redis is called in the stage's directory.
pub(super) const REDIS: &str = "redis-shim";

/// Knobs of a shim, by their place in its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knob {
    /// Seconds by which the clock is wrong.
    ClockSeconds = 0,
    /// Microseconds that every fsync takes longer.
    SyncMicros = 1,
    /// 1: half of the next write fits on the disk, and nothing after that.
    DiskFull = 2,
}

/// Builds the library beside this program, unless it is there already; returns where it is.
///
/// # Errors
/// If there is no C compiler.
pub(super) async fn build() -> Result<PathBuf> {
    spawn_blocking(|| {
        let here = std::env::current_exe().context("where this program lies cannot be told")?;
        let dir = here.parent().context("a directory")?;
        let (library, source) = (dir.join("drill-shim.so"), dir.join("drill-shim.c"));
        if library.exists() && fs::read_to_string(&source).is_ok_and(|text| text == SOURCE) {
            return Ok(library);
        }
        // Made under another name and then moved: two drills that start together do not load half of it.
        let draft = dir.join(format!("drill-shim-{}.so", std::process::id()));
        let draft_source = draft.with_extension("c");
        fs::write(&draft_source, SOURCE)?;
        let built = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .args([&draft, &draft_source])
            .output()
            .context("cc is missing: apt-get install build-essential")?;
        if !built.status.success() {
            bail!("cc: {}", String::from_utf8_lossy(&built.stderr));
        }
        fs::rename(&draft_source, &source)?;
        fs::rename(&draft, &library)?;
        Ok(library)
    })
    .await
    .context("the compiler's thread")?
}

/// The knobs of one program on the stage in `dir`.
#[derive(Debug, Clone)]
pub(super) struct Shim {
    dir: PathBuf,
    name: String,
}

impl Shim {
    /// What loads it into a program, under a name of its own.
    pub(super) fn env(library: &Path, name: &str) -> [(String, String); 2] {
        [
            ("LD_PRELOAD".into(), library.display().to_string()),
            ("DRILL_SHIM".into(), name.into()),
        ]
    }

    pub(super) fn of(dir: &Path, name: &str) -> Self {
        Self {
            dir: dir.into(),
            name: name.into(),
        }
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.dir.join(format!("{}.{ending}", self.name))
    }

    /// Takes effect at once, in a server that runs and in those that are started later.
    pub(super) fn turn(&self, knob: Knob, to: i64) -> Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .open(self.file("page"))
            .context("the shim is not loaded")?;
        file.write_all_at(&to.to_ne_bytes(), 8 * knob as u64)?;
        Ok(())
    }

    /// All as it should be.
    pub(super) fn rest(&self) -> Result<()> {
        [Knob::ClockSeconds, Knob::SyncMicros, Knob::DiskFull]
            .into_iter()
            .try_for_each(|knob| self.turn(knob, 0))
    }

    /// The append-only file, and how much of it was on the disk at the last fsync.
    pub(super) fn synced(&self) -> Result<(PathBuf, u64)> {
        let text = fs::read_to_string(self.file("synced")).context("nothing was fsynced yet")?;
        let (path, size) = text
            .trim()
            .rsplit_once(' ')
            .context("nothing was fsynced yet")?;
        Ok((path.trim().into(), size.trim().parse()?))
    }

    /// Takes from a stopped server what a power cut would have taken; returns how many bytes.
    pub(super) fn cut_power(&self) -> Result<u64> {
        let (path, synced) = self.synced()?;
        let file = OpenOptions::new().write(true).open(&path)?;
        let lost = file.metadata()?.len().saturating_sub(synced);
        file.set_len(file.metadata()?.len().min(synced))?;
        Ok(lost)
    }
}
