//! Brings the database's tables up to date. Called by `main`, and by /readyz to tell whether they are.
//!
//! Any number may run at once: the migration library's own lock does nothing on MariaDB, so one of ours is taken on the very
//! connection that migrates. DDL commits by itself; a kill leaves a prefix of the migrations, and the next run does the rest.

pub(crate) mod store;

use std::fmt;

use anyhow::{Context as _, Result};
use serde::Serialize;
use sqlx::migrate::Migrator;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions as _, Connection as _};

pub(crate) use store::schema;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// MySQL's number for a database that is not there.
const UNKNOWN_DATABASE: u16 = 1049;

/// What a run did.
#[derive(Debug, Serialize)]
pub struct Migrated {
    pub database: String,
    /// Migrations that this run applied, in order.
    pub applied: Vec<Applied>,
    /// The newest one that the database has now.
    pub schema: i64,
}

/// One migration.
#[derive(Debug, Serialize)]
pub struct Applied {
    pub version: i64,
    pub name: String,
}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Applied { version, name } in &self.applied {
            writeln!(f, "applied {version:04} {name}")?;
        }
        let Self {
            database,
            schema,
            applied,
        } = self;
        write!(
            f,
            "{database} has schema {schema}; {} migrations applied now",
            applied.len()
        )
    }
}

/// The newest migration of this program.
pub(crate) fn newest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// # Errors
/// What MySQL says, another run that takes longer than a minute, or a database that a newer version has migrated.
pub async fn migrate(options: MySqlConnectOptions) -> Result<Migrated> {
    let database = options.get_database().unwrap_or_default().to_owned();
    let mut connection = connect(options, &database).await?;
    store::lock(&mut connection).await?;
    let applied = apply(&mut connection).await;
    store::unlock(&mut connection).await?;
    let applied = applied.with_context(|| format!("migrating {database}"))?;
    connection.close().await?;
    Ok(Migrated {
        database,
        applied,
        schema: newest(),
    })
}

/// Connects, creating the database first where it is missing: an account that may not create one needs no right to.
async fn connect(options: MySqlConnectOptions, database: &str) -> Result<MySqlConnection> {
    match options.connect().await {
        Err(sqlx::Error::Database(e)) if number(e.as_ref()) == Some(UNKNOWN_DATABASE) => {
            // Every account may look into this one, and it is always there.
            let mut server = options
                .clone()
                .database("information_schema")
                .connect()
                .await
                .context("connecting to MySQL")?;
            store::create_database(&mut server, database)
                .await
                .with_context(|| format!("creating {database}"))?;
            server.close().await?;
            options
                .connect()
                .await
                .with_context(|| format!("connecting to {database}"))
        }
        other => other.with_context(|| format!("connecting to {database}")),
    }
}

fn number(error: &dyn sqlx::error::DatabaseError) -> Option<u16> {
    error
        .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
        .map(sqlx::mysql::MySqlDatabaseError::number)
}

async fn apply(connection: &mut MySqlConnection) -> Result<Vec<Applied>> {
    let before = store::versions(connection).await?;
    let mut migrator = Migrator {
        migrations: MIGRATIONS.migrations.clone(),
        ..Migrator::DEFAULT
    };
    migrator.set_locking(false);
    migrator.run(&mut *connection).await?;
    let applied = MIGRATIONS
        .iter()
        .filter(|migration| !before.contains(&migration.version));
    Ok(applied
        .map(|migration| Applied {
            version: migration.version,
            name: migration.description.to_string(),
        })
        .collect())
}
