//! Settles one letter: in one transaction under the cursor's lock, so that no writer is at work on the sale meanwhile.

use serde_json::json;

use super::id::LetterId;
use super::store;
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::live::store::lock_cursor;
use crate::projection::{self, Failed};

/// What a person wants of a letter.
#[derive(Debug)]
pub(super) enum Wish {
    Retry,
    /// If it cannot be applied even now.
    Discard {
        reason: String,
    },
}

/// How a case ended.
const APPLIED: &str = "applied";
const DISCARDED: &str = "discarded";

/// What a try came to.
enum Tried {
    /// By this try, or before.
    Settled(String),
    Refused(String),
}

/// # Errors
/// [`ApiError::UnknownDeadLetter`]; [`ApiError::StillRefused`] where it stays open.
pub(super) async fn settle(
    app: &App,
    caller: &Caller,
    id: &LetterId,
    wish: &Wish,
) -> Result<String, ApiError> {
    match attempt(app, caller, id).await? {
        Tried::Settled(outcome) => Ok(outcome),
        Tried::Refused(error) => refused(app, caller, id, wish, error).await,
    }
}

async fn attempt(app: &App, caller: &Caller, id: &LetterId) -> Result<Tried, ApiError> {
    let mut tx = app.books.begin().await?;
    lock_cursor(&mut tx, &id.live).await?;
    let Some(letter) = store::lock(&mut tx, id).await? else {
        let outcome = store::outcome(&mut tx, id).await?;
        return outcome
            .map(Tried::Settled)
            .ok_or(ApiError::UnknownDeadLetter);
    };
    match projection::apply(&mut tx, &id.live, id.seq).await {
        Ok(()) => {}
        Err(Failed::Data(why)) => {
            tx.rollback().await?;
            return Ok(Tried::Refused(why));
        }
        Err(Failed::Server(error)) => return Err(error.into()),
    }
    let end = store::End {
        outcome: APPLIED,
        reason: None,
        actor: caller.user.as_str(),
    };
    store::close(&mut tx, id, &letter, &end).await?;
    let change = Change {
        action: "dead_letter.retry",
        subject: id.live.tag(),
        before: Some(json!({"seq": id.seq, "error": letter.error})),
        after: Some(json!({"seq": id.seq, "outcome": APPLIED})),
    };
    audit_log::in_transaction(&mut tx, caller, change).await?;
    tx.commit().await?;
    Ok(Tried::Settled(APPLIED.to_owned()))
}

/// In a transaction of its own: the try's is rolled back.
async fn refused(
    app: &App,
    caller: &Caller,
    id: &LetterId,
    wish: &Wish,
    error: String,
) -> Result<String, ApiError> {
    let mut tx = app.books.begin().await?;
    let Some(letter) = store::lock(&mut tx, id).await? else {
        let outcome = store::outcome(&mut tx, id).await?;
        return outcome.ok_or(ApiError::UnknownDeadLetter);
    };
    store::tried(&mut tx, id, &letter, &error, caller.user.as_str()).await?;
    let (action, after) = match wish {
        Wish::Retry => (
            "dead_letter.retry",
            json!({"seq": id.seq, "outcome": "refused", "error": error}),
        ),
        Wish::Discard { reason } => {
            let end = store::End {
                outcome: DISCARDED,
                reason: Some(reason),
                actor: caller.user.as_str(),
            };
            store::close(&mut tx, id, &letter, &end).await?;
            (
                "dead_letter.discard",
                json!({"seq": id.seq, "outcome": DISCARDED, "reason": reason}),
            )
        }
    };
    let change = Change {
        action,
        subject: id.live.tag(),
        before: Some(json!({"seq": id.seq, "error": letter.error})),
        after: Some(after),
    };
    audit_log::in_transaction(&mut tx, caller, change).await?;
    tx.commit().await?;
    match wish {
        Wish::Retry => Err(ApiError::StillRefused(error)),
        Wish::Discard { .. } => Ok(DISCARDED.to_owned()),
    }
}
