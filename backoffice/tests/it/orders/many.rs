//! Many orders, several back-offices, and a provider that misbehaves by a script: every capture ends paid or refunded in full.

use std::time::Duration;

use doorbuster_core::claims::Role;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Shop, counts, order, sale};
use crate::http::Call;
use crate::stage::{Desk, name};
use crate::till::state;

const ORDERS: i64 = 200;

#[tokio::test]
async fn two_workers_and_a_bad_provider_lose_nothing_and_keep_nothing() {
    let script = "seed=7,decline=10%,timeout=3%,error=5%,busy=5%,pending=5%";
    let shop = Shop::new(script, 2);
    let desk = shop.desk().await;
    let sale = sale(&desk, 500, (300, 300)).await;
    place_all(&desk, &sale).await;
    let (paid, cancelled, refunded) = until_all_have_ended(&desk).await;
    assert!(cancelled > 5, "{paid} {cancelled} {refunded}");
    let money = state(shop.till()).await;
    assert_eq!(
        money["captured"].as_i64().unwrap(),
        paid + refunded,
        "{money}"
    );
    assert_eq!(
        counts(&desk, &sale, "tee").await,
        [500, 500 - paid, 0, paid]
    );
    // The books say of each what happened, once, without a gap; and so does the journal of what was sold.
    let gaps: i64 = sqlx::query_scalar(
        "select count(*) from orders o where o.events <> (select count(*) from order_events e where e.order_id = o.order_id)
            or o.events <> (select max(e.n) from order_events e where e.order_id = o.order_id)",
    )
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(gaps, 0);
    desk.written_back(&format!("/admin/v1/sales/{sale}")).await;
    let sold: i64 = sqlx::query_scalar(
        "select count(*) from reservations where sale_id = ? and status = 'paid'",
    )
    .bind(&sale)
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(sold, paid);
}

/// At both back-offices, all at once.
async fn place_all(desk: &Desk<'_>, sale: &str) {
    let mut bodies = Vec::new();
    for _ in 0..ORDERS {
        let user = name("crowd");
        let items = json!([{"sku": "tee", "quantity": 1}]);
        let hold = desk.hold(sale, &user, items).await;
        bodies.push((user, order(sale, &hold, "tok_any")));
    }
    let mut placing = JoinSet::new();
    for (i, (user, body)) in bodies.into_iter().enumerate() {
        let call = Call::new(desk.stage.backoffice(i % 2).url(), "POST", "/v1/orders");
        let call = call.token(&desk.token(&user, Role::Buyer));
        placing.spawn(call.header("idempotency-key", "k").json(&body).send());
    }
    for answer in placing.join_all().await {
        answer.ok(201);
    }
}

/// How many are paid, cancelled and refunded.
async fn until_all_have_ended(desk: &Desk<'_>) -> (i64, i64, i64) {
    let mut rows: Vec<(String, i64)> = Vec::new();
    for _ in 0..60 {
        rows = sqlx::query_as("select state, count(*) from orders group by state")
            .fetch_all(&desk.books)
            .await
            .unwrap();
        let of = |state: &str| {
            rows.iter()
                .find(|row| row.0 == state)
                .map_or(0, |row| row.1)
        };
        let ended = (of("paid"), of("cancelled"), of("refunded"));
        if ended.0 + ended.1 + ended.2 == ORDERS {
            return ended;
        }
        sleep(Duration::from_secs(1)).await;
    }
    panic!("not all have ended: {rows:?}")
}
