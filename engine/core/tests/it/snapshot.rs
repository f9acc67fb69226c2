//! `snapshot`: one consistent look, also at a sale that may not sell.

use doorbuster_core::gate::snapshot::{Snapped, Snapshot, State as Position, Stock};
use doorbuster_core::gate::switch::Verb;

use crate::harness::{EPOCH, HOUR_MS, Scene, random_sale, redis_url, sku};

async fn snapshot(scene: &Scene) -> Snapshot {
    match scene.gate.snapshot(&scene.live).await.unwrap() {
        Snapped::Snapshot(snapshot) => *snapshot,
        Snapped::Fenced(fenced) => panic!("{fenced:?}"),
    }
}

#[tokio::test]
async fn snapshot_shows_every_counter() {
    let scene = Scene::selling(&[("tee", 5, 2), ("cap", 3, 0)]).await;
    let (ann, bob) = (
        scene.ask("ann", "k", &[("tee", 2)]),
        scene.ask("bob", "k", &[("tee", 1)]),
    );
    scene.reserve(&[&ann, &bob]).await;
    scene
        .gate
        .cancel(&scene.live, EPOCH, bob.id, &bob.user)
        .await
        .unwrap();
    scene
        .gate
        .switch(&scene.live, EPOCH, Verb::Pause)
        .await
        .unwrap();

    let before = scene.state().await;
    let seen = snapshot(&scene).await;
    let run_id = scene.gate.run_id().await.unwrap();
    let tee = Stock {
        stocked: 5,
        left: 3,
        held: 2,
        sold: 0,
        limit_per_user: 2,
        restocked_seq: 0,
    };
    let cap = Stock {
        stocked: 3,
        left: 3,
        held: 0,
        sold: 0,
        limit_per_user: 0,
        restocked_seq: 0,
    };
    let expected = Snapshot {
        now_ms: seen.now_ms,
        server_run_id: run_id.clone(),
        run_id,
        epoch: EPOCH,
        state: Position::Paused,
        opens_ms: before.number("opens_ms"),
        closes_ms: before.number("closes_ms"),
        hold_ms: HOUR_MS,
        payment_ms: HOUR_MS,
        seq: 5,
        flushed_seq: 0,
        bytes: before.number("bytes"),
        flushed_bytes: 0,
        last_now_ms: before.number("last_now_ms"),
        config: "{}".into(),
        stock: [(sku("tee"), tee), (sku("cap"), cap)].into(),
        records: 2,
        order: 2,
        entries: 4,
    };
    assert_eq!(seen, expected);
    assert!(seen.is_vouched() && seen.backlog() == 5 && seen.now_ms >= seen.last_now_ms);
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn a_sale_that_nobody_vouched_for_is_shown_as_such() {
    let scene = Scene::unopened(redis_url(), random_sale()).await;
    scene.open(&[("tee", 5, 0)]).await;
    assert!(!snapshot(&scene).await.is_vouched());
}

#[tokio::test]
async fn counters_that_do_not_add_up_are_shown_as_they_are() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    scene.set("stock", "tee/left", "7").await;
    assert_eq!(snapshot(&scene).await.stock[&sku("tee")].difference(), -2);
}
