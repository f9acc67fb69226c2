//! Prints an access token, for staff and for tests. Called by `main`.

use std::fmt;

use anyhow::Result;
use doorbuster_core::claims::{Claims, Role};
use doorbuster_core::clock;
use serde::Serialize;

use crate::config::{self, Token};

/// A signed token and what it says. Its holder may print it; it has no `Debug`, so that no log does.
#[derive(Serialize)]
pub struct Issued {
    pub token: String,
    pub user: String,
    pub role: Role,
    pub expires_at: String,
}

impl fmt::Display for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.token)
    }
}

/// # Errors
/// [`config::ConfigError`] where TOKEN_SECRET is missing or unfit.
pub fn issue(request: &Token) -> Result<Issued> {
    let keys = config::token_keys()?;
    let claims = Claims::access(
        request.user.clone(),
        request.role,
        clock::now_s(),
        request.ttl.as_secs(),
    );
    let expires_at = clock::rfc3339(claims.exp * 1_000);
    Ok(Issued {
        token: keys.sign(&claims),
        user: claims.sub.to_string(),
        role: claims.role,
        expires_at,
    })
}
