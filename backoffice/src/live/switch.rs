//! Pauses, resumes and closes, with an audit row per change. Called by the handlers of sales and coupons; repeating changes nothing.

use doorbuster_core::clock;
use doorbuster_core::gate::snapshot::{Snapped, State};
use doorbuster_core::gate::switch::{Switched, Verb};
use doorbuster_core::ids::{LiveId, SaleId};
use serde_json::json;

use super::{Subject, store};
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::shop::cache;

/// Whether this call changed anything.
///
/// # Errors
/// [`ApiError::NotOpen`] on a draft, [`ApiError::Closed`] where it is over (closing again is no error).
pub(crate) async fn switch(
    app: &App,
    caller: &Caller,
    subject: &Subject,
    verb: Verb,
) -> Result<bool, ApiError> {
    if !subject.published {
        return Err(ApiError::NotOpen);
    }
    if verb != Verb::Close && subject.window.is_over(clock::now_ms()) {
        return Err(ApiError::Closed);
    }
    let cursor = store::cursor(&app.books, &subject.live)
        .await?
        .ok_or(ApiError::NotOpen)?;
    let before = state(app, &subject.live).await?;
    match app.gate.switch(&subject.live, cursor.epoch, verb).await? {
        Switched::Switched { seq } => {
            let change = Change {
                action: action(&subject.live, verb),
                subject: subject.audit_name(),
                before: before.map(|state| json!({"state": state})),
                after: Some(json!({"state": after(verb), "epoch": cursor.epoch, "seq": seq})),
            };
            audit_log::after_script(app, caller, change).await;
            if let LiveId::Sale(sale) = &subject.live {
                show(app, sale, after(verb), seq).await;
            }
            Ok(true)
        }
        Switched::Already => Ok(false),
        Switched::Closed => Err(ApiError::Closed),
        Switched::Fenced(fenced) => Err(fenced.into()),
    }
}

/// The shop's lists and pages follow. What cannot be written down now is made up for by the next round of statistics.
async fn show(app: &App, sale: &SaleId, state: &'static str, seq: u64) {
    if let Err(error) = store::set_state(&app.books, sale, state, seq).await {
        tracing::warn!(%error, %sale, "the shop shows the sale as it was for some minutes");
    }
    cache::sale_changed(app, sale).await;
}

/// What it is before the change, for the audit log. Someone else may change it in between; the journal has the order.
async fn state(app: &App, live: &LiveId) -> Result<Option<&'static str>, ApiError> {
    Ok(match app.gate.snapshot(live).await? {
        Snapped::Snapshot(snapshot) => Some(word(snapshot.state)),
        Snapped::Fenced(_) => None,
    })
}

pub(crate) fn word(state: State) -> &'static str {
    match state {
        State::Open => "open",
        State::Paused => "paused",
        State::Closed => "closed",
    }
}

fn after(verb: Verb) -> &'static str {
    word(match verb {
        Verb::Pause => State::Paused,
        Verb::Resume => State::Open,
        Verb::Close => State::Closed,
    })
}

fn action(live: &LiveId, verb: Verb) -> &'static str {
    match (live, verb) {
        (LiveId::Sale(_), Verb::Pause) => "sale.pause",
        (LiveId::Sale(_), Verb::Resume) => "sale.resume",
        (LiveId::Sale(_), Verb::Close) => "sale.close",
        (LiveId::Coupon(_), Verb::Pause) => "coupon.pause",
        (LiveId::Coupon(_), Verb::Resume) => "coupon.resume",
        (LiveId::Coupon(_), Verb::Close) => "coupon.close",
    }
}
