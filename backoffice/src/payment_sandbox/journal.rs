//! The sandbox's memory on disk: one line of JSON for each change, in a file that only grows. A thread of its own takes all lines that wait,
//! writes them, syncs once, and only then are their requests answered.
//!
//! A kill between write and sync leaves at most lines that nobody was told of; half a line at the end is cut off at the next start.

use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use doorbuster_core::money::Money;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::limits::{LINES_AT_ONCE, LINES_WAITING_MAX};
use super::wire::{ChargeView, RefundView};

const FILE: &str = "payments.jsonl";

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Line {
    /// A charge as it is from now on.
    Charge {
        charge: ChargeView,
        /// Fingerprint of the request; null where it was voided before one came.
        request: Option<String>,
        undecided: Option<Undecided>,
    },
    Refund {
        of: Uuid,
        refund: RefundView,
    },
}

/// What will become of a pending charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Undecided {
    pub(crate) due_ms: u64,
    pub(crate) amount: Money,
    pub(crate) declined: bool,
    /// A void does not keep it from being captured.
    #[serde(default)]
    pub(crate) is_stray: bool,
}

type Entry = (Option<Vec<u8>>, oneshot::Sender<()>);

/// The way to the file.
pub(crate) struct Journal {
    entries: mpsc::Sender<Entry>,
}

/// Room for one entry, taken before anything is decided.
pub(crate) struct Place<'a>(mpsc::Permit<'a, Entry>);

/// Ends when the entry, and all before it, are on disk.
pub(crate) struct Written(oneshot::Receiver<()>);

impl Journal {
    /// The file in `dir`, and what it says.
    pub(crate) fn open(dir: &Path) -> Result<(Self, Vec<Line>)> {
        create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        let path = dir.join(FILE);
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        let (lines, whole) =
            read(&file).with_context(|| format!("{} cannot be read", path.display()))?;
        file.set_len(whole)?;
        let (entries, waiting) = mpsc::channel(LINES_WAITING_MAX);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                if let Err(error) = write(&mut file, waiting) {
                    // What it has decided since is not on disk, and must not be told.
                    tracing::error!(%error, "the sandbox's file cannot be written");
                    std::process::abort();
                }
            })?;
        Ok((Self { entries }, lines))
    }

    /// Waits for room. Places are written in the order in which they are used, not taken.
    pub(crate) async fn place(&self) -> Place<'_> {
        let place = self.entries.reserve().await;
        Place(place.expect("the thread lives as long as the process"))
    }
}

impl Place<'_> {
    pub(crate) fn write(self, line: &Line) -> Written {
        let mut bytes = serde_json::to_vec(line).expect("a line is strings and numbers");
        bytes.push(b'\n');
        self.send(Some(bytes))
    }

    /// Nothing of its own: what was decided before shall be on disk.
    pub(crate) fn wait(self) -> Written {
        self.send(None)
    }

    fn send(self, bytes: Option<Vec<u8>>) -> Written {
        let (done, written) = oneshot::channel();
        self.0.send((bytes, done));
        Written(written)
    }
}

impl Written {
    pub(crate) async fn done(self) {
        // The thread goes only with the process.
        let _ = self.0.await;
    }
}

/// All whole lines, and how many bytes they are.
fn read(file: &File) -> Result<(Vec<Line>, u64)> {
    let (mut reader, mut lines, mut whole) = (BufReader::new(file), Vec::new(), 0);
    let mut text = Vec::new();
    loop {
        text.clear();
        let bytes = reader.read_until(b'\n', &mut text)?;
        if text.last() != Some(&b'\n') {
            return Ok((lines, whole));
        }
        lines.push(serde_json::from_slice(&text).context("a line is none of ours")?);
        whole += bytes as u64;
    }
}

fn write(file: &mut File, mut waiting: mpsc::Receiver<Entry>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(first) = waiting.blocking_recv() {
        let mut entries = vec![first];
        while entries.len() < LINES_AT_ONCE
            && let Ok(next) = waiting.try_recv()
        {
            entries.push(next);
        }
        bytes.clear();
        for (line, _) in &entries {
            bytes.extend_from_slice(line.as_deref().unwrap_or_default());
        }
        if !bytes.is_empty() {
            file.write_all(&bytes)?;
            file.sync_data()?;
        }
        for (_, done) in entries {
            // Whoever does not wait any more will ask again.
            let _ = done.send(());
        }
    }
    Ok(())
}
