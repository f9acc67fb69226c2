//! SQL of the audit log. Called by `audit_log`.

use doorbuster_core::clock;
use serde_json::Value;
use sqlx::mysql::MySqlExecutor;
use sqlx::query;

use super::Change;
use crate::extract::Caller;

pub(crate) async fn insert(
    books: impl MySqlExecutor<'_>,
    caller: &Caller,
    change: &Change,
) -> sqlx::Result<()> {
    query(
        "-- insert\ninsert into audit_log (at, actor, action, subject, request_id, before_state, after_state)
        values (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(clock::now().naive_utc())
    .bind(caller.user.as_str())
    .bind(change.action)
    .bind(&change.subject)
    .bind(caller.request_id.as_str())
    // As text: MariaDB has no JSON type on the wire.
    .bind(change.before.as_ref().map(Value::to_string))
    .bind(change.after.as_ref().map(Value::to_string))
    .execute(books)
    .await
    .map(drop)
}
