//! Files of statements. Each is written beside its name and has it only once what it says was held against the books.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt as _, BufWriter};

use crate::error::ApiError;

/// What one run writes; nothing where no directory was named.
#[derive(Debug)]
pub(super) struct Export<'a> {
    folder: Option<&'a Path>,
    written: Vec<PathBuf>,
}

impl<'a> Export<'a> {
    pub(super) fn new(folder: Option<&'a Path>) -> Self {
        Self {
            folder,
            written: Vec::new(),
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.folder.is_some()
    }

    pub(super) async fn begin(&mut self, name: &str) -> Result<Writer, ApiError> {
        let Some(folder) = self.folder else {
            return Ok(Writer(None));
        };
        let path = folder.join(name);
        let file = File::create(beside(&path)).await;
        let file = file.with_context(|| format!("{} cannot be written", path.display()));
        let file = file.map_err(ApiError::Internal)?;
        self.written.push(path);
        Ok(Writer(Some(BufWriter::new(file))))
    }

    /// It was right: every file has its name.
    pub(super) async fn keep(self) -> Result<(), ApiError> {
        for path in self.written {
            let renamed = fs::rename(beside(&path), &path).await;
            let renamed = renamed.with_context(|| format!("{} cannot be written", path.display()));
            renamed.map_err(ApiError::Internal)?;
        }
        Ok(())
    }

    /// It was not: what had these names before still has them.
    pub(super) async fn discard(self) {
        for path in self.written {
            if let Err(error) = fs::remove_file(beside(&path)).await {
                tracing::warn!(%error, path = %path.display(), "a file is left over");
            }
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

/// One file, where it is wanted.
#[derive(Debug)]
pub(super) struct Writer(Option<BufWriter<File>>);

impl Writer {
    pub(super) async fn put(&mut self, text: &str) -> Result<(), ApiError> {
        match &mut self.0 {
            Some(file) => of(file.write_all(text.as_bytes()).await),
            None => Ok(()),
        }
    }

    pub(super) async fn end(mut self) -> Result<(), ApiError> {
        match &mut self.0 {
            Some(file) => of(file.flush().await),
            None => Ok(()),
        }
    }
}

fn of(done: std::io::Result<()>) -> Result<(), ApiError> {
    done.context("a statement").map_err(ApiError::Internal)
}
