//! What fails takes nothing: money, units, points and coupon are where they were.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Shop, as_buyer, buy, counts, coupon_of, finance, give_points, look, order, place, points, sale,
    timeline, until,
};
use crate::http::Call;
use crate::people::{Person, mails_to};
use crate::stage::{Desk, eventually, name};
use crate::till::{WEBHOOK_SECRET, outage};

#[tokio::test]
async fn a_declined_order_gives_everything_back() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let user = name("declined");
    let sale = sale(&desk, 5, (300, 300)).await;
    give_points(&desk, &user, 700).await;
    let coupon = coupon_of(&desk, &user, json!({})).await;
    let hold = desk
        .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    let mut body = order(&sale, &hold, "tok_decline");
    body["points"] = json!(500);
    body["coupon"] = json!(coupon);
    let declined = place(&desk, &user, "k", &body).await.ok(201);
    assert_eq!(
        (&declined["state"], &declined["reason"]),
        (&json!("cancelled"), &json!("payment_failed")),
        "{declined:#}"
    );
    assert_eq!(
        timeline(&declined),
        [
            "placed",
            "charging",
            "points_spent",
            "coupon_used",
            "failed",
            "points_returned",
            "coupon_returned",
            "cancelled"
        ]
    );
    assert_eq!(shop.money(&declined).await, (0, 0));
    assert_eq!(counts(&desk, &sale, "tee").await, [5, 5, 0, 0]);
    assert_eq!(points(&desk, &user).await, 700);
    // Both are good for another order.
    let hold = desk
        .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    let mut body = order(&sale, &hold, "tok_ok");
    body["points"] = json!(700);
    body["coupon"] = json!(coupon);
    let paid = place(&desk, &user, "k2", &body).await.ok(201);
    assert_eq!(
        (&paid["state"], &paid["amounts"]["total"]),
        (&json!("paid"), &json!(7_300)),
        "{paid:#}"
    );
}

#[tokio::test]
async fn a_provider_that_captures_and_says_nothing_is_asked() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let sale = sale(&desk, 9, (300, 300)).await;
    for token in ["tok_timeout", "tok_500", "tok_busy", "tok_pending_1500"] {
        let order = buy(&desk, &sale, &name("silent"), token).await;
        let paid = until(&desk, &order, "paid").await;
        assert_eq!(
            timeline(&paid),
            ["placed", "charging", "charged", "paid"],
            "{token}"
        );
        assert_eq!(shop.money(&paid).await, (10_000, 0), "{token}");
    }
    let order = buy(&desk, &sale, &name("silent"), "tok_pending_decline_1000").await;
    let declined = until(&desk, &order, "cancelled").await;
    assert_eq!(declined["reason"], "payment_failed");
    assert_eq!(counts(&desk, &sale, "tee").await, [9, 5, 0, 4]);
}

#[tokio::test]
async fn what_nobody_can_charge_in_time_is_called_off() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let sale = sale(&desk, 5, (30, 1)).await;
    let order = buy(&desk, &sale, &name("off"), "tok_outage").await;
    let cancelled = until(&desk, &order, "cancelled").await;
    assert_eq!(cancelled["reason"], "payment_failed");
    assert_eq!(shop.money(&cancelled).await, (0, 0));
    assert_eq!(counts(&desk, &sale, "tee").await, [5, 5, 0, 0]);
}

#[tokio::test]
async fn an_outage_is_waited_for() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let sale = sale(&desk, 50, (300, 300)).await;
    outage(shop.till(), "refuse").await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        let order = buy(&desk, &sale, &name("patient"), "tok_ok").await;
        assert_eq!(order["state"], "charging", "{order:#}");
        orders.push(order);
    }
    sleep(Duration::from_secs(1)).await;
    outage(shop.till(), "off").await;
    for order in &orders {
        until(&desk, order, "paid").await;
    }
    assert_eq!(shop.captures().await, 3);
    assert_eq!(counts(&desk, &sale, "tee").await, [50, 47, 0, 3]);
}

