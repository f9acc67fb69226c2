//! From a hold to a paid order: what it comes to, what it leaves behind, and what a repeat does.

use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Shop, as_buyer, buy, counts, coupon_of, give_points, look, order, place, points, policy, sale,
    timeline,
};
use crate::http::Call;
use crate::people::{Person, mails_to};
use crate::stage::{eventually, name};
use doorbuster_core::claims::Role;

#[tokio::test]
async fn a_hold_is_ordered_paid_and_sold_and_its_buyer_is_told() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let (person, user) = Person::with_account(&desk, "buyer").await;
    let sale = sale(&desk, 5, (300, 300)).await;
    let paid = buy(&desk, &sale, &user, "tok_ok").await;
    assert_eq!(paid["state"], "paid", "{paid:#}");
    assert_eq!(timeline(&paid), ["placed", "charging", "charged", "paid"]);
    assert_eq!(
        (
            &paid["amounts"]["total"],
            &paid["amounts"]["captured"],
            &paid["delivery"]["state"]
        ),
        (&json!(10_000), &json!(10_000), &json!("preparing"))
    );
    assert_eq!(shop.money(&paid).await, (10_000, 0));
    assert_eq!(counts(&desk, &sale, "tee").await, [5, 4, 0, 1]);
    // The engine says so too.
    let path = format!(
        "/v1/sales/{sale}/reservations/{}",
        paid["reservation"].as_str().unwrap()
    );
    let call = Call::new(desk.stage.engine(0).url(), "GET", &path);
    let held = call
        .token(&desk.token(&user, Role::Buyer))
        .send()
        .await
        .ok(200);
    assert_eq!(held["status"], "paid");
    // The token that stands for his card is gone, and he has a mail.
    let kept: Option<String> =
        sqlx::query_scalar("select payment_token from orders where user_id = ?")
            .bind(&user)
            .fetch_one(&desk.books)
            .await
            .unwrap();
    assert_eq!(kept, None);
    let page = format!("/orders#{}", paid["id"].as_str().unwrap());
    eventually(async || {
        let mails = mails_to(&desk, &person.email);
        mails
            .iter()
            .any(|mail| mail.body.contains(&page))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn coupon_points_and_shipping_are_quoted_and_charged_alike() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let user = name("saver");
    let sale = sale(&desk, 5, (300, 300)).await;
    let rules = json!({"late_payment": "reacquire", "shipping_fee": 3_000, "free_from": 50_000, "earn_per_mille": 10});
    policy(&desk, &sale, rules).await;
    give_points(&desk, &user, 700).await;
    let coupon = coupon_of(
        &desk,
        &user,
        json!({"minimum": {"amount": 10_000, "currency": "KRW"}}),
    )
    .await;
    let items = json!([{"sku": "tee", "quantity": 1}, {"sku": "cap", "quantity": 2}]);
    let hold = desk.hold(&sale, &user, items).await;
    let ask = json!({"sale": sale, "reservation": hold, "points": 500, "coupon": coupon});
    let quote = as_buyer(&desk, &user, "POST", "/v1/quotes")
        .json(&ask)
        .send()
        .await
        .ok(200);
    let amounts = &quote["amounts"];
    let part = |key: &str| amounts[key].as_i64().unwrap();
    assert_eq!(
        ["lines", "shipping", "coupon", "points", "total"].map(part),
        [16_666, 3_000, 2_000, 500, 17_166]
    );
    let mut body = order(&sale, &hold, "tok_ok");
    body["points"] = json!(500);
    body["coupon"] = json!(coupon);
    body["address"] = json!({"recipient": "Ann", "phone": "010-1234-5678", "country": "KR", "postal_code": "04524", "line1": "110 Sejong-daero"});
    let paid = place(&desk, &user, "k", &body).await.ok(201);
    assert_eq!(paid["state"], "paid", "{paid:#}");
    assert_eq!(paid["amounts"]["total"], amounts["total"]);
    assert_eq!(paid["address"]["line1"], "110 Sejong-daero");
    assert_eq!(paid["lines"], quote["lines"]);
    assert_eq!(
        timeline(&paid),
        [
            "placed",
            "charging",
            "points_spent",
            "coupon_used",
            "charged",
            "paid"
        ]
    );
    assert_eq!(shop.money(&paid).await, (17_166, 0));
    assert_eq!(points(&desk, &user).await, 200);
    // The claim is used up.
    let hold = desk
        .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    let ask = json!({"sale": sale, "reservation": hold, "coupon": coupon});
    let again = as_buyer(&desk, &user, "POST", "/v1/quotes")
        .json(&ask)
        .send()
        .await;
    assert_eq!(again.refusal(), (409, "coupon_unusable"));
    let ask = json!({"sale": sale, "reservation": hold, "points": 300});
    let again = as_buyer(&desk, &user, "POST", "/v1/quotes")
        .json(&ask)
        .send()
        .await;
    assert_eq!(again.refusal(), (409, "insufficient_points"));
}

#[tokio::test]
async fn what_costs_nothing_asks_no_provider() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let user = name("free");
    let sale = sale(&desk, 5, (300, 300)).await;
    give_points(&desk, &user, 10_000).await;
    let hold = desk
        .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    let mut body = order(&sale, &hold, "tok_decline");
    body["points"] = json!(10_000);
    let paid = place(&desk, &user, "k", &body).await.ok(201);
    assert_eq!(paid["state"], "paid", "{paid:#}");
    assert_eq!(shop.money(&paid).await, (0, 0));
    assert_eq!(points(&desk, &user).await, 0);
}

