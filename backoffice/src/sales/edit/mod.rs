//! Edits of drafts: one transaction over the sale, its items, its line, its schedule and the audit log. Called by the handler of `sales`.
//!
//! The sale's row is locked first, as publishing it locks it: either the edit comes before, and whoever publishes an earlier version is told
//! so, or it is refused, because what is published stays as it is.

pub(crate) mod store;

use doorbuster_core::clock;
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnection;

use super::draft::Sale;
use super::schedule;
use super::store::StoredSale;
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::catalog::error::Refusal;
use crate::error::ApiError;
use crate::extract::Caller;
use crate::validate::Problems;

/// Makes the draft of this id what `sale` is, if it is still at `version`.
///
/// # Errors
/// [`ApiError::UnknownSale`], [`ApiError::NotDraft`], [`Refusal::VersionConflict`]; [`ApiError::InvalidFields`] where it would close before it is
/// to be published.
pub(crate) async fn update(
    app: &App,
    caller: &Caller,
    version: u32,
    sale: &Sale,
) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    let before = store::lock(&mut tx, &sale.id).await?;
    if before.published_at.is_some() {
        return Err(ApiError::NotDraft);
    }
    if before.version != version {
        let version = before.version;
        return Err(Refusal::VersionConflict { version }.into());
    }
    store::update(&mut tx, sale).await?;
    let (mut was, mut is) = (told(&before.sale), told(sale));
    if let Some((from, to)) = move_schedule(&mut tx, &before, sale).await? {
        was["publish_at"] = json!(from);
        is["publish_at"] = json!(to);
    }
    let change = Change {
        action: "sale.update",
        subject: before.subject().audit_name(),
        before: Some(was),
        after: Some(is),
    };
    audit_log::in_transaction(&mut tx, caller, change).await?;
    Ok(tx.commit().await?)
}

/// A schedule keeps its distance from the opening time, and whatever has kept it from being done so far is tried anew; one that was missed for good stays
/// so.
async fn move_schedule(
    tx: &mut MySqlConnection,
    before: &StoredSale,
    sale: &Sale,
) -> Result<Option<(String, String)>, ApiError> {
    let found = schedule::store::find(&mut *tx, &sale.id).await?;
    let Some(row) = found.filter(|row| row.done_at.is_none()) else {
        return Ok(None);
    };
    let publish_at = row.publish_at + (sale.opens_at - before.sale.opens_at);
    if publish_at >= sale.closes_at {
        let mut problems = Problems::default();
        problems.add("/closes_at", "must be after its scheduled publication");
        problems.none()?;
    }
    schedule::store::set(tx, &sale.id, publish_at).await?;
    let written = |at| clock::rfc3339(clock::to_ms(at));
    Ok(Some((written(row.publish_at), written(publish_at))))
}

/// What the audit log keeps: all that staff may choose.
fn told(sale: &Sale) -> Value {
    let written = |at| clock::rfc3339(clock::to_ms(at));
    let items: Vec<Value> = sale
        .items
        .iter()
        .map(|item| {
            json!({"sku": item.sku.as_str(), "title": item.title, "price": item.price, "stock": item.stock,
                "limit_per_user": item.limit_per_user})
        })
        .collect();
    json!({
        "title": sale.title, "opens_at": written(sale.opens_at), "closes_at": written(sale.closes_at),
        "hold_seconds": sale.hold_seconds, "payment_seconds": sale.payment_seconds, "line": sale.line, "items": items
    })
}
