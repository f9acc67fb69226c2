//! How goods come: by hand, by themselves, and what a delivered order earns.

use serde_json::{Value, json};

use super::{Shop, buy, coupon_of, finance, order, place, points, policy, sale, timeline, until};
use crate::http::Answer;
use crate::people::Person;
use crate::stage::{Desk, eventually, name};
use crate::till::outage;
use doorbuster_core::claims::Role;

async fn deliver(desk: &Desk<'_>, order: &Value, body: &Value) -> Answer {
    let path = format!(
        "/admin/v1/orders/{}/delivery",
        order["id"].as_str().unwrap()
    );
    let call = desk
        .call("PUT", &path)
        .token(&desk.token("olga", Role::Operator));
    call.json(body).send().await
}

/// An order that goes there, after one that goes nowhere: who names no address wants none, also where he has a default one.
async fn to_default_address(desk: &Desk<'_>, sale: &str, user: &str) -> Value {
    let order = buy(desk, sale, user, "tok_ok").await;
    assert_eq!(order["address"], Value::Null);
    let tee = json!([{"sku": "tee", "quantity": 1}]);
    let hold = desk.hold(sale, user, tee).await;
    let mut body = super::order(sale, &hold, "tok_ok");
    body["address"] = json!({"default": false});
    let refused = place(desk, user, &name("key"), &body).await;
    assert_eq!(refused.refusal(), (400, "invalid_request"));
    body["address"] = json!({"default": true});
    place(desk, user, &name("key"), &body).await.ok(201)
}

#[tokio::test]
async fn goods_are_sent_arrive_and_earn_points_and_their_buyer_leaves_no_address_behind() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let (person, user) = Person::with_account(&desk, "gets").await;
    let session = person.sign_in(&desk).await;
    let address = json!({"recipient": "Ann Lee", "phone": "010-1234-5678", "country": "KR", "postal_code": "04524", "line1": "110 Sejong-daero"});
    let call = desk.call("POST", "/v1/me/addresses").token(&session.access);
    call.json(&address).send().await.ok(201);
    let sale = sale(&desk, 5, (300, 300)).await;
    let rules = json!({"late_payment": "reacquire", "shipping_fee": 2_500, "free_from": null, "earn_per_mille": 15});
    policy(&desk, &sale, rules).await;
    let order = to_default_address(&desk, &sale, &user).await;
    assert_eq!(order["address"]["recipient"], "Ann Lee");
    let early = deliver(&desk, &order, &json!({"state": "delivered"})).await;
    assert_eq!(early.refusal(), (409, "not_sent"));
    for bad in [
        json!({"state": "shipped"}),
        json!({"state": "shipped", "carrier": "CJ", "tracking_number": "a b"}),
        json!({"state": "preparing", "ships_at": "2030-01-01T00:00:00Z"}),
    ] {
        assert_eq!(
            deliver(&desk, &order, &bad).await.refusal(),
            (400, "invalid_request"),
            "{bad}"
        );
    }
    let sent = json!({"state": "shipped", "carrier": "CJ대한통운", "tracking_number": "6540-1"});
    for _ in 0..2 {
        let sent = deliver(&desk, &order, &sent).await.ok(200);
        assert_eq!(
            (&sent["delivery"]["state"], &sent["delivery"]["carrier"]),
            (&json!("shipped"), &json!("CJ대한통운"))
        );
    }
    for _ in 0..2 {
        deliver(&desk, &order, &json!({"state": "delivered"}))
            .await
            .ok(200);
    }
    let seen = super::look(&desk, &order).await;
    assert_eq!(
        timeline(&seen),
        [
            "placed",
            "charging",
            "charged",
            "paid",
            "shipped",
            "delivered",
            "points_earned"
        ]
    );
    assert_eq!(
        (
            points(&desk, &user).await,
            &seen["amounts"]["points_earned"]
        ),
        (150, &json!(150))
    );
    let back = deliver(&desk, &order, &json!({"state": "preparing"})).await;
    assert_eq!(back.refusal(), (409, "already_sent"));
    // An erasure leaves the books, and nothing of the address but its country.
    let body = json!({"password": person.password});
    let call = desk.call("POST", "/v1/me/erase").token(&session.access);
    call.json(&body).send().await.ok(204);
    let path = format!("/admin/v1/orders/{}", order["id"].as_str().unwrap());
    let kept = desk.get(&path).await.ok(200);
    assert_eq!(
        (&kept["address"], &kept["amounts"]["total"]),
        (&json!({"country": "KR"}), &json!(12_500))
    );
}

