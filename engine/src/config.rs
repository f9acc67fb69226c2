//! Configuration: the only file that reads the environment. Everything is checked before anything is bound or connected.
//!
//! Secrets come from the environment alone, so that they never stand in a process list.

use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use doorbuster_core::ack::AckLevel;
use doorbuster_core::address::TrustedProxies;
use doorbuster_core::claims::TokenKeys;
use doorbuster_core::draw::DrawKeys;
use doorbuster_core::gate::backlog::BacklogMax;
use doorbuster_core::limits::{BACKLOG_BYTES_MAX, BACKLOG_EVENTS_MAX};
use doorbuster_core::receipt::ReceiptKey;
use doorbuster_core::ticket::TicketKeys;
use tracing_subscriber::EnvFilter;

use crate::front::limit::Rates;
use crate::writer::Pace;

const EXAMPLES: &str = "Examples:
  TOKEN_SECRET=$(openssl rand -hex 32) doorbuster-engine serve
  doorbuster-engine serve --role front --engine-listen 0.0.0.0:8080      several of these behind a load balancer,
  doorbuster-engine serve --role writer                                  and one or more of these
";

/// The admission engine: sells a sale's units over HTTP, decided in Redis, booked in MySQL.
#[derive(Debug, Parser)]
#[command(version, before_help = EXAMPLES, after_help = SECRETS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const SECRETS: &str = "Secrets, from the environment only:
  TOKEN_SECRET            signs access tokens; at least 32 bytes, required
  TOKEN_SECRET_PREVIOUS   accepted too, while a secret is being changed
Other variables:
  RUST_LOG=info           what is logged to stderr, e.g. debug, or info,doorbuster_engine=debug";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve buyers, write the books, sweep overdue holds.
    #[command(before_help = EXAMPLES, after_help = SECRETS)]
    Serve(Box<Serve>),
}

#[derive(Debug, Args)]
struct Serve {
    /// What this process does; every role answers /livez, /readyz and /metrics.
    #[arg(long, value_enum, default_value = "all")]
    role: Role,
    /// As fred accepts it: redis://, rediss://, redis-cluster://host:port?node=…, redis-sentinel://…, redis+unix:///path
    #[arg(
        long,
        env = "REDIS_URL",
        hide_env_values = true,
        default_value = "redis://127.0.0.1:6379"
    )]
    redis_url: String,
    /// MySQL 8+ or MariaDB 10.11+
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "mysql://root@127.0.0.1:3306/doorbuster"
    )]
    database_url: String,
    #[arg(long, env = "ENGINE_LISTEN", default_value = "127.0.0.1:8080")]
    engine_listen: SocketAddr,
    /// Where an accepted reservation is when its buyer is told: memory (AOF everysec), fsync (AOF always), replica (and a
    /// replica of Redis has it), mysql (and MySQL has committed it)
    #[arg(long, env = "ACK_LEVEL", default_value = "fsync", value_parser = PossibleValuesParser::new(AckLevel::WORDS).try_map(|word| word.parse::<AckLevel>()))]
    ack_level: AckLevel,
    /// Requests a second of one user, with bursts of twice that; 0 = off
    #[arg(long, env = "RATE_PER_USER", default_value_t = 20)]
    rate_per_user: u32,
    /// Requests a second in all; 0 = no limit
    #[arg(long, env = "RATE_TOTAL", default_value_t = 0)]
    rate_total: u32,
    /// Requests a second from one address (IPv6: from one /64), with bursts of twice that; 0 = off, because carriers put tens of
    /// thousands of buyers behind one
    #[arg(long, env = "RATE_PER_ADDRESS", default_value_t = 0)]
    rate_per_address: u32,
    /// Reservations a second asked of one sale (claims, of one coupon), with bursts of twice that; 0 = off
    #[arg(long, env = "RATE_PER_SALE", default_value_t = 0)]
    rate_per_sale: u32,
    /// Proxies whose Forwarded or X-Forwarded-For is believed: addresses and networks, e.g. 10.0.0.0/8,fd00::/8; empty = none
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',')]
    trusted_proxies: Vec<String>,
    /// Seconds that the books may lag while buyers keep this process busy; 0 = never on purpose, as at ACK_LEVEL=mysql
    #[arg(long, env = "WRITER_LAG_MAX", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=60))]
    writer_lag_max: u64,
    /// Events of a sale that may wait for MySQL; past it buyers are told to come back (503 backlog)
    #[arg(long, env = "BACKLOG_MAX", default_value_t = BACKLOG_EVENTS_MAX, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    backlog_max: u64,
    /// The same in bytes of events
    #[arg(long, env = "BACKLOG_BYTES_MAX", default_value_t = BACKLOG_BYTES_MAX, value_parser = clap::value_parser!(u64).range(1_048_576..=1_099_511_627_776))]
    backlog_bytes_max: u64,
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_connections: u32,
    /// Connections from one address (IPv6: from one /64) that is no trusted proxy; 0 = any number up to MAX_CONNECTIONS
    #[arg(long, env = "MAX_CONNECTIONS_PER_ADDRESS", default_value_t = 0)]
    max_connections_per_address: u32,
    /// Host headers that are answered; empty = all
    #[arg(long, env = "ALLOWED_HOSTS", value_delimiter = ',')]
    allowed_hosts: Vec<String>,
    /// Origins whose pages may call the engine from a browser, e.g. https://shop.example
    #[arg(long, env = "CORS_ORIGINS", value_delimiter = ',')]
    cors_origins: Vec<String>,
}

