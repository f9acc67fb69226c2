//! Many orders, several back-offices, and a provider that misbehaves by a script: every capture ends paid or refunded in full.

use serde_json::json;
use tokio::task::JoinSet;

use super::{Shop, counts, order, sale};
use crate::http::Call;
use crate::stage::{eventually, name};
use crate::till::state;
use doorbuster_core::claims::Role;

#[tokio::test]
async fn two_workers_and_a_bad_provider_lose_nothing_and_keep_nothing() {
    let script = "seed=7,decline=10%,timeout=3%,error=5%,busy=5%,pending=5%";
    let shop = Shop::new(script, 2);
    let desk = shop.desk().await;
    let sale = sale(&desk, 500, (300, 300)).await;
    let mut bodies = Vec::new();
    for _ in 0..200 {
        let user = name("crowd");
        let hold = desk
            .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
            .await;
        bodies.push((user, order(&sale, &hold, "tok_any")));
    }
    let mut placing = JoinSet::new();
    for (i, (user, body)) in bodies.into_iter().enumerate() {
        let call = Call::new(desk.stage.backoffice(i % 2).url(), "POST", "/v1/orders");
        let call = call
            .token(&desk.token(&user, Role::Buyer))
            .header("idempotency-key", "k");
        placing.spawn(call.json(&body).send());
    }
    for answer in placing.join_all().await {
        answer.ok(201);
    }
    // Every one of them ends.
    let ended = async || {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select state, count(*) from orders group by state")
                .fetch_all(&desk.books)
                .await
                .unwrap();
        let of = |state: &str| {
            rows.iter()
                .find(|row| row.0 == state)
                .map_or(0, |row| row.1)
        };
        (
            of("paid"),
            of("cancelled"),
            of("refunded"),
            rows.iter().map(|row| row.1).sum::<i64>(),
        )
    };
    let mut last = (0, 0, 0, 0);
    for _ in 0..4 {
        last = ended().await;
        if last.0 + last.1 + last.2 == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    }
    let (paid, cancelled, refunded, all) = last;
    assert_eq!((paid + cancelled + refunded, all), (200, 200), "{last:?}");
    assert!(cancelled > 5, "{last:?}");
    let money = state(&shop.till).await;
    assert_eq!(
        money["captured"].as_i64().unwrap(),
        paid + refunded,
        "{money}"
    );
    assert_eq!(
        counts(&desk, &sale, "tee").await,
        [500, 500 - paid, 0, paid]
    );
    // The books say of each what happened, once, without a gap.
    let gaps: i64 = sqlx::query_scalar(
        "select count(*) from orders o where o.events <> (select count(*) from order_events e where e.order_id = o.order_id)
            or o.events <> (select max(e.n) from order_events e where e.order_id = o.order_id)",
    )
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(gaps, 0);
    eventually(async || {
        let view = desk.get(&format!("/admin/v1/sales/{sale}")).await.ok(200);
        (view["journal_lag"]["events"] == 0).then_some(())
    })
    .await;
    let sold: i64 = sqlx::query_scalar(
        "select count(*) from reservations where sale_id = ? and status = 'paid'",
    )
    .bind(&sale)
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(sold, paid);
}
