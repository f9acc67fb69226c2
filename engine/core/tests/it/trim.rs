//! `trim`: what the books have leaves the journal, except the entry at which they stand.

use std::time::Duration;

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::notices::{Flushed, listen_to_books};
use doorbuster_core::gate::trim::Trimmed;
use doorbuster_core::journal::StreamId;

use crate::harness::{EPOCH, Scene, redis_url};

/// Entries 1 (opened), 2 and 3 (a batch of two), 4, 5; and their ids.
async fn with_entries() -> (Scene, Vec<StreamId>) {
    let scene = Scene::selling(&[("tee", 9, 0)]).await;
    let asks = ["a", "b", "c", "d"].map(|user| scene.ask(user, "k", &[("tee", 1)]));
    scene.reserve(&[&asks[0], &asks[1]]).await;
    scene.reserve_one(&asks[2]).await;
    scene.reserve_one(&asks[3]).await;
    let entries = scene
        .gate
        .journal(&scene.live, &StreamId::start(), 99)
        .await
        .unwrap();
    assert_eq!(
        entries
            .iter()
            .map(|entry| (entry.first_seq, entry.last_seq()))
            .collect::<Vec<_>>(),
        [(1, 1), (2, 3), (4, 4), (5, 5)]
    );
    (scene, entries.into_iter().map(|entry| entry.id).collect())
}

async fn trim(scene: &Scene, entry_id: &StreamId, flushed_seq: u64) -> Trimmed {
    scene
        .gate
        .trim(&scene.live, EPOCH, entry_id, flushed_seq)
        .await
        .unwrap()
}

#[tokio::test]
async fn trimmed_keeps_the_cursors_own_entry_and_notes_how_far_the_books_are() {
    let (scene, ids) = with_entries().await;
    let mut expected = scene.state().await;
    assert_eq!(
        trim(&scene, &ids[1], 3).await,
        Trimmed::Trimmed { removed: 1 }
    );
    expected.journal.remove(0);
    expected.sale.insert("flushed_seq".into(), "3".into());
    expected
        .sale
        .insert("flushed_bytes".into(), expected.journal[0][4].1.clone());
    assert_eq!(scene.state().await, expected);

    assert_eq!(
        trim(&scene, &ids[3], 5).await,
        Trimmed::Trimmed { removed: 2 }
    );
    let after = scene.state().await;
    assert_eq!((after.journal.len(), after.number("flushed_seq")), (1, 5));
    assert_eq!(after.number("flushed_bytes"), after.number("bytes"));
}

#[tokio::test]
async fn trimmed_also_where_nobody_has_vouched() {
    let (scene, ids) = with_entries().await;
    scene.set("sale", "run_id", "").await;
    assert_eq!(
        trim(&scene, &ids[3], 5).await,
        Trimmed::Trimmed { removed: 3 }
    );
}

#[tokio::test]
async fn stale_where_another_writer_was_further() {
    let (scene, ids) = with_entries().await;
    trim(&scene, &ids[2], 4).await;
    let before = scene.state().await;
    assert_eq!(
        trim(&scene, &ids[2], 4).await,
        Trimmed::Stale { flushed_seq: 4 }
    );
    assert_eq!(
        trim(&scene, &ids[2], 3).await,
        Trimmed::Stale { flushed_seq: 4 }
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn recovering_where_the_journal_is_not_what_the_writer_read() {
    let (scene, ids) = with_entries().await;
    let before = scene.state().await;
    let refused = Trimmed::Fenced(Fenced::Recovering("journal".into()));
    assert_eq!(
        trim(&scene, &StreamId::new("1-1"), 3).await,
        refused,
        "no such entry"
    );
    assert_eq!(
        trim(&scene, &ids[3], 6).await,
        refused,
        "the books are ahead"
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn trimmed_says_how_far_the_books_are_and_stale_says_nothing() {
    let (scene, ids) = with_entries().await;
    let mut notices = listen_to_books(redis_url()).await.unwrap();
    // Listening begins when it begins: the first notice may be missed, so the same is said until it is heard.
    let heard = async {
        loop {
            scene.set("sale", "flushed_seq", "1").await;
            trim(&scene, &ids[1], 3).await;
            let next = tokio::time::timeout(Duration::from_millis(50), notices.recv());
            if let Ok(notice) = next.await {
                break notice.unwrap();
            }
        }
    };
    let notice = |seq| Flushed {
        live: scene.live.clone(),
        epoch: EPOCH,
        seq,
    };
    let bound = Duration::from_secs(10);
    assert_eq!(tokio::time::timeout(bound, heard).await.unwrap(), notice(3));
    trim(&scene, &ids[1], 3).await;
    trim(&scene, &ids[3], 5).await;
    let next = async {
        loop {
            let next = notices.recv().await.unwrap();
            if next.seq != 3 {
                break next;
            }
        }
    };
    assert_eq!(tokio::time::timeout(bound, next).await.unwrap(), notice(5));
    assert_eq!(
        scene.gate.flushed(&scene.live).await.unwrap(),
        Some((EPOCH, 5))
    );
}
