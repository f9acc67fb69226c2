//! A loss and orders of which a part went back: each sku is where it belongs, and what is asked of the sale is said.

use doorbuster_core::claims::Role;
use serde_json::json;

use super::lost::{booked, forgotten_of};
use super::{
    Shop, counts, eventually_within, finance, order, place, refunded, sale, units_of, until,
};
use crate::http::Call;
use crate::stage::{Desk, name};

#[tokio::test]
async fn a_lost_refund_of_two_skus_brings_each_to_its_place() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let items = json!([{"sku": "tee", "quantity": 2}, {"sku": "cap", "quantity": 2}]);
    let (sale, order) = forgotten_of(&desk, items, (6, 6)).await;
    booked(&desk, &order["reservation"], "released").await;
    desk.stage.backoffice(0).thaw().unwrap();
    let lines = json!([
        {"sku": "tee", "quantity": 1, "units": "restock"},
        {"sku": "cap", "quantity": 1, "units": "write_off"}
    ]);
    let done = refunded(&desk, &order, lines, "done").await;
    let units = units_of(&desk, &done).await;
    let expected = [("cap", "write_off"), ("tee", "lost")];
    assert_eq!(
        units,
        expected.map(|(sku, word)| (sku.to_owned(), word.to_owned()))
    );
    let [tees, caps] = [[3, 2, 0, 1], [2, 1, 0, 1]];
    eventually_within(60, async || {
        let tee = counts(&desk, &sale, "tee").await;
        let cap = counts(&desk, &sale, "cap").await;
        (tee == tees && cap == caps).then_some(())
    })
    .await;
    booked(&desk, &order["reservation"], "paid").await;
    // However often it is told again, nothing comes back twice.
    sqlx::query("update order_epochs set epoch = 0, noted_at = noted_at + interval 1 second where sale_id = ?")
        .bind(&sale)
        .execute(&desk.books)
        .await
        .unwrap();
    eventually_within(60, async || {
        let epoch: u32 = sqlx::query_scalar("select epoch from order_epochs where sale_id = ?")
            .bind(&sale)
            .fetch_one(&desk.books)
            .await
            .unwrap();
        (epoch > 1).then_some(())
    })
    .await;
    assert_eq!(counts(&desk, &sale, "tee").await, tees);
    assert_eq!(counts(&desk, &sale, "cap").await, caps);
    assert_eq!(shop.money(&order).await, (26_666, 13_333));
}

/// Somebody else's hold of one tee, as soon as there is one.
async fn hold_one(desk: &Desk<'_>, sale: &str, user: &str) -> String {
    let token = desk.token(user, Role::Buyer);
    let engine = desk.stage.engine(0);
    eventually_within(60, async || {
        let path = format!("/v1/sales/{sale}/reservations");
        let call = Call::new(engine.url(), "POST", &path);
        let call = call.token(&token).header("idempotency-key", name("key"));
        let one = json!({"items": [{"sku": "tee", "quantity": 1}]});
        let answer = call.json(&one).send().await;
        (answer.status == 201).then(|| answer.json["id"].as_str().unwrap().to_owned())
    })
    .await
}

#[tokio::test]
async fn a_paid_order_of_which_some_went_back_is_told_that_all_are_needed_for_a_moment() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let sale = sale(&desk, 2, (6, 6)).await;
    let (engine, backoffice) = (desk.stage.engine(0), desk.stage.backoffice(0));
    let user = name("ann");
    let two = json!([{"sku": "tee", "quantity": 2}]);
    let hold = desk.hold(&sale, &user, two).await;
    booked(&desk, &json!(hold), "held").await;
    engine.freeze().unwrap();
    let placed = place(&desk, &user, "k", &order(&sale, &hold, "tok_ok")).await;
    let paid = until(&desk, &placed.ok(201), "paid").await;
    let one = json!([{"sku": "tee", "quantity": 1, "units": "restock"}]);
    refunded(&desk, &paid, one, "done").await;
    backoffice.freeze().unwrap();
    desk.redis("FLUSHALL", vec![]).await;
    engine.thaw().unwrap();
    booked(&desk, &json!(hold), "released").await;
    let bob = name("bob");
    let bobs = hold_one(&desk, &sale, &bob).await;
    backoffice.thaw().unwrap();
    let bobs = place(&desk, &bob, "k", &order(&sale, &bobs, "tok_ok")).await;
    until(&desk, &bobs.ok(201), "paid").await;

    // One is left, which is all that she is to have.
    assert_eq!(until(&desk, &paid, "parked").await["reason"], "late");
    let path = format!("/admin/v1/orders/{}/decide", paid["id"].as_str().unwrap());
    let body = json!({"decision": "reacquire", "reason": "a test"});
    let refused = finance(&desk, &path, "k", &body).await;
    assert_eq!(refused.refusal(), (409, "units_short"));
    let by = async |by: i64| {
        let body = json!({"sku": "tee", "by": by, "reason": "for a moment"});
        desk.adjust(&sale, &format!("by {by}"), &body).await.ok(200)
    };
    by(1).await;
    let again = finance(&desk, &path, "k", &body).await.ok(200);
    assert_eq!(again["state"], "paid", "{again:#}");
    by(-1).await;
    // One is Bob's, and one is hers.
    assert_eq!(counts(&desk, &sale, "tee").await, [2, 0, 0, 2]);
    assert_eq!(shop.money(&paid).await, (20_000, 10_000));
}
