//! What fails more than once, contradicts itself, or is heard of when nobody expects it: each time it is written down, and nothing is tried for ever.

use doorbuster_core::gate::Gate;
use doorbuster_core::gate::restock::Returned;
use doorbuster_core::ids::{LiveId, ReservationId, SaleId, SkuId, UserId};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, query, query_scalar};
use uuid::Uuid;

use super::{
    Shop, as_buyer, buy, counts, finance, give_points, look, order, place, points, policy, sale,
    timeline, until,
};
use crate::http::Call;
use crate::stage::{Desk, eventually, name};
use doorbuster_core::claims::Role;

/// Changes the order's row.
async fn change(desk: &Desk<'_>, order: &Value, table: &str, set: &str) {
    let sql = format!("update {table} set {set} where order_id = unhex(replace(?, '-', ''))");
    query(AssertSqlSafe(sql))
        .bind(order["id"].as_str().unwrap())
        .execute(&desk.books)
        .await
        .unwrap();
}

async fn decide(desk: &Desk<'_>, order: &Value, decision: &str) {
    let path = format!("/admin/v1/orders/{}/decide", order["id"].as_str().unwrap());
    let call = desk
        .call("POST", &path)
        .token(&desk.token("fay", Role::Finance));
    let body = json!({"decision": decision, "reason": "a test"});
    call.json(&body).send().await.ok(200);
}

/// Waits until it has been parked so many times.
async fn parked(desk: &Desk<'_>, order: &Value, times: usize) -> Value {
    eventually(async || {
        let order = look(desk, order).await;
        let parked = timeline(&order)
            .iter()
            .filter(|kind| *kind == "parked")
            .count();
        (order["state"] == "parked" && parked == times).then_some(order)
    })
    .await
}

async fn refund(desk: &Desk<'_>, order: &Value, key: &str, body: &Value) -> Value {
    let path = format!("/admin/v1/orders/{}/refunds", order["id"].as_str().unwrap());
    finance(desk, &path, key, body).await.ok(200)
}

#[tokio::test]
async fn what_fails_twice_is_written_down_twice() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let sale = sale(&desk, 1, (60, 1)).await;
    let rules =
        json!({"late_payment": "park", "shipping_fee": 0, "free_from": null, "earn_per_mille": 0});
    policy(&desk, &sale, rules).await;
    let late = buy(&desk, &sale, &name("late"), "tok_slow_2600").await;
    parked(&desk, &late, 1).await;
    // Somebody else has the unit, and somebody has given a won back by hand: what was captured cannot go back whole.
    let one = json!([{"sku": "tee", "quantity": 1}]);
    desk.hold(&sale, &name("quick"), one).await;
    let page = Call::new(shop.till().url(), "GET", "/v1/charges?after=0")
        .send()
        .await
        .ok(200);
    let body =
        json!({"charge": page["charges"][0]["id"], "amount": {"amount": 1, "currency": "KRW"}});
    let call = Call::new(shop.till().url(), "POST", "/v1/refunds");
    let key = Uuid::new_v4().to_string();
    call.header("idempotency-key", key)
        .json(&body)
        .send()
        .await
        .ok(200);
    for times in [2, 3] {
        decide(&desk, &late, "reacquire").await;
        let seen = parked(&desk, &late, times).await;
        assert_eq!(seen["reason"], "refund_refused", "{seen:#}");
        let failed = timeline(&seen)
            .iter()
            .filter(|kind| *kind == "failed")
            .count();
        assert_eq!(failed, times - 1, "{seen:#}");
        let refunds = seen["refunds"].as_array().unwrap();
        assert_eq!(refunds.len(), times - 1, "{seen:#}");
        assert!(refunds.iter().all(|refund| refund["state"] == "refused"));
        // Buyers are not told the provider's words.
        let problems =
            query_scalar("select problem from refunds where order_id = unhex(replace(?, '-', ''))");
        let problems: Vec<String> = problems
            .bind(late["id"].as_str().unwrap())
            .fetch_all(&desk.books)
            .await
            .unwrap();
        assert_eq!(problems, vec!["too_much"; times - 1]);
    }
    assert_eq!(shop.money(&late).await, (10_000, 1));
}

#[tokio::test]
async fn a_capture_that_was_called_off_goes_back_whenever_it_is_heard_of() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let user = name("stray");
    let sale = sale(&desk, 5, (300, 300)).await;
    give_points(&desk, &user, 500).await;
    let hold = desk
        .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    let mut body = order(&sale, &hold, "tok_stray_6000");
    body["points"] = json!(500);
    let stray = place(&desk, &user, "k", &body).await.ok(201);
    let path = format!("/v1/orders/{}/cancel", stray["id"].as_str().unwrap());
    as_buyer(&desk, &user, "POST", &path).send().await.ok(200);
    until(&desk, &stray, "cancelled").await;
    assert_eq!(points(&desk, &user).await, 500);
    // As if it were still being undone when the capture is heard of.
    change(
        &desk,
        &stray,
        "orders",
        "state = 'undoing', next_step_at = '2999-01-01'",
    )
    .await;
    eventually(async || {
        let heard: Option<i64> = query_scalar(
            "select 1 from webhook_inbox i join payment_attempts a on a.attempt_id = i.attempt_id
            where a.order_id = unhex(replace(?, '-', '')) and i.state = 'waiting' and i.outcome = 'captured' limit 1",
        )
        .bind(stray["id"].as_str().unwrap())
        .fetch_optional(&desk.books)
        .await
        .unwrap();
        heard
    })
    .await;
    change(&desk, &stray, "orders", "next_step_at = utc_timestamp(3)").await;
    let seen = until(&desk, &stray, "parked").await;
    assert_eq!(seen["amounts"]["captured"], 9_500, "{seen:#}");
    decide(&desk, &stray, "refund").await;
    let ended = until(&desk, &stray, "refunded").await;
    assert_eq!(shop.money(&ended).await, (9_500, 9_500));
    assert_eq!(
        (
            points(&desk, &user).await,
            &ended["amounts"]["points_returned"]
        ),
        (500, &json!(500))
    );
    let of = |wanted: &str| {
        timeline(&ended)
            .iter()
            .filter(|kind| *kind == wanted)
            .count()
    };
    assert_eq!(
        (of("cancelled"), of("points_returned"), of("charged")),
        (3, 1, 1),
        "{ended:#}"
    );
    assert_eq!(counts(&desk, &sale, "tee").await, [5, 5, 0, 0]);
}

