//! What handlers take from a request: ids from the path, a strict JSON body, the idempotency key, who is asking.
//! Each extractor refuses with an [`ApiError`] that says what to do.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use doorbuster_core::claims::{Claims, Role};
use doorbuster_core::ids::{CouponId, IdempotencyKey, SaleId, UserId};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use uuid::Uuid;

use crate::error::ApiError;
use crate::limits::{BODY_TIMEOUT, REQUEST_ID_CHARS_MAX};
use crate::orders::error::Refusal;
use crate::payments::limits::WEBHOOK_BYTES_MAX;
use crate::settlement;
use crate::settlement::period::Period;

/// What our logs, the audit log and the client call a request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(String);

impl RequestId {
    pub(crate) const HEADER: &str = "x-request-id";

    /// The id that a proxy gave, if it is one that can stand in a log; otherwise a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers
            .get(Self::HEADER)
            .and_then(|value| value.to_str().ok());
        let fits = |id: &&str| {
            (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        Self(
            given
                .filter(fits)
                .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned),
        )
    }

    /// Of what no request asked for.
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who is asking, and under which request id: what the audit log needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub user: UserId,
    pub request_id: RequestId,
    /// By his token's role.
    pub is_admin: bool,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    /// The route's guard has put the claims there; without them nobody is asking.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let claims = parts
            .extensions
            .get::<Claims>()
            .ok_or(ApiError::Unauthorized)?;
        let request_id = parts
            .extensions
            .get::<RequestId>()
            .cloned()
            .unwrap_or_else(|| RequestId::of(&parts.headers));
        Ok(Self {
            user: claims.sub.clone(),
            request_id,
            is_admin: claims.role == Role::Admin,
        })
    }
}

/// The sale that the path names.
#[derive(Debug)]
pub(crate) struct SalePath(pub SaleId);

impl<S: Send + Sync> FromRequestParts<S> for SalePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::UnknownSale)?;
        SaleId::parse(id)
            .map(Self)
            .map_err(|_| ApiError::UnknownSale)
    }
}

/// The coupon that the path names.
#[derive(Debug)]
pub(crate) struct CouponPath(pub CouponId);

impl<S: Send + Sync> FromRequestParts<S> for CouponPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::UnknownCoupon)?;
        CouponId::parse(id)
            .map(Self)
            .map_err(|_| ApiError::UnknownCoupon)
    }
}

/// The user that the path names.
#[derive(Debug)]
pub(crate) struct UserPath(pub UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::UnknownUser)?;
        UserId::parse(id)
            .map(Self)
            .map_err(|_| ApiError::UnknownUser)
    }
}

/// The address that the path names.
#[derive(Debug)]
pub(crate) struct AddressPath(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for AddressPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::<Uuid>::from_request_parts(parts, state)
            .await
            .map(|Path(id)| Self(id))
            .map_err(|_| ApiError::UnknownAddress)
    }
}

/// The sign-in that the path names.
#[derive(Debug)]
pub(crate) struct SessionPath(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for SessionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::<Uuid>::from_request_parts(parts, state)
            .await
            .map(|Path(id)| Self(id))
            .map_err(|_| ApiError::UnknownSession)
    }
}

/// The order that the path names.
#[derive(Debug)]
pub(crate) struct OrderPath(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for OrderPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::<Uuid>::from_request_parts(parts, state)
            .await
            .map(|Path(id)| Self(id))
            .map_err(|_| ApiError::Order(Refusal::UnknownOrder))
    }
}

/// The settled period that the path names.
#[derive(Debug)]
pub(crate) struct PeriodPath(pub Period);

impl<S: Send + Sync> FromRequestParts<S> for PeriodPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let unknown = || ApiError::Settlement(settlement::error::Refusal::UnknownSettlement);
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| unknown())?;
        id.parse().map(Self).map_err(|_| unknown())
    }
}

/// The mail that the path names.
#[derive(Debug)]
pub(crate) struct MailPath(pub u64);

impl<S: Send + Sync> FromRequestParts<S> for MailPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::<u64>::from_request_parts(parts, state)
            .await
            .map(|Path(id)| Self(id))
            .map_err(|_| ApiError::UnknownMail)
    }
}

/// The Idempotency-Key header.
#[derive(Debug)]
pub(crate) struct Key(pub IdempotencyKey);

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let value = parts
            .headers
            .get("idempotency-key")
            .ok_or(ApiError::MissingIdempotencyKey)?;
        let key = value
            .to_str()
            .ok()
            .and_then(|text| IdempotencyKey::parse(text).ok());
        key.map(Self).ok_or_else(|| {
            ApiError::InvalidRequest(
                "Idempotency-Key must be 1 to 255 printable ASCII characters".to_owned(),
            )
        })
    }
}

/// The query, with unknown parameters refused where `T` refuses unknown fields.
#[derive(Debug)]
pub(crate) struct StrictQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(query)| Self(query))
            .map_err(|e| ApiError::InvalidRequest(innermost(&e)))
    }
}

/// The body of a webhook, byte for byte as it came: its signature is over these.
#[derive(Debug)]
pub(crate) struct WebhookBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for WebhookBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = whole_body(request, state).await?;
        if body.len() > WEBHOOK_BYTES_MAX {
            return Err(ApiError::BodyTooLarge);
        }
        Ok(Self(body))
    }
}

/// The body, if it comes in time and is not too long.
async fn whole_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let body = timeout(BODY_TIMEOUT, Bytes::from_request(request, state))
        .await
        .map_err(|_| ApiError::SlowBody)?;
    body.map_err(|e| match e.status().as_u16() {
        413 => ApiError::BodyTooLarge,
        _ => ApiError::InvalidRequest("the body ended early".to_owned()),
    })
}

/// A JSON body: declared as such, in time, not too long, without unknown fields where `T` refuses them.
#[derive(Debug)]
pub(crate) struct StrictJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for StrictJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::UnsupportedMediaType);
        }
        let body = whole_body(request, state).await?;
        let parsed = Json::<T>::from_bytes(&body);
        parsed
            .map(|Json(value)| Self(value))
            .map_err(|e| refuse_json(&e))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = declared.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

/// The library's innermost message begins with the path of the field that is wrong.
fn refuse_json(rejection: &JsonRejection) -> ApiError {
    let what = match rejection {
        JsonRejection::JsonSyntaxError(_) => "the body is not JSON",
        _ => "the body does not fit",
    };
    ApiError::InvalidRequest(format!("{what}: {}", innermost(rejection)))
}

/// Rejections wrap one another with general words; the cause says which field and why.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(error) = cause {
        // The path is in the outer of the last two messages, which repeats the inner one.
        if !text.contains(&error.to_string()) || text.starts_with("Failed to") {
            text = error.to_string();
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_of_a_proxy_is_kept_only_if_it_can_stand_in_a_log() {
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(RequestId::HEADER, value.try_into().unwrap());
            RequestId::of(&headers).0
        };
        assert_eq!(of(b"abc-123_x.y"), "abc-123_x.y");
        for bad in [b"".as_slice(), b"a b", b"a\"b", &[b'a'; 65]] {
            assert!(Uuid::try_parse(&of(bad)).is_ok());
        }
    }
}
