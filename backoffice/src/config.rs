//! The command line and the environment; with `secret_config` the only file of this program that reads either. Called by `main` before
//! anything binds. What is wrong is said with the name of the variable, and the program ends with 64. Secrets come from the environment
//! alone, so that they never stand in a list of processes, and none is ever printed.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, value_parser};
use doorbuster_core::ack::AckLevel;
use doorbuster_core::ids::{LiveId, SaleId};
use sqlx::mysql::MySqlConnectOptions;

use crate::accounts::config::{Admin, People};
use crate::audit_log::check::Known;
use crate::audit_log::guard::Account;
use crate::hosts::Hosts;
use crate::limits::INVITES_MAX;
use crate::pages::config::Pages;
use crate::payment_sandbox::config::PaymentSandbox;
use crate::payments::config::Payments;
pub(crate) use crate::secret_config::account_keys;
pub use crate::secret_config::{draw_keys, ticket_keys, token_keys};
use crate::seed::config::Seed;
use crate::settlement::command::Settle;
use crate::token::Token;

const EXAMPLES: &str = "\
Examples:
  doorbuster-backoffice migrate
  doorbuster-backoffice seed --products 60
  doorbuster-backoffice token --user ann --role operator --ttl 1h
  doorbuster-backoffice invite --sale drop-1 --count 500
  doorbuster-backoffice admin --email olga@shop.example
  doorbuster-backoffice serve --backoffice-listen 127.0.0.1:8081
  doorbuster-backoffice reconcile --sale drop-1 --json
  doorbuster-backoffice reconcile --sale drop-1 --repair
  doorbuster-backoffice rebuild --sale drop-1
  doorbuster-backoffice settle --month 2026-11 --by fay --out statements
  doorbuster-backoffice audit-check
  doorbuster-backoffice payment-sandbox --dir sandbox --latency-ms 20";

const SECRETS: &str = "\
Secrets, from the environment only:
  TOKEN_SECRET           signs and checks access tokens; at least 32 bytes; required by serve, token, invite and admin
  TOKEN_SECRET_PREVIOUS  accepted too, for rotation [default: none]
  PAYMENT_WEBHOOK_SECRET checks the payment provider's webhooks; at least 32 bytes; required by serve where PAYMENT_PROVIDER_URL is set
  PAYMENT_PROVIDER_KEY   what the provider knows us by, sent as a bearer token; at least 32 bytes [default: none]

Exit status: 0 done, 1 reconcile found differences (with --repair: that it left), rebuild a loss, audit-check an altered row or settle --check a ledger that does not balance, 2 failed, 64 bad configuration.";

/// The back-office of Doorbuster: catalog and control of sales, tokens, migrations, reconciliation.
#[derive(Parser)]
#[command(name = "doorbuster-backoffice", version, before_help = EXAMPLES, after_help = SECRETS, flatten_help = true, term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// What is logged to standard error, e.g. `debug` or `info,sqlx=warn`
    #[arg(long, env = "RUST_LOG", default_value = "info", global = true)]
    pub log: String,
}

/// One of the program's jobs.
#[derive(Subcommand)]
pub enum Command {
    /// Create the database if it is missing, and bring its tables up to date
    Migrate(Migrate),
    /// Fill an empty shop with a believable catalog
    Seed(Seed),
    /// Print an access token
    #[command(after_help = SECRETS)]
    Token(Token),
    /// Print invites to a sale's first lane, one a line; each is good for the first user who joins with it
    #[command(after_help = SECRETS)]
    Invite(Invite),
    /// Make somebody an admin: the first one, or one more
    #[command(after_help = SECRETS)]
    Admin(Admin),
    /// Serve the back-office API until SIGTERM
    #[command(after_help = SECRETS)]
    Serve(Serve),
    /// Compare Redis with the books, and orders with money and the payment provider, and print every difference; repair on request
    Reconcile(Reconcile),
    /// Hold the audit log against its chain of hashes, and name the first row that was altered
    AuditCheck(AuditCheck),
    /// Settle a month or a day, and write a statement for every seller; or check that the ledger balances
    Settle(Settle),
    /// Put a sale together again in Redis, from the books and what live engines remember, and print what was lost
    Rebuild(Rebuild),
    /// A payment provider for tests, demos and drills: captures, declines and misbehaves as it is told, and forgets nothing
    #[command(after_help = crate::payment_sandbox::config::HELP)]
    PaymentSandbox(PaymentSandbox),
}

#[derive(Args)]
pub struct Migrate {
    #[command(flatten)]
    pub database: Database,
    /// An existing MySQL account, user@host, that the programs will use: it is given the rights they need, and none to alter the audit log
    #[arg(long)]
    pub grant_to: Option<Account>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Args)]
pub struct Invite {
    /// The sale; its line must take invites
    #[arg(long)]
    pub sale: SaleId,
    /// How many
    #[arg(long, default_value = "1", value_parser = value_parser!(u32).range(1..=i64::from(INVITES_MAX)))]
    pub count: u32,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    pub redis: Redis,
    #[command(flatten)]
    pub database: Database,
    /// Address and port to serve on
    #[arg(long, env = "BACKOFFICE_LISTEN", default_value = "127.0.0.1:8081")]
    pub backoffice_listen: SocketAddr,
    /// Names under which browsers and scripts may call, comma-separated; empty: any
    #[arg(long, env = "ALLOWED_HOSTS", default_value = "")]
    pub allowed_hosts: Hosts,
    /// Connections served at once; more are turned away
    #[arg(long, env = "MAX_CONNECTIONS", default_value = "16384")]
    pub max_connections: NonZeroUsize,
    #[command(flatten)]
    pub people: People,
    /// Seconds between two refreshes of what is popular
    #[arg(long, env = "STATISTICS_SECONDS", default_value = "300", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub statistics_seconds: u64,
    #[command(flatten)]
    pub pages: Pages,
    #[command(flatten)]
    pub payments: Payments,
    /// Where a payment is before its buyer is told; the engines' level
    #[arg(long, env = "ACK_LEVEL", default_value = "fsync", value_parser = PossibleValuesParser::new(AckLevel::WORDS).try_map(|word| word.parse::<AckLevel>()))]
    pub ack_level: AckLevel,
    /// Seconds between two comparisons of orders and money, by one back-office of all; 0: none
    #[arg(long, env = "RECONCILE_SECONDS", default_value = "3600", value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub reconcile_seconds: u64,
}

