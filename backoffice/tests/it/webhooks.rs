//! What the provider tells by itself: taken once if it is signed, believed only when the provider, asked, says the same.

use doorbuster_backoffice::payments::charge::Charged;
use doorbuster_backoffice::payments::signature::Signer;
use doorbuster_core::claims::Role;
use doorbuster_core::clock;
use doorbuster_stage::{SandboxOptions, Stage, StageOptions};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::{Answer, Call};
use crate::payments::{charge, payments};
use crate::stage::{Desk, eventually};
use crate::till::state;

/// A back-office and the sandbox that tells it.
fn stage(script: &str) -> Stage {
    let sandbox = SandboxOptions {
        script: script.to_owned(),
        ..SandboxOptions::default()
    };
    Stage::start(&StageOptions::whole(0).with_sandbox(sandbox)).unwrap()
}

/// As the stage's own is made.
fn signer(stage: &Stage) -> Signer {
    Signer::new(
        format!("webhooks-{}", stage.token_secret()).as_bytes(),
        None,
    )
}

fn event(id: &str) -> Value {
    json!({"id": id, "type": "charge.captured", "key": Uuid::new_v4(), "charge": "ch_1", "at": "2026-01-01T00:00:00Z"})
}

async fn send(desk: &Desk<'_>, (id, at, signature): (&str, u64, &str), body: &str) -> Answer {
    desk.call("POST", "/v1/webhooks/payments")
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signature)
        .body(body)
        .send()
        .await
}

/// Rows of the inbox: event, state, outcome.
async fn inbox(desk: &Desk<'_>) -> Vec<(String, String, Option<String>)> {
    sqlx::query_as("select event_id, state, outcome from webhook_inbox order by event_id")
        .fetch_all(&desk.books)
        .await
        .unwrap()
}

/// Once every row is done.
async fn worked_off(desk: &Desk<'_>, rows: usize) -> Vec<(String, String, Option<String>)> {
    eventually(async || {
        let rows_now = inbox(desk).await;
        let done = rows_now.len() == rows && rows_now.iter().all(|(_, state, _)| state == "done");
        done.then_some(rows_now)
    })
    .await
}

#[tokio::test]
async fn a_webhook_is_taken_once_if_its_very_bytes_are_signed_and_it_is_not_old() {
    let stage = stage("");
    let (desk, signer) = (Desk::on(&stage).await, signer(&stage));
    let (now, body) = (clock::now_s(), event("ev_1").to_string());
    let good = signer.sign("ev_1", now, body.as_bytes());
    for _ in 0..3 {
        assert_eq!(
            send(&desk, ("ev_1", now, &good), &body).await.ok(200)["outcome"],
            "taken"
        );
    }

    let other = event("ev_1").to_string();
    let foreign = Signer::new(&[7; 32], None).sign("ev_1", now, body.as_bytes());
    let old = signer.sign("ev_1", now - 301, body.as_bytes());
    let early = signer.sign("ev_1", now + 310, body.as_bytes());
    for (id, at, signature, body) in [
        ("ev_1", now, good.as_str(), other.as_str()),
        ("ev_2", now, &good, &body),
        ("ev_1", now - 1, &good, &body),
        ("ev_1", now, &foreign, &body),
        ("ev_1", now, "", &body),
        ("ev_1", now - 301, &old, &body),
        ("ev_1", now + 310, &early, &body),
    ] {
        let refused = send(&desk, (id, at, signature), body).await;
        assert_eq!(
            refused.refusal(),
            (401, "bad_signature"),
            "{id} {at} {signature}"
        );
    }
    let without = desk
        .call("POST", "/v1/webhooks/payments")
        .body(body)
        .send()
        .await;
    assert_eq!(without.refusal(), (401, "bad_signature"));

    for unreadable in [
        r#"{"id":"ev_3"}"#,
        "[]",
        "",
        &event("ev_4").to_string(),
        &event(&"x".repeat(65)).to_string(),
    ] {
        let signature = signer.sign("ev_3", now, unreadable.as_bytes());
        let refused = send(&desk, ("ev_3", now, &signature), unreadable).await;
        assert_eq!(refused.refusal(), (400, "invalid_request"), "{unreadable}");
    }
    let long = " ".repeat(16 * 1024 + 1);
    let signature = signer.sign("ev_3", now, long.as_bytes());
    assert_eq!(
        send(&desk, ("ev_3", now, &signature), &long)
            .await
            .refusal(),
        (413, "body_too_large")
    );

    // The provider has never heard of that charge, whatever its webhook says.
    let rows = worked_off(&desk, 1).await;
    assert_eq!(
        rows[0],
        (
            "ev_1".to_owned(),
            "done".to_owned(),
            Some("never_heard".to_owned())
        )
    );
}

