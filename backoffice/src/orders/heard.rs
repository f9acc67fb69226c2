//! What the provider said of an attempt when it was asked, because it had told something by itself. Called by the inbox of webhooks.

use std::collections::HashSet;

use anyhow::Result;

use super::model::State;
use super::saga;
use crate::app::App;
use crate::payments::charge::{AttemptId, Found};

/// An order that waits for the provider's word is due at once: its saga asks again, and takes the answer by its usual way. So it does not matter
/// in which order, how often or how late anything is told.
///
/// False: it is to be told again, because its order has no place for it yet.
///
/// # Errors
/// Where MySQL does not answer; it is to be told again.
pub(crate) async fn heard(app: &App, attempt: AttemptId, found: Found) -> Result<bool> {
    if !matches!(
        found,
        Found::Captured { .. } | Found::Declined { .. } | Found::Voided
    ) {
        return Ok(true);
    }
    let Some((order, is_booked)) =
        saga::attempts::store::of_attempt(&app.books, attempt.uuid()).await?
    else {
        // Of another shop that has the same provider.
        tracing::warn!(%attempt, found = found.word(), "the provider told of an attempt that is none of ours");
        return Ok(true);
    };
    let is_news = matches!(found, Found::Captured { .. }) && !is_booked;
    match saga::store::stand(&app.books, order).await? {
        Some((State::Charging, tries)) if tries > 0 => {
            saga::store::hasten(&app.books, order).await?;
            app.saga.wake();
            return Ok(!is_news);
        }
        // Called off, and captured all the same: nobody would give it back.
        Some((State::Cancelled, _)) if is_news => saga::stray(app, order, &found).await?,
        // Being charged, called off, or with a person: when that has come to an end it is known, or given back.
        Some((State::Charging | State::Undoing | State::Parked, _)) if is_news => return Ok(false),
        _ => {}
    }
    Ok(true)
}

/// Those of the attempts of which nothing new can be heard. One statement for all, so that most webhooks cost no question.
///
/// # Errors
/// Where MySQL does not answer.
pub(crate) async fn noted(app: &App, attempts: &[AttemptId]) -> sqlx::Result<HashSet<AttemptId>> {
    let ids: Vec<_> = attempts.iter().map(|attempt| attempt.uuid()).collect();
    let noted = saga::attempts::store::noted(&app.books, &ids).await?;
    Ok(noted.into_iter().map(AttemptId::new).collect())
}
