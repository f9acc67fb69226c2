//! What an operator's session does to the books during a drill: holds locks, ends other sessions. The drill's only SQL.

use std::time::Duration;

use anyhow::{Context, Result};
use doorbuster_core::ids::LiveId;
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection, Row};
use tokio::time::sleep;

/// As whom programs of ours come to the books.
pub(super) const USER: &str = "shop";
/// Sessions that there may be at once: usually, and when there is no room.
const CONNECTIONS_MAX: u32 = 151;
pub(super) const CONNECTIONS_FEW: usize = 10;
/// Bytes of a statement: usually, and when nothing fits.
const PACKET_BYTES: u32 = 16 * 1024 * 1024;
const PACKET_BYTES_FEW: u32 = 1_024;
/// Time for a writer to come and wait for the journal's end.
const CROSSED: Duration = Duration::from_millis(60);

/// A session of its own.
pub(super) struct Session(MySqlConnection);

impl Session {
    /// # Errors
    /// If the database cannot be reached.
    pub(super) async fn open(database_url: &str) -> Result<Self> {
        let connection = MySqlConnection::connect(database_url).await;
        Ok(Self(connection.context("the database cannot be reached")?))
    }

    /// Locks the cursor of `live` until the session ends.
    ///
    /// # Errors
    /// If it cannot be had.
    pub(super) async fn lock_cursor(&mut self, live: &LiveId) -> Result<()> {
        self.run("set session innodb_lock_wait_timeout = 20")
            .await?;
        self.run("begin").await?;
        let query = "-- lock\nselect seq from journal_cursor where sale_id = ? for update";
        sqlx::query(query)
            .bind(live.book_id())
            .fetch_one(&mut self.0)
            .await
            .context("lock the cursor")?;
        Ok(())
    }

    /// Nobody commits anything until the session ends.
    ///
    /// # Errors
    /// If it cannot be had.
    pub(super) async fn stop_commits(&mut self) -> Result<()> {
        self.run("flush tables with read lock").await
    }

    /// Makes the user as whom programs of ours come: one that may do what it likes with its own tables, and nothing to the server.
    ///
    /// # Errors
    /// If the server refuses.
    pub(super) async fn make_user(&mut self, database: &str) -> Result<()> {
        for host in ["127.0.0.1", "localhost"] {
            self.run(&format!("create user if not exists '{USER}'@'{host}'"))
                .await?;
            self.run(&format!("grant all on {database}.* to '{USER}'@'{host}'"))
                .await?;
        }
        Ok(())
    }

    /// What drills set wrong is as it was; for sessions that are opened from now on.
    ///
    /// # Errors
    /// If the server refuses.
    pub(super) async fn set_right(&mut self) -> Result<()> {
        self.run("set global read_only = 0").await?;
        self.run(&format!("set global max_connections = {CONNECTIONS_MAX}"))
            .await?;
        self.run(&format!("set global max_allowed_packet = {PACKET_BYTES}"))
            .await
    }

    /// Nobody but those who rule the server may write.
    ///
    /// # Errors
    /// If the server refuses.
    pub(super) async fn stop_writes(&mut self) -> Result<()> {
        self.run("set global read_only = 1").await
    }

    /// There is no room for another session, once more of them are open than this.
    ///
    /// # Errors
    /// If the server refuses.
    pub(super) async fn close_doors(&mut self) -> Result<()> {
        self.run(&format!("set global max_connections = {CONNECTIONS_FEW}"))
            .await
    }

    /// No statement of a new session may be longer than a page of text.
    ///
    /// # Errors
    /// If the server refuses.
    pub(super) async fn shrink_packets(&mut self) -> Result<()> {
        self.run(&format!(
            "set global max_allowed_packet = {PACKET_BYTES_FEW}"
        ))
        .await
    }

    /// Locks the end of the journal of `live`, and then its cursor: the other way round than a writer does, and with more to lose,
    /// so that it is the writer's transaction that is given up.
    ///
    /// # Errors
    /// If the locks cannot be had otherwise than by a deadlock.
    pub(super) async fn cross_writers(&mut self, live: &LiveId) -> Result<()> {
        self.run("create database if not exists drill").await?;
        self.run("create table if not exists drill.weights (n int) engine = innodb")
            .await?;
        self.run("begin").await?;
        self.run("insert into drill.weights select 1 from information_schema.columns limit 1000")
            .await?;
        let end = "-- end\nselect seq from journal where sale_id = ? and seq > ? for update";
        sqlx::query(end)
            .bind(live.book_id())
            .bind(u64::MAX >> 1)
            .fetch_all(&mut self.0)
            .await
            .context("lock the journal's end")?;
        sleep(CROSSED).await;
        let cursor = "-- lock\nselect seq from journal_cursor where sale_id = ? for update";
        let locked = sqlx::query(cursor)
            .bind(live.book_id())
            .fetch_one(&mut self.0)
            .await;
        match locked {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("40001") => {}
            locked => drop(locked.context("lock the cursor")?),
        }
        self.run("rollback").await
    }

    /// The last event of `epoch` that the books have, or that an engine has noted there.
    ///
    /// # Errors
    /// If it does not answer.
    pub(super) async fn noted(&mut self, live: &LiveId, epoch: u32) -> Result<u64> {
        let query = "-- noted
            select cast(greatest(c.seq, coalesce(max(s.seq), 0)) as unsigned)
            from journal_cursor c left join engine_sightings s on s.sale_id = c.sale_id and s.epoch = ?
            where c.sale_id = ? group by c.seq";
        let noted = sqlx::query_scalar(query).bind(epoch).bind(live.book_id());
        noted
            .fetch_one(&mut self.0)
            .await
            .context("what engines noted")
    }

    /// Deadlocks so far; `None` where the server does not count them there.
    ///
    /// # Errors
    /// If it does not answer.
    pub(super) async fn deadlocks(&mut self) -> Result<Option<u64>> {
        let query = "show global status like 'Innodb_deadlocks'";
        let row = sqlx::query(query).fetch_optional(&mut self.0).await?;
        let value: Option<String> = row.map(|row| row.try_get(1)).transpose()?;
        Ok(value.and_then(|value| value.parse().ok()))
    }

    /// Ends all sessions of programs of ours, in the middle of whatever they do.
    ///
    /// # Errors
    /// If the server does not say which there are.
    pub(super) async fn end_others(&mut self) -> Result<usize> {
        let query = "-- sessions\nselect id from information_schema.processlist where user = ?";
        let rows = sqlx::query(query).bind(USER).fetch_all(&mut self.0).await?;
        let mut ended = 0;
        for row in rows {
            let id: i64 = row.try_get("id")?;
            // Gone already, perhaps.
            ended += usize::from(self.run(&format!("kill {id}")).await.is_ok());
        }
        Ok(ended)
    }

    /// Ends it, with all its locks.
    pub(super) async fn end(self) {
        let _ = self.0.close().await;
    }

    async fn run(&mut self, statement: &str) -> Result<()> {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()))
            .execute(&mut self.0)
            .await
            .with_context(|| statement.to_owned())?;
        Ok(())
    }
}
