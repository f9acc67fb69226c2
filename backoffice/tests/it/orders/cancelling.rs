//! Buyers who think better of it, at any moment before the goods are sent.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Shop, as_buyer, buy, counts, finance, order, place, sale, until};
use crate::http::Answer;
use crate::stage::{Desk, name};
use crate::till::outage;
use doorbuster_core::claims::Role;

async fn cancel(desk: &Desk<'_>, order: &Value) -> Answer {
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().unwrap());
    as_buyer(desk, order["user"].as_str().unwrap(), "POST", &path)
        .send()
        .await
}

#[tokio::test]
async fn a_paid_order_is_cancelled_until_it_is_sent() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let sale = sale(&desk, 5, (300, 300)).await;
    let order = buy(&desk, &sale, &name("regrets"), "tok_ok").await;
    assert_eq!(counts(&desk, &sale, "tee").await, [5, 4, 0, 1]);
    cancel(&desk, &order).await.ok(200);
    let refunded = until(&desk, &order, "refunded").await;
    assert_eq!(refunded["reason"], "cancelled_by_buyer");
    assert_eq!(shop.money(&refunded).await, (10_000, 10_000));
    assert_eq!(counts(&desk, &sale, "tee").await, [5, 5, 0, 0]);
    assert_eq!(cancel(&desk, &order).await.ok(200)["state"], "refunded");

    let order = buy(&desk, &sale, &name("regrets"), "tok_ok").await;
    let path = format!(
        "/admin/v1/orders/{}/delivery",
        order["id"].as_str().unwrap()
    );
    let body = json!({"state": "shipped", "carrier": "CJ", "tracking_number": "1-2"});
    let call = desk
        .call("PUT", &path)
        .token(&desk.token("olga", Role::Operator));
    call.json(&body).send().await.ok(200);
    assert_eq!(cancel(&desk, &order).await.refusal(), (409, "already_sent"));
}

#[tokio::test]
async fn whenever_it_comes_nobody_keeps_anything() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let sale = sale(&desk, 20, (300, 300)).await;
    let mut orders = Vec::new();
    // While it is placed, begun, charged, just after.
    for after_ms in [0, 20, 100, 400, 900, 1_100, 1_400] {
        let user = name("hesitant");
        let hold = desk
            .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
            .await;
        let body = order(&sale, &hold, "tok_slow_1000");
        let call = as_buyer(&desk, &user, "POST", "/v1/orders").header("idempotency-key", "k");
        let placing = tokio::spawn(call.json(&body).send());
        sleep(Duration::from_millis(after_ms)).await;
        let list = as_buyer(&desk, &user, "GET", "/v1/orders")
            .send()
            .await
            .ok(200);
        if let Some(order) = list["orders"].get(0) {
            cancel(&desk, order).await.ok(200);
        }
        let placed = placing.await.unwrap().ok(201);
        cancel(&desk, &placed).await.ok(200);
        orders.push(placed);
    }
    for order in &orders {
        let ended = tokio::select! {
            ended = until(&desk, order, "refunded") => ended,
            ended = until(&desk, order, "cancelled") => ended,
        };
        assert_eq!(ended["reason"], "cancelled_by_buyer");
        let (captured, refunded) = shop.money(&ended).await;
        assert_eq!(captured, refunded, "{ended:#}");
    }
    assert_eq!(counts(&desk, &sale, "tee").await, [20, 20, 0, 0]);
}

#[tokio::test]
async fn a_cancellation_and_a_refund_at_once_give_back_once() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let sale = sale(&desk, 20, (300, 300)).await;
    for _ in 0..5 {
        let order = buy(&desk, &sale, &name("both"), "tok_ok").await;
        let path = format!("/admin/v1/orders/{}/refunds", order["id"].as_str().unwrap());
        let body = json!({"reason": "at once"});
        let (cancelled, refunded) =
            tokio::join!(cancel(&desk, &order), finance(&desk, &path, "k", &body));
        assert!(
            cancelled.status == 200 && [200, 409].contains(&refunded.status),
            "{cancelled:?} {refunded:?}"
        );
        let ended = until(&desk, &order, "refunded").await;
        assert_eq!(shop.money(&ended).await, (10_000, 10_000));
    }
    assert_eq!(counts(&desk, &sale, "tee").await, [20, 20, 0, 0]);
}

#[tokio::test]
async fn a_cancellation_waits_for_the_refund_before_it() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let sale = sale(&desk, 20, (300, 300)).await;
    let user = name("impatient");
    let hold = desk
        .hold(
            &sale,
            &user,
            json!([{"sku": "tee", "quantity": 1}, {"sku": "cap", "quantity": 1}]),
        )
        .await;
    let bought = place(&desk, &user, "k", &order(&sale, &hold, "tok_ok")).await;
    let bought = bought.ok(201);
    outage(shop.till(), "refuse").await;
    let path = format!(
        "/admin/v1/orders/{}/refunds",
        bought["id"].as_str().unwrap()
    );
    let lines = json!([{"sku": "cap", "quantity": 1, "units": "restock"}]);
    let body = json!({"lines": lines, "reason": "torn"});
    finance(&desk, &path, "k", &body).await.ok(200);
    assert_eq!(cancel(&desk, &bought).await.ok(200)["state"], "paid");
    outage(shop.till(), "off").await;
    let ended = until(&desk, &bought, "refunded").await;
    assert_eq!(shop.money(&ended).await, (13_333, 13_333));
    assert_eq!(counts(&desk, &sale, "tee").await, [20, 20, 0, 0]);
    assert_eq!(counts(&desk, &sale, "cap").await, [20, 20, 0, 0]);
}