#[tokio::test]
async fn webhooks_that_come_thrice_in_disorder_late_or_badly_signed_first_are_each_in_the_inbox_once()
 {
    let stage = stage("late_ms=200");
    let desk = Desk::on(&stage).await;
    let payments = payments(stage.sandbox().url());
    for token in [
        "tok_hook_duplicate",
        "tok_hook_reordered",
        "tok_hook_late_300",
        "tok_hook_unsigned",
        "tok_ok",
    ] {
        let charged = payments.charge(charge(token, 1_000)).await;
        assert!(matches!(charged, Charged::Captured { .. }), "{token}");
    }
    payments.charge(charge("tok_hook_lost", 1_000)).await;
    payments.charge(charge("tok_decline", 1_000)).await;
    payments.void(charge("tok_ok", 1_000).attempt).await;
    let rows = worked_off(&desk, 7).await;
    let mut outcomes: Vec<_> = rows
        .into_iter()
        .filter_map(|(_, _, outcome)| outcome)
        .collect();
    outcomes.sort();
    assert_eq!(
        outcomes,
        [
            "captured", "captured", "captured", "captured", "captured", "declined", "voided"
        ]
    );
    // Three of the one, and two tries of the badly signed.
    let told = eventually(async || {
        let state = state(stage.sandbox()).await;
        (state["hooks"]["waiting"] == 0).then(|| state["hooks"].clone())
    })
    .await;
    assert_eq!(
        (&told["told"], &told["refused"], &told["lost"]),
        (&json!(9), &json!(1), &json!(1))
    );
    let metrics = desk.call("GET", "/metrics").send().await.text;
    for line in [
        "doorbuster_backoffice_webhooks_total{outcome=\"taken\"} 9",
        "doorbuster_backoffice_webhooks_total{outcome=\"bad_signature\"} 1",
        "doorbuster_backoffice_payments_total{operation=\"find\",outcome=\"captured\"}",
        "doorbuster_backoffice_payment_breaker 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn what_was_told_while_the_provider_cannot_be_asked_waits_and_is_asked_then() {
    let stage = stage("");
    let (desk, signer) = (Desk::on(&stage).await, signer(&stage));
    stage.set_outage("refuse").unwrap();
    let (now, body) = (clock::now_s(), event("ev_1").to_string());
    let signature = signer.sign("ev_1", now, body.as_bytes());
    send(&desk, ("ev_1", now, &signature), &body).await.ok(200);
    eventually(async || {
        let rows = inbox(&desk).await;
        (rows[0].2.as_deref() == Some("unknown")).then(|| assert_eq!(rows[0].1, "waiting"))
    })
    .await;
    let provider = async || desk.get("/admin/v1/payments/provider").await.ok(200);
    let view = provider().await;
    assert_eq!(
        (&view["on"], &view["inbox"]["waiting"]),
        (&json!(true), &json!(1))
    );
    assert!(
        view["breaker"]["failures_in_a_row"].as_u64() > Some(0)
            || view["breaker"]["state"] != "closed",
        "{view}"
    );

    stage.set_outage("off").unwrap();
    worked_off(&desk, 1).await;
    assert_eq!(
        provider().await["inbox"],
        json!({"waiting": 0, "oldest": null})
    );
}

#[tokio::test]
async fn without_a_provider_webhooks_are_refused_and_all_else_works() {
    let desk = Desk::shared().await;
    let refused = send(&desk, ("ev_1", clock::now_s(), "v1,x"), "{}").await;
    assert_eq!(refused.refusal(), (503, "payments_off"));
    let ready = desk.call("GET", "/readyz").send().await.ok(200);
    assert_eq!(ready["payments"], "off");
    let view = desk.get("/admin/v1/payments/provider").await.ok(200);
    assert_eq!(
        (&view["on"], &view["breaker"]),
        (&json!(false), &Value::Null)
    );
    let buyer = desk.token("ann", Role::Buyer);
    let call = Call::new(
        desk.stage.backoffice(0).url(),
        "GET",
        "/admin/v1/payments/provider",
    );
    assert_eq!(
        call.token(&buyer).send().await.refusal(),
        (403, "forbidden")
    );
}
