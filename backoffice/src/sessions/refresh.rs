//! One refresh, and the end of one sign-in. Called by their handlers.
//!
//! All that concerns a family happens under its user's row lock, then its own: of fifty refreshes at once with one token one rotates, and the
//! others find their token to be the one before the newest, replaced a moment ago, and get the same successor. So one chain goes on. A token that comes
//! later than that is a copy: the family ends, its access tokens with it, and the audit log says so.

use chrono::Duration;
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use serde_json::json;
use sqlx::mysql::MySqlConnection;

use super::EndReason;
use super::store::{self, Family};
use super::view::{SessionView, session_view};
use crate::accounts::keys::RefreshToken;
use crate::accounts::person::State;
use crate::accounts::visit::Visit;
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::ApiError;
use crate::limits::{REFRESH_GRACE, SESSION_IDLE_MAX};
use crate::users::change::subject;
use crate::users::store::User;
use crate::{metrics, revocations, users};

/// # Errors
/// [`ApiError::SessionEnded`].
pub(crate) async fn refresh(
    app: &App,
    visit: &Visit,
    token: &RefreshToken,
) -> Result<SessionView, ApiError> {
    let owner = owner(app, token).await?.ok_or(ApiError::SessionEnded)?;
    let mut tx = app.books.begin().await?;
    let Some((user, family)) = lock(&mut tx, &owner, token).await? else {
        return Err(ApiError::SessionEnded);
    };
    let now = clock::now();
    let idle = Duration::from_std(SESSION_IDLE_MAX).unwrap_or_default();
    let is_over = family.expires_at <= now || now - family.refreshed_at > idle;
    if family.ended_at.is_some() || is_over || user.state != State::Active {
        return Err(ApiError::SessionEnded);
    }
    let grace = Duration::from_std(REFRESH_GRACE).unwrap_or_default();
    let next = if family.is_newest(token) {
        let next = app.people.keys.successor(token);
        store::rotate(&mut tx, &next, &token.hash()).await?;
        next
    } else {
        let is_repeat = family.is_previous(token) && now - family.refreshed_at <= grace;
        let mut successors = app.people.keys.successors(token);
        let given = successors.find(|next| is_repeat && family.is_newest(next));
        drop(successors);
        match given {
            Some(next) => next,
            // We made it, and not just now: it has been used.
            None => return Err(end_reused(app, visit, tx, (user, family)).await?),
        }
    };
    let generation = revocations::store::generation(&mut *tx, &owner).await?;
    tx.commit().await?;
    Ok(session_view(app, user, generation, &family, &next))
}

/// # Errors
/// [`ApiError::Unavailable`] where Redis could not be told at once.
pub(crate) async fn log_out(
    app: &App,
    visit: &Visit,
    token: &RefreshToken,
) -> Result<(), ApiError> {
    let Some(owner) = owner(app, token).await? else {
        return Ok(());
    };
    let mut tx = app.books.begin().await?;
    let Some((_, family)) = lock(&mut tx, &owner, token).await? else {
        return Ok(());
    };
    // An older token ends the sign-in too: whoever has it wants that, or had no business to have it.
    if family.ended_at.is_some() {
        return Ok(());
    }
    store::end(&mut tx, family.family_id, EndReason::Logout).await?;
    let generation = revocations::store::raise(&mut tx, &owner).await?;
    let change = Change {
        action: "session.log_out",
        subject: subject(&owner),
        before: None,
        after: Some(json!({"family": family.family_id, "generation": generation})),
    };
    audit_log::in_transaction(&mut tx, &visit.of(&owner), change).await?;
    tx.commit().await?;
    revocations::publish(app, &owner, generation).await
}

async fn end_reused(
    app: &App,
    visit: &Visit,
    mut tx: sqlx::Transaction<'_, sqlx::MySql>,
    (user, family): (User, Family),
) -> Result<ApiError, ApiError> {
    store::end(&mut tx, family.family_id, EndReason::Reuse).await?;
    let generation = revocations::store::raise(&mut tx, &user.id).await?;
    let change = Change {
        action: "session.reuse",
        subject: subject(&user.id),
        before: None,
        after: Some(
            json!({"family": family.family_id, "refreshes": family.number, "generation": generation}),
        ),
    };
    audit_log::in_transaction(&mut tx, &visit.of(&user.id), change).await?;
    tx.commit().await?;
    metrics::refresh_reuse();
    revocations::publish_later(app, &user.id, generation).await;
    Ok(ApiError::SessionEnded)
}

async fn owner(app: &App, token: &RefreshToken) -> Result<Option<UserId>, ApiError> {
    let owner = store::owner(&app.books, token.family).await?;
    let owner = owner.map(UserId::parse).transpose();
    owner.map_err(|e| ApiError::Internal(e.into()))
}

/// User, then family: the order of everybody who locks both.
async fn lock(
    tx: &mut MySqlConnection,
    owner: &UserId,
    token: &RefreshToken,
) -> Result<Option<(User, Family)>, ApiError> {
    let user = match users::store::lock(&mut *tx, owner).await {
        Ok(user) => user,
        Err(ApiError::UnknownUser) => return Ok(None),
        Err(error) => return Err(error),
    };
    let family = store::lock(tx, token.family).await?;
    Ok(family.map(|family| (user, family)))
}