/// Which tasks a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Front, writer and sweeper
    All,
    /// Serves buyers
    Front,
    /// Writes the books and sweeps
    Writer,
}

/// Everything that the engine is told.
#[derive(Debug)]
pub struct Config {
    pub role: Role,
    pub redis_url: Secret,
    pub database_url: Secret,
    pub engine_listen: SocketAddr,
    pub ack_level: AckLevel,
    pub rates: Rates,
    pub trusted_proxies: TrustedProxies,
    pub writer_lag_max: Duration,
    pub backlog_max: BacklogMax,
    pub max_connections: u32,
    pub max_connections_per_address: u32,
    pub allowed_hosts: Vec<String>,
    pub cors_origins: Vec<String>,
    pub tokens: TokenKeys,
    pub receipts: ReceiptKey,
    pub receipts_previous: Option<ReceiptKey>,
    pub tickets: TicketKeys,
    pub draws: DrawKeys,
    log: String,
}

/// A text that may hold a password: shown by nobody.
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("redacted")
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum Refused {
    /// Help or version was asked for and printed.
    Answered,
    /// Names the variable.
    Bad(String),
}

impl Config {
    /// From arguments and environment.
    ///
    /// # Errors
    /// [`Refused::Bad`] naming the first variable that is missing or wrong.
    pub fn from_process() -> Result<Self, Refused> {
        let cli = Cli::try_parse().map_err(|e| {
            if e.use_stderr() {
                return Refused::Bad(e.render().to_string());
            }
            // Help and version are data: they belong on stdout.
            let _ = e.print();
            Refused::Answered
        })?;
        let Command::Serve(serve) = cli.command;
        Self::new(*serve)
    }

