//! Keeps what this engine knows of revoked tokens as new as the stream in Redis, so that `front::auth` can tell without asking Redis.
//! A kill leaves nothing: the next start reads the stream in full before it lets anybody in.

use doorbuster_core::limits::{REVOCATIONS_EVERY, REVOCATIONS_RETRY};
use metrics::{counter, gauge};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::metrics as names;

/// Follows the stream until `stop`.
pub(crate) async fn follow(app: &App, stop: &CancellationToken) {
    loop {
        let pause = match app.revocations.follow(&app.gate).await {
            Ok(_) => REVOCATIONS_EVERY,
            Err(error) => {
                counter!(names::REVOCATION_ERRORS).increment(1);
                tracing::debug!(%error, "revocations could not be read");
                REVOCATIONS_RETRY
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "a count of people")]
        gauge!(names::REVOKED_USERS).set(app.revocations.len() as f64);
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
    }
}
