//! What is paid, being paid or has come back: reconcile counts it on every side, and a repair writes it as the journal has it.

use doorbuster_core::gate::Gate;
use doorbuster_core::gate::begin_payment::BegunPayment;
use doorbuster_core::gate::restock::Returned;
use doorbuster_core::gate::settle::Settled;
use doorbuster_core::ids::{LiveId, ReservationId, SaleId, SkuId, UserId};
use serde_json::json;

use crate::reconcile::{found, key};
use crate::repair::repair;
use crate::stage::Desk;

/// A sale with a payment of ann's (tee × 2) under way, and two tees and a cap of bob's that are paid, of which a tee is on sale
/// again and a tee written off; bob's id.
async fn sold(desk: &Desk<'_>, stem: &str) -> (String, ReservationId) {
    let sale = desk.selling(stem).await;
    let live = LiveId::Sale(SaleId::parse(sale.as_str()).unwrap());
    let gate = Gate::connect(desk.stage.redis_url()).await.unwrap();
    let user = |name: &str| UserId::parse(name).unwrap();
    let ann = desk.hold(&sale, "ann", json!([{"sku": "tee", "quantity": 2}]));
    let ann = ReservationId::parse(&ann.await).unwrap();
    let items = json!([{"sku": "tee", "quantity": 2}, {"sku": "cap", "quantity": 1}]);
    let bob = ReservationId::parse(&desk.hold(&sale, "bob", items).await).unwrap();
    for (id, name) in [(ann, "ann"), (bob, "bob")] {
        let begun = gate.begin_payment(&live, 1, id, &user(name)).await;
        assert!(
            matches!(begun, Ok(BegunPayment::Paying { .. })),
            "{begun:?}"
        );
    }
    let settled = gate.settle(&live, 1, bob, &user("bob"), false).await;
    assert!(matches!(settled, Ok(Settled::Paid { .. })), "{settled:?}");
    let tee = [(SkuId::parse("tee").unwrap(), 1)];
    let done = gate.restock(&live, 1, bob, &user("bob"), "a", &tee).await;
    assert!(matches!(done, Ok(Returned::Done { .. })), "{done:?}");
    let done = gate.write_off(&live, 1, bob, &user("bob"), "a", &tee).await;
    assert!(matches!(done, Ok(Returned::Done { .. })), "{done:?}");
    desk.written_back(&format!("/admin/v1/sales/{sale}")).await;
    (sale, bob)
}

#[tokio::test]
async fn a_sale_with_payments_and_returns_has_no_differences() {
    let desk = Desk::shared().await;
    let (sale, _) = sold(&desk, "returns-clean").await;
    assert_eq!(found(&desk, &sale), [""; 0]);
    let shown = desk.get(&format!("/admin/v1/sales/{sale}")).await.ok(200);
    for item in shown["items"].as_array().unwrap() {
        assert_eq!(item["live"], item["books"], "{item}");
    }
    let tee = &shown["items"][0]["live"];
    assert_eq!(
        (&tee["held"], &tee["sold"]),
        (&json!(2), &json!(0)),
        "{tee}"
    );
}

#[tokio::test]
async fn what_redis_says_of_returns_is_held_against_the_books() {
    let desk = Desk::shared().await;
    let (sale, bob) = sold(&desk, "returns-redis").await;
    let id = bob.as_bytes().to_vec();
    desk.redis("HDEL", vec![key(&sale, "returns"), id.clone()])
        .await;
    assert_eq!(
        found(&desk, &sale),
        ["record_field returned", "sum tee sold"]
    );
    let two = b"tee=2".to_vec();
    desk.redis("HSET", vec![key(&sale, "returns"), id, two])
        .await;
    assert_eq!(found(&desk, &sale), [""; 0]);
}

/// Statement, what is found, and that one row is written anew.
const PLANTED: [(&str, &[&str]); 4] = [
    (
        "delete from reservation_returns where sale_id = ?",
        &["record_field returned", "sum tee sold"],
    ),
    (
        "update reservation_returns set quantity = 1 where sale_id = ?",
        &["record_field returned", "sum tee sold"],
    ),
    (
        "update reservations set deadline = '2020-01-01' where status = 'paying' and sale_id = ?",
        &["record_field time"],
    ),
    (
        "update reservations set status = 'held' where status = 'paying' and sale_id = ?",
        &["record_field status"],
    ),
];

#[tokio::test]
async fn a_repair_writes_what_came_back_as_the_journal_has_it() {
    let desk = Desk::shared().await;
    let (sale, _) = sold(&desk, "returns-repair").await;
    for (statement, differences) in PLANTED {
        assert!(desk.sql(statement, &sale).await > 0, "{statement}");
        assert_eq!(found(&desk, &sale), *differences, "{statement}");
        let repaired = repair(&desk, &sale);
        assert_eq!(
            repaired,
            (Some(0), vec!["row_rewritten".to_owned()]),
            "{statement}"
        );
        assert_eq!(found(&desk, &sale), [""; 0], "{statement}");
    }
}