    fn new(serve: Serve) -> Result<Self, Refused> {
        let current = variable("TOKEN_SECRET").ok_or_else(|| {
            Refused::Bad(
                "TOKEN_SECRET is required: at least 32 bytes, e.g. from `openssl rand -hex 32`"
                    .into(),
            )
        })?;
        if current.to_ascii_lowercase().contains("change-me") {
            return Err(Refused::Bad("TOKEN_SECRET is the sample's: make one of your own, e.g. with `openssl rand -hex 32`".into()));
        }
        let previous = variable("TOKEN_SECRET_PREVIOUS");
        let tokens = TokenKeys::new(current.as_bytes(), previous.as_deref().map(str::as_bytes))
            .map_err(|e| Refused::Bad(format!("TOKEN_SECRET and TOKEN_SECRET_PREVIOUS {e}")))?;
        let before = previous.as_deref().map(str::as_bytes);
        let tickets = TicketKeys::derive(current.as_bytes(), before)
            .map_err(|e| Refused::Bad(format!("TOKEN_SECRET and TOKEN_SECRET_PREVIOUS {e}")))?;
        let draws = DrawKeys::derive(current.as_bytes(), before)
            .map_err(|e| Refused::Bad(format!("TOKEN_SECRET and TOKEN_SECRET_PREVIOUS {e}")))?;
        let receipt_key = |secret: &String| {
            ReceiptKey::derive(secret.as_bytes())
                .map_err(|e| Refused::Bad(format!("TOKEN_SECRET and TOKEN_SECRET_PREVIOUS {e}")))
        };
        let receipts = receipt_key(&current)?;
        let receipts_previous = previous.as_ref().map(receipt_key).transpose()?;
        check_url(
            "REDIS_URL",
            &serve.redis_url,
            &["redis", "rediss", "valkey", "valkeys"],
        )?;
        check_url("DATABASE_URL", &serve.database_url, &["mysql", "mariadb"])?;
        let trusted_proxies = TrustedProxies::parse(&listed(serve.trusted_proxies))
            .map_err(|e| Refused::Bad(format!("TRUSTED_PROXIES: {e}")))?;
        Ok(Self {
            role: serve.role,
            redis_url: Secret(serve.redis_url),
            database_url: Secret(serve.database_url),
            engine_listen: serve.engine_listen,
            ack_level: serve.ack_level,
            rates: Rates {
                total: serve.rate_total,
                per_address: serve.rate_per_address,
                per_user: serve.rate_per_user,
                per_sale: serve.rate_per_sale,
            },
            trusted_proxies,
            writer_lag_max: Duration::from_secs(serve.writer_lag_max),
            backlog_max: BacklogMax {
                events: serve.backlog_max,
                bytes: serve.backlog_bytes_max,
            },
            max_connections: serve.max_connections,
            max_connections_per_address: serve.max_connections_per_address,
            allowed_hosts: listed(serve.allowed_hosts),
            cors_origins: listed(serve.cors_origins),
            tokens,
            receipts,
            receipts_previous,
            tickets,
            draws,
            log: variable("RUST_LOG").unwrap_or_else(|| "info".into()),
        })
    }

    /// How soon the books are to follow.
    pub(crate) fn writer_pace(&self) -> Pace {
        match self.ack_level {
            AckLevel::Mysql => Pace::AtOnce,
            AckLevel::Memory | AckLevel::Fsync | AckLevel::Replica => {
                Pace::LagAtMost(self.writer_lag_max)
            }
        }
    }

    /// What is logged.
    pub fn log_filter(&self) -> EnvFilter {
        EnvFilter::try_new(&self.log).unwrap_or_else(|_| EnvFilter::new("info"))
    }
}

fn listed(values: Vec<String>) -> Vec<String> {
    values
        .into_iter()
        .map(|v| v.trim().to_ascii_lowercase())
        .filter(|v| !v.is_empty())
        .collect()
}

/// The scheme is enough here: the client libraries say what else is wrong, and name the variable through our context.
fn check_url(name: &str, url: &str, schemes: &[&str]) -> Result<(), Refused> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let family = scheme.split(['-', '+']).next().unwrap_or("");
    if schemes.contains(&family) {
        return Ok(());
    }
    Err(Refused::Bad(format!(
        "{name} must begin with {}://",
        schemes[0]
    )))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where a drill arms crash points; see `crash`.
#[cfg(feature = "crash-points")]
pub(crate) fn crash_point_file() -> Option<std::path::PathBuf> {
    variable("CRASH_POINT_FILE").map(Into::into)
}

/// The bug that a drill gives this process; see `doorbuster_core::planted`.
#[cfg(feature = "planted-bugs")]
pub(crate) fn planted_bug() -> Option<String> {
    variable("PLANTED_BUG")
}
