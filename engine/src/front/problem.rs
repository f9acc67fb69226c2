//! Refusals as values: everything that a request can be told instead of what it asked for, and the words for it.
//!
//! No HTTP here: [`super::reply`] gives each its status. `code` is the stable name that programs branch on; the title is
//! for buyers, in Korean and English; the detail tells a developer what to mend.

use std::borrow::Cow;
use std::time::Duration;

use doorbuster_core::gate::{Fenced, GateError};
use doorbuster_core::ids::{IdError, SkuId};
use hyper::Method;

use super::limit::Policy;
use super::retry::whole_seconds;

/// Why a request did not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Invalid {
        detail: Cow<'static, str>,
    },
    MissingIdempotencyKey,
    Unauthorized,
    NotFound,
    Method {
        allowed: &'static [Method],
    },
    HeadersTooLarge,
    BodyTooLarge,
    BodyTooSlow,
    MediaType,
    RateLimited {
        wait: Duration,
        policy: Policy,
    },
    /// Asked for one's place before it was time to.
    TooEarly {
        wait: Duration,
    },
    UnknownSale,
    UnknownSku(SkuId),
    UnknownCoupon,
    UnknownReservation,
    SoldOut {
        sku: SkuId,
        left: u64,
    },
    LimitReached {
        sku: SkuId,
        limit: u64,
    },
    AlreadyClaimed {
        limit: u64,
    },
    NotOpen,
    Paused,
    Closed,
    HoldEnded {
        how: &'static str,
    },
    InFlight,
    IdempotencyMismatch,
    Overloaded,
    Recovering,
    Unavailable {
        detail: &'static str,
    },
    Backlog,
    /// The sale has a line, and it is not the buyer's turn.
    NotAdmitted,
    /// A ticket or an invite that is not the buyer's.
    Forbidden {
        detail: &'static str,
    },
    /// The sale has no line.
    NoLine,
    /// Nothing is left or held, and nobody is let in any more.
    LineEnded,
}

/// The language that a buyer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Korean,
}

impl Language {
    /// From `Accept-Language`: Korean where it comes first (RFC 9110 §12.5.4, reduced to the two that we have).
    pub fn preferred(accept_language: Option<&str>) -> Self {
        let first = accept_language
            .and_then(|value| value.split([',', ';', '-']).next())
            .unwrap_or("");
        if first.trim().eq_ignore_ascii_case("ko") {
            Language::Korean
        } else {
            Language::English
        }
    }
}