/// What the comparison of money says, by one who may ask the provider.
fn compared(shop: &Shop) -> Value {
    let finished = Command::new(env!("CARGO_BIN_EXE_doorbuster-backoffice"))
        .args(["reconcile", "--json"])
        .env_clear()
        .env("DATABASE_URL", shop.stage.database_url())
        .env("REDIS_URL", shop.stage.redis_url())
        .env("PAYMENT_PROVIDER_URL", shop.till().url())
        .env("PAYMENT_WEBHOOK_SECRET", WEBHOOK_SECRET)
        .output()
        .unwrap();
    let mut report: Value =
        serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"));
    assert_eq!(report["money"]["provider"], "whole", "{report}");
    report["money"].take()
}

/// The kinds of what differs of an order.
fn differing(money: &Value, order: &Value) -> Vec<String> {
    let differences = money["differences"].as_array().unwrap().iter();
    let of_it = differences.filter(|one| one["order"] == order["id"]);
    of_it
        .map(|one| one["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// As a person does at the provider: all that it has of this order.
async fn give_back_by_hand(shop: &Shop, order: &Value) {
    let mut after = 0;
    loop {
        let path = format!("/v1/charges?after={after}");
        let page = Call::new(shop.till().url(), "GET", &path);
        let page = page.send().await.ok(200);
        let mut charges = page["charges"].as_array().unwrap().iter();
        if let Some(charge) = charges.find(|charge| charge["order"] == order["id"]) {
            let body = json!({"charge": charge["id"], "amount": charge["captured"]});
            let call = Call::new(shop.till().url(), "POST", "/v1/refunds");
            let key = uuid::Uuid::from_u128(7).to_string();
            let call = call.header("idempotency-key", &key).json(&body);
            call.send().await.ok(200);
            return;
        }
        after = page["next_cursor"].as_u64().expect("a charge of it");
    }
}

/// An order that an older back-office had settled says so after a migration.
async fn migrated(desk: &Desk<'_>, ended: &Value) {
    let id = uuid::Uuid::parse_str(ended["id"].as_str().unwrap()).unwrap();
    sqlx::query("update orders set reason = 'by_staff' where order_id = ?")
        .bind(id)
        .execute(&desk.books)
        .await
        .unwrap();
    let migration = include_str!("../../../../migrations/0103_settled_by_hand.sql");
    for _ in 0..2 {
        sqlx::raw_sql(migration).execute(&desk.books).await.unwrap();
    }
    assert_eq!(look(desk, ended).await["reason"], "settled_by_hand");
}

/// To those who compare, and to its buyer.
async fn told_as_settled_by_hand(shop: &Shop, desk: &Desk<'_>, person: &Person, ended: &Value) {
    assert_eq!(ended["reason"], "settled_by_hand");
    // That it was done, the provider has to say. Then there is nothing that anybody has to look at, and nobody is told that nothing was charged.
    let said = compared(shop);
    assert_eq!(differing(&said, ended), ["provider_refunded"], "{said}");
    give_back_by_hand(shop, ended).await;
    let (money, id) = (compared(shop), &ended["id"]);
    assert_eq!(differing(&money, ended), [""; 0], "{money}");
    let mut decided = money["decided"].as_array().unwrap().iter();
    let by_hand = decided.find(|one| one["order"] == *id).unwrap();
    assert_eq!(
        (&by_hand["by"], &by_hand["reason"]),
        (&json!("fay"), &json!("a test"))
    );
    let mails = eventually(async || {
        Some(mails_to(desk, &person.email)).filter(|mails| {
            mails
                .iter()
                .any(|mail| mail.body.contains(id.as_str().unwrap()))
        })
    })
    .await;
    let mail = mails
        .iter()
        .find(|mail| mail.body.contains(id.as_str().unwrap()))
        .unwrap();
    assert!(
        mail.body.contains("직접 돌려 드렸") || mail.body.contains("given back by hand"),
        "{mail:?}"
    );
}

#[tokio::test]
async fn another_amount_than_was_asked_for_waits_for_a_person() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let sale = sale(&desk, 5, (300, 300)).await;
    let (person, user) = Person::with_account(&desk, "odd").await;
    let mut seen = Vec::new();
    for (token, kept) in [("tok_wrong_amount", 9_999), ("tok_wrong_currency", 0)] {
        let parked = buy(&desk, &sale, &user, token).await;
        let parked = until(&desk, &parked, "parked").await;
        assert_eq!(parked["reason"], "amount_differs");
        assert_eq!(parked["amounts"]["captured"], kept, "{token}");
        seen.push(parked);
    }
    let listed = desk
        .get(&format!("/admin/v1/orders?state=parked&sale={sale}"))
        .await
        .ok(200);
    assert_eq!(listed["orders"].as_array().unwrap().len(), 2);
    let decide = async |order: &Value, decision: &str| {
        let path = format!("/admin/v1/orders/{}/decide", order["id"].as_str().unwrap());
        let body = json!({"decision": decision, "reason": "a test"});
        finance(&desk, &path, "k", &body).await
    };
    // Another currency is nothing that could be refunded or kept: a person gives it back at the provider.
    for (order, decision, code) in [
        (&seen[0], "reacquire", "undecidable"),
        (&seen[0], "settled_by_hand", "undecidable"),
        (&seen[1], "reacquire", "settle_by_hand"),
        (&seen[1], "refund", "settle_by_hand"),
    ] {
        let refused = decide(order, decision).await;
        assert_eq!(refused.refusal(), (409, code), "{decision}");
    }
    decide(&seen[1], "settled_by_hand").await.ok(200);
    let ended = until(&desk, &seen[1], "cancelled").await;
    told_as_settled_by_hand(shop, &desk, &person, &ended).await;
    migrated(&desk, &ended).await;
    let shown = format!("/admin/v1/orders/{}", ended["id"].as_str().unwrap());
    let shown = desk.get(&shown).await.ok(200);
    let events = shown["timeline"].as_array().unwrap();
    let decided = events.iter().find(|event| event["kind"] == "decided");
    let data = &decided.unwrap()["data"];
    assert_eq!(
        (&data["decision"], &data["by"]),
        (&json!("settled_by_hand"), &json!("fay"))
    );
    decide(&seen[0], "refund").await.ok(200);
    let refunded = until(&desk, &seen[0], "refunded").await;
    assert_eq!(shop.money(&refunded).await, (9_999, 9_999));
    assert_eq!(counts(&desk, &sale, "tee").await[3], 0);
}

#[tokio::test]
async fn a_hold_that_has_ended_cannot_be_ordered_and_points_are_spent_once() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let user = name("ended");
    let short = sale(&desk, 5, (1, 1)).await;
    let hold = desk
        .hold(&short, &user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    sleep(Duration::from_millis(1_500)).await;
    let late = place(&desk, &user, "k", &order(&short, &hold, "tok_ok")).await;
    assert_eq!(late.refusal(), (409, "hold_ended"));

    let sale = sale(&desk, 5, (300, 300)).await;
    give_points(&desk, &user, 1_000).await;
    let mut calls = tokio::task::JoinSet::new();
    for key in ["a", "b", "c"] {
        let hold = desk
            .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
            .await;
        let mut body = order(&sale, &hold, "tok_ok");
        body["points"] = json!(1_000);
        let call = as_buyer(&desk, &user, "POST", "/v1/orders").header("idempotency-key", key);
        calls.spawn(call.json(&body).send());
    }
    let answers = calls.join_all().await;
    let mut paid = 0;
    for answer in answers {
        match answer.status {
            201 if answer.json["state"] == "paid" => paid += 1,
            201 => {
                let ended = until(&desk, &answer.json, "cancelled").await;
                assert_eq!(ended["reason"], "points_spent");
            }
            _ => assert_eq!(answer.refusal(), (409, "insufficient_points")),
        }
    }
    assert_eq!((paid, points(&desk, &user).await), (1, 0));
}
