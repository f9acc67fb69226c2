//! The words of `payment-sandbox`.

use axum::http::HeaderMap;
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Answer, Call, Event, Garbled, NoEvent, Provider};
use crate::payment_sandbox::wire::{
    self, ChargeRequest, ChargeView, ChargesPage, RefundRequest, RefundView, Refusal, Status,
};
use crate::payments::charge::{
    AttemptId, Charge, Charged, Found, Listed, ListedCharge, Refund, Refunded, Voided,
};
use crate::payments::limits::{EVENT_CHARS_MAX, REASON_CHARS_MAX, REF_CHARS_MAX};
use crate::payments::signature::{ID, NotSigned, SIGNATURE, Signed, Signer, TIMESTAMP};

pub(super) struct Sandbox;

impl Provider for Sandbox {
    fn charge(&self, charge: &Charge) -> Call {
        let request = ChargeRequest {
            order: charge.order.clone(),
            amount: charge.amount,
            method: charge.method.clone(),
            token: charge.token.expose().to_owned(),
        };
        let key = Some(charge.attempt.to_string());
        call(Method::POST, "/v1/charges".to_owned(), key, Some(&request))
    }

    fn charged(&self, answer: &Answer) -> Result<Charged, Garbled> {
        if let Some(code) = refused(answer) {
            return match code.as_str() {
                "voided" | "invalid_request" => Ok(Charged::Declined {
                    provider_ref: None,
                    reason: code,
                }),
                // The key stands for another request. What that one did must be asked.
                "idempotency_mismatch" => Ok(Charged::Unknown),
                _ => Err(Garbled),
            };
        }
        match state(answer)? {
            State::Captured {
                provider_ref,
                amount,
                at,
            } => Ok(Charged::Captured {
                provider_ref,
                amount,
                at,
            }),
            State::Declined {
                provider_ref,
                reason,
            } => Ok(Charged::Declined {
                provider_ref: Some(provider_ref),
                reason,
            }),
            State::Pending => Ok(Charged::Unknown),
            State::Voided => Ok(Charged::Declined {
                provider_ref: None,
                reason: "voided".to_owned(),
            }),
        }
    }

    fn find(&self, attempt: AttemptId) -> Call {
        get(format!("/v1/charges/by-key/{attempt}"))
    }

    fn found(&self, answer: &Answer) -> Result<Found, Garbled> {
        // A 404 of anybody else, such as a proxy, does not say so.
        if refused(answer).is_some_and(|code| code == "unknown_charge") {
            return Ok(Found::NeverHeard);
        }
        Ok(match state(answer)? {
            State::Captured {
                provider_ref,
                amount,
                at,
            } => Found::Captured {
                provider_ref,
                amount,
                at,
            },
            State::Declined {
                provider_ref,
                reason,
            } => Found::Declined {
                provider_ref: Some(provider_ref),
                reason,
            },
            State::Pending => Found::Pending,
            State::Voided => Found::Voided,
        })
    }

    fn void(&self, attempt: AttemptId) -> Call {
        let key = Some(attempt.to_string());
        call(
            Method::POST,
            format!("/v1/charges/by-key/{attempt}/void"),
            key,
            None::<&()>,
        )
    }

    fn voided(&self, answer: &Answer) -> Result<Voided, Garbled> {
        match state(answer)? {
            State::Captured {
                provider_ref,
                amount,
                at,
            } => Ok(Voided::Captured {
                provider_ref,
                amount,
                at,
            }),
            // A key that was declined is declined for ever.
            State::Voided | State::Declined { .. } => Ok(Voided::Voided),
            State::Pending => Err(Garbled),
        }
    }

    fn refund(&self, refund: &Refund) -> Call {
        let request = RefundRequest {
            charge: refund.provider_ref.clone(),
            amount: refund.amount,
        };
        let key = Some(refund.refund.to_string());
        call(Method::POST, "/v1/refunds".to_owned(), key, Some(&request))
    }

    fn refunded(&self, answer: &Answer) -> Result<Refunded, Garbled> {
        if let Some(code) = refused(answer) {
            return match code.as_str() {
                "unknown_charge"
                | "not_captured"
                | "too_much"
                | "idempotency_mismatch"
                | "invalid_request" => Ok(Refunded::Refused { reason: code }),
                _ => Err(Garbled),
            };
        }
        let refund: RefundView = success(answer)?;
        Ok(Refunded::Refunded { at: refund.at })
    }

