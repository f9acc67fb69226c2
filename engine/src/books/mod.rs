//! The front's own few looks into MySQL: is a sale that Redis does not know known to the books, and who else is alive.
//!
//! None is on the path of a reservation. The connection pool is lazy: the front starts, and sells, while MySQL is away.

mod draw_store;
mod draws;
mod store;

use std::str::FromStr;

use chrono::{DateTime, Utc};
use doorbuster_core::ids::LiveId;
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPoolOptions};
use uuid::Uuid;

use crate::limits::{FRONT_ACQUIRE_TIMEOUT, FRONT_CONNECTIONS, FRONT_QUERY_TIMEOUT};
use crate::tallies::Told;

/// The newest migration that this program needs.
const SCHEMA_VERSION: i64 = 54;

/// A pool of connections for the front.
#[derive(Debug, Clone)]
pub struct Books {
    pool: MySqlPool,
    /// Its own connections, one of them for signs of life: neither a flood of look-ups nor a long handover must silence this engine.
    witness: MySqlPool,
}

/// Whether a transaction is on disk when MySQL says that it is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Durability {
    pub(crate) flush_log_at_commit: i64,
    /// Whether there is a binlog.
    pub(crate) log_bin: i64,
    pub(crate) sync_binlog: i64,
}

/// What the books say of a sale that Redis does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Booked {
    Unknown,
    /// Written by staff, never opened.
    Draft {
        title: String,
        opens_at: DateTime<Utc>,
        closes_at: DateTime<Utc>,
    },
    /// Redis has had it, or may have: it is recovering, never new.
    Published,
}

impl Books {
    /// # Errors
    /// Where `database_url` cannot be parsed.
    pub fn new(database_url: &str) -> Result<Self, sqlx::Error> {
        let options = MySqlConnectOptions::from_str(database_url)?;
        let pool = |connections| {
            MySqlPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(FRONT_ACQUIRE_TIMEOUT)
                .connect_lazy_with(options.clone())
        };
        Ok(Self {
            pool: pool(FRONT_CONNECTIONS),
            witness: pool(2),
        })
    }

    /// # Errors
    /// Where MySQL does not answer.
    pub async fn look_up(&self, live: &LiveId) -> Result<Booked, sqlx::Error> {
        let found = match live {
            LiveId::Sale(id) => in_time(store::sale(&self.pool, id.as_str())).await?,
            LiveId::Coupon(id) => in_time(store::coupon(&self.pool, id.as_str())).await?,
        };
        Ok(
            found.map_or(Booked::Unknown, |row| match row.state.as_str() {
                "draft" => Booked::Draft {
                    title: row.title,
                    opens_at: row.opens_at,
                    closes_at: row.closes_at,
                },
                _ => Booked::Published,
            }),
        )
    }

    /// Whether the schema is the one that this program was written for.
    ///
    /// # Errors
    /// Where MySQL does not answer, or has no schema of ours at all.
    pub async fn is_migrated(&self) -> Result<bool, sqlx::Error> {
        Ok(store::schema_version(&self.pool).await? >= SCHEMA_VERSION)
    }

    /// What a commit is worth.
    ///
    /// # Errors
    /// Where MySQL does not answer.
    pub(crate) async fn durability(&self) -> Result<Durability, sqlx::Error> {
        in_time(store::durability(&self.pool)).await
    }

    /// Says that engine `id` is alive.
    ///
    /// # Errors
    /// Where MySQL does not answer.
    pub async fn sign_of_life(&self, id: Uuid) -> Result<(), sqlx::Error> {
        in_time(store::sign_of_life(&self.witness, id)).await
    }

    /// Says how far engine `id` has seen each sale, up to the start of Redis process `run_id`.
    ///
    /// # Errors
    /// Where MySQL does not answer; nothing is said then.
    pub async fn testify(
        &self,
        id: Uuid,
        run_id: &str,
        sightings: &[(LiveId, u32, u64)],
    ) -> Result<(), sqlx::Error> {
        let mut transaction = in_time(self.witness.begin()).await?;
        for chunk in sightings.chunks(100) {
            in_time(store::put_sightings(&mut transaction, id, chunk)).await?;
        }
        in_time(store::put_run_id(&mut transaction, id, run_id)).await?;
        in_time(transaction.commit()).await
    }

    /// Says how far some engine has seen these sales by now, should it not live to testify. One row a sale, for all engines.
    ///
    /// # Errors
    /// Where MySQL does not answer.
    pub async fn note_sightings(
        &self,
        sightings: &[(LiveId, u32, u64)],
    ) -> Result<(), sqlx::Error> {
        let mut transaction = in_time(self.witness.begin()).await?;
        for chunk in sightings.chunks(100) {
            in_time(store::raise_sightings(&mut transaction, chunk)).await?;
        }
        in_time(transaction.commit()).await
    }

    /// Adds to how many were told what.
    ///
    /// # Errors
    /// Where MySQL does not answer; whether it was added is not known then.
    pub(crate) async fn add_answers(&self, told: &[Told]) -> Result<(), sqlx::Error> {
        in_time(store::add_answers(&self.pool, told)).await
    }

    /// The rebuilds that wait for what engines remember, each with the number of its ask.
    ///
    /// # Errors
    /// Where MySQL does not answer.
    pub async fn open_asks(&self) -> Result<Vec<(LiveId, u32)>, sqlx::Error> {
        let rows = in_time(store::open_asks(&self.witness)).await?;
        let known = |(id, ask): (String, u32)| Some((LiveId::from_book_id(&id).ok()?, ask));
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// Hands `parts` over, in the place of what it handed over of this sale before. The first goes last: with it, all are there. Each is
    /// seen at once, so that nobody gives up on one who has much to tell.
    ///
    /// # Errors
    /// Where MySQL does not answer; not all is handed over then.
    pub async fn hand_over(
        &self,
        id: Uuid,
        live: &LiveId,
        ask: u32,
        parts: &[Vec<u8>],
    ) -> Result<(), sqlx::Error> {
        for (number, part) in (0..).zip(parts).skip(1) {
            let place = (ask, number);
            in_time(store::put_handover(&self.witness, id, live, place, part)).await?;
        }
        let mut transaction = in_time(self.witness.begin()).await?;
        in_time(store::drop_handover(&mut transaction, id, live, ask)).await?;
        if let Some(first) = parts.first() {
            let put = store::put_handover(&mut *transaction, id, live, (ask, 0), first);
            in_time(put).await?;
        }
        in_time(transaction.commit()).await
    }

    /// Says that engine `id` has left, so that nobody waits for its word.
    ///
    /// # Errors
    /// Where MySQL does not answer; its signs of life then run out by themselves.
    pub async fn leave(&self, id: Uuid) -> Result<(), sqlx::Error> {
        in_time(store::leave(&self.witness, id)).await
    }
}

/// The driver bounds the wait for a connection, not that for an answer on it.
async fn in_time<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(FRONT_QUERY_TIMEOUT, asked)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Whether the database, or our tables in it, are not there.
pub(crate) fn is_missing(error: &dyn sqlx::error::DatabaseError) -> bool {
    const NO_DATABASE: u16 = 1049;
    const NO_TABLE: u16 = 1146;
    let number = error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map(MySqlDatabaseError::number);
    matches!(number, Some(NO_DATABASE | NO_TABLE))
}
