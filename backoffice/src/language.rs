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

/// By codes of problems.
const KOREAN_TITLES: &[(&str, &str)] = &[
    ("invalid_request", "요청이 올바르지 않습니다"),
    ("invalid_link", "더 이상 사용할 수 없는 링크입니다"),
    ("unauthorized", "다시 로그인해 주세요"),
    ("session_ended", "다시 로그인해 주세요"),
    (
        "wrong_credentials",
        "이메일 주소 또는 비밀번호가 올바르지 않습니다",
    ),
    ("forbidden", "권한이 없습니다"),
    ("not_found", "찾는 것이 없습니다"),
    (
        "unknown_product",
        "없는 상품이거나 판매하지 않는 상품입니다",
    ),
    ("unknown_sku", "없는 옵션이거나 판매하지 않는 옵션입니다"),
    ("unknown_category", "없는 분류입니다"),
    ("cart_full", "장바구니가 가득 찼습니다"),
    ("wish_list_full", "찜 목록이 가득 찼습니다"),
    ("unknown_user", "없는 회원입니다"),
    ("unknown_session", "없는 로그인입니다"),
    ("unknown_address", "없는 배송지입니다"),
    ("method_not_allowed", "지원하지 않는 방식입니다"),
    ("request_timeout", "요청 전송이 너무 오래 걸렸습니다"),
    ("unknown_order", "없는 주문입니다"),
    ("unknown_reservation", "없는 예약입니다"),
    ("unknown_coupon", "없는 쿠폰입니다"),
    ("hold_ended", "결제 가능 시간이 지나 예약이 종료되었습니다"),
    ("already_ordered", "이미 주문한 예약입니다"),
    ("coupon_unusable", "이 주문에 사용할 수 없는 쿠폰입니다"),
    ("already_sent", "이미 발송되어 취소할 수 없습니다"),
    ("in_flight", "처리 중입니다. 잠시 후 다시 시도해 주세요"),
    ("insufficient_points", "포인트가 부족합니다"),
    ("too_many_addresses", "배송지를 더 추가할 수 없습니다"),
    ("body_too_large", "요청 본문이 너무 큽니다"),
    (
        "idempotency_mismatch",
        "다른 요청에 이미 사용한 Idempotency-Key입니다",
    ),
    (
        "missing_idempotency_key",
        "Idempotency-Key 헤더가 필요합니다",
    ),
    ("bad_signature", "웹훅 서명이 올바르지 않습니다"),
    ("not_open", "아직 열리지 않았습니다"),
    ("not_draft", "이미 공개되어 수정할 수 없습니다"),
    ("closed", "종료되었습니다"),
    ("recovering", "복구 중입니다. 잠시 후 다시 시도해 주세요"),
    ("not_drawn", "아직 추첨하지 않았습니다"),
    ("not_active", "활성 상태인 계정이 아닙니다"),
    ("unknown_sale", "없는 판매입니다"),
    ("unknown_draw", "추첨이 없는 판매입니다"),
    ("unknown_mail", "없는 메일입니다"),
    ("unknown_dead_letter", "없는 미처리 이벤트입니다"),
    ("unknown_seller", "없는 판매자입니다"),
    ("unknown_notice", "없는 공지입니다"),
    ("unknown_settlement", "정산하지 않은 기간입니다"),
    ("unknown_statement", "없는 정산서입니다"),
    ("sale_exists", "같은 ID의 판매가 이미 있습니다"),
    ("coupon_exists", "같은 ID의 쿠폰이 이미 있습니다"),
    ("seller_exists", "같은 ID의 판매자가 이미 있습니다"),
    ("category_exists", "같은 ID의 분류가 이미 있습니다"),
    ("product_exists", "같은 ID의 상품이 이미 있습니다"),
    ("notice_exists", "같은 ID의 공지가 이미 있습니다"),
    ("sku_taken", "다른 상품이 사용하는 상품 코드입니다"),
    ("sku_in_use", "판매에 사용 중인 상품 코드입니다"),
    (
        "version_conflict",
        "그사이 수정되었습니다. 다시 읽고 수정해 주세요",
    ),
    ("category_cycle", "분류를 자기 아래에 둘 수 없습니다"),
    ("category_too_deep", "분류가 너무 깊습니다"),
    ("too_many_categories", "분류를 더 추가할 수 없습니다"),
    ("category_in_use", "아래에 분류나 상품이 있습니다"),
    ("incomplete", "공개하기에 부족한 것이 있습니다"),
    ("last_admin", "마지막 관리자입니다"),
    ("mail_expired", "기한이 지난 메일입니다"),
    ("insufficient_stock", "남은 수량이 부족합니다"),
    ("too_many_adjusts", "재고를 더 조정할 수 없습니다"),
    ("still_refused", "이번에도 반영하지 못했습니다"),
    ("not_sent", "아직 발송하지 않았습니다"),
    ("not_paid", "결제된 주문이 아닙니다"),
    ("not_parked", "결정을 기다리는 주문이 아닙니다"),
    (
        "settle_by_hand",
        "다른 통화로 결제되었습니다. 결제 대행사에서 직접 정산한 뒤 기록해 주세요",
    ),
    ("units_gone", "확보할 수량이 남아 있지 않습니다"),
    (
        "units_short",
        "이미 환불된 수량까지 잠시 확보해야 하는데 남은 수량이 부족합니다",
    ),
    ("undecidable", "이 주문에는 할 수 없는 결정입니다"),
    ("not_over", "아직 끝나지 않은 기간입니다"),
    ("earlier_open", "앞선 기간을 먼저 마감해 주세요"),
    (
        "event_refused",
        "장부와 맞지 않아 기장되지 않은 주문 기록이 있습니다",
    ),
    ("later_closed", "이후 기간이 이미 마감되었습니다"),
    ("nothing_due", "지급할 금액이 없습니다"),
    ("settlement_altered", "마감 당시의 결과와 다릅니다"),
    (
        "statement_too_long",
        "정산서가 너무 깁니다. 명령줄로 작성해 주세요",
    ),
    ("unsupported_media_type", "요청 본문은 JSON이어야 합니다"),
    (
        "rate_limited",
        "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요",
    ),
    ("overloaded", "접속자가 많습니다. 다시 시도해 주세요"),
    ("unavailable", "다시 시도해 주세요"),
    ("payments_off", "지금은 결제할 수 없습니다"),
    ("internal", "문제가 발생했습니다. 다시 시도해 주세요"),
];

/// What people read in Korean where a program reads `code`.
pub(crate) fn korean_title(code: &str) -> Option<&'static str> {
    let found = KOREAN_TITLES.iter().find(|(of, _)| *of == code);
    found.map(|(_, title)| *title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_korean_title() {
        let sources = [
            include_str!("error.rs"),
            include_str!("catalog/error.rs"),
            include_str!("orders/error.rs"),
            include_str!("settlement/error.rs"),
        ];
        let mut codes = 0;
        for source in sources {
            // `(STATUS, "code")`, on one line.
            for line in source
                .lines()
                .filter(|line| line.trim_end().ends_with([',', ')']))
            {
                let pair = line.split_once(", \"").and_then(|(before, rest)| {
                    let is_status = before.rsplit_once("::").is_some_and(|(_, status)| {
                        status.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
                    });
                    rest.split_once("\")").filter(|_| is_status)
                });
                if let Some((code, _)) = pair {
                    assert!(korean_title(code).is_some(), "{code}");
                    codes += 1;
                }
            }
        }
        assert!(codes >= 75, "{codes}");
    }

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
