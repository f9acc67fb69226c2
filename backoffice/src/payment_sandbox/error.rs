//! Every answer of the sandbox that is no success, and the only place of it that names HTTP statuses.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::wire::Refusal;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0}")]
    InvalidRequest(String),
    #[error("the bearer token is not the one of PAYMENT_PROVIDER_KEY")]
    Unauthorized,
    #[error("only this machine may control the sandbox")]
    Forbidden,
    #[error("there is no charge of this key or id")]
    UnknownCharge,
    #[error("the charge was voided: nothing is captured under its key, ever")]
    Voided,
    #[error("nothing was captured that could go back")]
    NotCaptured,
    #[error("more than what was captured and has not gone back yet")]
    TooMuch,
    #[error("the key was used for another request")]
    Mismatch,
    /// As its fate wanted it.
    #[error("something broke here after the charge was captured")]
    Broke,
    #[error("nothing was done; come back later")]
    Away,
}

impl Refused {
    fn answer(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::UnknownCharge => (StatusCode::NOT_FOUND, "unknown_charge"),
            Self::Voided => (StatusCode::CONFLICT, "voided"),
            Self::NotCaptured => (StatusCode::CONFLICT, "not_captured"),
            Self::TooMuch => (StatusCode::CONFLICT, "too_much"),
            Self::Mismatch => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch"),
            Self::Broke => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Self::Away => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code) = self.answer();
        let refusal = Refusal {
            code: code.to_owned(),
            detail: self.to_string(),
        };
        (status, Json(refusal)).into_response()
    }
}
