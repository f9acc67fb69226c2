//! Redis is emptied or comes back older; the sale is put together again, nothing is sold twice, and what is lost is listed.

use std::time::Duration;

use doorbuster_core::ids::LiveId;
use doorbuster_stage::StageOptions;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::harness::{Answer, Shop, send, started, within};
use super::redis_of::{append_only_file, raw};

const CREATED: StatusCode = StatusCode::CREATED;

/// A front and a writer of their own, so that one can be killed and the other live.
pub(super) async fn front_and_writer() -> (Shop, usize) {
    let options = StageOptions::whole(1)
        .engine_role("front")
        .engine_env("RATE_PER_USER", "0");
    let shop = Shop::open(options).await;
    let writer = shop.stage.add_engine("writer", &[]).unwrap();
    (shop, writer)
}

/// Waits until a rebuild is done, and returns its report.
pub(super) async fn rebuilt(shop: &Shop, sale: &str, epoch: u64) -> Value {
    within(Duration::from_secs(20), "the rebuild is done", || async {
        let path = format!("/admin/v1/sales/{sale}");
        let shown = shop.staff("GET", &path, None).await.body;
        let rebuild = &shown["rebuild"];
        let done = rebuild["state"] == "done" && rebuild["epoch"] == epoch;
        done.then(|| rebuild["report"].clone())
    })
    .await
}

