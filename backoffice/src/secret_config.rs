//! The secrets, from the environment alone, and the keys that are made of them. Called by what signs or checks something; none is ever
//! printed. A drill's crash points are named by the environment alone too.

use std::env;

use doorbuster_core::claims::{SecretTooShort, TokenKeys};
use doorbuster_core::draw::DrawKeys;
use doorbuster_core::ticket::TicketKeys;

use crate::accounts::keys::AccountKeys;
use crate::config::ConfigError;

/// How a sample file marks a secret that nobody has chosen yet.
const UNCHOSEN: &str = "change-me";

/// The secrets of access tokens, from TOKEN_SECRET and TOKEN_SECRET_PREVIOUS.
///
/// # Errors
/// [`ConfigError`] where the first is missing, or either is short or still the sample's.
pub fn token_keys() -> Result<TokenKeys, ConfigError> {
    keys(TokenKeys::new)
}

/// What draws are pledged with, from the same secrets.
///
/// # Errors
/// As of [`token_keys`].
pub fn draw_keys() -> Result<DrawKeys, ConfigError> {
    keys(DrawKeys::derive)
}

/// What invites are signed with, likewise.
///
/// # Errors
/// As of [`token_keys`].
pub fn ticket_keys() -> Result<TicketKeys, ConfigError> {
    keys(TicketKeys::derive)
}

/// What mailed and refresh tokens are made with, from the same secrets.
///
/// # Errors
/// As of [`token_keys`].
pub(crate) fn account_keys() -> Result<AccountKeys, ConfigError> {
    keys(AccountKeys::derive)
}

fn keys<T>(
    derive: impl FnOnce(&[u8], Option<&[u8]>) -> Result<T, SecretTooShort>,
) -> Result<T, ConfigError> {
    let current = secret("TOKEN_SECRET")?.ok_or(ConfigError::Missing("TOKEN_SECRET"))?;
    let previous = secret("TOKEN_SECRET_PREVIOUS")?;
    derive(&current, previous.as_deref()).map_err(|e| ConfigError::Secret {
        variable: "TOKEN_SECRET",
        problem: e.to_string(),
    })
}

/// The bytes of the variable; none where it is not set, or empty.
pub(crate) fn secret(variable: &'static str) -> Result<Option<Vec<u8>>, ConfigError> {
    let Some(value) = env::var_os(variable).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let bytes = value.into_encoded_bytes();
    let starts_like_sample = bytes
        .get(..UNCHOSEN.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(UNCHOSEN.as_bytes()));
    let problem = if starts_like_sample {
        "is the sample's; choose at least 32 random bytes, e.g. openssl rand -hex 32".to_owned()
    } else if let Err(short) = TokenKeys::new(&bytes, None) {
        short.to_string()
    } else {
        return Ok(Some(bytes));
    };
    Err(ConfigError::Secret { variable, problem })
}

/// Where a drill arms crash points; see `crash`.
#[cfg(feature = "crash-points")]
pub(crate) fn crash_point_file() -> Option<std::path::PathBuf> {
    env::var_os("CRASH_POINT_FILE").map(Into::into)
}
