//! Levels `replica` and `mysql`: a yes is only said once a replica, or MySQL, has what was accepted. Where that cannot be had in
//! time nothing is undone, and the same request resolves it.

use std::time::Duration;

use doorbuster_core::ids::LiveId;
use doorbuster_core::limits::FLUSHED_CHANNEL;
use doorbuster_core::receipt::ReceiptKey;
use doorbuster_stage::StageOptions;
use hyper::StatusCode;
use sqlx::AssertSqlSafe;

use super::claims;
use super::harness::{Answer, Shop, started, within};
use super::redis_of::raw;

const STOCK: u32 = 50;

fn options(level: &str) -> StageOptions {
    let whole = StageOptions::whole(1).ack_level(level);
    whole.engine_env("RATE_PER_USER", "0")
}

async fn selling_at(level: &str) -> (Shop, LiveId) {
    let shop = Shop::open(options(level)).await;
    let live = shop.sale("s", &[("tee", STOCK, 0)], 600).await;
    until_ready(&shop).await;
    (shop, live)
}

async fn until_ready(shop: &Shop) -> Answer {
    within(Duration::from_secs(15), "ready", || async {
        Some(shop.buyer(0, "GET", "/readyz", "ann").await).filter(|a| a.status == StatusCode::OK)
    })
    .await
}

/// Waits until `/readyz` names a problem with all of these words.
async fn until_not_ready(shop: &Shop, words: &[&str]) {
    within(Duration::from_secs(15), "not ready", || async {
        let ready = shop.buyer(0, "GET", "/readyz", "ann").await;
        let problems = ready.body["problems"].to_string();
        (ready.status == StatusCode::SERVICE_UNAVAILABLE
            && words.iter().all(|word| problems.contains(word)))
        .then_some(())
    })
    .await;
}

fn unavailable(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        "{:?}",
        answer.body
    );
    assert!(answer.headers.contains_key("retry-after"));
}

/// The same key until it has its answer, which must be that of the first time.
async fn until_resolved(shop: &Shop, user: &str) -> Answer {
    within(
        Duration::from_secs(20),
        "the same key resolves it",
        || async {
            let answer = shop.reserve_one(0, "s", user, "k").await;
            match answer.status {
                StatusCode::SERVICE_UNAVAILABLE => None,
                StatusCode::OK | StatusCode::CREATED => Some(answer),
                other => panic!("{other}: {:?}", answer.body),
            }
        },
    )
    .await
}

/// The level stands in the answer, in its receipt and in `/readyz`.
async fn says(shop: &Shop, answer: &Answer, level: &str) {
    assert_eq!(answer.body["ack_level"], level);
    let key = ReceiptKey::derive(shop.stage.token_secret().as_bytes()).unwrap();
    let receipt = key
        .verify(answer.body["receipt"].as_str().unwrap())
        .unwrap();
    assert!(receipt.ends_with(&format!("|{level}")), "{receipt}");
    let ready = until_ready(shop).await;
    assert_eq!(ready.body["ack_level"], level);
    assert!(ready.body["ack_means"].as_str().unwrap().contains(level));
}

