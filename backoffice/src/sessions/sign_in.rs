//! One sign-in: counted, hashed, judged, begun. Called by its handler, and by whoever has just proved who he is in another way.
//!
//! An account that is not there takes the same statements and the same hash as a wrong password, so that neither words nor time tell them apart.

use doorbuster_core::ids::UserId;

use super::view::{SessionView, session_view};
use super::{Attempt, store};
use crate::accounts::email::Email;
use crate::accounts::person::State;
use crate::accounts::secret::Password;
use crate::accounts::throttle::{self, known};
use crate::accounts::visit::Visit;
use crate::app::App;
use crate::error::ApiError;
use crate::{metrics, revocations, users};

/// # Errors
/// [`ApiError::WrongCredentials`], [`ApiError::RateLimited`], [`ApiError::Overloaded`].
pub(crate) async fn sign_in(
    app: &App,
    visit: &Visit,
    email: &Email,
    password: Password,
) -> Result<SessionView, ApiError> {
    let (turn, counted) = Attempt::begin(app, visit, email).await?.split();
    let found = users::store::with_password(&app.books, email).await?;
    let (id, hash) = found.map_or((None, None), |(id, hash)| (Some(id), hash));
    let (fits, turn) = (app.people.hasher)
        .verify(turn, password.clone(), hash.as_deref())
        .await?;
    let (Some(id), Some(hash), true) = (id, hash, fits) else {
        metrics::sign_in("refused");
        return Err(ApiError::WrongCredentials);
    };
    let renewed = if app.people.hasher.is_outdated(&hash) {
        Some(app.people.hasher.hash(turn, password).await?)
    } else {
        drop(turn);
        None
    };
    throttle::admit(&app.books, throttle::sign_in(&id)).await?;
    let session = begin(app, visit, (&id, &hash), renewed.as_deref()).await?;
    throttle::forgive(&app.books, &counted).await?;
    metrics::sign_in("accepted");
    Ok(session)
}

/// Begins a sign-in of the user whose password still has this `hash`: one that was changed meanwhile lets nobody in.
async fn begin(
    app: &App,
    visit: &Visit,
    (id, hash): (&UserId, &str),
    renewed: Option<&str>,
) -> Result<SessionView, ApiError> {
    let mut tx = app.books.begin().await?;
    let user = match users::store::lock(&mut tx, id).await {
        Ok(user) if user.state == State::Active => user,
        Ok(_) | Err(ApiError::UnknownUser) => {
            metrics::sign_in("refused");
            return Err(ApiError::WrongCredentials);
        }
        Err(error) => return Err(error),
    };
    let now = users::store::password_hash(&mut *tx, id).await?;
    if now.as_deref() != Some(hash) {
        return Err(ApiError::WrongCredentials);
    }
    if let Some(renewed) = renewed {
        users::store::set_password(&mut tx, id, renewed).await?;
    }
    let session = begin_within(app, visit, &mut tx, user).await?;
    tx.commit().await?;
    Ok(session)
}

/// Begins a sign-in of a user whose row the transaction has locked.
pub(crate) async fn begin_within(
    app: &App,
    visit: &Visit,
    tx: &mut sqlx::mysql::MySqlConnection,
    user: users::store::User,
) -> Result<SessionView, ApiError> {
    let token = app.people.keys.first();
    if let Some(email) = &user.email {
        known::remember(app, &mut *tx, &user.id, (email, visit.ip)).await?;
    }
    let family = store::begin(tx, &user.id, &token, visit.agent).await?;
    let generation = revocations::store::generation(&mut *tx, &user.id).await?;
    Ok(session_view(app, user, generation, &family, &token))
}
