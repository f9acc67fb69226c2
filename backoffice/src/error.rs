//! Every answer that is not a success, and the only place that names HTTP statuses. Bodies are RFC 9457 problems.
//! Handlers return [`ApiError`]; `edge` finishes the answer with the request's id. What is ours to repair is logged once,
//! here, and told to the client in general words only.

use std::borrow::Borrow;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use doorbuster_core::gate::{Fenced, GateError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::catalog::error::Refusal;
use crate::extract::RequestId;
use crate::language::{Language, korean_title};
use crate::passing::is_passing;
use crate::{orders, settlement};

/// Seconds after which a client may try again what is refused for the moment.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why a request is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    InvalidRequest(String),
    #[error("some fields cannot be accepted; nothing was changed")]
    InvalidFields(Vec<FieldProblem>),
    #[error(
        "this operation needs an Idempotency-Key header of 1 to 255 printable ASCII characters"
    )]
    MissingIdempotencyKey,
    #[error("a valid access token is needed: Authorization: Bearer <token>")]
    Unauthorized,
    #[error("e-mail address or password is wrong")]
    WrongCredentials,
    #[error("this sign-in has ended; sign in again")]
    SessionEnded,
    #[error(
        "the token is no longer good: it was used, is too old, or never was one; ask for a new mail"
    )]
    InvalidLink,
    #[error("the token's role may not do this; {0} may")]
    Forbidden(&'static str),
    #[error("there is nothing at this path; /docs lists what there is")]
    NotFound,
    #[error("there is no sale of this id")]
    UnknownSale,
    #[error("the sale has no such sku")]
    UnknownSku,
    #[error("there is no coupon of this id")]
    UnknownCoupon,
    #[error("there is no dead letter of this id")]
    UnknownDeadLetter,
    #[error("this sale draws nobody: those who come first are first")]
    UnknownDraw,
    #[error("the draw is not done yet: it is, soon after the sale has opened")]
    NotDrawn,
    #[error("there is no user of this id here; a shop's own users are known to the shop alone")]
    UnknownUser,
    #[error("you have no address of this id")]
    UnknownAddress,
    #[error("you have no sign-in of this id")]
    UnknownSession,
    #[error("there is no mail of this id: it never was, was sent, or was removed")]
    UnknownMail,
    #[error("this path does not know the method; the Allow header lists those it knows")]
    MethodNotAllowed,
    #[error("the body did not arrive in time")]
    SlowBody,
    #[error("there is a sale of this id already")]
    SaleExists,
    #[error("there is a coupon of this id already")]
    CouponExists,
    #[error("this is the last active admin; make another one first")]
    LastAdmin,
    #[error("the account is not active")]
    NotActive,
    #[error("what the mail tells of is over; it is sent no more")]
    MailExpired,
    #[error("you have as many addresses as you may; remove one first")]
    TooManyAddresses,
    #[error("it has not been opened yet: POST …/open first")]
    NotOpen,
    #[error("it has been opened, and stays as it is: only a draft can be edited")]
    NotDraft,
    #[error("it is closed, for good")]
    Closed,
    #[error("only {left} units are left to take away")]
    InsufficientStock { left: u64 },
    #[error("this sale has had as many adjustments as it may")]
    TooManyAdjusts,
    /// What MySQL said.
    #[error("it could not be applied this time either, and stays open: {0}")]
    StillRefused(String),
    #[error("the body is longer than 65536 bytes")]
    BodyTooLarge,
    #[error("the body must be JSON, with Content-Type: application/json")]
    UnsupportedMediaType,
    #[error("this Idempotency-Key was used for another request; use a new key")]
    IdempotencyMismatch,
    #[error(transparent)]
    Catalog(Refusal),
    #[error(transparent)]
    Order(#[from] orders::error::Refusal),
    #[error(transparent)]
    Settlement(settlement::error::Refusal),
    /// Redis does not have the sale as the books know it; nothing was changed.
    #[error("the sale's live state is being brought back ({0}); nothing was changed, try again")]
    Recovering(String),
    #[error("too many attempts; try again in {wait_s} s")]
    RateLimited { wait_s: u64 },
    #[error("too many people sign in at this moment; nothing was done, try again")]
    Overloaded,
    #[error("as many as may already watch sales here; try again")]
    TooManyWatchers,
    #[error("nothing can be paid for here: no payment provider is set")]
    PaymentsOff,
    #[error("the webhook is not signed with a secret of ours, or its time is not about now")]
    BadSignature,
    #[error("not ready: {0}")]
    NotReady(&'static str),
    /// Redis or MySQL did not answer. Every operation may be repeated.
    #[error(
        "a server behind this one does not answer; whether the request was done is unknown, and repeating it is safe"
    )]
    Unavailable(#[source] anyhow::Error),
    #[error("something went wrong on our side; the request id helps to find it")]
    Internal(#[source] anyhow::Error),
}

/// One field that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldProblem {
    /// JSON pointer to the field (RFC 6901)
    #[schema(example = "/items/0/stock")]
    pub pointer: String,
    /// What it must be
    #[schema(example = "must be 0 to 1000000000")]
    pub detail: String,
}

/// An RFC 9457 problem.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the code says what happened
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    #[schema(example = "Conflict")]
    title: &'static str,
    #[schema(example = 409)]
    status: u16,
    /// Stable word for programs
    #[schema(example = "sale_exists")]
    code: &'static str,
    /// Text for people
    #[schema(example = "there is a sale of this id already")]
    detail: String,
    /// Every field that cannot be accepted, where fields are the matter
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
    /// What our logs call this request
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "0f8b2a3c-5e1d-4f6a-9b7c-2d3e4f5a6b7c")]
    request_id: String,
}

