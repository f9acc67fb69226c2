//! What an operator's session does to the books during a drill: holds locks, ends other sessions. The drill's only SQL.

use anyhow::{Context, Result};
use doorbuster_core::ids::LiveId;
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection, Row};

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

    /// Ends all other sessions, in the middle of whatever they do.
    ///
    /// # Errors
    /// If the server does not say which there are.
    pub(super) async fn end_others(&mut self) -> Result<usize> {
        let query = "-- sessions\nselect id from information_schema.processlist where id <> connection_id() and user = 'root'";
        let rows = sqlx::query(query).fetch_all(&mut self.0).await?;
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
