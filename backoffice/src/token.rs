//! Prints an access token, for staff and for tests. Called by `main`.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use doorbuster_core::claims::{Claims, Role};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_core::limits::TOKEN_LIFE_MAX;
use serde::Serialize;

use crate::config::{self, Output};

#[derive(Args)]
pub struct Token {
    /// Whom the token is for: 1 to 64 characters of A-Z a-z 0-9 _ -
    #[arg(long)]
    pub user: UserId,
    /// What its bearer may do
    #[arg(long, default_value = "buyer", value_parser = role_parser())]
    pub role: Role,
    /// How long it is valid, e.g. 30s, 15m, 1h; at most 24h
    #[arg(long, default_value = "1h", value_parser = parse_ttl)]
    pub ttl: Duration,
    #[command(flatten)]
    pub output: Output,
}

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

fn role_parser() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(["buyer", "operator", "finance", "admin"]).map(|word| {
        match word.as_str() {
            "operator" => Role::Operator,
            "finance" => Role::Finance,
            "admin" => Role::Admin,
            _ => Role::Buyer,
        }
    })
}

/// `30s`, `15m`, `1h`: a whole number and its unit, more than nothing and at most a day.
fn parse_ttl(text: &str) -> Result<Duration, String> {
    let seconds = text
        .char_indices()
        .last()
        .and_then(|(end, unit)| {
            let count: u64 = text[..end].parse().ok()?;
            let unit_s = match unit {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                _ => return None,
            };
            count.checked_mul(unit_s)
        })
        .ok_or("must be a number and its unit: 30s, 15m or 1h")?;
    match Duration::from_secs(seconds) {
        Duration::ZERO => Err("must be more than nothing".to_owned()),
        ttl if ttl > TOKEN_LIFE_MAX => Err("must be at most 24h".to_owned()),
        ttl => Ok(ttl),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_of_tokens_have_a_unit_and_a_bound() {
        assert_eq!(parse_ttl("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_ttl("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(parse_ttl("24h"), Ok(Duration::from_secs(86_400)));
        for bad in [
            "",
            "h",
            "1",
            "1d",
            "-1h",
            "0s",
            "25h",
            "1.5h",
            "99999999999999999999h",
            "1é",
        ] {
            assert!(parse_ttl(bad).is_err(), "{bad}");
        }
    }
}
