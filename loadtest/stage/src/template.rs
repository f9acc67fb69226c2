//! A data directory with a migrated database, made once in a process that starts many stages, and copied by all of them but the first.
//! Called by `stage`. Making a data directory and some hundred tables takes seconds, most of them waiting for the disk; copying them takes
//! a tenth. A process with one stage, such as a demo, makes no template.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};

use crate::guardian::Ground;
use crate::limits::DATABASE_STOP_BOUND;
use crate::options::StageOptions;
use crate::programs::DatabaseProgram;
use crate::{books, ours};

/// A server's name for itself, which no other may have.
const SERVERS_OWN: &str = "auto.cnf";

/// Whether this process has had a stage with a migrated database.
static FIRST_IS_PAST: AtomicBool = AtomicBool::new(false);
/// Lives as long as the process; its guardian then removes it.
static TEMPLATE: OnceLock<Option<Template>> = OnceLock::new();

pub(crate) struct Template {
    ground: Ground,
}

impl Template {
    /// What a stage with these options copies; `None` if it is to make its own, also where no template could be made.
    pub(crate) fn of(options: &StageOptions, program: &DatabaseProgram) -> Option<&'static Self> {
        // Other programs than the usual ones may write another format.
        if !options.has_programs() || options.search_path.is_some() {
            return None;
        }
        if !FIRST_IS_PAST.swap(true, Ordering::Relaxed) {
            return None;
        }
        TEMPLATE
            .get_or_init(|| {
                let made = Self::make(program);
                made.inspect_err(|error| eprintln!("stage: no template of the database: {error:#}"))
                    .ok()
            })
            .as_ref()
    }

    fn make(program: &DatabaseProgram) -> Result<Self> {
        let ground = Ground::new()?;
        let server = books::start(&ground, program, None, false)?;
        ours::migrate_alone(&ground, &server)?;
        // In order, so that nothing has to be recovered from what is copied.
        let ended = server.terminate(DATABASE_STOP_BOUND)?;
        ensure!(ended.success(), "the database ended with {ended}");
        Ok(Self { ground })
    }

    /// # Errors
    /// Whatever the file system says.
    pub(crate) fn copy_to(&self, data: &Path) -> Result<()> {
        copy(&books::data_dir(&self.ground), data)
            .context("the template of the database cannot be copied")
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let there = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &there)?;
        } else if entry.file_name() != SERVERS_OWN {
            fs::copy(entry.path(), there)?;
        }
    }
    Ok(())
}
