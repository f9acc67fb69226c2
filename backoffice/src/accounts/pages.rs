//! The three pages behind the links of mails: confirm an address, set a password, confirm another address. They need no script. A look (GET)
//! changes nothing, because mail scanners look at every link; the button (POST) does.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::secret::Secret;
use super::visit::Visit;
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::StrictQuery;
use crate::language::Language;
use crate::limits::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use crate::{email_changes, passwords, sign_ups};

/// Styles of its own, a form to ourselves, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";

/// The token of the link.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LinkQuery {
    /// Absent: the page says where the link comes from
    #[serde(default)]
    pub token: String,
}

/// The form that confirms.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmForm {
    #[schema(value_type = String)]
    pub token: Secret,
}

/// The form that sets a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordForm {
    #[schema(value_type = String)]
    pub token: Secret,
    #[schema(value_type = String, format = Password)]
    pub password: Secret,
}

#[derive(Template)]
#[template(path = "account.html")]
struct Page {
    language: &'static str,
    title: &'static str,
    text: String,
    form: Option<Fields>,
}

struct Fields {
    action: &'static str,
    token: String,
    /// The label of the field for a password; empty: there is none.
    password: &'static str,
    password_chars_min: usize,
    password_chars_max: usize,
    button: &'static str,
}

/// The page of the link that confirms an address; changes nothing
#[utoipa::path(get, path = "/account/confirm", tag = "pages", params(LinkQuery), responses((status = 200, content_type = "text/html", body = String)))]
pub(crate) async fn confirm_page(
    visit: Visit,
    StrictQuery(query): StrictQuery<LinkQuery>,
) -> Result<Response, ApiError> {
    let language = visit.language;
    let form = (!query.token.is_empty()).then(|| confirm_form(language, query.token));
    let text = match form {
        Some(_) => language.pick(
            "비밀번호를 정하고 아래 버튼을 누르면 이메일 주소가 확인되고 계정이 만들어집니다.",
            "Choose a password, and press the button to confirm your e-mail address and make your account.",
        ),
        None => language.pick(
            "받으신 메일의 링크를 열어 주세요.",
            "Please open the link in the mail that you got.",
        ),
    };
    page(language, confirm_title(language), text, form)
}

/// Confirms an address, with the password of the new account, as the page's button asks
#[utoipa::path(post, path = "/account/confirm", tag = "pages", request_body(content = PasswordForm, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, content_type = "text/html", description = "Confirmed, or why not, as a page", body = String),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem),
    (status = 503, description = "overloaded", body = Problem)))]
pub(crate) async fn confirm(
    State(app): State<App>,
    visit: Visit,
    form: Result<Form<PasswordForm>, FormRejection>,
) -> Result<Response, ApiError> {
    let Form(form) = form.map_err(refuse_form)?;
    let language = visit.language;
    let title = confirm_title(language);
    let text = match sign_ups::make_user(&app, &visit, &form.token, form.password).await {
        Ok(_) => language.pick(
            "이메일 주소가 확인되었습니다. 이제 로그인하실 수 있습니다.",
            "Your e-mail address is confirmed. You can sign in now.",
        ),
        Err(ApiError::InvalidLink) => void(language),
        Err(ApiError::InvalidFields(_)) => {
            let form = confirm_form(language, form.token.expose().to_owned());
            return page(language, title, unfit(language), Some(form));
        }
        Err(error) => return Err(error),
    };
    page(language, title, text, None)
}

/// The page of the link that gives an account another address; changes nothing
#[utoipa::path(get, path = "/account/email", tag = "pages", params(LinkQuery), responses((status = 200, content_type = "text/html", body = String)))]
pub(crate) async fn email_page(
    visit: Visit,
    StrictQuery(query): StrictQuery<LinkQuery>,
) -> Result<Response, ApiError> {
    let language = visit.language;
    let form = (!query.token.is_empty()).then(|| Fields {
        action: "/account/email",
        token: query.token,
        password: "",
        password_chars_min: PASSWORD_CHARS_MIN,
        password_chars_max: PASSWORD_CHARS_MAX,
        button: language.pick("확인", "Confirm"),
    });
    let text = match form {
        Some(_) => language.pick(
            "아래 버튼을 누르면 계정의 이메일 주소가 이 주소로 변경됩니다.",
            "Press the button to give your account this e-mail address.",
        ),
        None => language.pick(
            "이메일 주소는 로그인한 사람이 비밀번호로 요청하고 새 주소로 받은 메일의 링크를 열면 변경됩니다.",
            "An account gets another e-mail address when somebody who is signed in asks for it with the password, and opens the link in the mail to the new address.",
        ),
    };
    page(language, email_title(language), text, form)
}

