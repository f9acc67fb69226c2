//! The backlog has a bound: with MySQL away for long, or Redis out of memory, buyers are told to come back, nothing is lost, and
//! whatever gives units back goes on.

use std::sync::Arc;
use std::time::Duration;

use doorbuster_stage::StageOptions;
use hyper::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use super::harness::{Shop, started, within};
use super::redis_of::raw;
use super::surface::metrics;

const BOUND: u64 = 1_000;

/// So many buyers, twenty at a time; how often each code was heard.
async fn rush(shop: &Arc<Shop>, name: &str, buyers: usize) -> Vec<(StatusCode, String)> {
    let mut tasks = JoinSet::new();
    for lane in 0..20 {
        let (shop, name) = (Arc::clone(shop), name.to_string());
        tasks.spawn(async move {
            let mut heard = Vec::new();
            for i in (lane..buyers).step_by(20) {
                let answer = shop.reserve_one(0, "s", &format!("{name}{i}"), "k").await;
                heard.push((answer.status, answer.code().to_string()));
            }
            heard
        });
    }
    tasks.join_all().await.concat()
}

async fn redis_bytes(shop: &Shop) -> u64 {
    let info = raw(shop, "INFO", &["memory"]).await.into_string().unwrap();
    let used = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    used.unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_away_for_long_sheds_buyers_from_memory_and_lets_them_in_again() {
    let options = StageOptions::whole(1)
        .engine_env("RATE_PER_USER", "0")
        .engine_env("BACKLOG_MAX", &BOUND.to_string());
    let shop = Arc::new(Shop::open(options).await);
    let live = shop.sale("s", &[("tee", 1_000_000, 0)], 600).await;
    let first = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(first.status, StatusCode::CREATED);
    shop.until_booked(&live).await;

    shop.stage.mariadb().freeze().unwrap();
    let heard = rush(&shop, "a", 1_500).await;
    let held = heard
        .iter()
        .filter(|(status, _)| *status == StatusCode::CREATED)
        .count();
    let shed = heard.iter().filter(|(_, code)| code == "backlog").count();
    assert_eq!(held + shed, 1_500);
    assert_eq!(held as u64, BOUND, "as many as may wait, and no more");
    let snapshot = shop.snapshot(&live).await;
    assert_eq!(snapshot.backlog(), BOUND);

    let (before, calls) = (redis_bytes(&shop).await, reserve_calls(&shop).await);
    let since = started();
    let heard = rush(&shop, "b", 4_000).await;
    assert!(heard.iter().all(|(_, code)| code == "backlog"));
    let asked = reserve_calls(&shop).await - calls;
    let looks = since.elapsed().as_millis() as u64 / 200 + 2;
    assert!(
        asked <= looks,
        "{asked} calls for 4,000 buyers, {looks} looks"
    );
    let grown = redis_bytes(&shop).await.saturating_sub(before);
    assert!(grown < 1_000_000, "redis has grown by {grown} bytes");
    let text = metrics(&shop, 0).await;
    assert!(
        text.contains("doorbuster_shed_total{reason=\"backlog\"}"),
        "{text}"
    );
    let page = shop.buyer(0, "GET", "/v1/sales/s", "ann").await;
    assert_eq!(page.status, StatusCode::OK);
    let path = format!("/v1/sales/s/reservations/{}", first.id());
    assert_eq!(
        shop.buyer(0, "GET", &path, "ann").await.body["status"],
        "held"
    );
    let cancelled = shop.buyer(0, "DELETE", &path, "ann").await;
    assert_eq!(
        cancelled.status,
        StatusCode::OK,
        "what gives units back goes on"
    );

    shop.stage.mariadb().thaw().unwrap();
    let back = started();
    within(
        Duration::from_secs(30),
        "buyers are let in again",
        || async {
            let answer = shop.reserve_one(0, "s", "late", "k").await;
            matches!(answer.status, StatusCode::CREATED | StatusCode::OK).then_some(())
        },
    )
    .await;
    shop.until_booked(&live).await;
    assert!(back.elapsed() < Duration::from_secs(30));
    assert_eq!(shop.booked_units(&live).await, BOUND + 1);
}

/// Script calls so far, of all scripts; nothing else of an engine calls one while a sale stands still but the sweeper and the gauges.
async fn reserve_calls(shop: &Shop) -> u64 {
    let text = metrics(shop, 0).await;
    let batches = text
        .lines()
        .find_map(|line| line.strip_prefix("doorbuster_batch_requests_count "));
    batches.map_or(0, |count| count.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_out_of_memory_sells_nothing_says_so_and_gives_units_back() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 10, 0)], 2).await;
    let ann = shop.reserve_one(0, "s", "ann", "k").await;
    shop.reserve_one(0, "s", "bob", "k").await;
    raw(&shop, "CONFIG", &["SET", "maxmemory", "1"]).await;
    let refused = shop.reserve_one(0, "s", "cat", "k").await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        "never sold_out"
    );
    assert!(refused.headers.contains_key("retry-after"));
    let path = format!("/v1/sales/s/reservations/{}", ann.id());
    assert_eq!(
        shop.buyer(0, "DELETE", &path, "ann").await.status,
        StatusCode::OK
    );
    within(Duration::from_secs(6), "bob's hold is swept", || async {
        (shop.counts(&live).await == (10, 0, 0)).then_some(())
    })
    .await;
    // Written and trimmed: the memory comes back.
    shop.until_booked(&live).await;
    assert_eq!(shop.snapshot(&live).await.entries, 1);
    raw(&shop, "CONFIG", &["SET", "maxmemory", "0"]).await;
    let held = shop
        .reserve(0, "s", "cat", "k", json!([{"sku": "tee", "quantity": 1}]))
        .await;
    assert_eq!(held.status, StatusCode::CREATED, "{:?}", held.body);
}
