//! Limits hold across engines, sessions and batches.

use hyper::StatusCode;
use serde_json::json;
use std::sync::Arc;

use doorbuster_stage::StageOptions;

use super::harness::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_parallel_requests_of_one_user_over_three_engines_never_pass_the_limit() {
    let shop = Arc::new(Shop::with_engines(3).await);
    let live = shop.sale("s", &[("tee", 1_000, 4)], 300).await;
    let mut requests = tokio::task::JoinSet::new();
    for i in 0..500 {
        let shop = Arc::clone(&shop);
        requests.spawn(async move { shop.reserve_one(i % 3, "s", "ann", &format!("k{i}")).await });
    }
    let answers = requests.join_all().await;
    let held = answers
        .iter()
        .filter(|a| a.status == StatusCode::CREATED)
        .count();
    let limited = answers
        .iter()
        .filter(|a| a.code() == "limit_reached")
        .count();
    assert_eq!((held, limited), (4, 496));
    assert_eq!(shop.counts(&live).await, (996, 4, 0));
    shop.until_booked(&live).await;
    assert_eq!(shop.booked_units(&live).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_sent_many_times_at_once_is_one_reservation() {
    let shop = Arc::new(Shop::with_engines(3).await);
    let live = shop.sale("s", &[("tee", 100, 0)], 300).await;
    let mut requests = tokio::task::JoinSet::new();
    for i in 0..200 {
        let shop = Arc::clone(&shop);
        requests.spawn(async move {
            shop.reserve_one(i % 3, "s", &format!("u{}", i % 10), "k")
                .await
        });
    }
    let answers = requests.join_all().await;
    assert!(
        answers
            .iter()
            .all(|a| a.status == StatusCode::CREATED || a.status == StatusCode::OK)
    );
    assert_eq!(
        answers
            .iter()
            .filter(|a| a.status == StatusCode::CREATED)
            .count(),
        10
    );
    let ids: std::collections::HashSet<&str> = answers.iter().map(|a| a.id()).collect();
    assert_eq!(ids.len(), 10);
    assert_eq!(shop.counts(&live).await, (90, 10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_sixteen_ended_reservations_gets_no_more() {
    let shop = Shop::with_engines(1).await;
    shop.sale("s", &[("tee", 5, 0)], 300).await;
    for i in 0..16 {
        let held = shop.reserve_one(0, "s", "ann", &format!("k{i}")).await;
        assert_eq!(held.status, StatusCode::CREATED, "{i}: {:?}", held.body);
        let cancelled = shop
            .buyer(
                0,
                "DELETE",
                &format!("/v1/sales/s/reservations/{}", held.id()),
                "ann",
            )
            .await;
        assert_eq!(cancelled.status, StatusCode::OK);
    }
    assert_eq!(
        shop.reserve_one(0, "s", "ann", "k16").await.code(),
        "limit_reached"
    );
    assert_eq!(
        shop.reserve_one(0, "s", "bob", "k").await.status,
        StatusCode::CREATED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_is_slowed_down_with_retry_after_and_others_are_not() {
    let shop = Shop::open(StageOptions::whole(1).engine_env("RATE_PER_USER", "2")).await;
    shop.sale("s", &[("tee", 100, 0)], 300).await;
    let mut codes = Vec::new();
    for i in 0..12 {
        let answer = shop.reserve_one(0, "s", "ann", &format!("k{i}")).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(answer.code(), "rate_limited");
            let seconds: u64 = answer.headers["retry-after"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!((1..=2).contains(&seconds));
        }
        codes.push(answer.status.as_u16());
    }
    assert!(
        codes.iter().filter(|c| **c == 201).count() >= 4 && codes.contains(&429),
        "{codes:?}"
    );
    assert_eq!(
        shop.reserve_one(0, "s", "bob", "k").await.status,
        StatusCode::CREATED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_sku_or_a_line_past_the_limit_takes_nothing() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 5, 2)], 300).await;
    let over = shop
        .reserve(0, "s", "ann", "k", json!([{"sku": "tee", "quantity": 3}]))
        .await;
    assert_eq!(
        (over.status, over.code()),
        (StatusCode::CONFLICT, "limit_reached")
    );
    let unknown = shop
        .reserve(
            0,
            "s",
            "ann",
            "k",
            json!([{"sku": "tee", "quantity": 1}, {"sku": "hat", "quantity": 1}]),
        )
        .await;
    assert_eq!(unknown.code(), "unknown_sku");
    assert_eq!(shop.counts(&live).await, (5, 0, 0));
}
