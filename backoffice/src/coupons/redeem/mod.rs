//! Claims of coupons, used: each once, given back when its order comes to nothing, expired when its time is over. `store` is the SQL; here is the job.

pub(crate) mod store;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::limits::SWEEP_EVERY;

/// Notes what has expired, until `stop`. Any number of back-offices may: a coupon is noted once, all of its claims in one transaction.
pub(crate) async fn expire(app: App, stop: CancellationToken) {
    loop {
        match store::expire(&app.books).await {
            Ok(0) => {}
            Ok(claims) => tracing::info!(claims, "claims of coupons have expired"),
            Err(error) => tracing::warn!(%error, "expired claims of coupons could not be noted"),
        }
        if stop.run_until_cancelled(sleep(SWEEP_EVERY)).await.is_none() {
            return;
        }
    }
}