    fn list(&self, after: Option<u64>) -> Call {
        get(format!("/v1/charges?after={}", after.unwrap_or(0)))
    }

    fn listed(&self, answer: &Answer) -> Result<Listed, Garbled> {
        let page: ChargesPage = success(answer)?;
        let charges = page.charges.into_iter().map(|charge| ListedCharge {
            attempt: AttemptId::new(charge.key),
            refunded: charge
                .refunds
                .iter()
                .map(|refund| refund.amount.amount)
                .sum(),
            provider_ref: charge.id,
            order: charge.order,
            captured: charge.captured,
        });
        Ok(Listed {
            charges: charges.collect(),
            next: page.next_cursor,
        })
    }

    fn event(
        &self,
        signer: &Signer,
        headers: &HeaderMap,
        body: &[u8],
        now_s: u64,
    ) -> Result<Event, NoEvent> {
        let header = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let (value, None) = (values.next()?, values.next()) else {
                return None;
            };
            value.to_str().ok()
        };
        let unsigned = NoEvent::NotSigned(NotSigned::Signature);
        let signed = Signed {
            id: header(ID).ok_or(unsigned)?,
            timestamp: header(TIMESTAMP).ok_or(unsigned)?,
            signatures: header(SIGNATURE).ok_or(unsigned)?,
        };
        signer
            .check(&signed, body, now_s)
            .map_err(NoEvent::NotSigned)?;
        let event: wire::Event = serde_json::from_slice(body).map_err(|_| NoEvent::Unreadable)?;
        let fits = |text: &str| {
            (1..=EVENT_CHARS_MAX).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_graphic())
        };
        // The id of the body is the one that was signed over; the header's is the same, or somebody mixed two webhooks.
        if event.id != signed.id || !fits(&event.id) || !fits(&event.kind) {
            return Err(NoEvent::Unreadable);
        }
        Ok(Event {
            id: event.id,
            kind: event.kind,
            attempt: AttemptId::new(event.key),
        })
    }
}

/// A charge's state, in the parts that the answers share.
enum State {
    Captured {
        provider_ref: String,
        amount: doorbuster_core::money::Money,
        at: chrono::DateTime<chrono::Utc>,
    },
    Declined {
        provider_ref: String,
        reason: String,
    },
    Pending,
    Voided,
}

fn state(answer: &Answer) -> Result<State, Garbled> {
    let charge: ChargeView = success(answer)?;
    // It goes into the books, and back to him as it is.
    let is_ref = (1..=REF_CHARS_MAX).contains(&charge.id.len())
        && charge.id.bytes().all(|b| b.is_ascii_graphic());
    if !is_ref {
        return Err(Garbled);
    }
    Ok(match charge.status {
        Status::Captured => State::Captured {
            provider_ref: charge.id,
            amount: charge.captured.ok_or(Garbled)?,
            at: charge.at,
        },
        Status::Declined => State::Declined {
            provider_ref: charge.id,
            reason: charge
                .reason
                .unwrap_or_default()
                .chars()
                .take(REASON_CHARS_MAX)
                .map(printable)
                .collect(),
        },
        Status::Pending => State::Pending,
        Status::Voided => State::Voided,
    })
}

/// The books have room for ASCII alone.
fn printable(c: char) -> char {
    if c.is_ascii_graphic() || c == ' ' {
        c
    } else {
        '?'
    }
}

fn success<T: DeserializeOwned>(answer: &Answer) -> Result<T, Garbled> {
    if answer.status != 200 {
        return Err(Garbled);
    }
    serde_json::from_slice(&answer.body).map_err(|_| Garbled)
}

/// The word of a refusal for good; nothing where the answer is none.
fn refused(answer: &Answer) -> Option<String> {
    if !matches!(answer.status, 400 | 404 | 409 | 422) {
        return None;
    }
    let refusal: Refusal = serde_json::from_slice(&answer.body).ok()?;
    Some(refusal.code)
}

fn get(path: String) -> Call {
    call(Method::GET, path, None, None::<&()>)
}

fn call(method: Method, path: String, key: Option<String>, body: Option<&impl Serialize>) -> Call {
    let body = body.map(|body| serde_json::to_vec(body).expect("requests are strings and numbers"));
    Call {
        method,
        path,
        key,
        body: body.unwrap_or_default(),
    }
}
