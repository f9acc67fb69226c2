//! SIGTERM: readiness flips, requests under way finish, nothing accepted is left unanswered, all within ten seconds.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

use super::harness::{Shop, started};

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_told_to_stop_answers_what_it_took_and_goes() {
    let shop = Arc::new(Shop::with_engines(2).await);
    let live = shop.sale("s", &[("tee", 100_000, 0)], 300).await;
    let mut buyers = tokio::task::JoinSet::new();
    for buyer in 0..20 {
        let shop = Arc::clone(&shop);
        buyers.spawn(async move {
            let mut held = 0_u64;
            for i in 0.. {
                let user = format!("u{buyer}-{i}");
                match shop
                    .try_reserve(
                        0,
                        "s",
                        &user,
                        "k",
                        serde_json::json!([{"sku": "tee", "quantity": 1}]),
                    )
                    .await
                {
                    Some(answer) => {
                        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
                        held += 1;
                    }
                    // Refused at the door, or the door is gone: nothing was taken.
                    None => return (held, user),
                }
            }
            unreachable!("the loop ends by return")
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let since = started();
    let stage = Arc::clone(&shop);
    let status = tokio::task::spawn_blocking(move || {
        stage.stage.engine(0).terminate(Duration::from_secs(10))
    })
    .await
    .unwrap()
    .unwrap();
    assert!(status.success(), "{status:?}");
    assert!(since.elapsed() < Duration::from_secs(10));
    let (mut answered, mut held_unanswered) = (0, 0);
    for (held, last) in buyers.join_all().await {
        answered += held;
        // Whoever got no answer must not have been given anything: accepted and unanswered would show as 200 here.
        let repeat = shop.reserve_one(1, "s", &last, "k").await;
        held_unanswered += u64::from(repeat.status == StatusCode::OK);
    }
    assert_eq!(held_unanswered, 0, "accepted, yet never answered");
    assert!(answered > 0);
    shop.until_booked(&live).await;
    assert_eq!(shop.booked_units(&live).await, answered + 20);
}
