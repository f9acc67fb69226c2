//! Opening: the books first, then Redis; and what a crash, or a Redis that has lost everything, leads to.

use doorbuster_stage::{Stage, StageOptions};
use fred::types::Value as Reply;
use serde_json::{Value, json};

use crate::http::Call;
use crate::stage::{Desk, coupon, name};

#[tokio::test]
async fn opening_publishes_once_and_waits_until_the_sale_sells() {
    let desk = Desk::shared().await;
    let id = desk.draft("open").await;
    let path = format!("/admin/v1/sales/{id}/open");

    let (one, other) = tokio::join!(desk.post(&path), desk.post(&path));

    for view in [one.ok(200), other.ok(200)] {
        assert_eq!(
            (&view["state"], &view["items"][0]["live"]["left"]),
            (&json!("open"), &json!(100))
        );
    }
    let actions: Vec<String> = desk
        .audit(&format!("sale:{id}"))
        .await
        .into_iter()
        .map(|row| row.1)
        .collect();
    let opened = actions
        .iter()
        .filter(|action| *action == "sale.open")
        .count();
    assert_eq!(
        (opened, actions[0].as_str()),
        (1, "sale.create"),
        "{actions:?}"
    );
    let shown = Call::new(
        desk.stage.engine(0).url(),
        "GET",
        &format!("/v1/sales/{id}"),
    )
    .send()
    .await
    .ok(200);
    assert_eq!(
        (&shown["state"], &shown["title"]),
        (&json!("open"), &json!("한정판 티셔츠 🎟"))
    );
    let tee = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["sku"] == "tee");
    let price = json!({"amount": 19900, "currency": "KRW"});
    assert_eq!(tee.map(|tee| &tee["price"]), Some(&price), "{shown}");
}

#[tokio::test]
async fn a_crash_between_the_books_and_redis_is_mended_by_opening_again() {
    let desk = Desk::shared().await;
    let id = desk.draft("crash").await;
    // What the transaction leaves when the program dies before the script.
    desk.sql(
        "update sales set state = 'published', published_at = utc_timestamp(6) where sale_id = ?",
        &id,
    )
    .await;
    desk.sql("insert into journal_cursor (sale_id, epoch, seq, stream_id, updated_at) values (?, 1, 0, '0-0', utc_timestamp(6))", &id).await;
    let shown = desk.get(&format!("/admin/v1/sales/{id}")).await.ok(200);
    assert_eq!(
        (&shown["state"], &shown["items"][0]["live"]),
        (&json!("recovering"), &Value::Null),
        "published, and nothing in redis"
    );

    let view = desk
        .post(&format!("/admin/v1/sales/{id}/open"))
        .await
        .ok(200);

    assert_eq!(
        (&view["state"], &view["items"][0]["live"]["stocked"]),
        (&json!("open"), &json!(100))
    );
    let audit = desk.audit(&format!("sale:{id}")).await;
    assert_eq!(
        audit.last().map(|row| row.1.as_str()),
        Some("sale.open_again"),
        "the change in redis has its row"
    );
}

#[tokio::test]
async fn a_sale_that_redis_has_lost_is_never_opened_a_second_time() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let id = desk.selling("lost").await;
    let welcome = name("lost-coupon");
    desk.put("/admin/v1/coupons", &coupon(&welcome))
        .await
        .ok(201);
    desk.post(&format!("/admin/v1/coupons/{welcome}/open"))
        .await
        .ok(200);
    desk.hold(&id, "ann", json!([{"sku": "tee", "quantity": 1}]))
        .await;
    desk.written_back(&format!("/admin/v1/sales/{id}")).await;
    desk.written_back(&format!("/admin/v1/coupons/{welcome}"))
        .await;
    let before = desk.audit(&format!("sale:{id}")).await.len();

    // Its writer would soon have brought it back.
    stage.engine(0).freeze().unwrap();
    desk.redis("FLUSHALL", vec![]).await;

    for path in [
        format!("/admin/v1/sales/{id}"),
        format!("/admin/v1/coupons/{welcome}"),
    ] {
        let answer = desk.post(&format!("{path}/open")).await;
        assert_eq!(answer.refusal(), (503, "recovering"));
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(desk.get(&path).await.ok(200)["state"], "recovering");
    }
    for verb in ["pause", "resume", "close"] {
        assert_eq!(
            desk.post(&format!("/admin/v1/sales/{id}/{verb}"))
                .await
                .refusal(),
            (503, "recovering"),
            "{verb}"
        );
    }
    let body = json!({"sku": "tee", "by": 1, "reason": "x"});
    assert_eq!(
        desk.adjust(&id, "k", &body).await.refusal(),
        (503, "recovering")
    );
    let keys = desk.redis("KEYS", vec![b"*".to_vec()]).await;
    assert_eq!(keys, Reply::Array(vec![]), "nothing was written");
    assert_eq!(desk.audit(&format!("sale:{id}")).await.len(), before);
    let shown = desk.get(&format!("/admin/v1/sales/{id}")).await.ok(200);
    assert_eq!(
        shown["items"][0]["books"],
        json!({"stocked": 100, "left": 99, "held": 1, "sold": 0}),
        "the books still know"
    );
}

#[tokio::test]
async fn without_a_writer_an_opened_sale_says_that_it_does_not_sell_yet() {
    let stage = Stage::start(&StageOptions::whole(0)).unwrap();
    let desk = Desk::on(&stage).await;
    let id = desk.draft("unvouched").await;
    let path = format!("/admin/v1/sales/{id}");
    assert_eq!(
        desk.post(&format!("{path}/open")).await.ok(200)["state"],
        "recovering"
    );
    assert_eq!(
        desk.post(&format!("{path}/pause")).await.refusal(),
        (503, "recovering")
    );
    let view = desk.get(&path).await.ok(200);
    assert_eq!(
        view["journal_lag"]["events"], 1,
        "opened, and nobody writes back"
    );
    assert!(
        view["journal_lag"]["seconds"].as_f64().unwrap() > 0.0,
        "{view}"
    );

    stage.add_engine("writer", &[]).unwrap();

    assert_eq!(
        desk.post(&format!("{path}/open")).await.ok(200)["state"],
        "open"
    );
}

#[tokio::test]
async fn servers_that_do_not_answer_are_said_to_be_unavailable() {
    let stage = Stage::start(&StageOptions::whole(0)).unwrap();
    let desk = Desk::on(&stage).await;
    let id = desk.draft("away").await;
    assert_eq!(desk.get("/readyz").await.status, 200);

    stage.redis().kill9().unwrap();
    let answer = desk.post(&format!("/admin/v1/sales/{id}/open")).await;
    assert_eq!(answer.refusal(), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(desk.get("/readyz").await.refusal(), (503, "unavailable"));
    stage.redis().start().unwrap();
    crate::stage::eventually(async || {
        Some(desk.get("/readyz").await).filter(|answer| answer.status == 200)
    })
    .await;

    stage.mariadb().kill9().unwrap();
    assert_eq!(
        desk.get(&format!("/admin/v1/sales/{id}")).await.refusal(),
        (503, "unavailable")
    );
    assert_eq!(desk.get("/readyz").await.refusal(), (503, "unavailable"));
    assert_eq!(desk.get("/livez").await.status, 200);
}
