//! Payments against a real sandbox, case by case: what it is told to do, what comes of it here, and what it has in the end.

use std::time::Duration;

use doorbuster_backoffice::payments::Payments;
use doorbuster_backoffice::payments::charge::{
    AttemptId, Charge, Charged, Found, Refund, RefundId, Refunded, Secret, Voided,
};
use doorbuster_backoffice::payments::client::Way;
use doorbuster_backoffice::payments::provider::Kind;
use doorbuster_backoffice::payments::signature::Signer;
use doorbuster_core::money::{Currency, Money};
use tokio::time::Instant;
use uuid::Uuid;

use crate::till::{Till, WEBHOOK_SECRET};

/// Of one try: far longer than the sandbox needs, far shorter than it is silent.
const ATTEMPT: Duration = Duration::from_millis(500);

pub(crate) fn payments(url: &str) -> Payments {
    let way = Way {
        url: url.parse().unwrap(),
        bearer: None,
        attempt: ATTEMPT,
    };
    Payments::by(
        Kind::Sandbox,
        way,
        Signer::new(WEBHOOK_SECRET.as_bytes(), None),
    )
}

pub(crate) fn won(amount: i64) -> Money {
    let currency = Currency::parse("KRW").unwrap();
    Money { amount, currency }
}

pub(crate) fn charge(token: &str, amount: i64) -> Charge {
    Charge {
        attempt: AttemptId::new(Uuid::new_v4()),
        order: "order-1".to_owned(),
        amount: won(amount),
        method: "card".to_owned(),
        token: Secret::new(token),
        deadline: Instant::now() + Duration::from_secs(10),
    }
}

/// Reference and amount of a capture.
fn captured(charged: &Charged) -> Option<(String, Money)> {
    match charged {
        Charged::Captured {
            provider_ref,
            amount,
            ..
        } => Some((provider_ref.clone(), *amount)),
        _ => None,
    }
}

fn found(found: &Found) -> Option<(String, Money)> {
    match found {
        Found::Captured {
            provider_ref,
            amount,
            ..
        } => Some((provider_ref.clone(), *amount)),
        _ => None,
    }
}

#[tokio::test]
async fn a_charge_is_captured_once_however_often_it_is_asked_for() {
    let till = Till::start("", &[]).await;
    let payments = payments(till.url());
    for token in [
        "tok_ok",
        "tok_500",
        "tok_busy",
        "tok_timeout_once",
        "tok_slow_700",
    ] {
        let charge = charge(token, 19_900);
        let first = captured(&payments.charge(charge.clone()).await).expect(token);
        assert_eq!(first.1, won(19_900), "{token}");
        let again = captured(&payments.charge(charge.clone()).await).expect(token);
        assert_eq!(first, again, "{token}");
        assert_eq!(
            found(&payments.find(charge.attempt).await),
            Some(first),
            "{token}"
        );
    }
    let state = till.state().await;
    assert_eq!(
        (state["captured"].as_u64(), state["charges"].as_u64()),
        (Some(5), Some(5))
    );
}

#[tokio::test]
async fn what_is_not_known_is_asked_and_never_assumed() {
    let till = Till::start("", &[]).await;
    let payments = payments(till.url());

    // Captured, and nobody ever says so: the charge is unknown, and asking by its key is not.
    let silent = charge("tok_timeout", 5_000);
    assert_eq!(payments.charge(silent.clone()).await, Charged::Unknown);
    assert_eq!(
        found(&payments.find(silent.attempt).await).map(|(_, amount)| amount),
        Some(won(5_000))
    );
    assert!(matches!(
        payments.void(silent.attempt).await,
        Voided::Captured { .. }
    ));

    // Nothing was done, and nobody said so either.
    let away = charge("tok_outage", 5_000);
    assert_eq!(payments.charge(away.clone()).await, Charged::Unknown);
    assert_eq!(payments.find(away.attempt).await, Found::NeverHeard);
    // Voided before it was ever heard of: never captured, whoever still sends it.
    assert_eq!(payments.void(away.attempt).await, Voided::Voided);
    let late = Charge {
        token: Secret::new("tok_ok"),
        ..away.clone()
    };
    assert_eq!(
        payments.charge(late).await,
        Charged::Declined {
            provider_ref: None,
            reason: "voided".to_owned()
        }
    );
    assert_eq!(payments.find(away.attempt).await, Found::Voided);

    // Decided later.
    let pending = charge("tok_pending_600", 7_000);
    assert_eq!(payments.charge(pending.clone()).await, Charged::Unknown);
    assert_eq!(payments.find(pending.attempt).await, Found::Pending);
    crate::stage::eventually(async || found(&payments.find(pending.attempt).await)).await;
    let called_off = charge("tok_pending_60000", 7_000);
    payments.charge(called_off.clone()).await;
    assert_eq!(payments.void(called_off.attempt).await, Voided::Voided);
    assert_eq!(till.state().await["captured"], 2);
}

