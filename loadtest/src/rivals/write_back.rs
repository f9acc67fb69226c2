//! Writes the stock that Redis has to MySQL, every so often, as the absolute number that it is: cheap, and wrong as soon as
//! two do it, or Redis forgets. Started by `redis_lock`; ends with it.

use std::sync::Arc;

use anyhow::Result;
use fred::interfaces::KeysInterface;
use sqlx::mysql::MySqlConnection;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::pool::Pool;
use super::tables;
use super::way::Trouble;
use crate::limits::RIVAL_WRITE_BACK_EVERY;

pub(crate) struct WriteBack {
    books: Arc<Pool>,
    /// Aborted when this goes.
    _task: JoinSet<()>,
}

impl WriteBack {
    pub(crate) async fn start(
        redis: Arc<fred::clients::Pool>,
        key: &'static str,
        database_url: &str,
    ) -> Result<Self> {
        let books = Arc::new(tables::open(database_url, 1).await?);
        let mut task = JoinSet::new();
        task.spawn(write_back(redis, key, Arc::clone(&books)));
        Ok(Self { books, _task: task })
    }

    pub(crate) async fn reset(&self, stock: i64) -> Result<(), Trouble> {
        put(&self.books, stock).await
    }

    /// What MySQL was told last.
    pub(crate) async fn last(&self) -> Result<Option<i64>, Trouble> {
        let sql = "-- last
            select left_units from rival_written_back where shelf = 1";
        let read = async |connection: &mut MySqlConnection| {
            sqlx::query_scalar(sql).fetch_optional(connection).await
        };
        Ok(self.books.run(read).await?)
    }
}

async fn write_back(redis: Arc<fred::clients::Pool>, key: &'static str, books: Arc<Pool>) {
    let mut ticks = interval(RIVAL_WRITE_BACK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut written = None;
    loop {
        ticks.tick().await;
        match write_once(&redis, key, &books, written).await {
            Ok(left) => written = left,
            Err(error) => eprintln!("write-back: {error}"),
        }
    }
}

async fn write_once(
    redis: &fred::clients::Pool,
    key: &'static str,
    books: &Pool,
    written: Option<i64>,
) -> Result<Option<i64>, Trouble> {
    let left: Option<i64> = redis.next().get(key).await?;
    if let Some(left) = left.filter(|left| written != Some(*left)) {
        put(books, left).await?;
    }
    Ok(left)
}

async fn put(books: &Pool, left: i64) -> Result<(), Trouble> {
    let sql = "-- put
        replace into rival_written_back (shelf, left_units) values (1, ?)";
    let write = async |connection: &mut MySqlConnection| {
        sqlx::query(sql).bind(left).execute(connection).await
    };
    Ok(books.run(write).await.map(drop)?)
}
