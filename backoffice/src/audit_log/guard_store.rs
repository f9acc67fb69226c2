//! SQL of rights and triggers around the audit log. Called by `guard`. Names are parsed or our own, because identifiers cannot be bound.

use std::collections::HashSet;

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

/// Rights on the database or the server with which a table could be altered.
pub(super) async fn wide_rights(
    connection: &mut MySqlConnection,
    account: &Account,
) -> sqlx::Result<Vec<String>> {
    let grantee = format!("'{}'@'{}'", account.user, account.host);
    query_scalar(
        "-- wide_rights\nselect cast(privilege_type as char) as wide from information_schema.user_privileges
        where grantee = ? and privilege_type in ('UPDATE', 'DELETE', 'DROP', 'ALTER', 'TRIGGER', 'SUPER')
        union select cast(privilege_type as char) from information_schema.schema_privileges
        where grantee = ? and table_schema = database() and privilege_type in ('UPDATE', 'DELETE', 'DROP', 'ALTER', 'TRIGGER')",
    )
    .bind(&grantee)
    .bind(&grantee)
    .fetch_all(connection)
    .await
}
