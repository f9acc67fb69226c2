//! Signing up. Nobody becomes a user before he has shown that he reads the mail of the address he gave; until then a sign-up is a row that ends by itself.
//! The password comes with the link, not before: whoever asks for an account of an address may be another than its owner, and must not know it.
//!
//! The answer is always the same, and as late, whether or not the address has an account already: only its owner learns, by mail.

pub(crate) mod store;

use axum::extract::State;
use axum::response::Response;
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::email::Email;
use crate::accounts::keys;
use crate::accounts::person::{RoleWord, State as PersonState};
use crate::accounts::secret::{Password, Secret};
use crate::accounts::throttle;
use crate::accounts::visit::Visit;
use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::{ApiError, Problem, accepted, created};
use crate::extract::StrictJson;
use crate::language::Language;
use crate::limits::{NAME_CHARS_MAX, SIGN_UP_LIFE};
use crate::mail::{self, Kind, Letter};
use crate::users::change::subject;
use crate::users::store::User;
use crate::users::view::UserView;
use crate::validate::Problems;
use crate::{sessions, users};

/// Who signs up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ann@shop.example", "name": "Ann Lee", "language": "en"}))]
pub(crate) struct SignUpBody {
    #[schema(format = Email, max_length = 254)]
    pub email: String,
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// In which mails are written; absent: as Accept-Language says
    pub language: Option<Language>,
}

/// What always comes of asking for a mail.
#[derive(Serialize, ToSchema)]
pub(crate) struct MailAsked {
    /// Always `check_your_mail`, whether or not there is an account
    #[schema(example = "check_your_mail")]
    pub status: &'static str,
}

/// The token of a mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "kq3v0Zc1f0m5s8Yb7uQ2nT4xW6jR9eLpA1dG3hK5oVc"}))]
pub(crate) struct TokenBody {
    #[schema(value_type = String)]
    pub token: Secret,
}

/// The token of the mail, and the password of the account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "kq3v0Zc1f0m5s8Yb7uQ2nT4xW6jR9eLpA1dG3hK5oVc", "password": "correct horse battery"}))]
pub(crate) struct ConfirmBody {
    #[schema(value_type = String)]
    pub token: Secret,
    /// Not the e-mail address
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub password: Secret,
}

/// A sign-up that may be kept.
pub(crate) struct SignUp {
    pub(crate) email: Email,
    pub(crate) name: String,
    pub(crate) language: Language,
}

impl SignUpBody {
    fn validate(self, preferred: Language) -> Result<SignUp, ApiError> {
        let mut problems = Problems::default();
        let email = problems.parsed("/email", Email::parse(&self.email));
        let name = problems.line("/name", &self.name, 1..=NAME_CHARS_MAX);
        problems.none()?;
        let missing = "a field is missing only together with a problem";
        Ok(SignUp {
            email: email.expect(missing),
            name: name.expect(missing),
            language: self.language.unwrap_or(preferred),
        })
    }
}

/// Asks for an account; a mail to the address says how to confirm it
#[utoipa::path(post, path = "/v1/sign-ups", tag = "sessions", request_body = SignUpBody, responses(
    (status = 202, description = "A mail is on its way; said alike, and as late, of an address that has an account", body = MailAsked),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem)))]
pub(crate) async fn create(
    State(app): State<App>,
    visit: Visit,
    StrictJson(body): StrictJson<SignUpBody>,
) -> Result<Response, ApiError> {
    let sign_up = body.validate(visit.language)?;
    sessions::admit(&app, &visit).await?;
    if may_mail(&app, &visit, Kind::ConfirmEmail, &sign_up.email).await? {
        keep(&app, &sign_up).await?;
        app.people.mail_written.notify_one();
    }
    Ok(accepted(MAIL_ASKED))
}

pub(crate) const MAIL_ASKED: MailAsked = MailAsked {
    status: "check_your_mail",
};

