//! `vouch`: a sale sells on the one server process that a writer has compared with the books.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::gate::vouch::{Vouch, Vouched};
use doorbuster_core::journal::StreamId;

use crate::harness::{EPOCH, Scene, random_sale, redis_url};

/// Opened, not vouched for; with its one entry's id and the server's run id.
async fn opened() -> (Scene, StreamId, String) {
    let scene = Scene::unopened(redis_url(), random_sale()).await;
    scene.open(&[("tee", 5, 0)]).await;
    let entry_id = scene
        .gate
        .journal(&scene.live, &StreamId::start(), 1)
        .await
        .unwrap()
        .remove(0)
        .id;
    let run_id = scene.gate.run_id().await.unwrap();
    (scene, entry_id, run_id)
}

async fn vouch(scene: &Scene, seq: u64, entry_id: &StreamId, run_id: &str) -> Vouched {
    scene
        .gate
        .vouch(
            &scene.live,
            &Vouch {
                epoch: EPOCH,
                seq,
                entry_id,
                run_id,
            },
        )
        .await
        .unwrap()
}

#[tokio::test]
async fn vouched_sets_the_run_id_and_nothing_else() {
    let (scene, entry_id, run_id) = opened().await;
    let mut expected = scene.state().await;
    assert_eq!(vouch(&scene, 1, &entry_id, &run_id).await, Vouched::Vouched);
    expected.sale.insert("run_id".into(), run_id);
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn already_even_if_the_sale_has_moved_on_since() {
    let (scene, entry_id, run_id) = opened().await;
    vouch(&scene, 1, &entry_id, &run_id).await;
    scene
        .gate
        .switch(&scene.live, EPOCH, Verb::Pause)
        .await
        .unwrap();
    let before = scene.state().await;
    assert_eq!(vouch(&scene, 1, &entry_id, &run_id).await, Vouched::Already);
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn moved_where_the_sale_is_no_longer_where_it_was_compared() {
    let (scene, entry_id, run_id) = opened().await;
    scene.set("sale", "seq", "4").await;
    let before = scene.state().await;
    for seq in [1, 3, 5] {
        assert_eq!(
            vouch(&scene, seq, &entry_id, &run_id).await,
            Vouched::Moved { seq: 4 }
        );
    }
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn recovering_where_another_process_answers_than_was_compared() {
    let (scene, entry_id, _) = opened().await;
    let before = scene.state().await;
    let refused = vouch(
        &scene,
        1,
        &entry_id,
        "0123456789012345678901234567890123456789",
    )
    .await;
    assert_eq!(
        refused,
        Vouched::Fenced(Fenced::Recovering("run_id".into()))
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn recovering_without_the_cursors_entry() {
    let (scene, _, run_id) = opened().await;
    let before = scene.state().await;
    let refused = vouch(&scene, 1, &StreamId::new("1-1"), &run_id).await;
    assert_eq!(
        refused,
        Vouched::Fenced(Fenced::Recovering("journal".into()))
    );
    assert_eq!(scene.state().await, before);
}
