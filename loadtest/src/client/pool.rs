//! The connections to one engine, shared by many users: taken for one exchange, given back if they can go on.
//!
//! As many users as there are connections are served at a time; the rest wait in the order in which they came.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use doorbuster_core::clock;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;

use crate::client::connection::{Connection, Then};
use crate::client::endpoint::Endpoint;
use crate::history::Broken;
use crate::limits::{CONNECTION_IDLE_MAX, OPENING_MAX};

/// Connections to one engine.
#[derive(Debug)]
pub struct Pool {
    endpoint: Endpoint,
    places: Semaphore,
    /// Opened and unused, with since when. Locked for moments only.
    idle: Mutex<Vec<(Instant, Connection)>>,
}

/// A place in the pool and the connection in it.
#[derive(Debug)]
pub struct Lease<'a> {
    pub connection: Connection,
    pool: &'a Pool,
    _place: SemaphorePermit<'a>,
}

impl Pool {
    /// A pool of at most `size` connections, none of them open yet.
    pub fn new(endpoint: Endpoint, size: usize) -> Self {
        Self {
            endpoint,
            places: Semaphore::new(size),
            idle: Mutex::new(Vec::with_capacity(size)),
        }
    }

    /// Opens all connections, so that the crowd does not wait for handshakes.
    ///
    /// # Errors
    /// [`Broken::Unreachable`] if one of them cannot be opened.
    pub async fn fill(&self) -> Result<(), Broken> {
        let mut opening = JoinSet::new();
        for _ in 0..self.places.available_permits() {
            if opening.len() == OPENING_MAX {
                self.keep_next(&mut opening).await?;
            }
            opening.spawn(Connection::open(self.endpoint.address));
        }
        while !opening.is_empty() {
            self.keep_next(&mut opening).await?;
        }
        Ok(())
    }

    async fn keep_next(
        &self,
        opening: &mut JoinSet<Result<Connection, Broken>>,
    ) -> Result<(), Broken> {
        let opened = opening.join_next().await;
        let connection = opened
            .transpose()
            .map_err(|_| Broken::Unreachable)?
            .unwrap_or(Err(Broken::Unreachable))?;
        self.keep(connection);
        Ok(())
    }

    /// Waits for a place; opens a connection where none is idle.
    ///
    /// # Errors
    /// [`Broken::Unreachable`] if it cannot be opened.
    pub async fn take(&self) -> Result<Lease<'_>, Broken> {
        let place = self
            .places
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let connection = match self.idle() {
            Some(connection) => connection,
            None => Connection::open(self.endpoint.address).await?,
        };
        Ok(Lease {
            connection,
            pool: self,
            _place: place,
        })
    }

    /// The connection that was used last, if the server has not closed it for its silence by now.
    fn idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, connection) = idle.pop()?;
        if since.elapsed() < CONNECTION_IDLE_MAX {
            return Some(connection);
        }
        // Those below it have been silent for longer still.
        idle.clear();
        None
    }

    fn keep(&self, connection: Connection) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((clock::instant(), connection));
    }
}

impl Lease<'_> {
    /// Ends the lease of a connection whose exchange is complete. A lease that is dropped closes its connection.
    pub fn end(self, then: Then) {
        if then == Then::Reuse {
            self.pool.keep(self.connection);
        }
    }
}