impl Refusal {
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Refusal::Invalid {
            detail: detail.into(),
        }
    }

    /// Programs branch on this; it never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Invalid { .. } => "invalid_request",
            Refusal::MissingIdempotencyKey => "missing_idempotency_key",
            Refusal::Unauthorized => "unauthorized",
            Refusal::NotFound => "not_found",
            Refusal::Method { .. } => "method_not_allowed",
            Refusal::HeadersTooLarge => "headers_too_large",
            Refusal::BodyTooLarge => "body_too_large",
            Refusal::BodyTooSlow => "request_timeout",
            Refusal::MediaType => "unsupported_media_type",
            Refusal::RateLimited { .. } | Refusal::TooEarly { .. } => "rate_limited",
            Refusal::UnknownSale => "unknown_sale",
            Refusal::UnknownSku(_) => "unknown_sku",
            Refusal::UnknownCoupon => "unknown_coupon",
            Refusal::UnknownReservation => "unknown_reservation",
            Refusal::SoldOut { .. } => "sold_out",
            Refusal::LimitReached { .. } => "limit_reached",
            Refusal::AlreadyClaimed { .. } => "already_claimed",
            Refusal::NotOpen => "not_open",
            Refusal::Paused => "paused",
            Refusal::Closed => "closed",
            Refusal::HoldEnded { .. } => "hold_ended",
            Refusal::InFlight => "in_flight",
            Refusal::IdempotencyMismatch => "idempotency_mismatch",
            Refusal::Overloaded => "overloaded",
            Refusal::Recovering => "recovering",
            Refusal::Unavailable { .. } => "unavailable",
            Refusal::Backlog => "backlog",
            Refusal::NotAdmitted => "not_admitted",
            Refusal::Forbidden { .. } => "forbidden",
            Refusal::NoLine => "no_line",
            Refusal::LineEnded => "sold_out",
        }
    }

    /// What a buyer reads.
    pub fn title(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.english(),
            Language::Korean => self.korean(),
        }
    }

    fn english(&self) -> &'static str {
        match self {
            Refusal::Invalid { .. } => "The request is not valid",
            Refusal::MissingIdempotencyKey => "The request has no Idempotency-Key",
            Refusal::Unauthorized => "Please sign in again",
            Refusal::NotFound => "There is nothing here",
            Refusal::Method { .. } => "This cannot be done here",
            Refusal::HeadersTooLarge => "The request's headers are too large",
            Refusal::BodyTooLarge => "The request's body is too large",
            Refusal::BodyTooSlow => "The request took too long to arrive",
            Refusal::MediaType => "The request's body must be JSON",
            Refusal::RateLimited { .. } | Refusal::TooEarly { .. } => {
                "Too many requests, please slow down"
            }
            Refusal::UnknownSale => "There is no such sale",
            Refusal::UnknownSku(_) => "There is no such item in this sale",
            Refusal::UnknownCoupon => "There is no such coupon",
            Refusal::UnknownReservation => "You have no such reservation",
            Refusal::SoldOut { left: 0, .. } => "Sold out",
            Refusal::SoldOut { .. } => "Not enough left",
            Refusal::LimitReached { .. } => "You have reached your limit",
            Refusal::AlreadyClaimed { .. } => "You already have this coupon",
            Refusal::NotOpen => "Not open yet",
            Refusal::Paused => "Paused for a moment, please wait",
            Refusal::Closed => "Closed",
            Refusal::HoldEnded { .. } => "This reservation has ended",
            Refusal::InFlight => "A payment is under way",
            Refusal::IdempotencyMismatch => "This key was used for another request",
            Refusal::Overloaded => "Very busy, please try again",
            Refusal::Recovering => "Back in a moment, please try again",
            Refusal::Unavailable { .. } => "Please try again",
            Refusal::Backlog => "Very busy, please try again",
            Refusal::NotAdmitted => "It is not your turn yet",
            Refusal::Forbidden { .. } => "This is not yours",
            Refusal::NoLine => "There is no line here",
            Refusal::LineEnded => "Sold out",
        }
    }

    fn korean(&self) -> &'static str {
        match self {
            Refusal::Invalid { .. } => "요청이 올바르지 않습니다",
            Refusal::MissingIdempotencyKey => "Idempotency-Key가 없습니다",
            Refusal::Unauthorized => "다시 로그인해 주세요",
            Refusal::NotFound => "찾는 것이 없습니다",
            Refusal::Method { .. } => "지원하지 않는 방식입니다",
            Refusal::HeadersTooLarge => "요청 헤더가 너무 큽니다",
            Refusal::BodyTooLarge => "요청 본문이 너무 큽니다",
            Refusal::BodyTooSlow => "요청 전송이 너무 오래 걸렸습니다",
            Refusal::MediaType => "요청 본문은 JSON이어야 합니다",
            Refusal::RateLimited { .. } | Refusal::TooEarly { .. } => {
                "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요"
            }
            Refusal::UnknownSale => "없는 판매입니다",
            Refusal::UnknownSku(_) => "이 판매에 없는 상품입니다",
            Refusal::UnknownCoupon => "없는 쿠폰입니다",
            Refusal::UnknownReservation => "해당 예약이 없습니다",
            Refusal::SoldOut { left: 0, .. } => "품절되었습니다",
            Refusal::SoldOut { .. } => "남은 수량이 부족합니다",
            Refusal::LimitReached { .. } => "구매 한도에 도달했습니다",
            Refusal::AlreadyClaimed { .. } => "이미 받은 쿠폰입니다",
            Refusal::NotOpen => "아직 시작되지 않았습니다",
            Refusal::Paused => "잠시 중단되었습니다. 기다려 주세요",
            Refusal::Closed => "종료되었습니다",
            Refusal::HoldEnded { .. } => "이미 끝난 예약입니다",
            Refusal::InFlight => "결제가 진행 중입니다",
            Refusal::IdempotencyMismatch => "다른 요청에 사용된 키입니다",
            Refusal::Overloaded => "접속자가 많습니다. 다시 시도해 주세요",
            Refusal::Recovering => "복구 중입니다. 잠시 후 다시 시도해 주세요",
            Refusal::Unavailable { .. } => "다시 시도해 주세요",
            Refusal::Backlog => "접속자가 많습니다. 다시 시도해 주세요",
            Refusal::NotAdmitted => "아직 차례가 아닙니다",
            Refusal::Forbidden { .. } => "본인의 것이 아닙니다",
            Refusal::NoLine => "대기열이 없는 판매입니다",
            Refusal::LineEnded => "품절되었습니다",
        }
    }

    /// What a developer reads: what to mend, or when to come back.
    pub fn detail(&self) -> Cow<'static, str> {
        match self {
            Refusal::Invalid { detail } => detail.clone(),
            Refusal::MissingIdempotencyKey => "send an Idempotency-Key of 1 to 255 characters, one per purchase, and the same one when you repeat it".into(),
            Refusal::Unauthorized => "send Authorization: Bearer with a valid access token".into(),
            Refusal::NotFound => "see /openapi.json for what there is".into(),
            Refusal::Method { allowed } => {
                let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
                format!("use {}", names.join(" or ")).into()
            }
            Refusal::HeadersTooLarge => "send less than 16 KiB of headers".into(),
            Refusal::BodyTooLarge => "send at most 16 KiB".into(),
            Refusal::BodyTooSlow => "send the whole body within 5 seconds".into(),
            Refusal::MediaType => "send Content-Type: application/json".into(),
            Refusal::RateLimited { wait, policy } => format!("at most {} a second ({}); wait {} s", policy.per_second, policy.name, whole_seconds(*wait)).into(),
            Refusal::TooEarly { wait } => format!("ask for your place when poll_after_ms says; wait {} s", whole_seconds(*wait)).into(),
            Refusal::UnknownSale | Refusal::UnknownCoupon => "check the id in the path".into(),
            Refusal::UnknownSku(sku) => format!("this sale has no sku {sku}; GET the sale for its skus").into(),
            Refusal::UnknownReservation => "check the id in the path, and whose token you sent".into(),
            Refusal::SoldOut { sku, left } => format!("{left} left of {sku}; units of ended holds come back, so it may be worth asking again").into(),
            Refusal::LimitReached { sku, limit } => format!("at most {limit} for one user ({sku})").into(),
            Refusal::AlreadyClaimed { limit } => format!("at most {limit} for one user").into(),
            Refusal::NotOpen => "GET the sale for its window and the server's time".into(),
            Refusal::Paused => "the operator will resume it; GET the sale for its state".into(),
            Refusal::Closed => "no more requests are taken; a repeated one still gets its answer".into(),
            Refusal::HoldEnded { how } => format!("it was {how}").into(),
            Refusal::InFlight => "wait for the payment's outcome".into(),
            Refusal::IdempotencyMismatch => "use a new Idempotency-Key for a new request, and the same body when you repeat one".into(),
            Refusal::Overloaded | Refusal::Backlog => "nothing was decided; repeat the same request with the same key after Retry-After".into(),
            Refusal::Recovering => "the sale is being compared with the books; repeat the same request with the same key after Retry-After".into(),
            Refusal::Unavailable { detail } | Refusal::Forbidden { detail } => (*detail).into(),
            Refusal::NotAdmitted => "POST the sale's tickets to join its line, and reserve with the Queue-Ticket once its state is admitted".into(),
            Refusal::NoLine => "this sale has no waiting room; reserve at once".into(),
            Refusal::LineEnded => "nothing is left or held, so no units can come back".into(),
        }
    }
}