impl ApiError {
    fn answer(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest(_) | Self::InvalidFields(_) => {
                (StatusCode::BAD_REQUEST, "invalid_request")
            }
            Self::MissingIdempotencyKey => (StatusCode::BAD_REQUEST, "missing_idempotency_key"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::WrongCredentials => (StatusCode::UNAUTHORIZED, "wrong_credentials"),
            Self::SessionEnded => (StatusCode::UNAUTHORIZED, "session_ended"),
            Self::InvalidLink => (StatusCode::BAD_REQUEST, "invalid_link"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::UnknownSale => (StatusCode::NOT_FOUND, "unknown_sale"),
            Self::UnknownSku => (StatusCode::NOT_FOUND, "unknown_sku"),
            Self::UnknownCoupon => (StatusCode::NOT_FOUND, "unknown_coupon"),
            Self::UnknownDeadLetter => (StatusCode::NOT_FOUND, "unknown_dead_letter"),
            Self::UnknownDraw => (StatusCode::NOT_FOUND, "unknown_draw"),
            Self::NotDrawn => (StatusCode::CONFLICT, "not_drawn"),
            Self::UnknownUser => (StatusCode::NOT_FOUND, "unknown_user"),
            Self::UnknownAddress => (StatusCode::NOT_FOUND, "unknown_address"),
            Self::UnknownSession => (StatusCode::NOT_FOUND, "unknown_session"),
            Self::UnknownMail => (StatusCode::NOT_FOUND, "unknown_mail"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::SlowBody => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::SaleExists => (StatusCode::CONFLICT, "sale_exists"),
            Self::CouponExists => (StatusCode::CONFLICT, "coupon_exists"),
            Self::LastAdmin => (StatusCode::CONFLICT, "last_admin"),
            Self::NotActive => (StatusCode::CONFLICT, "not_active"),
            Self::MailExpired => (StatusCode::CONFLICT, "mail_expired"),
            Self::TooManyAddresses => (StatusCode::CONFLICT, "too_many_addresses"),
            Self::NotOpen => (StatusCode::CONFLICT, "not_open"),
            Self::NotDraft => (StatusCode::CONFLICT, "not_draft"),
            Self::Closed => (StatusCode::CONFLICT, "closed"),
            Self::InsufficientStock { .. } => (StatusCode::CONFLICT, "insufficient_stock"),
            Self::TooManyAdjusts => (StatusCode::CONFLICT, "too_many_adjusts"),
            Self::StillRefused(_) => (StatusCode::CONFLICT, "still_refused"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::IdempotencyMismatch => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch"),
            Self::Catalog(refusal) => refusal.answer(),
            Self::Order(refusal) => refusal.answer(),
            Self::Settlement(refusal) => refusal.answer(),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Self::Recovering(_) => (StatusCode::SERVICE_UNAVAILABLE, "recovering"),
            Self::TooManyWatchers => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Self::PaymentsOff => (StatusCode::SERVICE_UNAVAILABLE, "payments_off"),
            Self::BadSignature => (StatusCode::UNAUTHORIZED, "bad_signature"),
            Self::NotReady(_) | Self::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// The stable word.
    pub(crate) fn code(&self) -> &'static str {
        self.answer().1
    }

    /// The answer without the request's id, for lists that report on several sales at once.
    pub(crate) fn problem(self) -> Problem {
        let (status, code) = self.answer();
        let detail = self.to_string();
        let errors = match self {
            Self::InvalidFields(errors) => errors,
            Self::Catalog(refusal) => refusal.errors(),
            _ => Vec::new(),
        };
        let title = status.canonical_reason().unwrap_or("Error");
        Problem {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            code,
            detail,
            errors,
            request_id: String::new(),
        }
    }
}

/// What a finished response still lacks; carried from a handler to [`finish`].
#[derive(Clone)]
struct Unfinished(Problem);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Unavailable(cause) | Self::Internal(cause) = &self {
            tracing::error!(cause = format!("{cause:#}"), "a request failed: {self}");
        }
        let unauthorized = matches!(self, Self::Unauthorized);
        let wait = match &self {
            Self::RateLimited { wait_s } => Some(HeaderValue::from(*wait_s)),
            _ => None,
        };
        let problem = self.problem();
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if let Some(wait) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        if unauthorized {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Unfinished(problem));
        response
    }
}

/// Writes the problem's body, now that the request's id and language are at hand; other responses pass unchanged.
pub(crate) fn finish(
    mut response: Response,
    request_id: &RequestId,
    language: Language,
) -> Response {
    let Some(Unfinished(mut problem)) = response.extensions_mut().remove::<Unfinished>() else {
        return response;
    };
    request_id.as_str().clone_into(&mut problem.request_id);
    if let (Language::Korean, Some(title)) = (language, korean_title(problem.code)) {
        problem.title = title;
    }
    let body = serde_json::to_vec(&problem).expect("a problem is strings and a number");
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
    response
}

/// 202: the outcome comes by another way.
pub(crate) fn accepted(body: impl Serialize) -> Response {
    (StatusCode::ACCEPTED, axum::Json(body)).into_response()
}

/// 204.
pub(crate) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// 201 with the address of what was made.
pub(crate) fn created(location: &str, body: impl Serialize) -> Response {
    let mut response = (StatusCode::CREATED, axum::Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        of_books(error)
    }
}

/// One that many are told of.
impl From<Arc<sqlx::Error>> for ApiError {
    fn from(error: Arc<sqlx::Error>) -> Self {
        of_books(error)
    }
}

fn of_books(error: impl Borrow<sqlx::Error> + Into<anyhow::Error>) -> ApiError {
    if is_passing(error.borrow()) {
        ApiError::Unavailable(error.into())
    } else {
        ApiError::Internal(error.into())
    }
}

impl From<GateError> for ApiError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Unknown
            | GateError::Unavailable(_)
            | GateError::Busy
            | GateError::Unreplicated { .. }
            | GateError::Refused { .. } => Self::Unavailable(error.into()),
            GateError::Contract { .. } | GateError::Mismatched { .. } => {
                Self::Internal(error.into())
            }
        }
    }
}

impl From<Fenced> for ApiError {
    fn from(fenced: Fenced) -> Self {
        match fenced {
            // Only asked about published sales: one that Redis does not know has been lost, not forgotten.
            Fenced::UnknownSale => Self::Recovering("not in redis".to_owned()),
            Fenced::UnknownSchema(schema) => Self::Recovering(format!("schema {schema}")),
            Fenced::Recovering(why) => Self::Recovering(why),
        }
    }
}
