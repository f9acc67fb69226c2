//! A writer of one's own for the time of one rebuild, where no engine runs. Called by `rebuild`.
//!
//! It is the engine's program in its writer role, found beside this one: the books are written by one program only. It may be killed
//! at any moment, as any writer may.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use uuid::Uuid;

use crate::config::Rebuild;

/// Ends with this value.
pub(super) struct Writer(Child);

impl Writer {
    /// # Errors
    /// Where there is no such program; the request stands, and any writer that starts takes it up.
    pub(super) fn start(request: &Rebuild) -> Result<Self> {
        let here = std::env::current_exe().context("where this program is")?;
        let program = here.with_file_name("doorbuster-engine");
        tracing::info!("no writer has taken it up; starting one for this rebuild");
        // It serves nobody: what it would check tokens with is thrown away with it. URLs go by the environment, as they may hold passwords.
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        Command::new(&program)
            .args(["serve", "--role", "writer", "--engine-listen", "127.0.0.1:0"])
            .env("REDIS_URL", request.redis.url()?)
            .env("DATABASE_URL", request.database.url())
            .env("TOKEN_SECRET", secret)
            .env_remove("TOKEN_SECRET_PREVIOUS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map(Self)
            .with_context(|| {
                format!(
                    "no writer has taken it up, and {} cannot be started: start `doorbuster-engine serve --role writer`; the request stands",
                    program.display()
                )
            })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait().map(drop)) {
            tracing::warn!(%error, "the writer of this rebuild could not be ended");
        }
    }
}
