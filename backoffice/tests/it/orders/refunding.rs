//! What goes back of a paid order: some of it or all, its units on sale again, gone, or kept.

use serde_json::{Value, json};

use super::{Shop, counts, finance, give_points, order, place, points, policy, sale, until};
use crate::stage::{Desk, name};

/// Three tees and two caps, partly paid by points; shipping 3,000.
async fn paid(desk: &Desk<'_>, user: &str) -> (String, Value) {
    let sale = sale(desk, 10, (300, 300)).await;
    let rules = json!({"late_payment": "reacquire", "shipping_fee": 3_000, "free_from": null, "earn_per_mille": 0});
    policy(desk, &sale, rules).await;
    give_points(desk, user, 1_000).await;
    let items = json!([{"sku": "tee", "quantity": 3}, {"sku": "cap", "quantity": 2}]);
    let hold = desk.hold(&sale, user, items).await;
    let mut body = order(&sale, &hold, "tok_ok");
    body["points"] = json!(1_000);
    let paid = place(desk, user, &name("key"), &body).await.ok(201);
    assert_eq!(
        (&paid["state"], &paid["amounts"]["total"]),
        (&json!("paid"), &json!(38_666)),
        "{paid:#}"
    );
    (sale, paid)
}

async fn refund(desk: &Desk<'_>, order: &Value, key: &str, body: &Value) -> crate::http::Answer {
    let path = format!("/admin/v1/orders/{}/refunds", order["id"].as_str().unwrap());
    finance(desk, &path, key, body).await
}

#[tokio::test]
async fn lines_go_back_one_by_one_and_make_the_whole() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let user = name("returner");
    let (sale, order) = paid(&desk, &user).await;
    let line = |sku: &str, quantity: u32, units: &str| json!({"lines": [{"sku": sku, "quantity": quantity, "units": units}], "reason": "a test"});
    let first = line("tee", 1, "restock");
    let seen = refund(&desk, &order, "1", &first).await.ok(200);
    assert_eq!(seen["state"], "paid");
    assert_eq!(seen["refunds"][0]["state"], "done", "{seen:#}");
    assert_eq!(counts(&desk, &sale, "tee").await, [10, 8, 0, 2]);
    // Once for its key, and nothing else under it.
    refund(&desk, &order, "1", &first).await.ok(200);
    let other = line("tee", 2, "restock");
    assert_eq!(
        refund(&desk, &order, "1", &other).await.refusal(),
        (422, "idempotency_mismatch")
    );
    let too_many = line("tee", 3, "keep");
    assert_eq!(
        refund(&desk, &order, "x", &too_many).await.refusal(),
        (400, "invalid_request")
    );
    let unknown = line("hat", 1, "keep");
    assert_eq!(
        refund(&desk, &order, "x", &unknown).await.refusal(),
        (400, "invalid_request")
    );

    refund(&desk, &order, "2", &line("tee", 1, "write_off"))
        .await
        .ok(200);
    assert_eq!(counts(&desk, &sale, "tee").await, [9, 8, 0, 1]);
    refund(&desk, &order, "3", &line("cap", 1, "keep"))
        .await
        .ok(200);
    assert_eq!(counts(&desk, &sale, "cap").await, [10, 8, 0, 2]);
    let before = super::look(&desk, &order).await;
    assert_eq!(before["state"], "paid");
    let refunds = before["refunds"].as_array().unwrap();
    assert_eq!(refunds.len(), 3);
    // Staff writes for staff.
    assert!(refunds.iter().all(|refund| refund["reason"] == "by_staff"));
    assert_eq!(seen["refunds"][0]["reason"], "a test");
    // The rest at once: nothing is left, not a won and not a point.
    let rest = refund(&desk, &order, "4", &json!({"reason": "the rest"}))
        .await
        .ok(200);
    assert_eq!(rest["state"], "refunded", "{rest:#}");
    let amounts = &rest["amounts"];
    assert_eq!(
        (&amounts["refunded"], &amounts["points_returned"]),
        (&amounts["captured"], &amounts["points"])
    );
    assert_eq!(shop.money(&rest).await, (38_666, 38_666));
    assert_eq!(points(&desk, &user).await, 1_000);
    assert_eq!(counts(&desk, &sale, "tee").await, [9, 9, 0, 0]);
    assert_eq!(counts(&desk, &sale, "cap").await, [10, 9, 0, 1]);
    assert_eq!(rest["delivery"]["state"], "stopped");
    let more = refund(&desk, &order, "5", &json!({"reason": "more"})).await;
    assert_eq!(more.refusal(), (409, "not_paid"));
    let subject = format!("order:{}", order["id"].as_str().unwrap());
    let audit = desk.audit(&subject).await;
    assert_eq!(
        audit.iter().filter(|row| row.1 == "order.refund").count(),
        4
    );
}

#[tokio::test]
async fn parallel_refunds_give_back_no_more_than_was_paid() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let user = name("returner");
    let (sale, order) = paid(&desk, &user).await;
    let mut calls = tokio::task::JoinSet::new();
    for i in 0..10 {
        let path = format!("/admin/v1/orders/{}/refunds", order["id"].as_str().unwrap());
        let token = desk.token("fay", doorbuster_core::claims::Role::Finance);
        let call =
            crate::http::Call::new(desk.stage.backoffice(i % 2).url(), "POST", &path).token(&token);
        let body = json!({"reason": "all of it"});
        calls.spawn(
            call.header("idempotency-key", format!("k{i}"))
                .json(&body)
                .send(),
        );
    }
    let answers = calls.join_all().await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(done, 1, "{answers:#?}");
    let refunded = until(&desk, &order, "refunded").await;
    assert_eq!(shop.money(&refunded).await, (38_666, 38_666));
    assert_eq!(points(&desk, &user).await, 1_000);
    assert_eq!(counts(&desk, &sale, "tee").await, [10, 10, 0, 0]);
}
