//! Payments that Redis lost before they were booked: the rebuilt sale is told of them again, and no unit is sold twice.

use doorbuster_core::ids::ReservationId;
use serde_json::{Value, json};

use super::{Shop, as_buyer, buy, counts, order, place, sale, until};
use crate::stage::{Desk, eventually, name};

/// How the books have a reservation.
async fn status(desk: &Desk<'_>, reservation: &Value) -> Option<String> {
    let id = ReservationId::parse(reservation.as_str().unwrap()).unwrap();
    sqlx::query_scalar("select status from reservations where id = ?")
        .bind(id.as_bytes().to_vec())
        .fetch_optional(&desk.books)
        .await
        .unwrap()
}

async fn booked(desk: &Desk<'_>, reservation: &Value, word: &str) {
    eventually(async || (status(desk, reservation).await.as_deref() == Some(word)).then_some(()))
        .await;
}

#[tokio::test]
async fn what_was_sold_and_what_came_back_is_so_again_after_redis_has_lost_it() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let sale = sale(&desk, 3, (300, 300)).await;
    let engine = desk.stage.engine(0);
    let tee = json!([{"sku": "tee", "quantity": 1}]);

    // One whose refund will be lost, one whose payment will be lost whole, one of whose payment the books know the beginning.
    let back = until(
        &desk,
        &buy(&desk, &sale, &name("back"), "tok_ok").await,
        "paid",
    )
    .await;
    booked(&desk, &back["reservation"], "paid").await;
    let (ann, bob) = (name("ann"), name("bob"));
    let slow = desk.hold(&sale, &bob, tee.clone()).await;
    let slow = place(&desk, &bob, "k", &order(&sale, &slow, "tok_slow_5000"))
        .await
        .ok(201);
    booked(&desk, &slow["reservation"], "paying").await;
    let whole = desk.hold(&sale, &ann, tee.clone()).await;
    booked(&desk, &json!(whole), "held").await;
    engine.freeze().unwrap();
    let whole = place(&desk, &ann, "k", &order(&sale, &whole, "tok_ok"))
        .await
        .ok(201);
    let path = format!("/v1/orders/{}/cancel", back["id"].as_str().unwrap());
    as_buyer(&desk, back["user"].as_str().unwrap(), "POST", &path)
        .send()
        .await
        .ok(200);
    until(&desk, &back, "refunded").await;
    until(&desk, &whole, "paid").await;
    until(&desk, &slow, "paid").await;
    assert_eq!(status(&desk, &whole["reservation"]).await.unwrap(), "held");
    desk.redis("FLUSHALL", vec![]).await;
    engine.thaw().unwrap();

    booked(&desk, &whole["reservation"], "paid").await;
    booked(&desk, &slow["reservation"], "paid").await;
    booked(&desk, &back["reservation"], "released").await;
    assert_eq!(counts(&desk, &sale, "tee").await, [3, 1, 0, 2]);
    for order in [&whole, &slow] {
        assert_eq!(super::look(&desk, order).await["state"], "paid");
        assert_eq!(shop.money(order).await, (10_000, 0));
    }
}
