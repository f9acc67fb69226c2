//! Prints invites to the first lane of a sale's line. Called by `main`. An invite is a signature: nothing is kept of it until somebody joins
//! with it.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use uuid::Uuid;

use crate::config::{self, Invite};

/// Signed invites. Whoever has one may come first, so there is no `Debug` that a log could print them by.
#[derive(Serialize)]
pub struct Invites {
    pub sale: String,
    pub invites: Vec<String>,
}

impl fmt::Display for Invites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.invites.join("\n"))
    }
}

/// # Errors
/// [`config::ConfigError`] where TOKEN_SECRET is missing or unfit.
pub fn issue(request: &Invite) -> Result<Invites> {
    let keys = config::ticket_keys()?;
    let invite = |_| keys.invite(&request.sale, &Uuid::new_v4().simple().to_string());
    Ok(Invites {
        sale: request.sale.to_string(),
        invites: (0..request.count).map(invite).collect(),
    })
}
