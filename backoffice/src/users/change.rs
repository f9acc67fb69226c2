//! What staff, or the user himself, changes about an account: one transaction with its audit entry, after which his old tokens are good for nothing.
//! Called by the handlers of `users` and `profile`, and by the `admin` command.

use doorbuster_core::ids::UserId;
use serde_json::json;

use super::store::{self, User};
use crate::accounts::person::{RoleWord, State};
use crate::app::App;
use crate::audit_log;
use crate::error::ApiError;
use crate::extract::Caller;
use crate::sessions::{self, EndReason};
use crate::{email_changes, passwords, revocations};

/// The reason that the audit log keeps.
#[derive(Debug, Clone)]
pub(crate) struct Why(pub(crate) String);

/// What becomes of the account.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Role(RoleWord),
    State(State, Why),
}

impl Change {
    fn action(&self) -> &'static str {
        match self {
            Self::Role(_) => "user.role",
            Self::State(State::Active, _) => "user.reactivate",
            Self::State(State::Deactivated, _) => "user.deactivate",
            Self::State(State::Erased, _) => "user.erase",
        }
    }

    fn end_reason(&self) -> EndReason {
        match self {
            Self::Role(_) => EndReason::Role,
            Self::State(State::Erased, _) => EndReason::Erased,
            Self::State(..) => EndReason::Deactivated,
        }
    }

    fn is_done_of(&self, user: &User) -> bool {
        match self {
            Self::Role(role) => user.role == *role,
            Self::State(state, _) => user.state == *state,
        }
    }

    /// Whether somebody who is an active admin is one afterwards.
    fn keeps_admin(&self) -> bool {
        matches!(
            self,
            Self::Role(RoleWord::Admin) | Self::State(State::Active, _)
        )
    }
}

/// The user as he is then.
///
/// # Errors
/// [`ApiError::UnknownUser`], [`ApiError::Forbidden`], [`ApiError::LastAdmin`], [`ApiError::NotActive`].
pub(crate) async fn apply(
    app: &App,
    caller: &Caller,
    id: &UserId,
    change: Change,
) -> Result<User, ApiError> {
    let mut tx = app.books.begin().await?;
    // Before the user's own row, in this order everywhere.
    let admins = store::lock_admins(&mut tx).await?;
    let user = store::lock(&mut tx, id).await?;
    check_rank(caller, &user)?;
    if change.is_done_of(&user) {
        return Ok(user);
    }
    if user.state == State::Erased
        || (matches!(change, Change::Role(_)) && user.state != State::Active)
    {
        return Err(ApiError::NotActive);
    }
    let is_admin = user.role == RoleWord::Admin && user.state == State::Active;
    if is_admin && admins == 1 && !change.keeps_admin() {
        return Err(ApiError::LastAdmin);
    }
    sessions::store::end_all(&mut tx, id, change.end_reason()).await?;
    let generation = revocations::store::raise(&mut tx, id).await?;
    match &change {
        Change::Role(role) => store::set_role(&mut tx, id, *role).await?,
        Change::State(State::Erased, _) => store::erase(&mut tx, &user).await?,
        Change::State(State::Deactivated, _) => {
            // Links that are on their way must not outlive it, also where the account is given back.
            passwords::store::forget(&mut tx, id).await?;
            email_changes::store::forget(&mut tx, id).await?;
            store::set_state(&mut tx, id, State::Deactivated).await?;
        }
        Change::State(state, _) => store::set_state(&mut tx, id, *state).await?,
    }
    let after = store::find(&mut *tx, id).await?;
    let reason = match &change {
        Change::State(_, Why(reason)) => Some(reason),
        Change::Role(_) => None,
    };
    audit_log::in_transaction(
        &mut tx,
        caller,
        audit_log::Change {
            action: change.action(),
            subject: subject(id),
            before: Some(json!({"role": user.role, "state": user.state})),
            after: Some(json!({"role": after.role, "state": after.state, "reason": reason})),
        },
    )
    .await?;
    tx.commit().await?;
    revocations::publish_later(app, id, generation).await;
    Ok(after)
}

/// Ends every sign-in of somebody, who need not be known here; the generation that his tokens must have from here on.
///
/// # Errors
/// [`ApiError::Forbidden`]; [`ApiError::Unavailable`] where Redis could not be told at once.
pub(crate) async fn log_out(
    app: &App,
    caller: &Caller,
    id: &UserId,
    reason: &str,
) -> Result<u64, ApiError> {
    let mut tx = app.books.begin().await?;
    match store::lock(&mut tx, id).await {
        Ok(user) => check_rank(caller, &user)?,
        Err(ApiError::UnknownUser) => {}
        Err(error) => return Err(error),
    }
    sessions::store::end_all(&mut tx, id, EndReason::LogoutAll).await?;
    let generation = revocations::store::raise(&mut tx, id).await?;
    audit_log::in_transaction(
        &mut tx,
        caller,
        audit_log::Change {
            action: "user.log_out",
            subject: subject(id),
            before: None,
            after: Some(json!({"generation": generation, "reason": reason})),
        },
    )
    .await?;
    tx.commit().await?;
    revocations::publish(app, id, generation).await?;
    Ok(generation)
}

pub(crate) fn subject(id: &UserId) -> String {
    format!("user:{id}")
}

/// Operators deal with buyers; himself anybody may.
fn check_rank(caller: &Caller, user: &User) -> Result<(), ApiError> {
    let may = user.role == RoleWord::Buyer || caller.is_admin || caller.user == user.id;
    may.then_some(()).ok_or(ApiError::Forbidden("admin"))
}
