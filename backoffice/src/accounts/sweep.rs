//! Removes what has expired: sign-ups, links, sign-ins, throttles, known places, dead mails, webhooks; mails that wait past their time die first. Any number of
//! back-offices may; each takes some rows at a time, as often as a table has more.

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::throttle;
use crate::app::App;
use crate::limits::{SWEEP_EVERY, SWEEP_REPEATS_MAX, SWEEP_ROWS_MAX};
use crate::payments::webhooks;
use crate::{email_changes, mail, metrics, passwords, sessions, sign_ups};

/// Until `stop`.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    loop {
        if let Err(error) = sweep(&app).await {
            tracing::warn!(%error, "what has expired could not be removed");
        }
        if stop.run_until_cancelled(sleep(SWEEP_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn sweep(app: &App) -> sqlx::Result<()> {
    for _ in 0..SWEEP_REPEATS_MAX {
        let rows = [
            sign_ups::store::sweep(&app.books).await?,
            passwords::store::sweep(&app.books).await?,
            email_changes::store::sweep(&app.books).await?,
            sessions::store::sweep(&app.books).await?,
            throttle::sweep(&app.books).await?,
            throttle::sweep_known(&app.books).await?,
            mail::store::bury_expired(&app.books).await?,
            mail::store::sweep(&app.books).await?,
            webhooks::store::sweep(&app.books).await?,
        ];
        if rows.iter().all(|rows| *rows < u64::from(SWEEP_ROWS_MAX)) {
            break;
        }
    }
    let (waiting, dead) = tokio::try_join!(
        mail::store::count(&app.books, "waiting"),
        mail::store::count(&app.books, "dead")
    )?;
    metrics::mails(waiting, dead);
    metrics::webhooks_waiting(webhooks::store::waiting(&app.books).await?.waiting);
    Ok(())
}
