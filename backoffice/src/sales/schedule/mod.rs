//! Sales that open by themselves: staff says so once, and a back-office publishes the draft ahead of its opening time. Called by its handlers,
//! and by `server` for the loop.
//!
//! Any number of back-offices look every second; a due row is taken by a guarded update, so exactly one acts, and is taken again by
//! another when that one died. What it does is what `open` does, every step of which may be repeated, and it is published and
//! written into the audit log in one transaction: so even two that act would leave one publication and one row. All times are MySQL's, so that
//! clocks of back-offices do not matter. A run that was missed, because nobody ran, is made up for by the first who does.

pub(crate) mod store;

use std::time::Duration;

use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{SaleId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::store::StoredSale;
use super::{edit, launch};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::catalog::error::Refusal;
use crate::error::ApiError;
use crate::extract::{Caller, RequestId};
use crate::limits::{
    PUBLISH_LEAD, SCHEDULE_AT_ONCE, SCHEDULE_EVERY, SCHEDULE_LEASE, SCHEDULE_PAUSE_MAX,
    WORK_TIMEOUT,
};
use crate::live;
use crate::validate::Problems;
use store::Due;

/// Who the audit log says it was.
pub(crate) const ACTOR: &str = "scheduler";

/// When a draft is to be published.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"publish_at": "2030-01-01T09:50:00Z"}))]
pub(crate) struct ScheduleBody {
    /// From then on buyers see it, and those of a waiting room may join; it sells from its opening time on. Absent: ten minutes before that, or now
    /// where that has passed
    #[serde(default)]
    pub publish_at: Option<DateTime<Utc>>,
}

/// A schedule, and what has become of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScheduleView {
    #[schema(format = DateTime)]
    pub publish_at: String,
    /// Null: not yet
    #[schema(format = DateTime)]
    pub done_at: Option<String>,
    /// How often it was tried
    #[schema(example = 0)]
    pub tries: u32,
    /// Code of the problem that kept it from being done; null where there is none
    pub problem: Option<String>,
}

/// Writes it down, in the place of an earlier one. A sale that is published already stays as it is.
///
/// # Errors
/// [`ApiError::UnknownSale`], [`ApiError::Closed`] where the sale's time is over, [`ApiError::InvalidFields`] where the time does not fit it.
pub(crate) async fn set(
    app: &App,
    caller: &Caller,
    id: &SaleId,
    body: &ScheduleBody,
) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    // Locked, so that no edit moves the opening time from under it.
    let stored = edit::store::lock(&mut tx, id).await?;
    if stored.published_at.is_some() {
        return Ok(());
    }
    if stored.subject().window.is_over(clock::now_ms()) {
        return Err(ApiError::Closed);
    }
    let publish_at = body.publish_at.unwrap_or_else(|| usual(&stored));
    if publish_at >= stored.sale.closes_at {
        let mut problems = Problems::default();
        problems.add("/publish_at", "must be before the closing time");
        problems.none()?;
    }
    let before = store::find(&mut *tx, id).await?;
    store::set(&mut tx, id, publish_at).await?;
    let written = |at| json!({"publish_at": clock::rfc3339(clock::to_ms(at))});
    let change = Change {
        action: "sale.schedule",
        subject: stored.subject().audit_name(),
        before: before.map(|before| written(before.publish_at)),
        after: Some(written(publish_at)),
    };
    audit_log::in_transaction(&mut tx, caller, change).await?;
    Ok(tx.commit().await?)
}

fn usual(stored: &StoredSale) -> DateTime<Utc> {
    let lead = TimeDelta::from_std(PUBLISH_LEAD).unwrap_or_default();
    (stored.sale.opens_at - lead).max(clock::now())
}