/// One number from the books.
async fn booked(shop: &Shop, sql: &'static str, user: &str) -> i64 {
    let query = sqlx::query_scalar(sql).bind(user);
    query.fetch_one(&shop.books).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_replica_that_keeps_up_nobody_is_told_yes() {
    let (shop, live) = selling_at("replica").await;
    let first = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(first.status, StatusCode::CREATED, "{:?}", first.body);
    says(&shop, &first, "replica").await;
    let ready = until_ready(&shop).await;
    assert!(
        ready.body["advice"][0]
            .to_string()
            .contains("min-replicas-to-write")
    );

    shop.stage.replica().freeze().unwrap();
    let since = started();
    unavailable(&shop.reserve_one(0, "s", "bob", "k").await);
    assert!(since.elapsed() < Duration::from_secs(3));
    // Decided, and told to nobody: not to who asks again, nor to who looks at it or wants it cancelled.
    let path = format!("/v1/sales/s/reservations/{}", first.id());
    unavailable(&shop.buyer(0, "GET", &path, "ann").await);
    until_not_ready(&shop, &["replica"]).await;
    unavailable(&shop.reserve_one(0, "s", "bob", "k").await);
    unavailable(&shop.buyer(0, "DELETE", &path, "ann").await);

    shop.stage.replica().thaw().unwrap();
    let answer = until_resolved(&shop, "bob").await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "it was decided the first time"
    );
    let cancelled = shop.buyer(0, "DELETE", &path, "ann").await;
    assert_eq!(
        cancelled.body["reason"], "cancelled",
        "{:?}",
        cancelled.body
    );
    assert_eq!(shop.counts(&live).await, (u64::from(STOCK) - 1, 1, 0));

    shop.stage.replica().kill9().unwrap();
    until_not_ready(&shop, &["connected replicas are 0", "replicaof"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_buyer_is_told_mysql_has_committed() {
    let (shop, _) = selling_at("mysql").await;
    let held = "select count(*) from reservations where user_id = ? and status = 'held'";
    let released = "select count(*) from reservations where user_id = ? and status = 'released'";
    for n in 0..20 {
        let user = format!("u{n}");
        let answer = shop.reserve_one(0, "s", &user, "k").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        assert_eq!(booked(&shop, held, &user).await, 1);
        if n == 0 {
            says(&shop, &answer, "mysql").await;
        }
        let path = format!("/v1/sales/s/reservations/{}", answer.id());
        let cancelled = shop.buyer(0, "DELETE", &path, &user).await;
        assert_eq!(cancelled.status, StatusCode::OK, "{:?}", cancelled.body);
        assert_eq!(booked(&shop, released, &user).await, 1);
        let again = shop.reserve_one(0, "s", &user, "k").await;
        assert_eq!(
            (again.status, &again.body["reason"]),
            (StatusCode::OK, &"cancelled".into())
        );
    }
    claims::coupon(&shop, "welcome", 5).await;
    for status in [StatusCode::CREATED, StatusCode::OK] {
        let claim = claims::claim(&shop, 0, "ann", "k").await;
        assert_eq!(
            (claim.status, &claim.body["ack_level"]),
            (status, &"mysql".into())
        );
        let claimed = "select count(*) from coupon_claims where user_id = ?";
        assert_eq!(booked(&shop, claimed, "ann").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_mysql_stands_still_nobody_is_told_yes_and_then_each_gets_their_one_unit() {
    let (shop, live) = selling_at("mysql").await;
    shop.stage.mariadb().freeze().unwrap();
    let since = started();
    unavailable(&shop.reserve_one(0, "s", "ann", "k").await);
    assert!(
        since.elapsed() < Duration::from_secs(4),
        "{:?}",
        since.elapsed()
    );
    // No unit is held for those whom nobody could tell.
    let since = started();
    for n in 0..20 {
        unavailable(&shop.reserve_one(0, "s", &format!("u{n}"), "k").await);
    }
    assert!(
        since.elapsed() < Duration::from_secs(2),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(shop.counts(&live).await, (u64::from(STOCK) - 1, 1, 0));
    until_not_ready(&shop, &["mysql does not answer"]).await;

    shop.stage.mariadb().thaw().unwrap();
    let answer = until_resolved(&shop, "ann").await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "it was decided the first time"
    );
    for n in 0..20 {
        until_resolved(&shop, &format!("u{n}")).await;
    }
    assert_eq!(shop.counts(&live).await, (u64::from(STOCK) - 21, 21, 0));
    assert_eq!(shop.booked_units(&live).await, 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_gone_is_told_from_a_sale_that_sells() {
    let shop = Shop::open(options("mysql").engine_role("front")).await;
    let writer = shop.stage.add_engine("writer", &[]).unwrap();
    let live = shop.sale("s", &[("tee", STOCK, 0)], 600).await;
    until_ready(&shop).await;
    let first = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(first.status, StatusCode::CREATED, "{:?}", first.body);

    shop.stage.engine(writer).kill9().unwrap();
    unavailable(&shop.reserve_one(0, "s", "bob", "k").await);
    let since = started();
    let refused = shop.reserve_one(0, "s", "cat", "k").await;
    unavailable(&refused);
    assert!(
        refused.body["detail"]
            .to_string()
            .contains("books are behind")
    );
    assert!(since.elapsed() < Duration::from_secs(1));
    assert_eq!(shop.counts(&live).await, (u64::from(STOCK) - 2, 2, 0));

    shop.stage.engine(writer).start().unwrap();
    assert_eq!(until_resolved(&shop, "bob").await.status, StatusCode::OK);
    assert_eq!(
        until_resolved(&shop, "cat").await.status,
        StatusCode::CREATED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_that_are_lost_cost_no_answer() {
    let (shop, _) = selling_at("mysql").await;
    let heard = || async {
        let listeners = raw(&shop, "PUBSUB", &["NUMSUB", FLUSHED_CHANNEL]).await;
        listeners.into_array()[1].as_i64().unwrap() > 0
    };
    within(Duration::from_secs(5), "the engine listens", || async {
        heard().await.then_some(())
    })
    .await;
    // Whoever listens is thrown out, and may not come in again: there is no notice any more.
    raw(&shop, "ACL", &["SETUSER", "default", "-subscribe"]).await;
    raw(&shop, "CLIENT", &["KILL", "TYPE", "pubsub"]).await;
    let since = started();
    for n in 0..20 {
        let answer = shop.reserve_one(0, "s", &format!("u{n}"), "k").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    }
    assert!(
        since.elapsed() < Duration::from_secs(4),
        "{:?}",
        since.elapsed()
    );
    assert!(!heard().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_that_would_lose_a_commit_in_a_power_cut_is_not_sold_on() {
    let (shop, _) = selling_at("mysql").await;
    let set = async |value: u8| {
        let sql = format!("set global innodb_flush_log_at_trx_commit = {value}");
        sqlx::query(AssertSqlSafe(sql))
            .execute(&shop.books)
            .await
            .unwrap();
    };
    set(2).await;
    until_not_ready(&shop, &["innodb_flush_log_at_trx_commit is 2, must be 1"]).await;
    unavailable(&shop.reserve_one(0, "s", "ann", "k").await);
    // Nor is anybody told what there is not.
    unavailable(&shop.reserve_one(0, "nope", "ann", "k").await);
    unavailable(&claims::claim(&shop, 0, "ann", "k").await);
    set(1).await;
    until_ready(&shop).await;
    let answer = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let (sale, coupon) = (
        shop.reserve_one(0, "nope", "ann", "k").await,
        claims::claim(&shop, 0, "ann", "k").await,
    );
    assert_eq!(
        (sale.code(), coupon.code()),
        ("unknown_sale", "unknown_coupon")
    );
}