impl From<Fenced> for Refusal {
    fn from(fenced: Fenced) -> Self {
        match fenced {
            Fenced::UnknownSale => Refusal::UnknownSale,
            Fenced::UnknownSchema(_) => Refusal::Unavailable {
                detail: "this sale was opened by another version of the program",
            },
            Fenced::Recovering(_) => Refusal::Recovering,
        }
    }
}

impl From<&GateError> for Refusal {
    fn from(error: &GateError) -> Self {
        match error {
            GateError::Busy => Refusal::Overloaded,
            GateError::Unknown | GateError::Mismatched { .. } | GateError::Contract { .. } => {
                UNKNOWN
            }
            GateError::Unreplicated { .. } => UNCONFIRMED,
            GateError::Unavailable(_) | GateError::Refused { .. } => Refusal::Unavailable {
                detail: "nothing was decided; repeat the same request with the same key after Retry-After",
            },
        }
    }
}

/// Asked, and not answered in time.
pub(crate) const UNKNOWN: Refusal = Refusal::Unavailable {
    detail: "the outcome is not known yet; repeat the same request with the same key to learn it",
};

/// Decided, and not yet as safe as the ack level promises.
pub(crate) const UNCONFIRMED: Refusal = Refusal::Unavailable {
    detail: "decided, but not confirmed in time as the ack level asks; repeat the same request with the same key to learn it",
};

impl From<IdError> for Refusal {
    fn from(error: IdError) -> Self {
        Refusal::invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_is_spoken_to_those_who_put_it_first() {
        for (header, language) in [
            (None, Language::English),
            (Some("ko"), Language::Korean),
            (Some("ko-KR,ko;q=0.9,en;q=0.8"), Language::Korean),
            (Some("en-US,ko;q=0.5"), Language::English),
        ] {
            assert_eq!(Language::preferred(header), language, "{header:?}");
        }
        assert_eq!(Refusal::Closed.title(Language::Korean), "종료되었습니다");
    }

    #[test]
    fn a_shortage_is_not_called_sold_out_to_the_buyer() {
        let sku = SkuId::parse("tee").unwrap();
        let (none, some) = (
            Refusal::SoldOut {
                sku: sku.clone(),
                left: 0,
            },
            Refusal::SoldOut { sku, left: 2 },
        );
        assert_eq!((none.code(), some.code()), ("sold_out", "sold_out"));
        assert_eq!(some.title(Language::English), "Not enough left");
    }
}
