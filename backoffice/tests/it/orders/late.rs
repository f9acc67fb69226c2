//! Money that arrives after the hold has ended, by each of the three policies, and where no unit is to be had any more.

use serde_json::{Value, json};

use super::{Shop, buy, counts, policy, sale, timeline, until};
use crate::stage::{Desk, eventually, name};
use doorbuster_core::claims::Role;

/// A sale whose payments have one second, by this policy; and an order that is captured after more than two.
async fn late(desk: &Desk<'_>, stock: u32, word: &str) -> (String, Value) {
    let sale = sale(desk, stock, (60, 1)).await;
    let rules =
        json!({"late_payment": word, "shipping_fee": 0, "free_from": null, "earn_per_mille": 0});
    policy(desk, &sale, rules).await;
    let order = buy(desk, &sale, &name("late"), "tok_slow_2600").await;
    (sale, order)
}

#[tokio::test]
async fn it_takes_its_units_again_where_the_sale_says_so() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let (sale, order) = late(&desk, 1, "reacquire").await;
    let paid = until(&desk, &order, "paid").await;
    assert_eq!(counts(&desk, &sale, "tee").await, [1, 0, 0, 1]);
    assert_eq!(shop.money(&paid).await, (10_000, 0));
    let path = format!("/admin/v1/orders/{}", paid["id"].as_str().unwrap());
    let seen = desk.get(&path).await.ok(200);
    let paid = seen["timeline"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&paid["kind"], &paid["data"]["reacquired"]),
        (&json!("paid"), &json!(true))
    );
}

#[tokio::test]
async fn it_goes_back_where_no_unit_is_left() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let sale = sale(&desk, 1, (60, 1)).await;
    let order = buy(&desk, &sale, &name("late"), "tok_slow_2900").await;
    // Somebody else takes the unit as soon as the hold has ended.
    eventually(async || (counts(&desk, &sale, "tee").await[1] == 1).then_some(())).await;
    desk.hold(
        &sale,
        &name("quick"),
        json!([{"sku": "tee", "quantity": 1}]),
    )
    .await;
    let refunded = until(&desk, &order, "refunded").await;
    assert_eq!(refunded["reason"], "late");
    assert_eq!(
        timeline(&refunded),
        [
            "placed",
            "charging",
            "charged",
            "failed",
            "refunded",
            "cancelled"
        ]
    );
    assert_eq!(shop.money(&refunded).await, (10_000, 10_000));
    assert_eq!(counts(&desk, &sale, "tee").await, [1, 0, 1, 0]);
}

#[tokio::test]
async fn it_goes_back_at_once_where_the_sale_says_so() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let (sale, order) = late(&desk, 5, "refund").await;
    let refunded = until(&desk, &order, "refunded").await;
    assert_eq!(refunded["reason"], "late");
    assert_eq!(shop.money(&refunded).await, (10_000, 10_000));
    assert_eq!(counts(&desk, &sale, "tee").await, [5, 5, 0, 0]);
}

#[tokio::test]
async fn it_waits_for_a_person_where_the_sale_says_so() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    for (decision, end, money, sold) in [
        ("reacquire", "paid", (10_000, 0), 1),
        ("refund", "refunded", (10_000, 10_000), 0),
    ] {
        let (sale, order) = late(&desk, 5, "park").await;
        let parked = until(&desk, &order, "parked").await;
        assert_eq!(parked["reason"], "late");
        let path = format!("/admin/v1/orders/{}/decide", parked["id"].as_str().unwrap());
        let decide = async |decision: &str| {
            let call = desk
                .call("POST", &path)
                .token(&desk.token("fay", Role::Finance));
            call.json(&json!({"decision": decision, "reason": "a test"}))
                .send()
                .await
        };
        decide(decision).await.ok(200);
        let ended = until(&desk, &order, end).await;
        assert_eq!(shop.money(&ended).await, money, "{decision}");
        assert_eq!(counts(&desk, &sale, "tee").await, [5, 5 - sold, 0, sold]);
        assert_eq!(decide(decision).await.refusal(), (409, "not_parked"));
        let subject = format!("order:{}", ended["id"].as_str().unwrap());
        assert_eq!(desk.audit(&subject).await[0].1, "order.decide");
    }
}