#[tokio::test]
async fn one_key_orders_once_and_a_hold_is_ordered_once() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let user = name("twice");
    let sale = sale(&desk, 5, (300, 300)).await;
    let hold = desk
        .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    let body = order(&sale, &hold, "tok_slow_200");
    let mut under_way = JoinSet::new();
    for i in 0..20 {
        let base = desk.stage.backoffice(i % 2).url();
        let call = Call::new(base, "POST", "/v1/orders").token(&desk.token(&user, Role::Buyer));
        under_way.spawn(call.header("idempotency-key", "one").json(&body).send());
    }
    let answers = under_way.join_all().await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(
        (
            created,
            answers.iter().filter(|answer| answer.status == 200).count()
        ),
        (1, 19),
        "{answers:#?}"
    );
    let paid = super::until(&desk, &answers[0].json, "paid").await;
    assert!(answers.iter().all(|answer| answer.json["id"] == paid["id"]));
    assert_eq!(shop.money(&paid).await, (10_000, 0));
    // Another request under the key, and another key for the hold.
    let mut other = body.clone();
    other["payment"]["token"] = json!("tok_other");
    assert_eq!(
        place(&desk, &user, "one", &other).await.refusal(),
        (422, "idempotency_mismatch")
    );
    assert_eq!(
        place(&desk, &user, "two", &body).await.refusal(),
        (409, "already_ordered")
    );
    assert_eq!(
        place(&desk, &user, "one", &body).await.ok(200)["state"],
        "paid"
    );
    // Nobody else's hold can be ordered, nor order be seen.
    let mallory = name("mallory");
    assert_eq!(
        place(&desk, &mallory, "one", &body).await.refusal(),
        (404, "unknown_reservation")
    );
    let path = format!("/v1/orders/{}", paid["id"].as_str().unwrap());
    for (method, path) in [("GET", path.clone()), ("POST", format!("{path}/cancel"))] {
        let answer = as_buyer(&desk, &mallory, method, &path).send().await;
        assert_eq!(answer.refusal(), (404, "unknown_order"));
    }
    assert_eq!(look(&desk, &paid).await["state"], "paid");
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let user = name("lister");
    let sale = sale(&desk, 9, (300, 300)).await;
    let mut ids = Vec::new();
    for token in ["tok_ok", "tok_decline", "tok_ok"] {
        let order = buy(&desk, &sale, &user, token).await;
        ids.push(order["id"].as_str().unwrap().to_owned());
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/orders?limit=2{cursor}");
        let page = as_buyer(&desk, &user, "GET", &path).send().await.ok(200);
        let orders = page["orders"].as_array().unwrap();
        seen.extend(
            orders
                .iter()
                .map(|order| order["id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let count = async |query: &str| {
        let path = format!("/admin/v1/orders?sale={sale}{query}");
        desk.get(&path).await.ok(200)["orders"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count("").await, 3);
    assert_eq!(count("&state=cancelled").await, 1);
    assert_eq!(count("&delivery=preparing").await, 2);
    assert_eq!(count(&format!("&user={user}&state=paid")).await, 2);
    assert_eq!(count("&user=nobody").await, 0);
    assert_eq!(count("&until=2020-01-01T00:00:00Z").await, 0);
    for bad in [
        "state=lost",
        "delivery=lost",
        "sale=a%20b",
        "limit=0",
        "cursor=x",
        "what=1",
    ] {
        let answer = desk.get(&format!("/admin/v1/orders?{bad}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{bad}");
    }
}
