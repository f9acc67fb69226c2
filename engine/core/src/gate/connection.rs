//! Connecting to Redis through fred, with its traps closed: bounded waits, no blind re-sends, a supervised connection task.

use std::time::Duration;

use fred::clients::{Client, Pool};
use fred::error::{Error, ErrorKind};
use fred::prelude::ClientLike;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, UnresponsiveConfig,
};

use super::{Gate, GateError};
use crate::ack::AckLevel;
use crate::limits::{
    CALLS_IN_FLIGHT_MAX, REDIS_CONNECT_TIMEOUT, REDIS_CONNECTIONS, REDIS_RESTART_PAUSE,
    REDIS_UNRESPONSIVE, SCRIPT_TIMEOUT,
};

impl Gate {
    /// Connects in the background and keeps at it: the gate is usable at once, and refuses with
    /// [`GateError::Unavailable`] until Redis answers. Waits up to two seconds for the first connection.
    ///
    /// # Errors
    /// [`GateError::Unavailable`] where `redis_url` is not one that fred accepts.
    pub async fn connect(redis_url: &str) -> Result<Self, GateError> {
        Ok(Self::new(pool(redis_url).await?, None))
    }

    /// The same, and what it answers that promises something counts only once a replica has it (ack level `replica`).
    ///
    /// # Errors
    /// As [`Gate::connect`].
    pub async fn connect_waiting_for_replicas(redis_url: &str) -> Result<Self, GateError> {
        let waiting = pool(redis_url).await?;
        Ok(Self::new(pool(redis_url).await?, Some(waiting)))
    }

    /// As the level asks for.
    ///
    /// # Errors
    /// As [`Gate::connect`].
    pub async fn connect_at(level: AckLevel, redis_url: &str) -> Result<Self, GateError> {
        match level {
            AckLevel::Replica => Self::connect_waiting_for_replicas(redis_url).await,
            AckLevel::Memory | AckLevel::Fsync | AckLevel::Mysql => Self::connect(redis_url).await,
        }
    }
}

async fn pool(redis_url: &str) -> Result<Pool, GateError> {
    let (config, connection, performance, policy) = settings(redis_url)?;
    let pool = Pool::new(
        config,
        Some(performance),
        Some(connection),
        Some(policy),
        REDIS_CONNECTIONS,
    )
    .map_err(|e| GateError::Unavailable(e.to_string()))?;
    for client in pool.clients() {
        tokio::spawn(supervise(client.clone()));
    }
    // Not an error: the program starts, says that it is not ready, and serves once Redis is there.
    let _ = tokio::time::timeout(REDIS_CONNECT_TIMEOUT, pool.wait_for_connect()).await;
    Ok(pool)
}

/// A connection out of step would give every call from now on the reply of another: it is given up.
pub(super) fn drop_connection(client: &Client) {
    tracing::error!(
        alarm = "redis_mismatch",
        "a reply was that of another call; connecting anew"
    );
    let client = client.clone();
    tokio::spawn(async move { client.force_reconnection().await });
}

/// What every connection of ours is set to.
pub(crate) fn settings(
    redis_url: &str,
) -> Result<(Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy), GateError> {
    let mut config =
        Config::from_url(redis_url).map_err(|e| GateError::Unavailable(e.to_string()))?;
    config.fail_fast = false;
    let connection = ConnectionConfig {
        connection_timeout: REDIS_CONNECT_TIMEOUT,
        internal_command_timeout: REDIS_CONNECT_TIMEOUT,
        max_command_attempts: 1,
        // Ours is the bound that sheds (CALLS_IN_FLIGHT_MAX); fred's own, when full at a disconnect, would end the client.
        max_command_buffer_len: 4 * CALLS_IN_FLIGHT_MAX,
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(REDIS_UNRESPONSIVE),
            interval: Duration::from_millis(500),
        },
        tcp: fred::types::config::TcpConfig {
            nodelay: Some(true),
            ..Default::default()
        },
        ..ConnectionConfig::default()
    };
    let performance = PerformanceConfig {
        default_command_timeout: SCRIPT_TIMEOUT,
        ..PerformanceConfig::default()
    };
    Ok((
        config,
        connection,
        performance,
        ReconnectPolicy::new_exponential(0, 50, 1_000, 2),
    ))
}

/// Keeps one client's connection task alive: one that ends for good is started again.
async fn supervise(client: Client) {
    while !matches!(client.connect().await, Ok(Ok(()))) {
        tracing::warn!("a connection to redis ended for good; connecting anew");
        tokio::time::sleep(REDIS_RESTART_PAUSE).await;
    }
}

/// Codes with which a server refuses before it looks at a script.
const NOT_NOW: [&str; 7] = [
    "BUSY",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOREPLICAS",
    "READONLY",
    "TRYAGAIN",
];

/// Which of ours a client error is. Anything that may have reached the server is [`GateError::Unknown`], unless the
/// server answered: fred calls each error reply that it has no name for "unknown", but its first word is a code.
pub(crate) fn gate_error(script: &'static str, error: &Error) -> GateError {
    let detail = error.details();
    match (error.kind(), server_code(detail)) {
        (ErrorKind::Unknown, Some(code)) if NOT_NOW.contains(&code) => {
            GateError::Unavailable(error.to_string())
        }
        (ErrorKind::Unknown, Some(_)) => GateError::Refused {
            script,
            detail: detail.to_string(),
        },
        (
            ErrorKind::Timeout
            | ErrorKind::IO
            | ErrorKind::Canceled
            | ErrorKind::Unknown
            | ErrorKind::Protocol
            | ErrorKind::Parse,
            _,
        ) => GateError::Unknown,
        (
            ErrorKind::Backpressure
            | ErrorKind::Routing
            | ErrorKind::Auth
            | ErrorKind::Config
            | ErrorKind::Tls
            | ErrorKind::Url
            | ErrorKind::Cluster,
            _,
        ) => GateError::Unavailable(error.to_string()),
        _ => GateError::Refused {
            script,
            detail: detail.to_string(),
        },
    }
}

/// The code that an error reply of Redis begins with.
fn server_code(detail: &str) -> Option<&str> {
    let code = detail.split_whitespace().next()?;
    (code.len() > 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(code)
}