#[tokio::test]
async fn units_that_cannot_come_back_do_not_keep_an_order_for_ever() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let user = name("odd");
    let sale = sale(&desk, 5, (300, 300)).await;
    let bought = buy(&desk, &sale, &user, "tok_ok").await;
    // Somebody has put the unit on sale again behind the books' back.
    let gate = Gate::connect(desk.stage.redis_url()).await.unwrap();
    let live = LiveId::Sale(SaleId::parse(sale.as_str()).unwrap());
    let reservation = bought["reservation"].as_str().unwrap();
    let id = ReservationId::parse(reservation).unwrap();
    let tee = [(SkuId::parse("tee").unwrap(), 1)];
    let user = UserId::parse(user.as_str()).unwrap();
    let done = gate.restock(&live, 1, id, &user, "behind", &tee).await;
    assert!(matches!(done, Ok(Returned::Done { .. })), "{done:?}");
    refund(&desk, &bought, "k", &json!({"reason": "came back"})).await;
    let seen = parked(&desk, &bought, 1).await;
    assert_eq!(
        (&seen["reason"], &seen["refunds"][0]["state"]),
        (&json!("contradiction"), &json!("repaid"))
    );
    decide(&desk, &bought, "refund").await;
    let ended = until(&desk, &bought, "refunded").await;
    assert_eq!(ended["refunds"][0]["state"], "done", "{ended:#}");
    assert_eq!(shop.money(&ended).await, (10_000, 10_000));
    assert_eq!(counts(&desk, &sale, "tee").await, [5, 5, 0, 0]);
}

#[tokio::test]
async fn what_goes_back_of_a_delivered_order_had_earned_nothing() {
    let shop = Shop::shared();
    let desk = shop.desk().await;
    let user = name("earner");
    let sale = sale(&desk, 5, (300, 300)).await;
    let rules = json!({"late_payment": "reacquire", "shipping_fee": 2_500, "free_from": null, "earn_per_mille": 100});
    policy(&desk, &sale, rules).await;
    let hold = desk
        .hold(&sale, &user, json!([{"sku": "tee", "quantity": 2}]))
        .await;
    let bought = place(&desk, &user, "k", &order(&sale, &hold, "tok_ok"))
        .await
        .ok(201);
    refund(
        &desk,
        &bought,
        "1",
        &json!({"lines": [], "shipping": true, "reason": "slow"}),
    )
    .await;
    let path = format!(
        "/admin/v1/orders/{}/delivery",
        bought["id"].as_str().unwrap()
    );
    for body in [
        json!({"state": "shipped", "carrier": "CJ", "tracking_number": "1"}),
        json!({"state": "delivered"}),
    ] {
        let call = desk
            .call("PUT", &path)
            .token(&desk.token("olga", Role::Operator));
        call.json(&body).send().await.ok(200);
    }
    assert_eq!(points(&desk, &user).await, 2_000);
    // Parked or not, what has left is not cancelled; and a wish from before keeps no refund from being made.
    change(&desk, &bought, "orders", "state = 'parked'").await;
    let cancel = format!("/v1/orders/{}/cancel", bought["id"].as_str().unwrap());
    let cancelled = as_buyer(&desk, &user, "POST", &cancel).send().await;
    assert_eq!(cancelled.refusal(), (409, "already_sent"));
    change(
        &desk,
        &bought,
        "orders",
        "state = 'paid', cancel_asked_at = utc_timestamp(3)",
    )
    .await;
    let one = json!({"lines": [{"sku": "tee", "quantity": 1, "units": "keep"}], "reason": "torn"});
    let seen = refund(&desk, &bought, "2", &one).await;
    assert_eq!(
        (
            points(&desk, &user).await,
            &seen["amounts"]["points_earned"]
        ),
        (1_000, &json!(1_000)),
        "{seen:#}"
    );
    // No more than he has.
    give_points(&desk, &user, -400).await;
    let ended = refund(&desk, &bought, "3", &json!({"reason": "the rest"})).await;
    assert_eq!(ended["state"], "refunded", "{ended:#}");
    let taken: Vec<i64> = ended["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "points_taken_back")
        .map(|event| event["amount"].as_i64().unwrap())
        .collect();
    assert_eq!((points(&desk, &user).await, taken), (0, vec![1_000, 600]));
}
