//! The two languages in which people are spoken to. Read from `Accept-Language` for answers and pages, kept with a user for mails.

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum Language {
    #[serde(rename = "ko")]
    Korean,
    #[serde(rename = "en")]
    English,
}

impl Language {
    /// Korean where it comes first (RFC 9110 §12.5.4, reduced to the two that we have).
    pub(crate) fn preferred(headers: &HeaderMap) -> Self {
        let first = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split([',', ';', '-']).next())
            .unwrap_or("");
        if first.trim().eq_ignore_ascii_case("ko") {
            Self::Korean
        } else {
            Self::English
        }
    }

    /// As the books keep it.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Korean => "ko",
            Self::English => "en",
        }
    }

    pub(crate) fn of_code(code: &str) -> Self {
        if code == "ko" {
            Self::Korean
        } else {
            Self::English
        }
    }

    /// The one of two texts that is in this language.
    pub(crate) fn pick<T>(self, korean: T, english: T) -> T {
        match self {
            Self::Korean => korean,
            Self::English => english,
        }
    }
}

/// What a buyer reads in Korean where a program reads `code`; nothing where only staff and programs meet it.
pub(crate) fn korean_title(code: &str) -> Option<&'static str> {
    Some(match code {
        "invalid_request" => "요청이 올바르지 않습니다",
        "invalid_link" => "더 이상 사용할 수 없는 링크입니다",
        "unauthorized" | "session_ended" => "다시 로그인해 주세요",
        "wrong_credentials" => "이메일 주소 또는 비밀번호가 올바르지 않습니다",
        "forbidden" => "권한이 없습니다",
        "not_found" => "찾는 것이 없습니다",
        "unknown_product" => "없는 상품이거나 판매하지 않는 상품입니다",
        "unknown_sku" => "없는 옵션이거나 판매하지 않는 옵션입니다",
        "unknown_category" => "없는 분류입니다",
        "cart_full" => "장바구니가 가득 찼습니다",
        "wish_list_full" => "찜 목록이 가득 찼습니다",
        "unknown_user" => "없는 회원입니다",
        "unknown_session" => "없는 로그인입니다",
        "unknown_address" => "없는 배송지입니다",
        "method_not_allowed" => "지원하지 않는 방식입니다",
        "request_timeout" => "요청 전송이 너무 오래 걸렸습니다",
        "unknown_order" => "없는 주문입니다",
        "unknown_reservation" => "없는 예약입니다",
        "unknown_coupon" => "없는 쿠폰입니다",
        "hold_ended" => "결제 가능 시간이 지나 예약이 종료되었습니다",
        "already_ordered" => "이미 주문한 예약입니다",
        "coupon_unusable" => "이 주문에 사용할 수 없는 쿠폰입니다",
        "already_sent" => "이미 발송되어 취소할 수 없습니다",
        "in_flight" => "처리 중입니다. 잠시 후 다시 시도해 주세요",
        "insufficient_points" => "포인트가 부족합니다",
        "too_many_addresses" => "배송지를 더 추가할 수 없습니다",
        "body_too_large" => "요청 본문이 너무 큽니다",
        "unsupported_media_type" => "요청 본문은 JSON이어야 합니다",
        "rate_limited" => "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요",
        "overloaded" => "접속자가 많습니다. 다시 시도해 주세요",
        "unavailable" => "다시 시도해 주세요",
        "payments_off" => "지금은 결제할 수 없습니다",
        "internal" => "문제가 발생했습니다. 다시 시도해 주세요",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_is_spoken_to_those_who_put_it_first() {
        for (value, language) in [
            ("", Language::English),
            ("ko", Language::Korean),
            ("ko-KR,ko;q=0.9,en;q=0.8", Language::Korean),
            ("en-US,ko;q=0.5", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, value.parse().unwrap());
            assert_eq!(Language::preferred(&headers), language, "{value}");
            assert_eq!(Language::of_code(language.code()), language);
        }
    }
}