/// Repeats until the sale answers with something else than `recovering`.
pub(super) async fn reserve(shop: &Shop, user: &str, key: &str, units: u32) -> Answer {
    within(Duration::from_secs(10), "a decision", || async {
        let items = json!([{"sku": "tee", "quantity": units}]);
        let answer = shop.try_reserve(0, "s", user, key, items).await?;
        (answer.status != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    })
    .await
}

/// A repeat is answered as before, field by field but the receipt, which names the generation.
async fn is_the_same(shop: &Shop, first: &Answer, user: &str) {
    let units = first.body["items"][0]["quantity"].as_u64().unwrap();
    let again = reserve(shop, user, "k", u32::try_from(units).unwrap()).await;
    assert_eq!(again.status, StatusCode::OK);
    for field in ["id", "seq", "status", "hold_expires_at", "items"] {
        assert_eq!(again.body[field], first.body[field], "{user} {field}");
    }
    assert_ne!(again.body["receipt"], first.body["receipt"]);
}

/// The journal in the books is gapless, and what is live there is what Redis has.
pub(super) async fn audit(shop: &Shop, live: &LiveId) {
    shop.until_booked(live).await;
    let (_, held, sold) = shop.counts(live).await;
    assert_eq!(shop.booked_units(live).await, held + sold);
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied_while_mysql_is_behind_nothing_is_lost_as_long_as_the_engine_lives() {
    let shop = Shop::with_engines(2).await;
    let live = shop.sale("s", &[("tee", 10, 2)], 300).await;
    let shown = shop.buyer(0, "GET", "/v1/sales/s", "ann").await.body;
    let ann = shop
        .reserve(0, "s", "ann", "k", json!([{"sku": "tee", "quantity": 2}]))
        .await;
    let bob = shop.reserve_one(1, "s", "bob", "k").await;
    shop.until_booked(&live).await;

    // Only the engines know of what follows.
    shop.stage.mariadb().freeze().unwrap();
    let cat = shop.reserve_one(0, "s", "cat", "k").await;
    let dan = shop.reserve_one(1, "s", "dan", "k").await;
    let path = format!("/v1/sales/s/reservations/{}", bob.id());
    let cancelled = shop.buyer(0, "DELETE", &path, "bob").await;
    assert_eq!(
        (cat.status, dan.status, cancelled.status),
        (CREATED, CREATED, StatusCode::OK)
    );
    raw(&shop, "FLUSHALL", &[]).await;
    shop.stage.mariadb().thaw().unwrap();

    let report = rebuilt(&shop, "s", 2).await;
    assert_eq!(
        (&report["lost"], &report["taken_over"]),
        (&json!(0), &json!(3)),
        "{report}"
    );
    let kinds: Vec<String> =
        sqlx::query_scalar("select kind from journal where sale_id = 's' order by seq")
            .fetch_all(&shop.books)
            .await
            .unwrap();
    assert_eq!(
        kinds[..6],
        ["opened", "held", "held", "held", "held", "cancelled"]
    );
    for (first, user) in [(&ann, "ann"), (&cat, "cat"), (&dan, "dan")] {
        is_the_same(&shop, first, user).await;
    }
    let bob_again = reserve(&shop, "bob", "k", 1).await;
    assert_eq!(
        (&bob_again.body["status"], &bob_again.body["reason"]),
        (&json!("released"), &json!("cancelled"))
    );
    let other_body = reserve(&shop, "cat", "k", 2).await;
    assert_eq!(other_body.code(), "idempotency_mismatch");
    let over_limit = reserve(&shop, "ann", "other", 1).await;
    assert_eq!(over_limit.code(), "limit_reached");
    assert_eq!(shop.counts(&live).await, (6, 4, 0));

    let opened = shop.staff("POST", "/admin/v1/sales/s/open", None).await;
    assert_eq!(opened.status, StatusCode::OK, "{:?}", opened.body);
    assert_eq!(
        shop.counts(&live).await,
        (6, 4, 0),
        "opening again doubles nothing"
    );
    let now = shop.buyer(1, "GET", "/v1/sales/s", "ann").await.body;
    for field in [
        "id",
        "title",
        "state",
        "opens_at",
        "closes_at",
        "hold_seconds",
    ] {
        assert_eq!(now[field], shown[field], "{field}");
    }
    assert_eq!(now["items"][0]["price"], shown["items"][0]["price"]);
    audit(&shop, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied_again_and_again_a_sale_sells_its_stock_once_and_each_time_within_five_seconds() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 6, 0)], 300).await;
    for round in 0..3 {
        for i in 0..2 {
            let got = reserve(&shop, &format!("u{round}-{i}"), "k", 1).await;
            assert_eq!(got.status, CREATED, "{:?}", got.body);
        }
        raw(&shop, "FLUSHALL", &[]).await;
        let since = started();
        let again = reserve(&shop, &format!("u{round}-0"), "k", 1).await;
        assert_eq!(again.status, StatusCode::OK);
        assert!(
            since.elapsed() < Duration::from_secs(5),
            "{:?}",
            since.elapsed()
        );
        assert_eq!(rebuilt(&shop, "s", round + 2).await["lost"], json!(0));
    }
    assert_eq!(reserve(&shop, "late", "k", 1).await.code(), "sold_out");
    assert_eq!(shop.counts(&live).await, (0, 6, 0));
    audit(&shop, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_from_an_older_file_with_the_engine_alive_nothing_is_lost() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 10, 0)], 300).await;
    assert_eq!(shop.reserve_one(0, "s", "ann", "k").await.status, CREATED);
    shop.until_booked(&live).await;
    let before = tokio::fs::read(append_only_file(&shop)).await.unwrap();
    // One that MySQL has and Redis will not, and one that only the engine has.
    assert_eq!(shop.reserve_one(0, "s", "bob", "k").await.status, CREATED);
    shop.until_booked(&live).await;
    shop.stage.mariadb().freeze().unwrap();
    assert_eq!(shop.reserve_one(0, "s", "cat", "k").await.status, CREATED);
    shop.stage.redis().kill9().unwrap();
    tokio::fs::write(append_only_file(&shop), before)
        .await
        .unwrap();
    shop.stage.redis().start().unwrap();
    shop.stage.mariadb().thaw().unwrap();

    let report = rebuilt(&shop, "s", 2).await;
    assert_eq!(
        (&report["lost"], &report["taken_over"]),
        (&json!(0), &json!(1)),
        "{report}"
    );
    for user in ["ann", "bob", "cat"] {
        assert_eq!(
            reserve(&shop, user, "k", 1).await.status,
            StatusCode::OK,
            "{user}"
        );
    }
    assert_eq!(shop.counts(&live).await, (7, 3, 0));
    audit(&shop, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_older_generation_that_turn_up_late_change_nothing() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 5, 0)], 300).await;
    assert_eq!(shop.reserve_one(0, "s", "ann", "k").await.status, CREATED);
    raw(&shop, "FLUSHALL", &[]).await;
    rebuilt(&shop, "s", 2).await;
    audit(&shop, &live).await;
    let seq = shop.snapshot(&live).await.seq;
    // What a call of the old generation would have left behind.
    let next = (seq + 1).to_string();
    let value = format!("h{next}|4000000000000|eve|tee=1|0123456789abcdef");
    let entry = [
        "{sale:s}:journal",
        "*",
        "e",
        "1",
        "s",
        &next,
        "n",
        "1",
        "t",
        "1",
        "b",
        "9",
        "0123456789abcdef",
        &value,
    ];
    raw(&shop, "XADD", &entry).await;
    raw(&shop, "HSET", &["{sale:s}:sale", "seq", &next]).await;
    let report = rebuilt(&shop, "s", 3).await;
    assert_eq!(report["records"], json!(1), "{report}");
    assert_eq!(reserve(&shop, "ann", "k", 1).await.status, StatusCode::OK);
    let booked: i64 = sqlx::query_scalar("select count(*) from reservations where user_id = 'eve'")
        .fetch_one(&shop.books)
        .await
        .unwrap();
    assert_eq!(booked, 0);
    assert_eq!(shop.counts(&live).await, (4, 1, 0));
    audit(&shop, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_and_adjusted_stay_so_and_holds_end_at_their_time() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 5, 0)], 3).await;
    assert_eq!(shop.reserve_one(0, "s", "ann", "k").await.status, CREATED);
    shop.until_booked(&live).await;
    shop.stage.mariadb().freeze().unwrap();
    assert_eq!(shop.reserve_one(0, "s", "bob", "k").await.status, CREATED);
    shop.stage.mariadb().thaw().unwrap();
    let adjust = json!({"sku": "tee", "by": 2, "reason": "found two more"});
    let adjusted = shop
        .staff("POST", "/admin/v1/sales/s/adjust", Some(adjust))
        .await;
    assert_eq!(adjusted.status, StatusCode::OK, "{:?}", adjusted.body);
    let paused = shop.staff("POST", "/admin/v1/sales/s/pause", None).await;
    assert_eq!(paused.status, StatusCode::OK);
    raw(&shop, "FLUSHALL", &[]).await;
    let report = rebuilt(&shop, "s", 2).await;
    assert_eq!(
        (&report["lost"], &report["skus"]["tee"]["stocked"]),
        (&json!(0), &json!(7)),
        "{report}"
    );
    assert_eq!(reserve(&shop, "cat", "k", 1).await.code(), "paused");
    within(Duration::from_secs(8), "both holds have ended", || async {
        (shop.counts(&live).await == (7, 0, 0)).then_some(())
    })
    .await;
    let resumed = shop.staff("POST", "/admin/v1/sales/s/resume", None).await;
    assert_eq!(resumed.status, StatusCode::OK);
    assert_eq!(reserve(&shop, "cat", "k", 1).await.status, CREATED);
    audit(&shop, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_is_rebuilt_with_its_claims_and_never_claimed_more_often_than_there_are() {
    let shop = Shop::with_engines(1).await;
    let (starts, ends) = (
        doorbuster_core::clock::now_ms() - 60_000,
        doorbuster_core::clock::now_ms() + 3_600_000,
    );
    let body = json!({"id": "c", "quantity": 3, "limit_per_user": 1, "starts_at": doorbuster_core::clock::rfc3339(starts),
        "ends_at": doorbuster_core::clock::rfc3339(ends), "discount": {"kind": "percent", "percent": 10}});
    shop.staff("POST", "/admin/v1/coupons", Some(body)).await;
    shop.staff("POST", "/admin/v1/coupons/c/open", None).await;
    let claim = async |user: &str| {
        within(Duration::from_secs(10), "a decision", || async {
            let token = shop.token(user, doorbuster_core::claims::Role::Buyer);
            let headers = [
                ("authorization", format!("Bearer {token}")),
                ("idempotency-key", "k".into()),
            ];
            let answer = send(
                &shop.engine(0),
                "POST",
                "/v1/coupons/c/claims",
                &headers,
                "",
            )
            .await?;
            (answer.status != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
        })
        .await
    };
    let first = claim("ann").await;
    shop.stage.mariadb().freeze().unwrap();
    assert_eq!(
        (first.status, claim("bob").await.status),
        (CREATED, CREATED)
    );
    raw(&shop, "FLUSHALL", &[]).await;
    shop.stage.mariadb().thaw().unwrap();
    let again = claim("ann").await;
    assert_eq!(
        (again.status, again.id(), &again.body["seq"]),
        (StatusCode::OK, first.id(), &first.body["seq"])
    );
    assert_eq!(claim("bob").await.status, StatusCode::OK);
    assert_eq!(claim("cat").await.status, CREATED);
    assert_eq!(claim("dan").await.code(), "sold_out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_waits_while_dead_letters_are_open_and_says_so() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 5, 0)], 300).await;
    assert_eq!(shop.reserve_one(0, "s", "ann", "k").await.status, CREATED);
    shop.until_booked(&live).await;
    let insert = "insert into dead_letters (sale_id, seq, epoch, error, created_at) values ('s', 2, 1, 'planted', utc_timestamp(6))";
    sqlx::query(insert).execute(&shop.books).await.unwrap();
    raw(&shop, "FLUSHALL", &[]).await;
    let why = within(Duration::from_secs(10), "it waits", || async {
        let shown = shop.staff("GET", "/admin/v1/sales/s", None).await.body;
        let waits = shown["rebuild"]["state"] == "waits" && shown["state"] == "recovering";
        waits.then(|| shown["rebuild"]["why"].to_string())
    })
    .await;
    assert!(why.contains("dead letters"), "{why}");
    assert_eq!(
        shop.reserve_one(0, "s", "bob", "k").await.code(),
        "recovering"
    );
    sqlx::query("delete from dead_letters")
        .execute(&shop.books)
        .await
        .unwrap();
    rebuilt(&shop, "s", 2).await;
    assert_eq!(reserve(&shop, "ann", "k", 1).await.status, StatusCode::OK);
    audit(&shop, &live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_killed_at_any_moment_of_a_rebuild_leaves_it_to_the_next() {
    let (shop, writer) = front_and_writer().await;
    let live = shop.sale("s", &[("tee", 50, 0)], 300).await;
    for i in 0..20 {
        assert_eq!(
            shop.reserve_one(0, "s", &format!("u{i}"), "k").await.status,
            CREATED
        );
    }
    for pause_ms in [0, 20, 60, 120, 250, 400] {
        raw(&shop, "FLUSHALL", &[]).await;
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        shop.stage.engine(writer).kill9().unwrap();
        shop.stage.engine(writer).start().unwrap();
        let again = reserve(&shop, "u7", "k", 1).await;
        assert_eq!(
            again.status,
            StatusCode::OK,
            "{pause_ms} ms: {:?}",
            again.body
        );
    }
    assert_eq!(shop.counts(&live).await, (30, 20, 0));
    audit(&shop, &live).await;
}