#[tokio::test]
async fn goods_go_by_themselves_at_their_time() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let sale = sale(&desk, 5, (300, 300)).await;
    let order = buy(&desk, &sale, &name("waits"), "tok_ok").await;
    let body = json!({"state": "preparing", "carrier": "CJ", "tracking_number": "7", "ships_at": "2020-01-01T00:00:00Z"});
    deliver(&desk, &order, &body).await.ok(200);
    let shipped = eventually(async || {
        let order = super::look(&desk, &order).await;
        Some(order.clone()).filter(|order| order["delivery"]["state"] == "shipped")
    })
    .await;
    assert!(shipped["delivery"]["next_at"].is_string());
    sqlx::query(
        "update deliveries set next_at = now(3) where order_id = unhex(replace(?, '-', ''))",
    )
    .bind(order["id"].as_str().unwrap())
    .execute(&desk.books)
    .await
    .unwrap();
    eventually(async || {
        let order = super::look(&desk, &order).await;
        (order["delivery"]["state"] == "delivered").then_some(())
    })
    .await;
    let end = until(&desk, &order, "paid").await;
    assert_eq!(timeline(&end)[4..], ["shipped", "delivered"]);
}

#[tokio::test]
async fn nothing_is_sent_while_money_goes_back_nor_where_nothing_is_left() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let user = name("nothing");
    let sale = sale(&desk, 5, (300, 300)).await;
    let rules = json!({"late_payment": "reacquire", "shipping_fee": 2_500, "free_from": null, "earn_per_mille": 0});
    policy(&desk, &sale, rules).await;
    let coupon = coupon_of(&desk, &user, json!({})).await;
    let hold = desk
        .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    let mut body = order(&sale, &hold, "tok_ok");
    body["coupon"] = json!(coupon);
    let bought = place(&desk, &user, "k", &body).await.ok(201);
    assert_eq!(bought["state"], "paid", "{bought:#}");
    outage(shop.till(), "refuse").await;
    let path = format!(
        "/admin/v1/orders/{}/refunds",
        bought["id"].as_str().unwrap()
    );
    let lines = json!([{"sku": "tee", "quantity": 1, "units": "restock"}]);
    let all = json!({"lines": lines, "reason": "sold out"});
    let asked = finance(&desk, &path, "1", &all).await.ok(200);
    assert_eq!(asked["refunds"][0]["state"], "open", "{asked:#}");
    let sent = json!({"state": "shipped", "carrier": "CJ", "tracking_number": "1"});
    let refused = deliver(&desk, &bought, &sent).await;
    assert_eq!(refused.refusal(), (409, "in_flight"));
    // One that would go by itself is put off, and in nobody's way.
    sqlx::query("update deliveries set carrier = 'CJ', tracking_number = '1', next_at = utc_timestamp(3) where order_id = unhex(replace(?, '-', ''))")
        .bind(bought["id"].as_str().unwrap())
        .execute(&desk.books)
        .await
        .unwrap();
    eventually(async || {
        let later: Option<i64> = sqlx::query_scalar(
            "select 1 from deliveries where state = 'preparing' and next_at > utc_timestamp(3) + interval 30 second and order_id = unhex(replace(?, '-', ''))",
        )
        .bind(bought["id"].as_str().unwrap())
        .fetch_optional(&desk.books)
        .await
        .unwrap();
        later
    })
    .await;
    outage(shop.till(), "off").await;
    let empty = eventually(async || {
        let order = super::look(&desk, &bought).await;
        (order["refunds"][0]["state"] == "done").then_some(order)
    })
    .await;
    assert_eq!(
        (&empty["state"], &empty["delivery"]["state"]),
        (&json!("paid"), &json!("stopped")),
        "{empty:#}"
    );
    assert!(empty["delivery"]["next_at"].is_null(), "{empty:#}");
    assert!(timeline(&empty).contains(&"coupon_returned".to_owned()));
    let finished = desk.stage.run_backoffice(&["reconcile", "--json"]).unwrap();
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["money"]["differences"], json!([]), "{report:#}");
    let shipping = json!({"lines": [], "shipping": true, "reason": "nothing came"});
    finance(&desk, &path, "2", &shipping).await.ok(200);
    let ended = until(&desk, &bought, "refunded").await;
    assert_eq!(shop.money(&ended).await, (10_500, 10_500));
}
