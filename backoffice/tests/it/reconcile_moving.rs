//! Reconcile on sales that move: what is on its way to the books is told, and is no difference.

use std::sync::Arc;

use doorbuster_stage::{Stage, StageOptions};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::reconcile::reconcile;
use crate::stage::{Desk, name, sale};

#[tokio::test]
async fn events_on_their_way_are_told_and_are_no_difference() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let sale = desk.selling("lag").await;
    let held = desk
        .hold(&sale, "ann", json!([{"sku": "tee", "quantity": 2}]))
        .await;
    desk.written_back(&format!("/admin/v1/sales/{sale}")).await;
    // A writer that cannot have the cursor's row cannot write.
    let mut tx = desk.books.begin().await.unwrap();
    sqlx::query("select seq from journal_cursor where sale_id = ? for update")
        .bind(&sale)
        .execute(&mut *tx)
        .await
        .unwrap();
    desk.hold(&sale, "bob", json!([{"sku": "cap", "quantity": 1}]))
        .await;
    desk.cancel(&sale, "ann", &held).await;

    let (code, report) = reconcile(&desk, &sale);

    assert_eq!(
        (
            code,
            &report["lag_events"],
            &report["moving"],
            &report["differences"]
        ),
        (Some(0), &json!(2), &json!(2), &json!([])),
        "{report}"
    );
    let view = desk.get(&format!("/admin/v1/sales/{sale}")).await.ok(200);
    assert_eq!(view["journal_lag"]["events"], 2);
    tx.rollback().await.unwrap();
    desk.written_back(&format!("/admin/v1/sales/{sale}")).await;
    let (code, report) = reconcile(&desk, &sale);
    assert_eq!(code, Some(0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_moves_while_it_is_looked_at_has_no_differences() {
    let desk = Arc::new(Desk::shared().await);
    let id = name("moving");
    let mut wide = sale(&id);
    wide["items"][1]["stock"] = 100_000.into();
    desk.put("/admin/v1/sales", &wide).await.ok(201);
    desk.post(&format!("/admin/v1/sales/{id}/open"))
        .await
        .ok(200);
    let stop = CancellationToken::new();
    let mut buyers = JoinSet::new();
    for _ in 0..8 {
        let (desk, id, stop) = (Arc::clone(&desk), id.clone(), stop.clone());
        buyers.spawn(async move {
            let mut bought = 0_u64;
            while !stop.is_cancelled() {
                let user = name("mover");
                let held = desk
                    .hold(&id, &user, json!([{"sku": "cap", "quantity": 2}]))
                    .await;
                if bought.is_multiple_of(2) {
                    desk.cancel(&id, &user, &held).await;
                }
                bought += 1;
            }
            bought
        });
    }
    let (mut records, mut moved) = (0, 0);
    while moved < 5 {
        let (code, report) = reconcile(&desk, &id);
        assert_eq!(
            (code, &report["differences"]),
            (Some(0), &json!([])),
            "{report}"
        );
        moved += u64::from(report["records"].as_u64() > Some(records));
        records = report["records"].as_u64().unwrap();
    }
    stop.cancel();
    let bought: u64 = buyers.join_all().await.into_iter().sum();
    desk.written_back(&format!("/admin/v1/sales/{id}")).await;
    let (code, report) = reconcile(&desk, &id);
    assert_eq!(
        (code, &report["records"], &report["moving"]),
        (Some(0), &json!(bought), &json!(0)),
        "{report}"
    );
}