#[tokio::test]
async fn a_decline_is_final_and_says_why_and_what_was_captured_is_said_as_it_is() {
    let till = Till::start("", &[]).await;
    let payments = payments(till.url());
    for (token, amount, why) in [
        ("tok_decline", 1_000, "declined"),
        ("tok_insufficient", 1_000, "insufficient_funds"),
        ("tok_ok", 990_001, "declined"),
        ("tok_ok", 990_002, "insufficient_funds"),
    ] {
        let charge = charge(token, amount);
        for _ in 0..2 {
            let Charged::Declined {
                provider_ref: Some(_),
                reason,
            } = payments.charge(charge.clone()).await
            else {
                panic!("{token} {amount}");
            };
            assert_eq!(reason, why);
        }
        assert!(matches!(
            payments.find(charge.attempt).await,
            Found::Declined { .. }
        ));
        assert_eq!(payments.void(charge.attempt).await, Voided::Voided);
    }
    let wrong = payments.charge(charge("tok_wrong_amount", 1_000)).await;
    assert_eq!(captured(&wrong).unwrap().1, won(999));
    let foreign = payments.charge(charge("tok_wrong_currency", 1_000)).await;
    assert_eq!(captured(&foreign).unwrap().1.currency.to_string(), "XTS");

    // Another request under the same key is refused, and what the key did is there to be asked.
    let first = charge("tok_ok", 1_000);
    payments.charge(first.clone()).await;
    let other = Charge {
        amount: won(2_000),
        ..first.clone()
    };
    assert_eq!(payments.charge(other).await, Charged::Unknown);
    assert_eq!(
        found(&payments.find(first.attempt).await).unwrap().1,
        won(1_000)
    );
}

#[tokio::test]
async fn refunds_go_back_once_and_never_more_than_was_captured() {
    let till = Till::start("", &[]).await;
    let payments = payments(till.url());
    let charge = charge("tok_ok", 1_000);
    let (provider_ref, _) = captured(&payments.charge(charge.clone()).await).unwrap();
    let refund = |amount: i64| Refund {
        refund: RefundId::new(Uuid::new_v4()),
        provider_ref: provider_ref.clone(),
        amount: won(amount),
    };
    let part = refund(400);
    let first = payments.refund(part.clone()).await;
    assert!(matches!(first, Refunded::Refunded { .. }));
    assert_eq!(payments.refund(part.clone()).await, first);
    let refused = |reason: &str| Refunded::Refused {
        reason: reason.to_owned(),
    };
    assert_eq!(payments.refund(refund(601)).await, refused("too_much"));
    assert_eq!(
        payments
            .refund(Refund {
                amount: won(1),
                ..part
            })
            .await,
        refused("idempotency_mismatch")
    );
    assert!(matches!(
        payments.refund(refund(600)).await,
        Refunded::Refunded { .. }
    ));
    assert_eq!(payments.refund(refund(1)).await, refused("too_much"));
    let nobody = Refund {
        provider_ref: "ch_nobody".to_owned(),
        ..refund(1)
    };
    assert_eq!(payments.refund(nobody).await, refused("unknown_charge"));
    let listed = payments.list(None).await.unwrap();
    assert_eq!(
        (
            listed.charges.len(),
            listed.charges[0].refunded,
            listed.next
        ),
        (1, 1_000, None)
    );
    assert_eq!(listed.charges[0].attempt, charge.attempt);
}

#[tokio::test]
async fn a_killed_sandbox_knows_all_that_it_ever_said() {
    let till = Till::start("", &[]).await;
    let payments = payments(till.url());
    let (kept, refunded, voided) = (
        charge("tok_ok", 1_000),
        charge("tok_ok", 2_000),
        charge("tok_ok", 3_000),
    );
    payments.charge(kept.clone()).await;
    let (provider_ref, amount) = captured(&payments.charge(refunded.clone()).await).unwrap();
    let refund = Refund {
        refund: RefundId::new(Uuid::new_v4()),
        provider_ref,
        amount,
    };
    let first = payments.refund(refund.clone()).await;
    payments.void(voided.attempt).await;
    till.server.restart().unwrap();
    assert!(found(&payments.find(kept.attempt).await).is_some());
    assert_eq!(payments.refund(refund).await, first);
    assert_eq!(payments.find(voided.attempt).await, Found::Voided);
    assert!(matches!(
        payments.charge(voided).await,
        Charged::Declined { .. }
    ));
    let state = till.state().await;
    assert_eq!(
        (
            state["captured"].as_u64(),
            state["refunds"].as_u64(),
            state["voided"].as_u64()
        ),
        (Some(2), Some(1), Some(1))
    );
}