#[derive(Args)]
pub struct Reconcile {
    #[command(flatten)]
    pub redis: Redis,
    #[command(flatten)]
    pub database: Database,
    /// Only this sale, or coupon:<id>; otherwise every published one
    #[arg(long, value_parser = LiveId::from_book_id)]
    pub sale: Option<LiveId>,
    /// Make reservations, lines and claims say what the journal says, and print each change; make stuck orders due; Redis is never written
    #[arg(long)]
    pub repair: bool,
    #[command(flatten)]
    pub payments: Payments,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Args)]
pub struct AuditCheck {
    #[command(flatten)]
    pub database: Database,
    /// Where the log ended at an earlier check, as that printed it: it must still lead there
    #[arg(long)]
    pub known: Option<Known>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Args)]
pub struct Rebuild {
    #[command(flatten)]
    pub redis: Redis,
    #[command(flatten)]
    pub database: Database,
    /// The sale, or coupon:<id>
    #[arg(long, value_parser = LiveId::from_book_id)]
    pub sale: LiveId,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Args)]
pub struct Redis {
    /// The Redis of the live sales
    #[arg(
        long,
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    redis_url: String,
}

#[derive(Args)]
pub struct Database {
    /// The MySQL or MariaDB of the books
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "mysql://root@127.0.0.1:3306/doorbuster",
        hide_env_values = true
    )]
    database_url: String,
}

#[derive(Args)]
pub struct Output {
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Configuration that the program cannot run with. Its text names the variable and never quotes a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("DATABASE_URL must be like mysql://user@host:3306/database: {0}")]
    Database(&'static str),
    #[error("REDIS_URL must be like redis://host:6379, or another form that its client knows")]
    Redis,
    #[error("SMTP_URL must be like smtps://user:password@mail.example:465")]
    Smtp,
    #[error("RUST_LOG must be like debug or info,sqlx=warn")]
    Log,
    #[error(
        "{0} is not set: it signs access tokens; choose at least 32 random bytes, e.g. openssl rand -hex 32"
    )]
    Missing(&'static str),
    #[error("{variable} {problem}")]
    Secret {
        variable: &'static str,
        problem: String,
    },
}

/// How the URLs begin that the gate's client knows; what follows is for it to judge.
const REDIS_SCHEMES: [&str; 4] = ["redis", "rediss", "valkey", "valkeys"];

impl Redis {
    /// # Errors
    /// [`ConfigError::Redis`] where the URL is of another scheme.
    pub fn url(&self) -> Result<&str, ConfigError> {
        let scheme = self
            .redis_url
            .split_once("://")
            .map_or("", |(scheme, _)| scheme);
        let family = scheme.split(['-', '+']).next().unwrap_or_default();
        Some(self.redis_url.as_str())
            .filter(|_| REDIS_SCHEMES.contains(&family))
            .ok_or(ConfigError::Redis)
    }
}

impl Database {
    /// As it was given; may hold a password.
    pub(crate) fn url(&self) -> &str {
        &self.database_url
    }

    /// # Errors
    /// [`ConfigError::Database`] where the URL is none of MySQL's or names no database.
    pub fn options(&self) -> Result<MySqlConnectOptions, ConfigError> {
        if !self.database_url.starts_with("mysql://")
            && !self.database_url.starts_with("mariadb://")
        {
            return Err(ConfigError::Database("it begins with another scheme"));
        }
        let options = MySqlConnectOptions::from_str(&self.database_url)
            .map_err(|_| ConfigError::Database("it cannot be read"))?;
        match options.get_database() {
            Some(name) if is_database_name(name) => Ok(options),
            Some(_) => Err(ConfigError::Database(
                "the database's name has characters other than A-Z a-z 0-9 _ -",
            )),
            None => Err(ConfigError::Database("it names no database")),
        }
    }
}

/// A name that needs no escaping in `create database`.
fn is_database_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_redis_url_is_of_a_scheme_that_redis_has() {
        let fits = |url: &str| {
            Redis {
                redis_url: url.to_owned(),
            }
            .url()
            .is_ok()
        };
        for good in [
            "redis://h:1",
            "rediss://h",
            "redis-cluster://h:1?node=i:1",
            "redis-sentinel://h:1",
            "redis+unix:///path",
        ] {
            assert!(fits(good), "{good}");
        }
        for bad in ["", "h:1", "http://h", "redisx://h"] {
            assert!(!fits(bad), "{bad}");
        }
    }

    #[test]
    fn a_database_url_names_a_database() {
        let options = |url: &str| {
            Database {
                database_url: url.to_owned(),
            }
            .options()
        };
        assert!(options("mysql://root@127.0.0.1:3306/doorbuster").is_ok());
        for bad in [
            "",
            "postgres://x/y",
            "mysql://root@127.0.0.1:3306",
            "mysql://root@127.0.0.1/a`b",
            "mysql://root@127.0.0.1:x/a",
        ] {
            assert!(options(bad).is_err(), "{bad}");
        }
    }
}
