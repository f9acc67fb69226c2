//! Who changed what. A change in MySQL has its row in the same transaction; a change in Redis has it right after the script.
//!
//! A crash right after a script loses the row, never the change: the sale's journal has every change of a sale by itself.

pub(crate) mod store;

use serde_json::Value;
use sqlx::mysql::MySqlConnection;

use crate::app::App;
use crate::extract::Caller;
use crate::metrics;

/// One change.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) action: &'static str,
    /// e.g. `sale:drop-1`.
    pub(crate) subject: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// # Errors
/// What MySQL says; the caller's transaction fails with it.
pub(crate) async fn in_transaction(
    tx: &mut MySqlConnection,
    caller: &Caller,
    change: Change,
) -> sqlx::Result<()> {
    store::insert(&mut *tx, caller, &change).await?;
    note(caller, &change);
    Ok(())
}

/// The script has changed Redis already, so a row that cannot be written is logged in full, and is no reason to tell the
/// client that nothing was done.
pub(crate) async fn after_script(app: &App, caller: &Caller, change: Change) {
    note(caller, &change);
    if let Err(error) = store::insert(&app.books, caller, &change).await {
        metrics::audit_failure();
        tracing::error!(%error, actor = %caller.user, request_id = caller.request_id.as_str(), ?change, "a change is missing in the audit log");
    }
}

fn note(caller: &Caller, change: &Change) {
    metrics::change(change.action);
    let (action, subject, request_id) =
        (change.action, &change.subject, caller.request_id.as_str());
    tracing::info!(action, subject, actor = %caller.user, request_id, "{action} {subject}");
}
