//! What the harness takes from its environment; the only file that reads it.

use std::env;
use std::fmt;
use std::io::IsTerminal;

use clap::Args;

/// Whether colours are wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    On,
    Off,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Programs")]
pub struct StoreArgs {
    /// Redis of programs that run already.
    #[arg(
        long,
        env = "REDIS_URL",
        hide_env_values = true,
        default_value = "redis://127.0.0.1:6379"
    )]
    pub redis_url: String,
    /// Their database.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "mysql://root@127.0.0.1:3306/doorbuster"
    )]
    pub database_url: String,
}

/// The secret that tokens are signed with. Not an option: the arguments of a process are for everyone to see.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// `TOKEN_SECRET`, if it is set.
#[expect(clippy::disallowed_methods, reason = "this is the harness's config.rs")]
pub fn token_secret() -> Option<Secret> {
    env::var("TOKEN_SECRET").ok().map(Secret)
}

/// Colours on a terminal, unless `NO_COLOR` is set to something (no-color.org).
pub fn colour() -> Colour {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if unwanted || !std::io::stderr().is_terminal() {
        Colour::Off
    } else {
        Colour::On
    }
}