/// Gives an account another address, as the page's button asks
#[utoipa::path(post, path = "/account/email", tag = "pages", request_body(content = ConfirmForm, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, content_type = "text/html", description = "Changed, or why not, as a page", body = String),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem)))]
pub(crate) async fn email(
    State(app): State<App>,
    visit: Visit,
    form: Result<Form<ConfirmForm>, FormRejection>,
) -> Result<Response, ApiError> {
    let Form(form) = form.map_err(refuse_form)?;
    let language = visit.language;
    let text = match email_changes::change(&app, &visit, &form.token).await {
        Ok(()) => language.pick(
            "이메일 주소가 변경되었습니다. 이제 새 주소로 로그인해 주세요.",
            "Your e-mail address is changed. Sign in with the new one from now on.",
        ),
        Err(ApiError::InvalidLink) => void(language),
        Err(error) => return Err(error),
    };
    page(language, email_title(language), text, None)
}

/// The page of the link that sets a password; changes nothing
#[utoipa::path(get, path = "/account/password", tag = "pages", params(LinkQuery), responses((status = 200, content_type = "text/html", body = String)))]
pub(crate) async fn password_page(
    visit: Visit,
    StrictQuery(query): StrictQuery<LinkQuery>,
) -> Result<Response, ApiError> {
    let language = visit.language;
    if query.token.is_empty() {
        let text = language.pick(
            "비밀번호를 바꾸려면 로그인 화면에서 재설정 메일을 요청하고, 받은 메일의 링크를 열어 주세요.",
            "To set a new password ask for a mail where you sign in, and open the link in it.",
        );
        return page(language, password_title(language), text, None);
    }
    let form = password_form(language, query.token);
    let text = language.pick("새 비밀번호를 입력해 주세요.", "Choose a new password.");
    page(language, password_title(language), text, Some(form))
}

/// Sets a password, as the page's button asks
#[utoipa::path(post, path = "/account/password", tag = "pages", request_body(content = PasswordForm, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, content_type = "text/html", description = "Set, or why not, as a page", body = String),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 429, description = "rate_limited, with Retry-After", body = Problem),
    (status = 503, description = "overloaded", body = Problem)))]
pub(crate) async fn password(
    State(app): State<App>,
    visit: Visit,
    form: Result<Form<PasswordForm>, FormRejection>,
) -> Result<Response, ApiError> {
    let Form(form) = form.map_err(refuse_form)?;
    let language = visit.language;
    let title = password_title(language);
    let text = match passwords::set_by_link(&app, &visit, &form.token, form.password).await {
        Ok(()) => language.pick(
            "비밀번호가 변경되었습니다. 새 비밀번호로 로그인해 주세요.",
            "Your password is set. Sign in with it.",
        ),
        Err(ApiError::InvalidLink) => void(language),
        Err(ApiError::InvalidFields(_)) => {
            let form = password_form(language, form.token.expose().to_owned());
            return page(language, title, unfit(language), Some(form));
        }
        Err(error) => return Err(error),
    };
    page(language, title, text, None)
}

fn confirm_title(language: Language) -> &'static str {
    language.pick("이메일 주소 확인", "Confirm your e-mail address")
}

fn email_title(language: Language) -> &'static str {
    language.pick("이메일 주소 변경", "Change your e-mail address")
}

fn password_title(language: Language) -> &'static str {
    language.pick("비밀번호 재설정", "Set a new password")
}

fn password_form(language: Language, token: String) -> Fields {
    Fields {
        action: "/account/password",
        token,
        password: language.pick("새 비밀번호", "New password"),
        password_chars_min: PASSWORD_CHARS_MIN,
        password_chars_max: PASSWORD_CHARS_MAX,
        button: language.pick("변경", "Set password"),
    }
}

fn confirm_form(language: Language, token: String) -> Fields {
    Fields {
        action: "/account/confirm",
        token,
        password: language.pick("비밀번호", "Password"),
        password_chars_min: PASSWORD_CHARS_MIN,
        password_chars_max: PASSWORD_CHARS_MAX,
        button: language.pick("확인", "Confirm"),
    }
}

/// What is wrong with a password that was chosen.
fn unfit(language: Language) -> &'static str {
    language.pick(
        "비밀번호는 8자 이상 128자 이하여야 하고, 이메일 주소와 같을 수 없습니다.",
        "The password must have 8 to 128 characters, and must not be your e-mail address.",
    )
}

fn void(language: Language) -> &'static str {
    language.pick(
        "더 이상 사용할 수 없는 링크입니다. 이미 사용했거나 기한이 지났습니다. 다시 요청해 주세요.",
        "This link is no longer good: it was used, or is too old. Please ask for a new one.",
    )
}

fn refuse_form(_: FormRejection) -> ApiError {
    ApiError::InvalidRequest("the form does not fit".to_owned())
}

fn page(
    language: Language,
    title: &'static str,
    text: &'static str,
    form: Option<Fields>,
) -> Result<Response, ApiError> {
    let page = Page {
        language: language.code(),
        title,
        text: text.to_owned(),
        form,
    };
    let page = page.render().map_err(|e| ApiError::Internal(e.into()))?;
    Ok(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response())
}
