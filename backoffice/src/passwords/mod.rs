//! Passwords that are forgotten, and passwords that are changed. Either ends every sign-in of the user, and a mail tells him.

pub(crate) mod store;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use doorbuster_core::ids::UserId;
use serde::Deserialize;
use sqlx::mysql::MySqlConnection;
use utoipa::ToSchema;

use crate::accounts::email::Email;
use crate::accounts::keys;
use crate::accounts::person::State as PersonState;
use crate::accounts::secret::{Password, Secret};
use crate::accounts::throttle::{self, Subject, known};
use crate::accounts::turns::Turn;
use crate::accounts::visit::Visit;
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem, accepted, no_content};
use crate::extract::{Caller, StrictJson};
use crate::limits::PASSWORD_RESET_LIFE;
use crate::mail::{self, Kind, Letter};
use crate::sessions::sign_in::begin_within;
use crate::sessions::view::SessionView;
use crate::sessions::{self, Attempt, EndReason};
use crate::sign_ups::{MAIL_ASKED, MailAsked, may_mail};
use crate::users::change::subject;
use crate::users::store::User;
use crate::validate::Problems;
use crate::{email_changes, revocations, users};

/// Whose password is forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ann@shop.example"}))]
pub(crate) struct ResetBody {
    #[schema(format = Email, max_length = 254)]
    pub email: String,
}

/// A new password, with the token of the mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "kq3v0Zc1f0m5s8Yb7uQ2nT4xW6jR9eLpA1dG3hK5oVc", "password": "a new horse battery"}))]
pub(crate) struct CompleteBody {
    #[schema(value_type = String)]
    pub token: Secret,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub password: Secret,
}

/// A new password, with the old one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"current_password": "correct horse battery", "new_password": "a new horse battery"}))]
pub(crate) struct ChangeBody {
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 128)]
    pub current_password: Secret,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub new_password: Secret,
}

/// Asks for a mail with a link that sets a new password
#[utoipa::path(post, path = "/v1/password-resets", tag = "sessions", request_body = ResetBody, responses(
    (status = 202, description = "A mail is on its way if there is such an account; said alike, and as late, where there is none", body = MailAsked),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem)))]
pub(crate) async fn reset(
    State(app): State<App>,
    visit: Visit,
    StrictJson(body): StrictJson<ResetBody>,
) -> Result<Response, ApiError> {
    let mut problems = Problems::default();
    let email = problems.parsed("/email", Email::parse(&body.email));
    problems.none()?;
    let email = email.expect("a field is missing only together with a problem");
    sessions::admit(&app, &visit).await?;
    if may_mail(&app, &visit, Kind::ResetPassword, &email).await? {
        // In a task of its own: what there is to write depends on whether there is an account, and the answer must not.
        let work = app.work.clone();
        work.spawn(async move {
            if let Err(error) = write_reset(&app, &email).await {
                tracing::error!(%error, "a mail for a new password could not be written");
            }
        });
    }
    Ok(accepted(MAIL_ASKED))
}

async fn write_reset(app: &App, email: &Email) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    let Some(user) = users::store::by_email(&mut *tx, email).await? else {
        return Ok(());
    };
    // Looked at again under the lock: of one who is erased at this moment neither row nor mail is to be left.
    let user = users::store::lock(&mut tx, &user.id).await?;
    if user.state != PersonState::Active || user.email.as_ref() != Some(email) {
        return Ok(());
    }
    let nonce = keys::nonce();
    let hash = keys::hash(&app.people.keys.mailed(&nonce));
    store::insert(&mut tx, &hash, &user.id, email).await?;
    let letter = Letter {
        kind: Kind::ResetPassword,
        language: user.language,
        recipient: email,
        nonce: Some(nonce),
        life: PASSWORD_RESET_LIFE,
    };
    mail::store::insert(&mut tx, &letter).await?;
    tx.commit().await?;
    app.people.mail_written.notify_one();
    Ok(())
}

