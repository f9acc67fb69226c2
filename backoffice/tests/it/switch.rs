//! Pausing, resuming and closing, one sale at a time and all at once.

use doorbuster_core::claims::Role;
use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::http::Call;
use crate::stage::{Desk, name, sale};

async fn state(desk: &Desk<'_>, id: &str) -> Value {
    desk.get(&format!("/admin/v1/sales/{id}")).await.ok(200)["state"].clone()
}

#[tokio::test]
async fn a_sale_is_paused_resumed_and_closed_and_every_repeat_changes_nothing() {
    let desk = Desk::shared().await;
    let id = desk.selling("switch").await;
    let verb = async |verb: &str| desk.post(&format!("/admin/v1/sales/{id}/{verb}")).await;

    for (word, state) in [
        ("open", "open"),
        ("pause", "paused"),
        ("pause", "paused"),
        ("open", "paused"),
        ("resume", "open"),
        ("resume", "open"),
        ("close", "closed"),
        ("close", "closed"),
    ] {
        assert_eq!(verb(word).await.ok(200)["state"], state, "{word}");
    }
    for word in ["open", "pause", "resume"] {
        assert_eq!(verb(word).await.refusal(), (409, "closed"), "{word}");
    }

    assert_eq!(state(&desk, &id).await, "closed");
    let audit = desk.audit(&format!("sale:{id}")).await;
    let rows: Vec<(&str, &Value, &Value)> = audit
        .iter()
        .map(|row| (row.1.as_str(), &row.2["state"], &row.3["state"]))
        .collect();
    let text = |text: &'static str| Value::from(text);
    let expected = [
        ("sale.create", Value::Null, text("draft")),
        ("sale.open", text("draft"), text("published")),
        ("sale.pause", text("open"), text("paused")),
        ("sale.resume", text("paused"), text("open")),
        ("sale.close", text("open"), text("closed")),
    ];
    assert_eq!(
        rows,
        expected
            .iter()
            .map(|(action, before, after)| (*action, before, after))
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_buyer_finds_what_staff_have_switched() {
    let desk = Desk::shared().await;
    let id = desk.selling("felt").await;
    let buy = async |key: &str| {
        let call = Call::new(
            desk.stage.engine(0).url(),
            "POST",
            &format!("/v1/sales/{id}/reservations"),
        );
        let call = call
            .token(&desk.token("ann", Role::Buyer))
            .header("idempotency-key", key);
        call.json(&json!({"items": [{"sku": "tee", "quantity": 1}]}))
            .send()
            .await
            .status
    };
    assert_eq!(buy("1").await, 201);
    desk.post(&format!("/admin/v1/sales/{id}/pause"))
        .await
        .ok(200);
    assert_eq!(buy("2").await, 409);
    desk.post(&format!("/admin/v1/sales/{id}/resume"))
        .await
        .ok(200);
    assert_eq!(buy("3").await, 201);
}

#[tokio::test]
async fn a_draft_cannot_be_switched() {
    let desk = Desk::shared().await;
    let id = desk.draft("unswitched").await;
    for verb in ["pause", "resume", "close"] {
        assert_eq!(
            desk.post(&format!("/admin/v1/sales/{id}/{verb}"))
                .await
                .refusal(),
            (409, "not_open"),
            "{verb}"
        );
    }
    assert_eq!(state(&desk, &id).await, "draft");
    assert_eq!(desk.audit(&format!("sale:{id}")).await.len(), 1);
}

#[tokio::test]
async fn a_sale_whose_time_has_not_come_is_scheduled_and_one_whose_time_is_over_is_closed() {
    let desk = Desk::shared().await;
    let id = name("later");
    let mut later = sale(&id);
    later["opens_at"] = "2998-01-01T00:00:00Z".into();
    desk.put("/admin/v1/sales", &later).await.ok(201);
    assert_eq!(
        desk.post(&format!("/admin/v1/sales/{id}/open"))
            .await
            .ok(200)["state"],
        "scheduled"
    );

    let over = desk.draft("over").await;
    desk.sql(
        "update sales set closes_at = '2020-01-02' where sale_id = ?",
        &over,
    )
    .await;
    assert_eq!(
        desk.post(&format!("/admin/v1/sales/{over}/open"))
            .await
            .refusal(),
        (409, "closed")
    );
    assert_eq!(state(&desk, &over).await, "draft", "nothing was published");
}

#[tokio::test]
async fn all_sales_are_paused_at_once_and_each_is_accounted_for() {
    // A stage of its own: other tests want their sales to go on.
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let (open, paused, closed, draft) = (
        desk.selling("a").await,
        desk.selling("b").await,
        desk.selling("c").await,
        desk.draft("d").await,
    );
    desk.post(&format!("/admin/v1/sales/{paused}/pause"))
        .await
        .ok(200);
    desk.post(&format!("/admin/v1/sales/{closed}/close"))
        .await
        .ok(200);

    let all = desk.post("/admin/v1/sales/pause").await.ok(200);

    let expected = [
        (&open, "paused"),
        (&paused, "already_paused"),
        (&closed, "closed"),
    ];
    let expected: Vec<Value> = expected
        .iter()
        .map(|(id, result)| json!({"id": id, "result": result}))
        .collect();
    assert_eq!(all, json!({"paused": 3, "failed": 0, "sales": expected}));
    assert_eq!(
        (state(&desk, &open).await, state(&desk, &draft).await),
        (json!("paused"), json!("draft"))
    );

    stage.redis().kill9().unwrap();
    let all = desk.post("/admin/v1/sales/pause").await.ok(200);
    assert_eq!(all["failed"], 3, "{all}");
    assert_eq!(all["sales"][0]["problem"]["code"], "unavailable");
}
