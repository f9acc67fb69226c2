//! The emergency stop: pauses every published sale that is not over, many at once, and says what became of each. Called by its handler.

use doorbuster_core::gate::switch::Verb;
use serde::Serialize;
use tokio::task::JoinSet;
use utoipa::ToSchema;

use super::store;
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::Caller;
use crate::limits::PAUSE_ALL_AT_ONCE;
use crate::live::{Subject, switch};

/// What became of all sales.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct PausedAll {
    /// Sales that sell no more, those that did not before included
    #[schema(example = 1)]
    pub paused: usize,
    /// Sales that may still sell: repeat
    #[schema(example = 0)]
    pub failed: usize,
    pub sales: Vec<PausedSale>,
}

/// What became of one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PausedSale {
    #[schema(example = "drop-1")]
    pub id: String,
    pub result: PauseResult,
    /// Why it failed, where it did
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// One word of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PauseResult {
    Paused,
    AlreadyPaused,
    Closed,
    Failed,
}

/// # Errors
/// [`ApiError::Unavailable`] where the books cannot say which sales there are.
pub(crate) async fn pause_all(app: &App, caller: &Caller) -> Result<PausedAll, ApiError> {
    let mut waiting = store::current(&app.books).await?.into_iter();
    let mut under_way = JoinSet::new();
    let mut all = PausedAll::default();
    loop {
        while under_way.len() < PAUSE_ALL_AT_ONCE
            && let Some(subject) = waiting.next()
        {
            under_way.spawn(pause(app.clone(), caller.clone(), subject));
        }
        let Some(done) = under_way.join_next().await else {
            break;
        };
        all.sales
            .push(done.map_err(|panicked| ApiError::Internal(panicked.into()))?);
    }
    all.sales.sort_by(|a, b| a.id.cmp(&b.id));
    all.failed = all
        .sales
        .iter()
        .filter(|sale| sale.result == PauseResult::Failed)
        .count();
    all.paused = all.sales.len() - all.failed;
    Ok(all)
}

async fn pause(app: App, caller: Caller, subject: Subject) -> PausedSale {
    let id = subject.live.book_id();
    let (result, problem) = match switch::switch(&app, &caller, &subject, Verb::Pause).await {
        Ok(true) => (PauseResult::Paused, None),
        Ok(false) => (PauseResult::AlreadyPaused, None),
        Err(ApiError::Closed) => (PauseResult::Closed, None),
        Err(error) => (PauseResult::Failed, Some(error.problem())),
    };
    PausedSale {
        id,
        result,
        problem,
    }
}
