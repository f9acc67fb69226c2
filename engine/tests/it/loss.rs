//! What no one alive can tell is lost: it is listed, and whoever has a receipt is served first, as far as there is stock.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::harness::{Answer, Shop, send, within};
use super::rebuild::{audit, front_and_writer, rebuilt, reserve};
use super::redis_of::raw;

const CREATED: StatusCode = StatusCode::CREATED;

async fn with_receipt(shop: &Shop, user: &str, key: &str, receipt: &Value) -> Answer {
    let headers = [
        (
            "authorization",
            format!(
                "Bearer {}",
                shop.token(user, doorbuster_core::claims::Role::Buyer)
            ),
        ),
        ("idempotency-key", key.to_string()),
        ("content-type", "application/json".into()),
        ("receipt", receipt.as_str().unwrap().to_owned()),
    ];
    let body = json!({"items": [{"sku": "tee", "quantity": 1}]}).to_string();
    within(Duration::from_secs(10), "a decision", || async {
        let answer = send(
            &shop.engine(0),
            "POST",
            "/v1/sales/s/reservations",
            &headers,
            body.clone(),
        )
        .await?;
        (answer.status != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_engine_alive_what_is_lost_is_listed_and_its_receipts_are_honoured_first() {
    let (shop, writer) = front_and_writer().await;
    let live = shop.sale("s", &[("tee", 4, 0)], 300).await;
    assert_eq!(shop.reserve_one(0, "s", "ann", "k").await.status, CREATED);
    shop.until_booked(&live).await;
    shop.stage.engine(writer).kill9().unwrap();
    let bob = shop.reserve_one(0, "s", "bob", "k").await;
    let cat = shop.reserve_one(0, "s", "cat", "k").await;
    assert_eq!((bob.status, cat.status), (CREATED, CREATED));
    // Its last sign of life says how far it had seen.
    within(
        Duration::from_secs(5),
        "the front has noted what it saw",
        || async {
            let seen: Option<u64> =
                sqlx::query_scalar("select max(seq) from engine_sightings where sale_id = 's'")
                    .fetch_one(&shop.books)
                    .await
                    .unwrap();
            (seen == Some(4)).then_some(())
        },
    )
    .await;
    shop.stage.engine(0).kill9().unwrap();
    raw(&shop, "FLUSHALL", &[]).await;
    shop.stage.engine(writer).start().unwrap();
    shop.stage.engine(0).start().unwrap();

    let report = rebuilt(&shop, "s", 2).await;
    assert_eq!(
        (&report["lost"], &report["lost_ranges"]),
        (&json!(2), &json!([[3, 4]])),
        "{report}"
    );
    let log = shop.stage.engine(writer).log_tail(1_000);
    assert!(log.contains("lost") && log.contains("alarm"), "{log}");
    let metrics = super::surface::metrics(&shop, writer).await;
    assert!(
        metrics.contains("doorbuster_lost_events_total 2"),
        "{metrics}"
    );

    // 3 are left, 2 of them for receipts: one stranger gets one, the next does not.
    assert_eq!(reserve(&shop, "eve", "k", 1).await.status, CREATED);
    assert_eq!(reserve(&shop, "fay", "k", 1).await.code(), "sold_out");
    let receipt = &bob.body["receipt"];
    assert_eq!(
        with_receipt(&shop, "bob", "other", receipt).await.code(),
        "invalid_request"
    );
    assert_eq!(
        with_receipt(&shop, "eve", "k", receipt).await.code(),
        "invalid_request"
    );
    for (first, user) in [(&bob, "bob"), (&cat, "cat")] {
        let honoured = with_receipt(&shop, user, "k", &first.body["receipt"]).await;
        assert_eq!((honoured.status, honoured.id()), (CREATED, first.id()));
        let again = with_receipt(&shop, user, "k", &honoured.body["receipt"]).await;
        assert_eq!((again.status, again.id()), (StatusCode::OK, first.id()));
        assert_eq!(again.body["seq"], honoured.body["seq"]);
    }
    assert_eq!(reserve(&shop, "fay", "k", 1).await.code(), "sold_out");
    assert_eq!(shop.counts(&live).await, (0, 4, 0));
    let metrics = super::surface::metrics(&shop, 0).await;
    assert!(
        metrics.contains("doorbuster_receipts_total{outcome=\"honoured\"} 2"),
        "{metrics}"
    );
    audit(&shop, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_for_which_nothing_is_left_is_answered_honestly_and_counted() {
    let (shop, writer) = front_and_writer().await;
    let live = shop.sale("s", &[("tee", 1, 0)], 300).await;
    shop.until_booked(&live).await;
    shop.stage.engine(writer).kill9().unwrap();
    let ann = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(ann.status, CREATED);
    shop.stage.engine(0).kill9().unwrap();
    // Nobody lives who could prove it: neither the engine, nor its note.
    sqlx::query("delete from engine_sightings")
        .execute(&shop.books)
        .await
        .unwrap();
    raw(&shop, "FLUSHALL", &[]).await;
    shop.stage.engine(writer).start().unwrap();
    shop.stage.engine(0).start().unwrap();
    assert_eq!(rebuilt(&shop, "s", 2).await["lost"], json!(0));
    assert_eq!(reserve(&shop, "eve", "k", 1).await.status, CREATED);
    let refused = with_receipt(&shop, "ann", "k", &ann.body["receipt"]).await;
    assert_eq!(refused.code(), "sold_out");
    assert_eq!(shop.counts(&live).await, (0, 1, 0), "never oversold");
    let metrics = super::surface::metrics(&shop, 0).await;
    assert!(
        metrics.contains("doorbuster_receipts_total{outcome=\"sold_out\"} 1"),
        "{metrics}"
    );
    assert!(
        shop.stage
            .engine(0)
            .log_tail(100)
            .contains("could not be honoured")
    );
    audit(&shop, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_that_an_attempt_found_which_did_not_end_is_told_and_kept_for_by_the_next() {
    let (shop, writer) = front_and_writer().await;
    let live = shop.sale("s", &[("tee", 3, 0)], 300).await;
    shop.until_booked(&live).await;
    shop.stage.engine(writer).kill9().unwrap();
    let ann = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(ann.status, CREATED);
    shop.stage.engine(0).kill9().unwrap();
    // As its last note would have said it.
    sqlx::query("insert into engine_sightings (engine_id, sale_id, epoch, seq) values (repeat('n', 16), 's', 1, 2)")
        .execute(&shop.books)
        .await
        .unwrap();
    raw(&shop, "FLUSHALL", &[]).await;

    // What is offered is read only after the books are settled: there the attempt stands, and is killed.
    let mut locks = shop.books.acquire().await.unwrap();
    sqlx::raw_sql("lock tables sale_items write")
        .execute(&mut *locks)
        .await
        .unwrap();
    shop.stage.engine(writer).start().unwrap();
    within(Duration::from_secs(20), "the books are settled", || async {
        let sql = "select count(*) from journal where sale_id = 's' and kind = 'lost'";
        let lost: i64 = sqlx::query_scalar(sql)
            .fetch_one(&shop.books)
            .await
            .unwrap();
        (lost == 1).then_some(())
    })
    .await;
    shop.stage.engine(writer).kill9().unwrap();
    sqlx::raw_sql("unlock tables")
        .execute(&mut *locks)
        .await
        .unwrap();
    drop(locks);
    shop.stage.engine(writer).start().unwrap();
    shop.stage.engine(0).start().unwrap();

    let report = rebuilt(&shop, "s", 3).await;
    assert_eq!(
        (&report["lost"], &report["lost_ranges"]),
        (&json!(1), &json!([[2, 2]])),
        "{report}"
    );
    assert_eq!(report["skus"]["tee"]["kept"], json!(1), "{report}");
    let metrics = super::surface::metrics(&shop, writer).await;
    assert!(
        metrics.contains("doorbuster_lost_events_total 1"),
        "{metrics}"
    );
    for (user, code) in [("eve", ""), ("fay", ""), ("gus", "sold_out")] {
        assert_eq!(reserve(&shop, user, "k", 1).await.code(), code, "{user}");
    }
    let honoured = with_receipt(&shop, "ann", "k", &ann.body["receipt"]).await;
    assert_eq!((honoured.status, honoured.id()), (CREATED, ann.id()));
    audit(&shop, &live).await;
}
