//! SQL around the migrations themselves, which are in `migrations/`. Called by `migrate`.

use std::collections::HashSet;

use anyhow::{Result, ensure};
use sqlx::migrate::Migrate as _;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{AssertSqlSafe, query, query_scalar};

use crate::limits::MIGRATE_LOCK_WAIT_S;

/// Where the migration library keeps its list.
const TABLE: &str = "_sqlx_migrations";

/// The name is one that needs no escaping: `config` has seen to it, because an identifier cannot be bound.
pub(crate) async fn create_database(
    connection: &mut MySqlConnection,
    name: &str,
) -> sqlx::Result<()> {
    let statement = format!(
        "-- create_database\ncreate database if not exists `{name}` character set utf8mb4 collate utf8mb4_bin"
    );
    query(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map(drop)
}

/// Waits its turn; the lock is the connection's, so a kill frees it.
pub(crate) async fn lock(connection: &mut MySqlConnection) -> Result<()> {
    let taken: Option<i64> = query_scalar("-- lock\nselect get_lock('doorbuster_migrate', ?)")
        .bind(MIGRATE_LOCK_WAIT_S)
        .fetch_one(connection)
        .await?;
    ensure!(
        taken == Some(1),
        "another migrate has been at work for {MIGRATE_LOCK_WAIT_S} s; try again when it is done"
    );
    Ok(())
}

pub(crate) async fn unlock(connection: &mut MySqlConnection) -> sqlx::Result<()> {
    let _: Option<i64> = query_scalar("-- unlock\nselect release_lock('doorbuster_migrate')")
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// Migrations that the database has.
pub(crate) async fn versions(connection: &mut MySqlConnection) -> Result<HashSet<i64>> {
    connection.ensure_migrations_table(TABLE).await?;
    let applied = connection.list_applied_migrations(TABLE).await?;
    Ok(applied
        .into_iter()
        .map(|migration| migration.version)
        .collect())
}

/// The newest migration that the database has in full.
pub(crate) async fn schema(books: &MySqlPool) -> sqlx::Result<Option<i64>> {
    query_scalar("-- schema\nselect max(version) from _sqlx_migrations where success")
        .fetch_one(books)
        .await
}
