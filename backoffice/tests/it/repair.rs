//! `reconcile --repair` makes the books say what their journal says, once; it leaves alone what is right, what only people may
//! settle, and Redis.

use doorbuster_core::draw::{DrawSecret, Drawn};
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::draw::{DrawSet, Novelty};
use doorbuster_core::ids::{LiveId, SaleId};
use serde_json::{Value, json};

use crate::reconcile::{found, key, traded};
use crate::stage::{Desk, coupon, name};

/// Exit status and what was repaired; a second run must repair nothing.
pub(crate) fn repair(desk: &Desk<'_>, sale: &str) -> (Option<i32>, Vec<String>) {
    let finished = desk
        .stage
        .run_backoffice(&["reconcile", "--sale", sale, "--repair", "--json"])
        .unwrap();
    let report: Value =
        serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"));
    let repairs = report["sales"][0]["repairs"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert_eq!(report["repaired"], repairs.len(), "{report}");
    let whats = repairs.iter().map(|repair| {
        assert_ne!(repair["before"], repair["after"], "{repair}");
        repair["what"].as_str().unwrap().to_owned()
    });
    let (whats, again) = (whats.collect(), text(desk, sale));
    assert!(!again.contains("repaired"), "idempotent: {again}");
    (finished.status.code(), whats)
}

fn text(desk: &Desk<'_>, sale: &str) -> String {
    let finished = desk
        .stage
        .run_backoffice(&["reconcile", "--sale", sale, "--repair"])
        .unwrap();
    finished.stdout
}

#[tokio::test]
async fn nothing_is_repaired_where_nothing_is_wrong() {
    let desk = Desk::shared().await;
    let (sale, _) = traded(&desk, "repair-none").await;
    let before = desk.audit(&format!("sale:{sale}")).await.len();
    assert_eq!(repair(&desk, &sale), (Some(0), vec![]));
    assert_eq!(desk.audit(&format!("sale:{sale}")).await.len(), before);
}

/// Statement, and what it takes to mend it.
const PLANTED: [(&str, &[&str]); 10] = [
    (
        "update reservations set user_id = 'eve' where user_id = 'ann' and sale_id = ?",
        &["row_rewritten"],
    ),
    (
        "update reservations set status = 'paid' where user_id = 'ann' and sale_id = ?",
        &["row_rewritten"],
    ),
    (
        "update reservations set status = 'released', reason = 'expired' where user_id = 'bob' and sale_id = ?",
        &["row_rewritten"],
    ),
    (
        "update reservations set deadline = '2020-01-01' where user_id = 'ann' and sale_id = ?",
        &["row_rewritten"],
    ),
    (
        "update reservation_lines set quantity = 5 where sku = 'tee' and quantity = 2 and sale_id = ?",
        &["row_rewritten"],
    ),
    (
        "delete from reservation_lines where sku = 'cap' and sale_id = ?",
        &["row_rewritten"],
    ),
    (
        "delete from reservations where sale_id = ?",
        &["row_added", "row_added"],
    ),
    (
        "update reservations set seq = seq + 100 where user_id = 'ann' and sale_id = ?",
        &["row_rewritten"],
    ),
    (
        "update journal set kind = 'unreadable', reservation_id = null where seq = 2 and sale_id = ?",
        &["journal_columns"],
    ),
    (
        "update journal_cursor set seq = 4, stream_id = '1-0' where sale_id = ?",
        &["cursor"],
    ),
];

#[tokio::test]
async fn each_row_that_differs_from_the_journal_is_written_as_the_journal_has_it() {
    let desk = Desk::shared().await;
    let (sale, _) = traded(&desk, "repair-rows").await;
    for (statement, mends) in PLANTED {
        assert!(desk.sql(statement, &sale).await > 0, "{statement}");
        assert_ne!(found(&desk, &sale), [""; 0], "{statement}");
        let (code, whats) = repair(&desk, &sale);
        assert_eq!(code, Some(0), "{statement}");
        assert_eq!(whats, mends, "{statement}");
    }
    let audited = desk.audit(&format!("sale:{sale}")).await;
    let repairs: Vec<_> = audited
        .iter()
        .filter(|(_, action, ..)| action == "reconcile.repair")
        .collect();
    assert_eq!(repairs.len(), 11);
    let (actor, _, before, after) = repairs[0];
    assert_eq!(
        (
            actor.as_str(),
            &before["user"],
            &after["user"],
            &after["lines"]
        ),
        (
            "reconcile",
            &json!("eve"),
            &json!("ann"),
            &json!("cap=1,tee=2")
        )
    );
}

#[tokio::test]
async fn a_reservation_that_no_event_explains_is_taken_out() {
    let desk = Desk::shared().await;
    let (sale, _) = traded(&desk, "repair-phantom").await;
    for statement in [
        "insert into reservations (sale_id, seq, id, user_id, status, epoch, deadline, body_hash, created_at)
            values (?, 77, unhex(md5(uuid())), 'eve', 'held', 1, utc_timestamp(3), unhex(md5('x')), utc_timestamp(3))",
        "insert into reservation_lines (sale_id, seq, sku, reservation_id, quantity)
            select sale_id, seq, 'tee', id, 3 from reservations where seq = 77 and sale_id = ?",
    ] {
        desk.sql(statement, &sale).await;
    }
    assert_eq!(found(&desk, &sale), ["record_missing", "sum tee held"]);
    assert_eq!(
        repair(&desk, &sale),
        (Some(0), vec!["row_removed".to_owned()])
    );
    let left = desk.sql(
        "delete from reservation_lines where seq = 77 and sale_id = ?",
        &sale,
    );
    assert_eq!(left.await, 0);
}

#[tokio::test]
async fn claims_are_repaired_too() {
    let desk = Desk::shared().await;
    let id = name("repair-coupon");
    let book_id = format!("coupon:{id}");
    desk.put("/admin/v1/coupons", &coupon(&id)).await.ok(201);
    desk.post(&format!("/admin/v1/coupons/{id}/open"))
        .await
        .ok(200);
    for user in ["ann", "bob"] {
        desk.claim(&id, user).await;
    }
    desk.written_back(&format!("/admin/v1/coupons/{id}")).await;
    assert_eq!(repair(&desk, &book_id), (Some(0), vec![]));
    desk.sql(
        "update coupon_claims set user_id = 'eve' where user_id = 'ann' and coupon_id = ?",
        &id,
    )
    .await;
    desk.sql(
        "delete from coupon_claims where user_id = 'bob' and coupon_id = ?",
        &id,
    )
    .await;
    let (code, whats) = repair(&desk, &book_id);
    assert_eq!(
        (code, whats),
        (
            Some(0),
            vec!["row_rewritten".to_owned(), "row_added".to_owned()]
        )
    );
}

#[tokio::test]
async fn redis_is_never_written_and_a_rebuild_is_named_instead() {
    let desk = Desk::shared().await;
    let (sale, _) = traded(&desk, "repair-redis").await;
    // What adds up, and still is not what happened: what does not add up a writer rebuilds by itself.
    let of = |what: &str| vec![key(&sale, "stock"), format!("tee/{what}").into_bytes()];
    let left = desk.redis("HGET", of("left")).await.into_string().unwrap();
    let one_less = (left.parse::<u64>().unwrap() - 1).to_string();
    let rows = [
        of("left"),
        vec![one_less.into_bytes(), b"tee/held".to_vec(), b"3".to_vec()],
    ];
    desk.redis("HSET", rows.concat()).await;
    let (code, whats) = repair(&desk, &sale);
    assert_eq!((code, whats), (Some(1), vec![]));
    let held = desk.redis("HGET", of("held")).await;
    assert_eq!(held.into_string().unwrap(), "3");
    let said = text(&desk, &sale);
    assert!(said.contains(&format!("rebuild --sale {sale}")), "{said}");
}

#[tokio::test]
async fn what_people_must_settle_and_a_damaged_journal_are_left_alone() {
    let desk = Desk::shared().await;
    let (sale, _) = traded(&desk, "repair-left").await;
    desk.sql(
        "delete from reservations where user_id = 'ann' and sale_id = ?",
        &sale,
    )
    .await;
    desk.sql("insert into dead_letters (sale_id, seq, epoch, error, created_at) values (?, 2, 1, 'bad data', utc_timestamp(6))", &sale).await;
    let (code, whats) = repair(&desk, &sale);
    assert_eq!((code, whats), (Some(1), vec![]));
    assert!(text(&desk, &sale).contains(&format!("dead-letters?sale={sale}")));
    desk.sql("delete from dead_letters where sale_id = ?", &sale)
        .await;

    desk.sql(
        "update journal set seq = seq + 100 where seq = 4 and sale_id = ?",
        &sale,
    )
    .await;
    let (code, whats) = repair(&desk, &sale);
    assert_eq!((code, whats), (Some(1), vec![]));
    assert!(text(&desk, &sale).contains("backup"));
    desk.sql(
        "update journal set seq = seq - 100 where seq = 104 and sale_id = ?",
        &sale,
    )
    .await;
    assert_eq!(
        repair(&desk, &sale),
        (Some(0), vec!["row_added".to_owned()])
    );
}

#[tokio::test]
async fn a_draw_in_the_books_is_the_one_that_the_journal_has() {
    let desk = Desk::shared().await;
    let (sale, _) = traded(&desk, "repair-draw").await;
    let live = LiveId::Sale(SaleId::parse(sale.as_str()).unwrap());
    let line = ["{", &live.tag(), "}:line"].concat();
    let fields = [line.as_str(), "epoch", "1", "early", "3"].map(Vec::from);
    desk.redis("HSET", fields.to_vec()).await;
    let drawn = Drawn {
        early: 3,
        seed: [1; 32],
        list_hash: [2; 32],
        secret: DrawSecret::from_bytes([3; 32]),
    };
    let gate = Gate::connect(desk.stage.redis_url()).await.unwrap();
    let set = gate.draw(&live, 1, &drawn, Novelty::New).await.unwrap();
    assert!(matches!(set, DrawSet::Drawn { .. }), "{set:?}");
    desk.written_back(&format!("/admin/v1/sales/{sale}")).await;
    assert_eq!(found(&desk, &sale), [""; 0]);
    for (statement, mend) in [
        (
            "update draws set seed = repeat('ab', 32) where sale_id = ?",
            "row_rewritten",
        ),
        (
            "update draws set early = early + 1 where sale_id = ?",
            "row_rewritten",
        ),
        ("delete from draws where sale_id = ?", "row_added"),
    ] {
        assert_eq!(desk.sql(statement, &sale).await, 1, "{statement}");
        assert_eq!(found(&desk, &sale), ["draw"], "{statement}");
        let mended = (Some(0), vec![mend.to_owned()]);
        assert_eq!(repair(&desk, &sale), mended, "{statement}");
    }
    let other = traded(&desk, "repair-no-draw").await.0;
    let planted = "insert into draws select ?, seq, epoch, early, seed, list_hash, secret, drawn_at from draws limit 1";
    assert_eq!(desk.sql(planted, &other).await, 1);
    assert_eq!(found(&desk, &other), ["draw"]);
    let removed = (Some(0), vec!["row_removed".to_owned()]);
    assert_eq!(repair(&desk, &other), removed, "no event explains it");
}
