//! Opens a sale or coupon: first the books, then Redis. Called by their `open` handlers; every step may be repeated.
//!
//! A crash between the two leaves it published with nothing in Redis and a cursor at 0: nothing sells before the first event
//! is in the books, so the next `open` puts it into Redis. Once the cursor has moved, a sale that Redis does not know is
//! recovering, and is never opened again: that would double its stock. The cursor's row is locked while the script runs, so
//! that no writer moves it between the look and the script.

use doorbuster_core::clock;
use doorbuster_core::gate::open::{Open, OpenSku, Opened};
use doorbuster_core::gate::snapshot::{Snapped, State};
use doorbuster_core::ids::LiveId;
use serde_json::json;
use sqlx::mysql::MySqlConnection;
use tokio::time::{Instant, sleep};

use super::{Subject, store, unknown};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::catalog::error::Refusal;
use crate::error::ApiError;
use crate::extract::Caller;
use crate::limits::{VOUCH_POLL, VOUCH_WAIT};
use crate::sales::edit;
use crate::shop::cache;

/// Everything that Redis is told.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) subject: Subject,
    /// Of the draft that it was made of; `None` where drafts are never edited.
    pub(crate) version: Option<u32>,
    pub(crate) hold_ms: u64,
    pub(crate) payment_ms: u64,
    /// JSON for those who show the sale.
    pub(crate) config: String,
    pub(crate) skus: Vec<OpenSku>,
}

/// Publishes, opens, and waits a moment for a writer to vouch. Repeating changes nothing.
///
/// # Errors
/// [`ApiError::Closed`] where it is over, [`Refusal::VersionConflict`] where the draft has been edited since it was read,
/// [`ApiError::Recovering`] where Redis has lost it.
pub(crate) async fn open(app: &App, caller: &Caller, launch: &Launch) -> Result<(), ApiError> {
    let newly = publish(app, caller, launch).await?;
    if let (true, LiveId::Sale(sale)) = (newly, &launch.subject.live) {
        cache::sale_changed(app, sale).await;
    }
    let opened = put_into_redis(app, launch).await?;
    if opened && !newly {
        let change = Change {
            action: action_again(&launch.subject.live),
            subject: launch.subject.audit_name(),
            before: None,
            after: Some(json!({"state": "open"})),
        };
        audit_log::after_script(app, caller, change).await;
    }
    wait_for_vouch(app, &launch.subject).await
}

fn action(live: &LiveId) -> &'static str {
    match live {
        LiveId::Sale(_) => "sale.open",
        LiveId::Coupon(_) => "coupon.open",
    }
}

/// What was published by another call, one that died before the script or was overtaken, is put into Redis by this one.
fn action_again(live: &LiveId) -> &'static str {
    match live {
        LiveId::Sale(_) => "sale.open_again",
        LiveId::Coupon(_) => "coupon.open_again",
    }
}

/// Draft → published, with its cursor and audit row, in one transaction; whether this call did it.
async fn publish(app: &App, caller: &Caller, launch: &Launch) -> Result<bool, ApiError> {
    let subject = &launch.subject;
    let mut tx = app.books.begin().await?;
    let published = store::lock_published(&mut tx, &subject.live)
        .await?
        .ok_or_else(|| unknown(&subject.live))?;
    must_be_as_read(&mut tx, launch).await?;
    if published {
        return Ok(false);
    }
    if subject.window.is_over(clock::now_ms()) {
        return Err(ApiError::Closed);
    }
    store::mark_published(&mut tx, &subject.live, clock::now()).await?;
    let (before, after) = (
        Some(json!({"state": "draft"})),
        Some(json!({"state": "published"})),
    );
    let change = Change {
        action: action(&subject.live),
        subject: subject.audit_name(),
        before,
        after,
    };
    audit_log::in_transaction(&mut tx, caller, change).await?;
    tx.commit().await?;
    Ok(true)
}

/// Redis is told what was read before the lock: an edit since then would be in the books alone, also where another call has published it since.
async fn must_be_as_read(tx: &mut MySqlConnection, launch: &Launch) -> Result<(), ApiError> {
    let (LiveId::Sale(sale), Some(read)) = (&launch.subject.live, launch.version) else {
        return Ok(());
    };
    let version = edit::store::version(tx, sale).await?;
    if version != read {
        return Err(Refusal::VersionConflict { version }.into());
    }
    Ok(())
}

/// Whether this call put it there.
async fn put_into_redis(app: &App, launch: &Launch) -> Result<bool, ApiError> {
    let live = &launch.subject.live;
    let mut tx = app.books.begin().await?;
    let cursor = store::lock_cursor(&mut tx, live).await?;
    let cursor = cursor.ok_or_else(|| {
        ApiError::Internal(anyhow::anyhow!("{live} is published but has no cursor"))
    })?;
    if cursor.seq > 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    let super::Window {
        opens_ms,
        closes_ms,
    } = launch.subject.window;
    let open = Open {
        epoch: cursor.epoch,
        opens_ms,
        closes_ms,
        hold_ms: launch.hold_ms,
        payment_ms: launch.payment_ms,
        config: &launch.config,
        skus: &launch.skus,
    };
    let opened = app.gate.open(live, &open).await?;
    tx.rollback().await?;
    match opened {
        Opened::Opened => Ok(true),
        Opened::Already { .. } => Ok(false),
        Opened::Fenced(fenced) => Err(fenced.into()),
    }
}

/// Waits until it sells, or the bound has passed; the answer then says `recovering`, which is true.
async fn wait_for_vouch(app: &App, subject: &Subject) -> Result<(), ApiError> {
    let deadline = Instant::now() + VOUCH_WAIT;
    loop {
        match app.gate.snapshot(&subject.live).await? {
            Snapped::Fenced(fenced) => return Err(fenced.into()),
            Snapped::Snapshot(s)
                if s.state == State::Closed || subject.window.is_over(s.now_ms) =>
            {
                return Err(ApiError::Closed);
            }
            Snapped::Snapshot(s) if s.is_vouched() || Instant::now() >= deadline => return Ok(()),
            Snapped::Snapshot(_) => sleep(VOUCH_POLL).await,
        }
    }
}
