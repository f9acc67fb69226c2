//! `reserve`: a batch is decided in order, each request seeing those before it, and a key stands for one request for
//! good. What is refused, and why: `reserve_refusals`.

use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::ids::BodyHash;
use doorbuster_core::limits::{BATCH_LINES_MAX, BATCH_REQUESTS_MAX};
use doorbuster_core::record::{Reason, Record, Status};

use crate::harness::{EPOCH, HOUR_MS, Scene, sku};

pub(crate) fn held(seq: u64, now_ms: u64) -> Reserved {
    Reserved::Held {
        seq,
        deadline_ms: now_ms + HOUR_MS,
    }
}

/// Reserves, and expects that outcome and no change.
pub(crate) async fn refused(scene: &Scene, ask: &Reserve, expected: Reserved) {
    let before = scene.state().await;
    assert_eq!(scene.reserve_one(ask).await, expected);
    assert_eq!(scene.state().await, before);
}

async fn repeat_of(scene: &Scene, ask: &Reserve, status: Status) {
    let record = Record::parse(&scene.record(ask.id).await).unwrap();
    assert_eq!(
        (record.status, &record.user, &record.lines, record.body),
        (status, &ask.user, &ask.lines, ask.body)
    );
    refused(scene, ask, Reserved::Repeat(Box::new(record))).await;
}

#[tokio::test]
async fn held_takes_every_unit_of_every_line() {
    let scene = Scene::selling(&[("tee", 5, 3), ("cap", 4, 0)]).await;
    let ask = scene.ask("ann", "k", &[("tee", 3), ("cap", 1)]);
    let mut expected = scene.state().await;
    let decided = scene.reserve(&[&ask]).await;
    assert_eq!(
        (decided.seq, &decided.outcomes),
        (2, &vec![held(2, decided.now_ms)])
    );
    let mut lefts = decided.lefts;
    lefts.sort();
    assert_eq!(lefts, [(sku("cap"), 3), (sku("tee"), 2)]);
    expected.held(decided.now_ms, &[&ask]);
    let after = scene.state().await;
    assert_eq!(after, expected);
    assert_eq!(
        ["tee/left", "tee/held", "tee/sold", "cap/left", "cap/held"]
            .map(|field| after.units(field)),
        [2, 3, 0, 3, 1]
    );
    assert_eq!(
        (&after.users["ann/tee"], &after.users["ann/cap"]),
        (&"3".to_string(), &"1".to_string())
    );
}

#[tokio::test]
async fn held_in_one_entry_for_a_whole_batch() {
    let scene = Scene::selling(&[("tee", 9, 0)]).await;
    let asks = ["a", "b", "c"].map(|user| scene.ask(user, "k", &[("tee", 2)]));
    let asks: Vec<&Reserve> = asks.iter().collect();
    let mut expected = scene.state().await;
    let decided = scene.reserve(&asks).await;
    assert_eq!(
        decided.outcomes,
        [2, 3, 4].map(|seq| held(seq, decided.now_ms))
    );
    expected.held(decided.now_ms, &asks);
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn held_in_the_largest_batch_that_the_gate_sends() {
    let skus: Vec<(String, u32, u32)> = (0..64)
        .map(|i| (format!("sku-{i}"), 1_000_000_000, 1_000))
        .collect();
    let skus: Vec<(&str, u32, u32)> = skus
        .iter()
        .map(|(name, stock, limit)| (name.as_str(), *stock, *limit))
        .collect();
    let scene = Scene::selling(&skus).await;
    let lines_each = BATCH_LINES_MAX / BATCH_REQUESTS_MAX;
    let asks: Vec<Reserve> = (0..BATCH_REQUESTS_MAX)
        .map(|i| {
            let lines: Vec<(&str, u32)> = (0..lines_each)
                .map(|line| (skus[(i + 16 * line) % 64].0, 1))
                .collect();
            scene.ask(&format!("u-{i}"), "k", &lines)
        })
        .collect();
    let asks: Vec<&Reserve> = asks.iter().collect();
    let mut expected = scene.state().await;
    let decided = scene.reserve(&asks).await;
    expected.held(decided.now_ms, &asks);
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn repeat_shows_the_reservation_in_its_present_state() {
    let scene = Scene::selling(&[("tee", 2, 0)]).await;
    let ask = scene.ask("ann", "k", &[("tee", 2)]);
    scene.reserve_one(&ask).await;
    repeat_of(&scene, &ask, Status::Held).await;
    scene
        .gate
        .switch(&scene.live, EPOCH, Verb::Pause)
        .await
        .unwrap();
    repeat_of(&scene, &ask, Status::Held).await;
    scene
        .gate
        .cancel(&scene.live, EPOCH, ask.id, &ask.user)
        .await
        .unwrap();
    let cancelled = Status::Released(Reason::Cancelled);
    scene
        .gate
        .switch(&scene.live, EPOCH, Verb::Close)
        .await
        .unwrap();
    repeat_of(&scene, &ask, cancelled).await;
}

#[tokio::test]
async fn repeat_of_a_key_within_one_batch_takes_once() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let ask = scene.ask("ann", "k", &[("tee", 2)]);
    let mut expected = scene.state().await;
    let decided = scene.reserve(&[&ask, &ask]).await;
    assert_eq!(decided.outcomes[0], held(2, decided.now_ms));
    let record = Record::parse(&scene.record(ask.id).await).unwrap();
    assert_eq!(decided.outcomes[1], Reserved::Repeat(Box::new(record)));
    expected.held(decided.now_ms, &[&ask]);
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn mismatch_where_the_key_was_used_for_another_body() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let ask = scene.ask("ann", "k", &[("tee", 1)]);
    scene.reserve_one(&ask).await;
    refused(
        &scene,
        &scene.ask("ann", "k", &[("tee", 2)]),
        Reserved::Mismatch,
    )
    .await;
    refused(
        &scene,
        &Reserve {
            body: BodyHash::from_bytes([0; 16]),
            ..ask
        },
        Reserved::Mismatch,
    )
    .await;
    let (first, second) = (
        scene.ask("bob", "k", &[("tee", 1)]),
        scene.ask("bob", "k", &[("tee", 2)]),
    );
    assert_eq!(
        scene.reserve(&[&first, &second]).await.outcomes[1],
        Reserved::Mismatch,
        "in one batch"
    );
}

#[tokio::test]
async fn a_refusal_is_not_stored_so_the_same_key_may_ask_again() {
    let scene = Scene::selling(&[("tee", 1, 0)]).await;
    let (ann, bob) = (
        scene.ask("ann", "k", &[("tee", 1)]),
        scene.ask("bob", "k", &[("tee", 1)]),
    );
    scene.reserve_one(&ann).await;
    refused(
        &scene,
        &bob,
        Reserved::SoldOut {
            sku: sku("tee"),
            left: 0,
        },
    )
    .await;
    scene
        .gate
        .cancel(&scene.live, EPOCH, ann.id, &ann.user)
        .await
        .unwrap();
    assert!(matches!(
        scene.reserve_one(&bob).await,
        Reserved::Held { .. }
    ));
}
