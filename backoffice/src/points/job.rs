//! Takes away points that have expired, and holds balances against their entries. Any number of back-offices may: each account is locked
//! while it is looked at, and a cause is posted once.

use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_core::money::Currency;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::expiry::lost;
use super::store::{self, Entry, Kind};
use crate::app::App;
use crate::error::ApiError;
use crate::limits::{POINTS_CHECK_EVERY, POINTS_CHECK_ROWS, SWEEP_EVERY, SWEEP_ROWS_MAX};
use crate::metrics;

/// Until `stop`.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    let mut check_at = Instant::now();
    loop {
        if let Err(error) = expire(&app).await {
            tracing::warn!(%error, "points that have expired could not be taken away");
        }
        if Instant::now() >= check_at {
            check_at = Instant::now() + POINTS_CHECK_EVERY;
            if let Err(error) = check(&app).await {
                tracing::warn!(%error, "balances of points could not be checked");
            }
        }
        if stop.run_until_cancelled(sleep(SWEEP_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn expire(app: &App) -> Result<(), ApiError> {
    for (user, currency) in store::expiring(&app.books, SWEEP_ROWS_MAX).await? {
        expire_of(app, &user, currency).await?;
    }
    Ok(())
}

async fn expire_of(app: &App, user: &UserId, currency: Currency) -> Result<(), ApiError> {
    let now = clock::now();
    let mut tx = app.books.begin().await?;
    let Some(account) = store::lock(&mut tx, user, currency).await? else {
        return Ok(());
    };
    let sums = store::sums(&mut tx, user, currency, now).await?;
    let amount = lost(sums, account.balance);
    if amount > 0 {
        let entry = Entry {
            user,
            currency,
            kind: Kind::Expire,
            amount: -amount,
            cause: format!("expire:{user}:{currency}:{}", account.version + 1),
            expires_at: None,
            reason: None,
        };
        store::post(&mut tx, &entry).await?;
    }
    store::look_again(&mut tx, user, currency, now).await?;
    Ok(tx.commit().await?)
}

async fn check(app: &App) -> sqlx::Result<()> {
    let mut differing = 0;
    let mut after = None;
    loop {
        let looked = store::differing(&app.books, after.as_ref(), POINTS_CHECK_ROWS).await?;
        for (user, currency) in &looked.differing {
            tracing::error!(
                user,
                currency,
                "a balance of points is not the sum of its entries"
            );
        }
        differing += looked.differing.len();
        after = looked.last;
        if after.is_none() {
            metrics::points_differing(differing);
            return Ok(());
        }
    }
}
