//! This engine's testimony: how far it had seen every sale before the Redis process changed.
//!
//! After a restart, restore or promotion, a writer vouches for Redis only when each engine that is alive has testified
//! for the new process, and none has seen more than Redis now holds (design §5). The testimony is complete because it
//! waits for every script call that was under way. A kill between any two lines leaves an older testimony or none; the
//! writer then waits until this engine's signs of life run out.

use doorbuster_core::clock;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::limits::{HEARTBEAT_EVERY, WITNESS_EVERY};

/// Watches Redis and testifies until told to stop, then leaves.
pub(crate) async fn watch(app: &App, stop: &CancellationToken) {
    let mut testified_for = String::new();
    let mut last_sign = None;
    while !stop.is_cancelled() {
        if last_sign.is_none_or(|at: std::time::Instant| at.elapsed() >= HEARTBEAT_EVERY) {
            match app.books.sign_of_life(app.engine_id).await {
                Ok(()) => last_sign = Some(clock::instant()),
                Err(e) => tracing::debug!(error = %e, "no sign of life could be given"),
            }
        }
        if let Ok(run_id) = app.gate.run_id().await
            && !run_id.is_empty()
            && run_id != testified_for
            && testify(app, &run_id).await
        {
            testified_for = run_id;
        }
        let _ = stop
            .run_until_cancelled(tokio::time::sleep(WITNESS_EVERY))
            .await;
    }
    if let Err(e) = app.books.leave(app.engine_id).await {
        tracing::debug!(error = %e, "could not say that this engine leaves");
    }
}

async fn testify(app: &App, run_id: &str) -> bool {
    let sightings = app.gate.settled_sightings().await;
    match app.books.testify(app.engine_id, run_id, &sightings).await {
        Ok(()) => {
            tracing::info!(
                run_id,
                sales = sightings.len(),
                "testified to what was seen before this redis process"
            );
            true
        }
        Err(e) => {
            tracing::warn!(error = %e, run_id, "could not testify; sales wait for it");
            false
        }
    }
}
