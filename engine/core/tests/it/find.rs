//! `find`: one reservation in its present state.

use doorbuster_core::gate::find::Found;
use doorbuster_core::record::{Reason, Record, Status};

use crate::harness::{EPOCH, HOUR_MS, Scene, user};

#[tokio::test]
async fn found_shows_the_record_as_it_is_now() {
    let scene = Scene::selling(&[("tee", 5, 0), ("cap", 5, 0)]).await;
    let ask = scene.ask("ann", "k", &[("tee", 2), ("cap", 1)]);
    let decided = scene.reserve(&[&ask]).await;
    let before = scene.state().await;
    let held = Record {
        status: Status::Held,
        seq: 2,
        deadline_ms: decided.now_ms + HOUR_MS,
        user: user("ann"),
        lines: ask.lines.clone(),
        body: ask.body,
    };
    match scene.gate.find(&scene.live, EPOCH, ask.id).await.unwrap() {
        Found::Found {
            now_ms,
            seq,
            record,
        } => {
            assert!(now_ms >= decided.now_ms);
            assert_eq!(seq, decided.seq);
            assert_eq!(*record, held);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(scene.state().await, before);

    scene
        .gate
        .cancel(&scene.live, EPOCH, ask.id, &ask.user)
        .await
        .unwrap();
    let cancelled = Record {
        status: Status::Released(Reason::Cancelled),
        ..held
    };
    let found = scene.gate.find(&scene.live, EPOCH, ask.id).await.unwrap();
    assert!(matches!(found, Found::Found { seq: 3, record, .. } if *record == cancelled));
}

#[tokio::test]
async fn unknown_reservation_where_nothing_was_held() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let before = scene.state().await;
    let found = scene
        .gate
        .find(&scene.live, EPOCH, scene.id("ann", "k"))
        .await
        .unwrap();
    assert_eq!(found, Found::UnknownReservation);
    assert_eq!(scene.state().await, before);
}
