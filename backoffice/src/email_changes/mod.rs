//! Another address for an account: asked for with the password, confirmed by a link that the new address is sent, told to the old one.
//!
//! Of an address that has an account already the same is said to whoever asks, and as late; its owner is told. A new password, deactivation
//! and erasure make the links void: whoever had the old password gets no foothold by them.

pub(crate) mod store;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::accounts::email::Email;
use crate::accounts::keys;
use crate::accounts::person::State as PersonState;
use crate::accounts::secret::{Password, Secret};
use crate::accounts::visit::Visit;
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem, accepted, no_content};
use crate::extract::{Caller, StrictJson};
use crate::limits::EMAIL_CHANGE_LIFE;
use crate::mail::{self, Kind, Letter};
use crate::sign_ups::{MAIL_ASKED, MailAsked, TokenBody, may_mail};
use crate::users::change::subject;
use crate::users::store::User;
use crate::validate::Problems;
use crate::{passwords, sessions, users};

/// The new address, with the password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ann.lee@shop.example", "current_password": "correct horse battery"}))]
pub(crate) struct EmailBody {
    #[schema(format = Email, max_length = 254)]
    pub email: String,
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 128)]
    pub current_password: Secret,
}

/// Asks for another address for the bearer's account; a mail to it says how to confirm
#[utoipa::path(post, path = "/v1/me/email", tag = "people", request_body = EmailBody, security(("token" = [])), responses(
    (status = 202, description = "A mail is on its way; until its link is used nothing changes. Said alike of an address that has an account", body = MailAsked),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 401, description = "wrong_credentials: the current password is another", body = Problem),
    (status = 404, description = "unknown_user: the shop's own, whose address is kept elsewhere", body = Problem),
    (status = 409, description = "not_active", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem),
    (status = 503, description = "overloaded", body = Problem)))]
pub(crate) async fn ask(
    State(app): State<App>,
    caller: Caller,
    visit: Visit,
    StrictJson(body): StrictJson<EmailBody>,
) -> Result<Response, ApiError> {
    let user = users::store::find(&app.books, &caller.user).await?;
    let mut problems = Problems::default();
    let email = problems.parsed("/email", Email::parse(&body.email));
    if email.is_some() && email == user.email {
        problems.add("/email", "must be another than the account has");
    }
    let password = Password::claimed(&mut problems, "/current_password", body.current_password);
    problems.none()?;
    let (Some(email), Some(password)) = (email, password) else {
        return Err(ApiError::WrongCredentials);
    };
    passwords::check(&app, &visit, &user, password).await?;
    if may_mail(&app, &visit, Kind::ChangeEmail, &email).await? {
        keep(&app, &user, &email).await?;
        app.people.mail_written.notify_one();
    }
    Ok(accepted(MAIL_ASKED))
}

/// Row and mail in one transaction. Where the address has an account the row is written too, under a token that nobody is sent.
async fn keep(app: &App, user: &User, email: &Email) -> Result<(), ApiError> {
    let nonce = keys::nonce();
    let token = app.people.keys.mailed(&nonce);
    let mut tx = app.books.begin().await?;
    let user = users::store::lock(&mut tx, &user.id).await?;
    if user.state != PersonState::Active {
        return Err(ApiError::NotActive);
    }
    let owner = users::store::by_email(&mut *tx, email).await?;
    store::insert(&mut tx, &keys::hash(&token), &user.id, email).await?;
    let kind = match owner {
        Some(_) => Kind::EmailInUse,
        None => Kind::ChangeEmail,
    };
    let letter = Letter {
        kind,
        language: owner.map_or(user.language, |owner| owner.language),
        recipient: email,
        nonce: Some(nonce),
        life: EMAIL_CHANGE_LIFE,
    };
    mail::store::insert(&mut tx, &letter).await?;
    tx.commit().await?;
    Ok(())
}

/// Confirms a new address with the token of the mail; from here on it is the one to sign in with
#[utoipa::path(post, path = "/v1/email-changes/confirm", tag = "sessions", request_body = TokenBody, responses(
    (status = 204, description = "Changed; the old address is told so"),
    (status = 400, description = "invalid_link: used, expired, or never was", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem)))]
pub(crate) async fn confirm(
    State(app): State<App>,
    visit: Visit,
    StrictJson(body): StrictJson<TokenBody>,
) -> Result<Response, ApiError> {
    change(&app, &visit, &body.token).await?;
    Ok(no_content())
}

/// Gives the account the address that the token confirms, once.
///
/// # Errors
/// [`ApiError::InvalidLink`], also where another account got the address meanwhile.
pub(crate) async fn change(app: &App, visit: &Visit, token: &Secret) -> Result<(), ApiError> {
    sessions::admit(app, visit).await?;
    let hash = keys::hash(token);
    let owner = store::owner(&app.books, &hash).await?;
    let owner = owner.ok_or(ApiError::InvalidLink)?;
    let mut tx = app.books.begin().await?;
    let user = users::store::lock(&mut tx, &owner).await?;
    // Of two who come at once, one finds it gone.
    let email = store::lock(&mut tx, &hash).await?;
    let email = email.ok_or(ApiError::InvalidLink)?;
    let email = Email::parse(&email).map_err(|e| ApiError::Internal(e.into()))?;
    if user.state != PersonState::Active || !store::set(&mut tx, &user.id, &email).await? {
        return Err(ApiError::InvalidLink);
    }
    // The links that went to the old address, and to other new ones.
    passwords::store::forget(&mut tx, &user.id).await?;
    store::forget(&mut tx, &user.id).await?;
    let entry = Change {
        action: "user.email",
        subject: subject(&user.id),
        before: None,
        after: None,
    };
    audit_log::in_transaction(&mut tx, &visit.of(&user.id), entry).await?;
    if let Some(old) = &user.email {
        let letter = Letter {
            kind: Kind::EmailChanged,
            language: user.language,
            recipient: old,
            nonce: None,
            life: EMAIL_CHANGE_LIFE,
        };
        mail::store::insert(&mut tx, &letter).await?;
    }
    tx.commit().await?;
    app.people.mail_written.notify_one();
    Ok(())
}