/// Takes it back. What has been done already stays done.
///
/// # Errors
/// [`ApiError::Unavailable`] where MySQL does not answer.
pub(crate) async fn unset(app: &App, caller: &Caller, stored: &StoredSale) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    // Locked, so that no edit writes down anew what is taken back here.
    edit::store::lock(&mut tx, &stored.sale.id).await?;
    let before = store::find(&mut *tx, &stored.sale.id).await?;
    if !store::unset(&mut tx, &stored.sale.id).await? {
        return Ok(());
    }
    let change = Change {
        action: "sale.unschedule",
        subject: stored.subject().audit_name(),
        before: before
            .map(|before| json!({"publish_at": clock::rfc3339(clock::to_ms(before.publish_at))})),
        after: None,
    };
    audit_log::in_transaction(&mut tx, caller, change).await?;
    Ok(tx.commit().await?)
}

/// # Errors
/// [`ApiError::Unavailable`] where MySQL does not answer.
pub(crate) async fn view(app: &App, id: &SaleId) -> Result<Option<ScheduleView>, ApiError> {
    let written = |at| clock::rfc3339(clock::to_ms(at));
    let row = store::find(&app.books, id).await?;
    Ok(row.map(|row| ScheduleView {
        publish_at: written(row.publish_at),
        done_at: row.done_at.map(written),
        tries: row.tries,
        problem: row.problem,
    }))
}

/// Publishes what is due, until told to stop. What is under way when the program drains is waited for with the requests.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    while !app.is_draining() {
        match store::due(&app.books, SCHEDULE_AT_ONCE).await {
            Ok(due) => {
                for due in due {
                    let act = timeout(WORK_TIMEOUT, act(app.clone(), due));
                    let _ = app.work.spawn(act).await;
                }
            }
            Err(error) => tracing::debug!(%error, "what is scheduled could not be seen"),
        }
        if stop
            .run_until_cancelled(sleep(SCHEDULE_EVERY))
            .await
            .is_none()
        {
            return;
        }
    }
}

async fn act(app: App, due: Due) {
    match store::take(&app.books, &due.sale, SCHEDULE_LEASE).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            tracing::debug!(%error, sale = %due.sale, "a scheduled sale could not be taken");
            return;
        }
    }
    let noted = match publish(&app, &due.sale).await {
        Ok(true) => store::done(&app.books, &due.sale, None).await,
        // Edited at this very moment: the edit has made the schedule due anew, or put it off.
        Ok(false) | Err(ApiError::Catalog(Refusal::VersionConflict { .. })) => return,
        // Its whole window was missed: nothing can be made up for.
        Err(error @ ApiError::Closed) => {
            tracing::warn!(sale = %due.sale, "a scheduled sale was not opened: its time is over");
            store::done(&app.books, &due.sale, Some(error.code())).await
        }
        Err(error) => {
            tracing::warn!(sale = %due.sale, %error, "a scheduled sale could not be opened, and will be tried again");
            store::failed(&app.books, &due.sale, error.code(), pause(due.tries)).await
        }
    };
    if let Err(error) = noted {
        tracing::debug!(%error, sale = %due.sale, "what became of a scheduled sale could not be noted; it is tried again");
    }
}

/// Whether it was: not where somebody has taken the schedule back, or put it off, since it was taken.
async fn publish(app: &App, id: &SaleId) -> Result<bool, ApiError> {
    let stored = launch::ready(app, id).await?;
    if !store::is_due(&app.books, id).await? {
        return Ok(false);
    }
    live::publish::open(app, &caller()?, &launch::launch(&stored)).await?;
    Ok(true)
}

fn caller() -> Result<Caller, ApiError> {
    Ok(Caller {
        user: UserId::parse(ACTOR).map_err(|e| ApiError::Internal(e.into()))?,
        request_id: RequestId::of(&HeaderMap::new()),
        is_admin: false,
    })
}

/// Doubles with each try.
fn pause(tries: u32) -> Duration {
    SCHEDULE_EVERY
        .saturating_mul(1 << tries.min(16))
        .min(SCHEDULE_PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_tries_double_up_to_a_bound() {
        assert_eq!(pause(0), SCHEDULE_EVERY);
        assert_eq!(pause(2), SCHEDULE_EVERY * 4);
        assert_eq!(pause(u32::MAX), SCHEDULE_PAUSE_MAX);
    }

    #[test]
    fn the_scheduler_has_a_name_that_the_audit_log_takes() {
        assert_eq!(caller().unwrap().user.as_str(), ACTOR);
    }
}
