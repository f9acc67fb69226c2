//! Who changed what. A change in MySQL has its row in the same transaction; a change in Redis has it right after the script.
//!
//! A crash right after a script loses the row, never the change: the sale's journal has every change of a sale by itself.
//! Rows are chained by their hashes (`chain`), and nobody alters them (`guard`), so a row names people by their ids alone: erasing a person
//! never has to touch it. `check` holds the whole log against its chain, `page` shows it to staff.

pub(crate) mod chain;
pub mod check;
pub mod guard;
mod guard_store;
pub(crate) mod page;
mod rights;
pub(crate) mod store;

use doorbuster_core::clock;
use serde_json::Value;
use sqlx::mysql::MySqlConnection;

use crate::app::App;
use crate::extract::Caller;
use crate::metrics;
use chain::Row;

/// One change.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) action: &'static str,
    /// e.g. `sale:drop-1`.
    pub(crate) subject: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// Locks the end of the chain until the transaction ends, so it stands right before the commit, behind all other locks.
///
/// # Errors
/// What MySQL says; the caller's transaction fails with it.
pub(crate) async fn in_transaction(
    tx: &mut MySqlConnection,
    caller: &Caller,
    change: Change,
) -> sqlx::Result<()> {
    append(&mut *tx, caller, &change).await?;
    note(caller, &change);
    Ok(())
}

/// The script has changed Redis already, so a row that cannot be written is logged in full, and is no reason to tell the
/// client that nothing was done.
pub(crate) async fn after_script(app: &App, caller: &Caller, change: Change) {
    note(caller, &change);
    let written = async {
        let mut tx = app.books.begin().await?;
        append(&mut tx, caller, &change).await?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        metrics::audit_failure();
        tracing::error!(%error, actor = %caller.user, request_id = caller.request_id.as_str(), ?change, "a change is missing in the audit log");
    }
}

async fn append(tx: &mut MySqlConnection, caller: &Caller, change: &Change) -> sqlx::Result<()> {
    let head = store::lock_head(&mut *tx).await?;
    let mut row = Row {
        id: 0,
        at: chain::to_the_microsecond(clock::now()),
        actor: caller.user.to_string(),
        action: change.action.to_owned(),
        subject: change.subject.clone(),
        request_id: caller.request_id.as_str().to_owned(),
        before: change.before.clone(),
        after: change.after.clone(),
    };
    row.id = store::insert(&mut *tx, &row).await?;
    let link = head.link(&row);
    store::append_link(&mut *tx, &link).await?;
    store::move_head(tx, &link.head()).await
}

fn note(caller: &Caller, change: &Change) {
    metrics::change(change.action);
    let (action, subject, request_id) =
        (change.action, &change.subject, caller.request_id.as_str());
    tracing::info!(action, subject, actor = %caller.user, request_id, "{action} {subject}");
}
