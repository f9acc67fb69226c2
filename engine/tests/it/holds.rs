//! Holds end once, their units come back in time, and what comes back is sold on every engine.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;

use super::harness::{Shop, started, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_left_alone_comes_back_once_within_two_seconds_of_its_deadline() {
    let shop = Shop::with_engines(3).await;
    let live = shop.sale("s", &[("tee", 10, 0)], 2).await;
    for user in 0..10 {
        assert_eq!(
            shop.reserve_one(user % 3, "s", &format!("u{user}"), "k")
                .await
                .status,
            StatusCode::CREATED
        );
    }
    let held = started();
    assert_eq!(shop.counts(&live).await, (0, 10, 0));
    within(Duration::from_secs(5), "all units are back", || async {
        (shop.counts(&live).await == (10, 0, 0)).then_some(())
    })
    .await;
    assert!(
        held.elapsed() < Duration::from_millis(2_000 + 2_000),
        "{:?} after the holds began",
        held.elapsed()
    );
    let repeat = shop.reserve_one(1, "s", "u0", "k").await;
    assert_eq!(
        (
            repeat.status,
            &repeat.body["status"],
            &repeat.body["reason"]
        ),
        (StatusCode::OK, &json!("released"), &json!("expired"))
    );
    let gone = shop
        .buyer(
            0,
            "DELETE",
            &format!("/v1/sales/s/reservations/{}", repeat.id()),
            "u0",
        )
        .await;
    assert_eq!(
        (gone.status, gone.code()),
        (StatusCode::CONFLICT, "hold_ended")
    );
    assert_eq!(shop.counts(&live).await, (10, 0, 0));
    shop.until_booked(&live).await;
    let expired: i64 = sqlx::query_scalar("select count(*) from reservations where sale_id = 's' and status = 'released' and reason = 'expired'")
        .fetch_one(&shop.books)
        .await
        .unwrap();
    assert_eq!(expired, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_racing_the_sweeper_gives_back_once() {
    let shop = Arc::new(Shop::with_engines(2).await);
    let live = shop.sale("s", &[("tee", 60, 0)], 1).await;
    let mut holds = Vec::new();
    for user in 0..60 {
        holds.push((
            format!("u{user}"),
            shop.reserve_one(0, "s", &format!("u{user}"), "k")
                .await
                .id()
                .to_string(),
        ));
    }
    // The deadline is upon them: some cancels come before the sweeper, some after.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mut cancels = tokio::task::JoinSet::new();
    for (i, (user, id)) in holds.into_iter().enumerate() {
        let shop = Arc::clone(&shop);
        cancels.spawn(async move {
            tokio::time::sleep(Duration::from_millis(10 * i as u64)).await;
            shop.buyer(
                i % 2,
                "DELETE",
                &format!("/v1/sales/s/reservations/{id}"),
                &user,
            )
            .await
            .status
        });
    }
    let statuses = cancels.join_all().await;
    assert!(
        statuses
            .iter()
            .all(|s| *s == StatusCode::OK || *s == StatusCode::CONFLICT),
        "{statuses:?}"
    );
    within(Duration::from_secs(5), "all units are back", || async {
        (shop.counts(&live).await == (60, 0, 0)).then_some(())
    })
    .await;
    shop.until_booked(&live).await;
    let ends: i64 = sqlx::query_scalar(
        "select count(*) from journal where sale_id = 's' and kind in ('expired', 'cancelled')",
    )
    .fetch_one(&shop.books)
    .await
    .unwrap();
    assert_eq!(ends, 60, "each hold ended once");
}

#[tokio::test(flavor = "multi_thread")]
async fn sold_out_then_a_cancel_and_the_next_buyer_has_it_within_a_second_on_every_engine() {
    let shop = Shop::with_engines(3).await;
    shop.sale("s", &[("tee", 1, 0)], 300).await;
    let mut holder = "u".to_string();
    let mut id = shop
        .reserve_one(0, "s", &holder, "k")
        .await
        .id()
        .to_string();
    for engine in 0..3 {
        // Every engine's shield is up.
        for _ in 0..30 {
            for asked in 0..3 {
                assert_eq!(
                    shop.reserve_one(asked, "s", "late", &format!("l{engine}"))
                        .await
                        .code(),
                    "sold_out"
                );
            }
        }
        let cancelled = shop
            .buyer(
                (engine + 1) % 3,
                "DELETE",
                &format!("/v1/sales/s/reservations/{id}"),
                &holder,
            )
            .await;
        assert_eq!(cancelled.status, StatusCode::OK);
        let since = started();
        let next = format!("next{engine}");
        let won = within(Duration::from_secs(2), "the next buyer has it", || async {
            Some(shop.reserve_one(engine, "s", &next, "k").await)
                .filter(|a| a.status == StatusCode::CREATED)
        })
        .await;
        assert!(
            since.elapsed() < Duration::from_secs(1),
            "{:?}",
            since.elapsed()
        );
        (holder, id) = (next, won.id().to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_winner_whose_answer_was_lost_gets_it_on_any_engine_while_all_others_hear_sold_out() {
    let shop = Shop::with_engines(3).await;
    shop.sale("s", &[("tee", 20, 1)], 300).await;
    let mut won = Vec::new();
    for user in 0..20 {
        won.push(
            shop.reserve_one(user % 3, "s", &format!("w{user}"), "k")
                .await,
        );
    }
    for round in 0..3 {
        for (user, first) in won.iter().enumerate() {
            for loser in 0..3 {
                assert_eq!(
                    shop.reserve_one(loser, "s", &format!("l{user}-{round}"), "k")
                        .await
                        .code(),
                    "sold_out"
                );
            }
            let repeat = shop
                .reserve_one((user + round) % 3, "s", &format!("w{user}"), "k")
                .await;
            assert_eq!((repeat.status, &repeat.body), (StatusCode::OK, &first.body));
        }
    }
    let metrics = super::surface::metrics(&shop, 0).await;
    let shielded: f64 = metrics
        .lines()
        .find_map(|l| l.strip_prefix("doorbuster_shield_answers_total "))
        .expect("the metric")
        .parse()
        .unwrap();
    assert!(shielded > 0.0, "the shield answered nobody:\n{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn quantities_and_lines_are_taken_whole_or_not_at_all() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("cap", 1, 0), ("tee", 5, 0)], 300).await;
    let three = shop
        .reserve(0, "s", "ann", "k1", json!([{"sku": "tee", "quantity": 3}]))
        .await;
    assert_eq!(
        (three.status, &three.body["items"]),
        (StatusCode::CREATED, &json!([{"sku": "tee", "quantity": 3}]))
    );
    let short = shop
        .reserve(
            0,
            "s",
            "bob",
            "k1",
            json!([{"sku": "tee", "quantity": 1}, {"sku": "cap", "quantity": 2}]),
        )
        .await;
    assert_eq!(
        (short.status, short.code()),
        (StatusCode::CONFLICT, "sold_out")
    );
    let both = shop
        .reserve(
            0,
            "s",
            "bob",
            "k2",
            json!([{"sku": "tee", "quantity": 2}, {"sku": "cap", "quantity": 1}]),
        )
        .await;
    assert_eq!(both.status, StatusCode::CREATED);
    let stock = shop.snapshot(&live).await.stock;
    assert!(stock.values().all(|s| s.left == 0 && s.difference() == 0));
    shop.until_booked(&live).await;
    assert_eq!(shop.booked_units(&live).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_names_one_request_for_ever() {
    let shop = Shop::with_engines(2).await;
    shop.sale("s", &[("tee", 5, 0)], 300).await;
    let first = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(
        first.headers["location"],
        format!("/v1/sales/s/reservations/{}", first.id()).as_str()
    );
    let repeat = shop.reserve_one(1, "s", "ann", "k").await;
    assert_eq!((repeat.status, &repeat.body), (StatusCode::OK, &first.body));
    let other = shop
        .reserve(1, "s", "ann", "k", json!([{"sku": "tee", "quantity": 2}]))
        .await;
    assert_eq!(
        (other.status, other.code()),
        (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch")
    );
    let path = format!("/v1/sales/s/reservations/{}", first.id());
    assert_eq!(shop.buyer(1, "GET", &path, "ann").await.body, first.body);
    assert_eq!(
        shop.buyer(1, "GET", &path, "bob").await.code(),
        "unknown_reservation"
    );
    assert_eq!(
        shop.buyer(1, "DELETE", &path, "bob").await.code(),
        "unknown_reservation"
    );
    for _ in 0..2 {
        let cancelled = shop.buyer(0, "DELETE", &path, "ann").await;
        assert_eq!(
            (cancelled.status, &cancelled.body["reason"]),
            (StatusCode::OK, &json!("cancelled"))
        );
    }
    let after = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(
        (after.status, &after.body["status"]),
        (StatusCode::OK, &json!("released"))
    );
}
