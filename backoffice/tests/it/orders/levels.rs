//! Nobody is told that an order is paid before it is as safe as the deployment's ack level says.

use std::time::Duration;

use doorbuster_stage::Server;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Shop, buy, counts, look, order, place, sale, until};
use crate::stage::{Desk, eventually, name};

async fn ready(desk: &Desk<'_>) -> Value {
    desk.call("GET", "/readyz").send().await.ok(200)
}

async fn until_met(desk: &Desk<'_>, is_met: bool) -> Value {
    eventually(async || {
        let seen = ready(desk).await;
        (seen["ack_met"] == is_met).then_some(seen)
    })
    .await
}

/// While `server` stands still, what was captured is not paid.
async fn waits_for(shop: &Shop, desk: &Desk<'_>, server: &Server) -> Value {
    let sale = sale(desk, 5, (300, 300)).await;
    let order = buy(desk, &sale, &name("patient"), "tok_slow_4000").await;
    assert_eq!(order["state"], "charging", "{order:#}");
    server.freeze().unwrap();
    until(desk, &order, "captured").await;
    sleep(Duration::from_secs(4)).await;
    let waiting = look(desk, &order).await;
    let while_waiting = ready(desk).await;
    server.thaw().unwrap();
    assert_eq!(waiting["state"], "captured", "{waiting:#}");
    let paid = until(desk, &order, "paid").await;
    assert_eq!(shop.money(&paid).await, (10_000, 0));
    assert_eq!(counts(desk, &sale, "tee").await, [5, 4, 0, 1]);
    while_waiting
}

#[tokio::test]
async fn at_level_replica_it_is_paid_once_a_replica_has_it() {
    let shop = Shop::at_level("replica");
    let desk = shop.desk().await;
    let seen = until_met(&desk, true).await;
    assert_eq!(
        (&seen["ack_level"], &seen["ack_verified"]),
        (&json!("replica"), &json!(true)),
        "{seen}"
    );
    assert!(seen["ack_means"].as_str().unwrap().contains("replica"));
    let while_waiting = waits_for(&shop, &desk, shop.stage.replica()).await;
    assert_eq!(while_waiting["ack_met"], false);
}

#[tokio::test]
async fn at_level_mysql_it_is_paid_once_the_books_have_it() {
    let shop = Shop::at_level("mysql");
    let desk = shop.desk().await;
    assert_eq!(ready(&desk).await["ack_level"], "mysql");
    // The writer is in the engine.
    waits_for(&shop, &desk, &shop.stage.engine(0)).await;
    assert_eq!(
        ready(&Shop::shared().desk().await).await["ack_level"],
        "fsync"
    );
}

#[tokio::test]
async fn at_level_mysql_a_sale_whose_writer_stands_still_holds_up_no_other() {
    let shop = Shop::at_level("mysql");
    let desk = shop.desk().await;
    let (stopped, other) = (
        sale(&desk, 5, (300, 300)).await,
        sale(&desk, 50, (300, 300)).await,
    );
    let user = name("patient");
    let hold = desk
        .hold(&stopped, &user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    // Writers go around a sale whose row somebody has.
    let mut writer = desk.books.begin().await.unwrap();
    sqlx::query("select sale_id from journal_cursor where sale_id = ? for update")
        .bind(&stopped)
        .execute(&mut *writer)
        .await
        .unwrap();
    let waiting = place(&desk, &user, "k", &order(&stopped, &hold, "tok_ok")).await;
    let waiting = waiting.ok(201);
    assert_eq!(waiting["state"], "captured", "{waiting:#}");
    for _ in 0..8 {
        let paid = buy(&desk, &other, &name("quick"), "tok_ok").await;
        assert_eq!(paid["state"], "paid", "{paid:#}");
    }
    assert_eq!(look(&desk, &waiting).await["state"], "captured");
    writer.rollback().await.unwrap();
    until(&desk, &waiting, "paid").await;
}

#[tokio::test]
async fn a_redis_below_the_level_is_told_by_readyz_metrics_and_log_and_keeps_nobody_waiting() {
    let shop = Shop::at_level("fsync");
    let desk = shop.desk().await;
    until_met(&desk, true).await;
    let set = async |to: &str| {
        let words = ["SET", "appendfsync", to];
        desk.redis("CONFIG", words.map(Into::into).to_vec()).await
    };
    let counts = async |value: &str| {
        let metrics = desk.call("GET", "/metrics").send().await;
        let line = format!("doorbuster_backoffice_ack_met {value}\n");
        assert!(metrics.text.contains(&line), "{}", metrics.text);
    };
    counts("1").await;
    set("everysec").await;
    until_met(&desk, false).await;
    counts("0").await;
    let log = shop.stage.backoffice(0).log_tail(1_000);
    let told = "the ack level is not kept";
    assert!(log.contains(told) && log.contains("appendfsync"), "{log}");
    set("always").await;
    until_met(&desk, true).await;
    counts("1").await;
}

#[tokio::test]
async fn readyz_waits_for_no_replica() {
    let shop = Shop::at_level("replica");
    let desk = shop.desk().await;
    until_met(&desk, true).await;
    shop.stage.replica().freeze().unwrap();
    until_met(&desk, false).await;
    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!(ready(&desk).await["ack_met"], false);
    }
    // A second each, if each asked the replica.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    shop.stage.replica().thaw().unwrap();
    until_met(&desk, true).await;
}
