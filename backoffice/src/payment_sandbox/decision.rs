//! What a new charge looks like, as its fate wants it. Called by `till`, which writes it down.

use std::time::Duration;

use doorbuster_core::clock;
use doorbuster_core::hex::to_hex;
use doorbuster_core::money::{Currency, Money};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::fate::Fate;
use super::journal::{Line, Undecided};
use super::wire::{ChargeRequest, ChargeView, Status};

pub(super) fn view(key: Uuid, order: &str, status: Status) -> ChargeView {
    ChargeView {
        id: format!("ch_{}", key.simple()),
        key,
        order: order.to_owned(),
        status,
        captured: None,
        reason: None,
        at: clock::now(),
        refunds: Vec::new(),
    }
}

/// A new charge, as its fate wants it.
pub(super) fn decided(key: Uuid, request: &ChargeRequest, fingerprint: String, fate: Fate) -> Line {
    let mut charge = view(key, &request.order, Status::Captured);
    let mut undecided = None;
    let asked = request.amount;
    match fate {
        Fate::Decline(reason) => {
            charge.status = Status::Declined;
            charge.reason = Some(reason.to_owned());
        }
        Fate::Pending { wait, declined } => {
            charge.status = Status::Pending;
            undecided = Some(later(wait, asked, declined));
        }
        Fate::Stray(wait) => {
            charge.status = Status::Pending;
            undecided = Some(Undecided {
                is_stray: true,
                ..later(wait, asked, false)
            });
        }
        Fate::WrongAmount => {
            charge.captured = Some(Money {
                amount: asked.amount - 1,
                ..asked
            });
        }
        Fate::WrongCurrency => {
            let currency = Currency::parse("XTS").unwrap_or(asked.currency);
            charge.captured = Some(Money { currency, ..asked });
        }
        _ => charge.captured = Some(asked),
    }
    Line::Charge {
        charge,
        request: Some(fingerprint),
        undecided,
    }
}

fn later(wait: Duration, amount: Money, declined: bool) -> Undecided {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Undecided {
        due_ms: clock::now_ms().saturating_add(wait_ms),
        amount,
        declined,
        is_stray: false,
    }
}

/// Of a request: the same for the same one, and nothing of its token can be read in it.
pub(super) fn fingerprint(request: &ChargeRequest) -> String {
    let json = serde_json::to_vec(request).expect("a request is strings and a number");
    to_hex(&Sha256::digest(json))
}
