//! What only engines know reaches the rebuild that asks for it, whatever becomes of them meanwhile.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;

use super::harness::within;
use super::rebuild::{audit, front_and_writer, rebuilt, reserve};
use super::redis_of::raw;

const CREATED: StatusCode = StatusCode::CREATED;

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_told_to_stop_while_a_rebuild_asks_gives_its_word_before_it_goes() {
    let (shop, writer) = front_and_writer().await;
    let live = shop.sale("s", &[("tee", 4, 0)], 300).await;
    shop.until_booked(&live).await;
    shop.stage.engine(writer).kill9().unwrap();
    let ann = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(ann.status, CREATED);
    raw(&shop, "FLUSHALL", &[]).await;
    // The ask of a writer that died since; there is nowhere to answer it until the engine has done everything else.
    let sql = async |sql: &'static str| sqlx::raw_sql(sql).execute(&shop.books).await.unwrap();
    sql("rename table handovers to handovers_away").await;
    sql("insert into rebuilds (sale_id, epoch, ask, state, why, began_at) values ('s', 2, 1, 'asked', '', utc_timestamp(6))").await;
    let shop = Arc::new(shop);
    let stage = Arc::clone(&shop);
    let stopping = tokio::task::spawn_blocking(move || {
        stage.stage.engine(0).terminate(Duration::from_secs(10))
    });
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    sqlx::raw_sql("rename table handovers_away to handovers")
        .execute(&shop.books)
        .await
        .unwrap();
    assert!(stopping.await.unwrap().unwrap().success());

    shop.stage.engine(writer).start().unwrap();
    let report = rebuilt(&shop, "s", 2).await;
    assert_eq!(
        (&report["lost"], &report["taken_over"]),
        (&json!(0), &json!(1)),
        "{report}"
    );
    shop.stage.engine(0).start().unwrap();
    let again = reserve(&shop, "ann", "k", 1).await;
    assert_eq!((again.status, again.id()), (StatusCode::OK, ann.id()));
    let dropped = "what was handed over is dropped once it is in the books";
    within(Duration::from_secs(5), dropped, || async {
        let left: i64 = sqlx::query_scalar("select count(*) from handovers")
            .fetch_one(&shop.books)
            .await
            .unwrap();
        (left == 0).then_some(())
    })
    .await;
    audit(&shop, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mysql_refuses_of_a_handover_is_lost_and_named_and_the_rest_is_not() {
    let (shop, writer) = front_and_writer().await;
    let live = shop.sale("s", &[("tee", 4, 0)], 300).await;
    shop.until_booked(&live).await;
    shop.stage.engine(writer).kill9().unwrap();
    for user in ["ann", "eve", "cat"] {
        assert_eq!(shop.reserve_one(0, "s", user, "k").await.status, CREATED);
    }
    sqlx::query("alter table reservations add constraint no_eve check (user_id not like 'eve%')")
        .execute(&shop.books)
        .await
        .unwrap();
    raw(&shop, "FLUSHALL", &[]).await;
    shop.stage.engine(writer).start().unwrap();
    let report = rebuilt(&shop, "s", 2).await;
    assert_eq!(
        (&report["taken_over"], &report["lost_ranges"]),
        (&json!(2), &json!([[3, 3]])),
        "{report}"
    );
    assert_eq!(report["not_honoured"][0]["user"], json!("eve"), "{report}");
    for user in ["ann", "cat"] {
        assert_eq!(reserve(&shop, user, "k", 1).await.status, StatusCode::OK);
    }
    assert_eq!(shop.counts(&live).await, (2, 2, 0));
    let letters: i64 = sqlx::query_scalar("select count(*) from dead_letters")
        .fetch_one(&shop.books)
        .await
        .unwrap();
    assert_eq!(letters, 0, "nothing is left for a person to settle");
    audit(&shop, &live).await;
}
