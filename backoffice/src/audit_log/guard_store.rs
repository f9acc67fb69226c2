//! SQL of rights and triggers around the audit log. Called by `guard`. Names are parsed or our own, because identifiers cannot be bound.

use std::collections::HashSet;

use anyhow::{Result, ensure};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor as _, query_scalar};

use super::guard::Account;

pub(super) fn trigger_name(table: &str, event: &str) -> String {
    format!("{table}_no_{event}")
}

pub(super) async fn triggers(connection: &mut MySqlConnection) -> sqlx::Result<HashSet<String>> {
    let names: Vec<String> = query_scalar(
        "-- triggers\nselect cast(trigger_name as char) from information_schema.triggers where trigger_schema = database()",
    )
    .fetch_all(connection)
    .await?;
    Ok(names.into_iter().collect())
}

/// As plain text: a trigger cannot be prepared.
pub(super) async fn create_trigger(
    connection: &mut MySqlConnection,
    table: &str,
    event: &str,
) -> sqlx::Result<()> {
    let name = trigger_name(table, event);
    let statement = format!(
        "create trigger {name} before {event} on {table} for each row signal sqlstate '45000' set message_text = '{table} is append-only'"
    );
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statement)))
        .await
        .map(drop)
}

pub(super) async fn tables(connection: &mut MySqlConnection) -> sqlx::Result<Vec<String>> {
    query_scalar(
        "-- tables\nselect cast(table_name as char) from information_schema.tables
        where table_schema = database() and table_type = 'BASE TABLE' order by table_name",
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn grant(
    connection: &mut MySqlConnection,
    account: &Account,
    table: &str,
    rights: &str,
) -> sqlx::Result<()> {
    let Account { user, host } = account;
    let statement = format!("grant {rights} on `{table}` to '{user}'@'{host}'");
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statement)))
        .await
        .map(drop)
}

pub(super) async fn database(connection: &mut MySqlConnection) -> sqlx::Result<String> {
    query_scalar("-- database\nselect cast(database() as char)")
        .fetch_one(connection)
        .await
}

/// What the server says of an account or a role, line by line. The name is quoted.
pub(super) async fn grants(
    connection: &mut MySqlConnection,
    holder: &str,
) -> sqlx::Result<Vec<String>> {
    let statement = format!("show grants for {holder}");
    query_scalar(AssertSqlSafe(statement))
        .fetch_all(connection)
        .await
}

/// Whose rights everybody has: those of PUBLIC on MariaDB from 10.11 on, of mandatory roles on MySQL.
pub(super) async fn roles_of_all(connection: &mut MySqlConnection) -> Result<Vec<String>> {
    let version: String = query_scalar("-- roles_of_all\nselect cast(version() as char)")
        .fetch_one(&mut *connection)
        .await?;
    if version.contains("MariaDB") {
        // An older one, and one where nobody has given PUBLIC anything, know of no such grant.
        let has_public = connection.execute("show grants for public").await.is_ok();
        return Ok(Vec::from_iter(has_public.then(|| "public".to_owned())));
    }
    let roles: String = query_scalar("-- roles_of_all\nselect cast(@@mandatory_roles as char)")
        .fetch_one(connection)
        .await?;
    ensure!(
        roles.trim().is_empty(),
        "mandatory_roles gives everybody rights that cannot be judged: empty it, then run this again"
    );
    Ok(Vec::new())
}
