//! Database connections that add no statement of their own to a purchase. Called by every way that sells from MySQL.
//!
//! sqlx's own pool asks each connection for a sign of life when it comes back: a round trip per purchase which no way should
//! have to pay for. A connection is given back when nothing is under way on it; otherwise, as when a buyer hangs up in the
//! middle, it is closed, the server rolls back, and the next one is opened when it is needed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::limits::RIVAL_ACQUIRE_TIMEOUT;

/// What every connection is told at first. Without gap locks fewer buyers wait for each other.
const SESSION: [&str; 2] = [
    "set session transaction isolation level read committed",
    "set session innodb_lock_wait_timeout = 3",
];

pub(crate) struct Pool {
    options: MySqlConnectOptions,
    /// The last one given back is the first one taken: its statements are prepared and its buffers warm.
    idle: Mutex<Vec<MySqlConnection>>,
    permits: Semaphore,
}

impl Pool {
    /// Opens all connections at once, so that no buyer waits for it.
    pub(crate) async fn open(
        options: MySqlConnectOptions,
        connections: u32,
    ) -> Result<Self, sqlx::Error> {
        let mut idle = Vec::new();
        for _ in 0..connections {
            idle.push(connect(&options).await?);
        }
        Ok(Self {
            options,
            permits: Semaphore::new(idle.len()),
            idle: Mutex::new(idle),
        })
    }

    /// Works on one connection, and gives it back. In the order of asking.
    ///
    /// # Errors
    /// Of the work, or [`sqlx::Error::PoolTimedOut`] where others hold all of them for too long.
    pub(crate) async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut lease = self.lease().await?;
        let done = work(&mut lease.connection).await;
        lease.give_back(&done).await;
        done
    }

    async fn lease(&self) -> Result<Lease<'_>, sqlx::Error> {
        let permit = timeout(RIVAL_ACQUIRE_TIMEOUT, self.permits.acquire()).await;
        let permit = permit
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.options).await?,
        };
        Ok(Lease {
            pool: self,
            connection,
            _permit: permit,
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<MySqlConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one connection.
struct Lease<'a> {
    pool: &'a Pool,
    connection: MySqlConnection,
    _permit: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// Gives it back after work that ended as `done` says: after an error of a statement, once the server has rolled back.
    async fn give_back<T>(mut self, done: &Result<T, sqlx::Error>) {
        let is_usable = match done {
            Ok(_) => true,
            Err(sqlx::Error::Database(_)) => self.connection.ping().await.is_ok(),
            Err(_) => false,
        };
        if is_usable {
            self.pool.idle().push(self.connection);
        }
    }
}

async fn connect(options: &MySqlConnectOptions) -> Result<MySqlConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    for statement in SESSION {
        connection.execute(statement).await?;
    }
    Ok(connection)
}
