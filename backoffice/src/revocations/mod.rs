//! Revocations: MySQL knows each user's generation, Redis tells the engines (`core::revocations`), and this keeps the two together.
//!
//! A generation is raised in the transaction that ends something. Right after it Redis is told; what that misses, because Redis was away or this process
//! died, any back-office makes up for twice a second. A Redis that started anew is compared with the books, and told again what it lost.

pub(crate) mod store;

use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_core::limits::{REVOCATIONS_EVERY, REVOCATIONS_KEPT, REVOCATIONS_RETRY};
use doorbuster_core::revocations::Revocations;
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiError;

/// From which generation on tokens of a user are good. Who signs them here need not know; a shop that signs its own does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revoked {
    #[schema(example = "ann")]
    pub user: String,
    /// The lowest `gen` of a token that is good
    #[schema(example = 1)]
    pub generation: u64,
}

impl Revoked {
    pub(crate) fn new(user: &UserId, generation: u64) -> Self {
        Self {
            user: user.to_string(),
            generation,
        }
    }
}

/// Tells Redis now.
///
/// # Errors
/// Where it could not be told; it will be within half a second of its return.
pub(crate) async fn publish(app: &App, user: &UserId, generation: u64) -> Result<(), ApiError> {
    app.revocations.learn(user, generation);
    app.gate.revoke(user, generation).await?;
    store::set_published(&app.books, user, generation).await?;
    Ok(())
}

/// The same, where the caller's work is done whether or not Redis can be told at once.
pub(crate) async fn publish_later(app: &App, user: &UserId, generation: u64) {
    if let Err(error) = publish(app, user, generation).await {
        tracing::warn!(%error, %user, "redis could not be told of a revocation yet");
    }
}

/// Keeps what this process knows as new as Redis, and Redis as new as the books, until `stop`.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    let mut compared_with = String::new();
    loop {
        let pause = match step(&app, &mut compared_with).await {
            Ok(()) => REVOCATIONS_EVERY,
            Err(error) => {
                tracing::debug!(
                    error = format!("{error:#}"),
                    "revocations could not be followed"
                );
                REVOCATIONS_RETRY
            }
        };
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
    }
}

async fn step(app: &App, compared_with: &mut String) -> anyhow::Result<()> {
    let was_read_anew = app.revocations.follow(&app.gate).await?;
    let run_id = app.gate.run_id().await?;
    if was_read_anew || run_id != *compared_with {
        compared_with.clear();
        restore(app).await?;
        *compared_with = run_id;
    }
    for (user, generation) in store::unpublished(&app.books).await? {
        app.gate.revoke(&user, generation).await?;
        store::set_published(&app.books, &user, generation).await?;
    }
    Ok(())
}

/// Tells Redis whatever the books have of the last day and it has not.
async fn restore(app: &App) -> anyhow::Result<()> {
    let there = Revocations::default();
    there.follow(&app.gate).await?;
    let since = clock::now() - REVOCATIONS_KEPT;
    let (mut after, mut restored) = (None, 0_u32);
    loop {
        let rows = store::raised(&app.books, since, after.as_ref()).await?;
        for (user, generation) in &rows {
            if !there.is_revoked(user, generation.saturating_sub(1)) {
                app.gate.revoke(user, *generation).await?;
                restored += 1;
            }
        }
        match rows.into_iter().next_back() {
            Some((last, _)) => after = Some(last),
            None => break,
        }
    }
    if restored > 0 {
        tracing::info!(restored, "redis was told again of {restored} revocations");
    }
    Ok(())
}

/// Whether tokens of this generation are revoked, where Redis has not been read lately: the books know. They are asked for as long as
/// Redis would remember, so that the answer is the same with and without it; no token lives longer.
///
/// # Errors
/// Where MySQL does not answer either.
pub(crate) async fn is_revoked_in_books(
    app: &App,
    user: &UserId,
    generation: u64,
) -> Result<bool, ApiError> {
    let since = clock::now() - REVOCATIONS_KEPT;
    Ok(generation < store::generation_since(&app.books, user, since).await?)
}
