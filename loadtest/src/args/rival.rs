//! Options of `rival`, checked and turned into what it is run with. Called by `command`.

use clap::Args;
use doorbuster_core::limits::TOKEN_SECRET_BYTES_MIN;

use super::{BadConfig, StoreArgs};
use crate::config;
use crate::limits::{RIVAL_STORE_CONNECTIONS, RIVAL_STORE_CONNECTIONS_MAX};
use crate::rivals::{Name, Setup};

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest rival --way row-lock --listen-port 9001 --pool 32
  curl -X POST 'http://127.0.0.1:9001/reset?stock=100'      empty tables, 100 units
  curl http://127.0.0.1:9001/state                          what the stores hold

It takes POST /v1/sales/{sale}/reservations as the engine does, for one unit of one sku at a time, under any names.
";

pub(super) const SECRETS: &str = "\
Secrets, from the environment only:
  TOKEN_SECRET  checks access tokens; at least 32 bytes; required";

#[derive(Debug, Args)]
pub struct RivalArgs {
    /// How it sells.
    #[arg(long, value_enum)]
    pub way: Name,
    /// Port of 127.0.0.1 that it listens on; 0: any free one, which it prints.
    #[arg(long, value_name = "PORT")]
    pub listen_port: u16,
    /// Connections to the store that decides, up to 256; guarded-combined uses at most 8.
    #[arg(long, default_value_t = RIVAL_STORE_CONNECTIONS, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(RIVAL_STORE_CONNECTIONS_MAX)))]
    pub pool: u32,
    #[command(flatten)]
    pub stores: StoreArgs,
}

impl RivalArgs {
    /// # Errors
    /// [`BadConfig`] naming the variable.
    pub fn setup(&self) -> Result<Setup, BadConfig> {
        let secret = config::token_secret()
            .filter(|secret| secret.bytes().len() >= TOKEN_SECRET_BYTES_MIN)
            .ok_or_else(|| {
                BadConfig("TOKEN_SECRET must be set, and have at least 32 bytes".into())
            })?;
        Ok(Setup {
            name: self.way,
            listen_port: self.listen_port,
            connections: self.pool,
            redis_url: self.stores.redis_url.clone(),
            database_url: self.stores.database_url.clone(),
            secret,
        })
    }
}