/// Whether one more mail of this kind may go to this mailbox now. Nobody is told that it may not: it would say whose mailbox is busy.
pub(crate) async fn may_mail(
    app: &App,
    visit: &Visit,
    kind: Kind,
    email: &Email,
) -> Result<bool, ApiError> {
    let is_known = throttle::known::is_known(app, email, visit.ip).await?;
    let counted = throttle::mail(kind, email, Some(visit.ip).filter(|_| is_known));
    match throttle::admit(&app.books, counted).await {
        Ok(()) => Ok(true),
        Err(ApiError::RateLimited { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Row and mail in one transaction. Where the address has an account the row is written too, under a token that nobody is sent.
async fn keep(app: &App, sign_up: &SignUp) -> Result<(), ApiError> {
    let nonce = keys::nonce();
    let token = app.people.keys.mailed(&nonce);
    let mut tx = app.books.begin().await?;
    let user = users::store::by_email(&mut *tx, &sign_up.email).await?;
    store::insert(&mut tx, &keys::hash(&token), sign_up).await?;
    let kind = match user {
        Some(_) => Kind::HasAccount,
        None => Kind::ConfirmEmail,
    };
    let letter = Letter {
        kind,
        language: user.map_or(sign_up.language, |user| user.language),
        recipient: &sign_up.email,
        nonce: Some(nonce),
        life: SIGN_UP_LIFE,
    };
    mail::store::insert(&mut tx, &letter).await?;
    tx.commit().await?;
    Ok(())
}

/// Confirms the address with the token of the mail, and so makes the account, with this password
#[utoipa::path(post, path = "/v1/sign-ups/confirm", tag = "sessions", request_body = ConfirmBody, responses(
    (status = 201, description = "From here on the user may sign in", body = UserView),
    (status = 400, description = "invalid_request, after which the link is as good as before; or invalid_link: used, expired, or never was", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem),
    (status = 503, description = "overloaded", body = Problem)))]
pub(crate) async fn confirm(
    State(app): State<App>,
    visit: Visit,
    StrictJson(body): StrictJson<ConfirmBody>,
) -> Result<Response, ApiError> {
    let user = make_user(&app, &visit, &body.token, body.password).await?;
    Ok(created("/v1/me", UserView::from(user)))
}

/// Makes the user of the sign-up with this token, which is good for this once.
///
/// # Errors
/// [`ApiError::InvalidLink`], [`ApiError::InvalidFields`].
pub(crate) async fn make_user(
    app: &App,
    visit: &Visit,
    token: &Secret,
    password: Secret,
) -> Result<User, ApiError> {
    let password = Password::long_enough("/password", password)?;
    sessions::admit(app, visit).await?;
    let token = keys::hash(token);
    // Before the hash, which costs much, and again after it.
    let email = store::email(&app.books, &token).await?;
    password.must_not_be("/password", &email.ok_or(ApiError::InvalidLink)?)?;
    let turn = app.people.turns.wait(visit.ip).await?;
    let password_hash = app.people.hasher.hash(turn, password).await?;
    let mut tx = app.books.begin().await?;
    let row = store::take(&mut tx, &token).await?;
    let row = row.ok_or(ApiError::InvalidLink)?;
    let now = clock::now();
    let id = format!("u-{}", Uuid::new_v4().simple());
    let user = User {
        id: UserId::parse(id).map_err(|e| ApiError::Internal(e.into()))?,
        email: Some(Email::parse(&row.email).map_err(|e| ApiError::Internal(e.into()))?),
        role: RoleWord::Buyer,
        state: PersonState::Active,
        name: row.name,
        phone: None,
        language: Language::of_code(&row.language),
        created_at: now,
        state_at: now,
    };
    // Another sign-up of the same address was confirmed first.
    if !users::store::insert(&mut tx, &user).await? {
        return Err(ApiError::InvalidLink);
    }
    users::store::set_password(&mut tx, &user.id, &password_hash).await?;
    if let Some(email) = &user.email {
        throttle::known::remember(app, &mut tx, &user.id, (email, visit.ip)).await?;
    }
    store::forget(&mut tx, &row.email).await?;
    let change = Change {
        action: "user.create",
        subject: subject(&user.id),
        before: None,
        after: Some(serde_json::json!({"role": user.role, "state": user.state})),
    };
    audit_log::in_transaction(&mut tx, &visit.of(&user.id), change).await?;
    tx.commit().await?;
    Ok(user)
}
