//! Understands an engine's answer. Unknown fields are none of the client's business; missing ones leave it untold.

use chrono::DateTime;
use doorbuster_core::clock;
use doorbuster_core::ids::{ReservationId, UserId};
use doorbuster_core::record::{Line, Reason};
use serde::Deserialize;

use crate::client::connection::Response;
use crate::history::{Answer, Told};

/// An acceptance, of a reservation or a claim.
#[derive(Deserialize)]
struct Acceptance {
    id: ReservationId,
    #[serde(alias = "coupon")]
    sale: String,
    user: UserId,
    #[serde(default)]
    items: Vec<Line>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    reason: Option<Reason>,
    #[serde(default)]
    hold_expires_at: Option<String>,
    seq: u64,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
}

/// What a response says to its client.
pub fn understand(response: &Response<'_>) -> Answer {
    let mut answer = Answer {
        status: response.status,
        retry_after_s: response.retry_after_s,
        ..Answer::default()
    };
    if answer.is_acceptance() {
        answer.told = serde_json::from_slice(response.body).ok().map(told);
    } else {
        answer.code = serde_json::from_slice::<Problem>(response.body)
            .ok()
            .map(|problem| problem.code);
    }
    answer
}

fn told(acceptance: Acceptance) -> Told {
    Told {
        id: acceptance.id,
        seq: acceptance.seq,
        user: acceptance.user,
        of: acceptance.sale,
        lines: acceptance.items,
        status: acceptance.status.unwrap_or_else(|| "claimed".to_owned()),
        reason: acceptance.reason,
        deadline_ms: acceptance.hold_expires_at.as_deref().and_then(milliseconds),
        receipt: None,
    }
}

/// The receipt that comes with an accepted reservation. Most runs have no use for it, and leave it unread.
pub fn receipt(response: &Response<'_>) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct Receipted {
        receipt: Box<str>,
    }
    let receipted: Receipted = serde_json::from_slice(response.body).ok()?;
    Some(receipted.receipt)
}

fn milliseconds(date: &str) -> Option<u64> {
    DateTime::parse_from_rfc3339(date)
        .ok()
        .map(|date| clock::to_ms(date.to_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::connection::Then;

    fn answer(status: u16, body: &str) -> Answer {
        understand(&Response {
            status,
            retry_after_s: None,
            body: body.as_bytes(),
            then: Then::Reuse,
        })
    }

    #[test]
    fn a_hold_is_understood_field_by_field() {
        let told = answer(
            201,
            r#"{"id":"01010101-0101-0101-0101-010101010101","sale":"s","user":"ann","items":[{"sku":"a","quantity":2}],
                "status":"held","hold_expires_at":"2023-11-14T22:13:20.123Z","seq":7,"receipt":"x"}"#,
        )
        .told
        .unwrap();
        assert_eq!(
            (told.id, told.seq, told.of.as_str()),
            (ReservationId::from_bytes([1; 16]), 7, "s")
        );
        assert_eq!(
            (told.status.as_str(), told.deadline_ms),
            ("held", Some(1_700_000_000_123))
        );
        assert_eq!(
            (told.lines[0].sku.as_str(), told.lines[0].quantity),
            ("a", 2)
        );
    }

    #[test]
    fn a_claim_has_neither_items_nor_deadline() {
        let body =
            r#"{"id":"01010101-0101-0101-0101-010101010101","coupon":"c","user":"ann","seq":7}"#;
        let told = answer(201, body).told.unwrap();
        assert_eq!(
            (told.status.as_str(), told.of.as_str(), told.deadline_ms),
            ("claimed", "c", None)
        );
    }

    #[test]
    fn a_refusal_has_its_code_and_other_bodies_tell_nothing() {
        assert_eq!(
            answer(409, r#"{"code":"sold_out","request_id":"r"}"#)
                .code
                .as_deref(),
            Some("sold_out")
        );
        assert_eq!(answer(502, "<html>").code, None);
        assert_eq!(answer(201, "{}").told, None);
    }
}