/// Sets a new password with the token of the mail; every sign-in ends
#[utoipa::path(post, path = "/v1/password-resets/complete", tag = "sessions", request_body = CompleteBody, responses(
    (status = 204, description = "From here on the new password is the one"),
    (status = 400, description = "invalid_request, or invalid_link: used, expired, or never was", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem),
    (status = 503, description = "overloaded", body = Problem)))]
pub(crate) async fn complete(
    State(app): State<App>,
    visit: Visit,
    StrictJson(body): StrictJson<CompleteBody>,
) -> Result<Response, ApiError> {
    set_by_link(&app, &visit, &body.token, body.password).await?;
    Ok(no_content())
}

/// # Errors
/// [`ApiError::InvalidLink`], [`ApiError::InvalidFields`].
pub(crate) async fn set_by_link(
    app: &App,
    visit: &Visit,
    token: &Secret,
    password: Secret,
) -> Result<(), ApiError> {
    let password = Password::long_enough("/password", password)?;
    sessions::admit(app, visit).await?;
    let hash = keys::hash(token);
    // Before the hash, which costs much, and again after it.
    let owner = store::owner(&app.books, &hash).await?;
    let (_, email) = owner.ok_or(ApiError::InvalidLink)?;
    password.must_not_be("/password", &email)?;
    let turn = app.people.turns.wait(visit.ip).await?;
    let password_hash = app.people.hasher.hash(turn, password).await?;
    let mut tx = app.books.begin().await?;
    let owner = store::owner(&mut *tx, &hash).await?;
    let (owner, _) = owner.ok_or(ApiError::InvalidLink)?;
    let user = users::store::lock(&mut tx, &owner).await?;
    // Of two who come at once, one finds it gone; one that went to an address of before is void.
    let sent_to = store::take(&mut tx, &hash).await?;
    let is_his = user.email.as_ref().map(Email::as_str) == sent_to.as_deref();
    if sent_to.is_none() || !is_his || user.state != PersonState::Active {
        return Err(ApiError::InvalidLink);
    }
    let generation = set(&mut tx, visit, &user, &password_hash).await?;
    if let Some(email) = &user.email {
        known::remember(app, &mut tx, &user.id, (email, visit.ip)).await?;
    }
    tx.commit().await?;
    told(app, &user.id, generation).await;
    if let Some(email) = &user.email {
        // Whoever reads the mailbox may sign in at once, however often a stranger has failed.
        let mut counted = throttle::guess(email, visit.ip, false);
        counted.extend(throttle::request(visit.ip));
        throttle::forgive(&app.books, &counted).await?;
    }
    Ok(())
}

/// Changes the bearer's password; every sign-in ends, and the answer is a new one
#[utoipa::path(put, path = "/v1/me/password", tag = "people", request_body = ChangeBody, security(("token" = [])), responses(
    (status = 200, description = "Changed", body = SessionView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 401, description = "wrong_credentials: the current password is another", body = Problem),
    (status = 404, description = "unknown_user: the shop's own, whose password is kept elsewhere", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem),
    (status = 503, description = "overloaded", body = Problem)))]
pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    visit: Visit,
    StrictJson(body): StrictJson<ChangeBody>,
) -> Result<Json<SessionView>, ApiError> {
    let user = users::store::find(&app.books, &caller.user).await?;
    let mut problems = Problems::default();
    let current = Password::claimed(&mut problems, "/current_password", body.current_password);
    let new = Password::chosen(
        &mut problems,
        "/new_password",
        body.new_password,
        user.email.as_ref(),
    );
    problems.none()?;
    let (Some(current), Some(new)) = (current, new) else {
        return Err(ApiError::WrongCredentials);
    };
    let Checked {
        hash: old_hash,
        turn,
        counted,
    } = checked(&app, &visit, &user, current).await?;
    let new_hash = app.people.hasher.hash(turn, new).await?;
    throttle::forgive(&app.books, &counted).await?;
    throttle::admit(&app.books, throttle::sign_in(&user.id)).await?;
    let mut tx = app.books.begin().await?;
    let user = users::store::lock(&mut tx, &caller.user).await?;
    let now = users::store::password_hash(&mut *tx, &user.id).await?;
    if now.as_deref() != Some(old_hash.as_str()) || user.state != PersonState::Active {
        return Err(ApiError::WrongCredentials);
    }
    let id = user.id.clone();
    let generation = set(&mut tx, &visit, &user, &new_hash).await?;
    let session = begin_within(&app, &visit, &mut tx, user).await?;
    tx.commit().await?;
    told(&app, &id, generation).await;
    Ok(Json(session))
}

/// Whether `password` is the user's; counted like a sign-in, because whoever has a token might guess on.
///
/// # Errors
/// [`ApiError::WrongCredentials`] where it is not; [`ApiError::RateLimited`], [`ApiError::Overloaded`].
pub(crate) async fn check(
    app: &App,
    visit: &Visit,
    user: &User,
    password: Password,
) -> Result<(), ApiError> {
    let Checked { turn, counted, .. } = checked(app, visit, user, password).await?;
    // Nobody waits for a row with a turn in his hands.
    drop(turn);
    throttle::forgive(&app.books, &counted).await?;
    Ok(())
}

/// A password that was right.
struct Checked {
    /// The one that it fits.
    hash: String,
    /// For another hash.
    turn: Turn,
    /// To be forgiven.
    counted: Vec<Subject>,
}

async fn checked(
    app: &App,
    visit: &Visit,
    user: &User,
    password: Password,
) -> Result<Checked, ApiError> {
    let email = user.email.as_ref().ok_or(ApiError::WrongCredentials)?;
    let (turn, counted) = Attempt::begin(app, visit, email).await?.split();
    let hash = users::store::password_hash(&app.books, &user.id).await?;
    let (fits, turn) = (app.people.hasher)
        .verify(turn, password, hash.as_deref())
        .await?;
    let hash = hash.filter(|_| fits).ok_or(ApiError::WrongCredentials)?;
    Ok(Checked {
        hash,
        turn,
        counted,
    })
}

/// The new password, and the end of what the old one let in: sign-ins and links. The user's row is locked. The generation of his tokens
/// from here on, which Redis has to be told.
pub(crate) async fn replace(
    tx: &mut MySqlConnection,
    user: &UserId,
    hash: &str,
) -> sqlx::Result<u64> {
    users::store::set_password(&mut *tx, user, hash).await?;
    store::forget(&mut *tx, user).await?;
    email_changes::store::forget(&mut *tx, user).await?;
    sessions::store::end_all(&mut *tx, user, EndReason::Password).await?;
    revocations::store::raise(tx, user).await
}

/// The same, with the audit entry and the mail.
async fn set(
    tx: &mut MySqlConnection,
    visit: &Visit,
    user: &User,
    hash: &str,
) -> Result<u64, ApiError> {
    let generation = replace(&mut *tx, &user.id, hash).await?;
    let change = Change {
        action: "user.password",
        subject: subject(&user.id),
        before: None,
        after: Some(serde_json::json!({"generation": generation})),
    };
    audit_log::in_transaction(&mut *tx, &visit.of(&user.id), change).await?;
    if let Some(email) = &user.email {
        let letter = Letter {
            kind: Kind::PasswordChanged,
            language: user.language,
            recipient: email,
            nonce: None,
            life: crate::limits::SIGN_UP_LIFE,
        };
        mail::store::insert(tx, &letter).await?;
    }
    Ok(generation)
}

async fn told(app: &App, user: &UserId, generation: u64) {
    app.people.mail_written.notify_one();
    revocations::publish_later(app, user, generation).await;
}
