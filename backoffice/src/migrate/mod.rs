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

use crate::audit_log::guard;
use crate::config::Migrate;
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
    /// Rows of the audit log that were older than its chain, and are in it now.
    pub audit_rows_linked: u64,
    /// Whether triggers refuse to alter the audit log, beside the rights of accounts.
    pub audit_triggers: bool,
    /// The account that was given the programs' rights.
    pub granted_to: Option<String>,
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
            ..
        } = self;
        if let Some(account) = &self.granted_to {
            writeln!(f, "{account} may do what the programs do")?;
        }
        if !self.audit_triggers {
            writeln!(
                f,
                "this account may not create triggers here, so rights alone keep the audit log as it is"
            )?;
        }
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
/// What MySQL says, another run that takes longer than a minute, a database that a newer version has migrated, or an account that has
/// too many rights.
pub async fn migrate(request: &Migrate) -> Result<Migrated> {
    let options = request.database.options()?;
    let database = options.get_database().unwrap_or_default().to_owned();
    let mut connection = connect(options, &database).await?;
    store::lock(&mut connection).await?;
    let done = bring_up(&mut connection, request).await;
    store::unlock(&mut connection).await?;
    let done = done.with_context(|| format!("migrating {database}"))?;
    connection.close().await?;
    Ok(Migrated { database, ..done })
}

/// Tables first, then what keeps the audit log as it is.
async fn bring_up(connection: &mut MySqlConnection, request: &Migrate) -> Result<Migrated> {
    let applied = apply(connection).await?;
    let audit_rows_linked = guard::link_older_rows(connection).await?;
    let audit_triggers = guard::set_triggers(connection).await?;
    if let Some(account) = &request.grant_to {
        guard::grant(connection, account).await?;
    }
    Ok(Migrated {
        database: String::new(),
        applied,
        schema: newest(),
        audit_rows_linked,
        audit_triggers,
        granted_to: request.grant_to.as_ref().map(ToString::to_string),
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
