//! What a request is told instead of what it asked for: the statuses, codes and words of our engine's contract, as far as
//! the rivals have cause for them. Put into HTTP by `reply`.

use std::borrow::Cow;

use doorbuster_core::ids::{IdError, SkuId};
use hyper::StatusCode;

use super::way::Trouble;

/// Why a request did not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Invalid(Cow<'static, str>),
    MissingIdempotencyKey,
    Unauthorized,
    NotFound,
    Method,
    BodyTooLarge,
    BodyTooSlow,
    MediaType,
    SoldOut(SkuId),
    LimitReached(SkuId),
    IdempotencyMismatch,
    /// Nothing was decided.
    Overloaded,
    /// Perhaps something was.
    Unavailable,
}

impl Refusal {
    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Refusal::Invalid(detail.into())
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refusal::Invalid(_) | Refusal::MissingIdempotencyKey => StatusCode::BAD_REQUEST,
            Refusal::Unauthorized => StatusCode::UNAUTHORIZED,
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Refusal::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::SoldOut(_) | Refusal::LimitReached(_) => StatusCode::CONFLICT,
            Refusal::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Overloaded | Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Refusal::Invalid(_) => "invalid_request",
            Refusal::MissingIdempotencyKey => "missing_idempotency_key",
            Refusal::Unauthorized => "unauthorized",
            Refusal::NotFound => "not_found",
            Refusal::Method => "method_not_allowed",
            Refusal::BodyTooLarge => "body_too_large",
            Refusal::BodyTooSlow => "request_timeout",
            Refusal::MediaType => "unsupported_media_type",
            Refusal::SoldOut(_) => "sold_out",
            Refusal::LimitReached(_) => "limit_reached",
            Refusal::IdempotencyMismatch => "idempotency_mismatch",
            Refusal::Overloaded => "overloaded",
            Refusal::Unavailable => "unavailable",
        }
    }

    pub(crate) fn title(&self) -> &'static str {
        match self {
            Refusal::Invalid(_) => "The request is not valid",
            Refusal::MissingIdempotencyKey => "The request has no Idempotency-Key",
            Refusal::Unauthorized => "Please sign in again",
            Refusal::NotFound => "There is nothing here",
            Refusal::Method => "This cannot be done here",
            Refusal::BodyTooLarge => "The request's body is too large",
            Refusal::BodyTooSlow => "The request took too long to arrive",
            Refusal::MediaType => "The request's body must be JSON",
            Refusal::SoldOut(_) => "Sold out",
            Refusal::LimitReached(_) => "You have reached your limit",
            Refusal::IdempotencyMismatch => "This key was used for another request",
            Refusal::Overloaded => "Very busy, please try again",
            Refusal::Unavailable => "Please try again",
        }
    }

    /// As long as our engine's, so that no way wins by saying less.
    pub(crate) fn detail(&self) -> Cow<'static, str> {
        match self {
            Refusal::Invalid(detail) => detail.clone(),
            Refusal::SoldOut(sku) => format!("0 left of {sku}; units of ended holds come back, so it may be worth asking again").into(),
            Refusal::LimitReached(sku) => format!("no more for one user ({sku})").into(),
            Refusal::MissingIdempotencyKey => "send an Idempotency-Key of 1 to 255 characters, one per purchase, and the same one when you repeat it".into(),
            Refusal::Unauthorized => "send Authorization: Bearer with a valid access token".into(),
            Refusal::NotFound | Refusal::Method => "POST /v1/sales/{sale}/reservations".into(),
            Refusal::BodyTooLarge => "send at most 16 KiB".into(),
            Refusal::BodyTooSlow => "send the whole body within 5 seconds".into(),
            Refusal::MediaType => "send Content-Type: application/json".into(),
            Refusal::IdempotencyMismatch => "use a new Idempotency-Key for a new request, and the same body when you repeat one".into(),
            Refusal::Overloaded => "nothing was decided; repeat the same request with the same key after Retry-After".into(),
            Refusal::Unavailable => "the outcome is not known yet; repeat the same request with the same key to learn it".into(),
        }
    }
}

impl From<IdError> for Refusal {
    fn from(error: IdError) -> Self {
        Refusal::invalid(error.to_string())
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Busy => Refusal::Overloaded,
            Trouble::Store(_) => Refusal::Unavailable,
        }
    }
}
