//! Sales that are over rest: they cost Redis nothing, and come back when something happens.

use std::time::Duration;

use hyper::StatusCode;

use super::harness::{Shop, within};
use super::redis_of::raw;

/// `HMGET` calls so far, by clients and scripts.
async fn hmgets(shop: &Shop) -> u64 {
    let info = raw(shop, "INFO", &["commandstats"])
        .await
        .into_string()
        .unwrap();
    let calls = info
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_hmget:calls="));
    calls
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn sales_that_are_over_cost_redis_nothing_and_sell_on_record_after_a_restart() {
    let shop = Shop::with_engines(1).await;
    let mut lives = Vec::new();
    for i in 0..20 {
        let id = format!("s{i}");
        lives.push(shop.sale(&id, &[("tee", 5, 0)], 600).await);
    }
    let ann = shop.reserve_one(0, "s0", "ann", "k").await;
    assert_eq!(ann.status, StatusCode::CREATED);
    for i in 0..20 {
        let closed = shop
            .staff("POST", &format!("/admin/v1/sales/s{i}/close"), None)
            .await;
        assert_eq!(closed.status, StatusCode::OK, "{:?}", closed.body);
    }
    for live in &lives {
        shop.until_booked(live).await;
    }
    within(Duration::from_secs(10), "they rest", || async {
        let before = hmgets(&shop).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let calls = hmgets(&shop).await - before;
        // The one with a hold is still looked at, ten times a second, with a sweep and a gauge now and then.
        (calls < 60).then_some(())
    })
    .await;

    // Its hold may still end, and the books hear of it at once.
    let path = format!("/v1/sales/s0/reservations/{}", ann.id());
    assert_eq!(
        shop.buyer(0, "DELETE", &path, "ann").await.status,
        StatusCode::OK
    );
    within(Duration::from_secs(2), "the books have it", || async {
        shop.try_snapshot(&lives[0])
            .await
            .filter(|s| s.backlog() == 0)
    })
    .await;

    shop.stage.redis().kill9().unwrap();
    shop.stage.redis().start().unwrap();
    within(
        Duration::from_secs(10),
        "all are vouched for again",
        || async {
            for live in &lives {
                shop.try_snapshot(live)
                    .await
                    .filter(doorbuster_core::gate::snapshot::Snapshot::is_vouched)?;
            }
            Some(())
        },
    )
    .await;
    within(
        Duration::from_secs(10),
        "and none is shown as recovering",
        || async {
            let shown = super::surface::metrics(&shop, 0).await;
            let is_well =
                |i| shown.contains(&format!("doorbuster_sale_recovering{{sale=\"s{i}\"}} 0"));
            (0..20).all(is_well).then_some(())
        },
    )
    .await;
}
