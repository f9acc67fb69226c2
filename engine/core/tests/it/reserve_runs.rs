//! `reserve` of requests that ask for the same, which the gate sends as runs, with others between them: what becomes of
//! each is what would become of it alone.

use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::ids::BodyHash;
use doorbuster_core::record::Record;

use crate::harness::{Scene, sku};
use crate::reserve::held;
use crate::state::State;

/// Two sales alike, and the time that it stays in both.
async fn twins(skus: &[(&str, u32, u32)]) -> (Scene, Scene, u64) {
    let (one, other) = (Scene::selling(skus).await, Scene::selling(skus).await);
    let now_ms = other.stop_time().await;
    one.set("sale", "last_now_ms", now_ms.to_string()).await;
    (one, other, now_ms)
}

/// All that two such sales may have in common: not when they were opened, nor in how many entries their events are.
fn comparable(state: State) -> State {
    let entries = state.journal.iter();
    let events = entries.flat_map(|entry| entry[5..].to_vec()).collect();
    let mut sale = state.sale;
    sale.retain(|field, _| !["opens_ms", "closes_ms"].contains(&field.as_str()));
    State {
        sale,
        journal: vec![events],
        ..state
    }
}

fn with_body(ask: &Reserve, byte: u8) -> Reserve {
    Reserve {
        body: BodyHash::from_bytes([byte; 16]),
        ..ask.clone()
    }
}

#[tokio::test]
async fn runs_leave_what_their_requests_leave_one_by_one() {
    let (together, alone, now_ms) = twins(&[("tee", 9, 2), ("cap", 2, 0)]).await;
    let few: &[(&str, u32)] = &[("tee", 1)];
    let more: &[(&str, u32)] = &[("cap", 2), ("tee", 1)];
    let asks = [
        ("ann", "a", few),
        ("ann", "b", few),
        ("ann", "c", few),
        ("bob", "a", few),
        ("cat", "a", more),
        ("dan", "a", more),
        ("dan", "b", few),
        ("cat", "b", few),
        ("cat", "c", few),
    ]
    .map(|(user, key, lines)| together.ask(user, key, lines));
    let asks: Vec<&Reserve> = asks.iter().collect();
    let mut expected = together.state().await;
    let mut decided = together.reserve(&asks).await;
    let (taken, limit, sold_out) = (
        |seq| held(seq, now_ms),
        Reserved::LimitReached {
            sku: sku("tee"),
            limit: 2,
        },
        Reserved::SoldOut {
            sku: sku("cap"),
            left: 0,
        },
    );
    assert_eq!(
        decided.outcomes,
        [
            taken(2),
            taken(3),
            limit.clone(),
            taken(4),
            taken(5),
            sold_out,
            taken(6),
            taken(7),
            limit
        ]
    );
    decided.lefts.sort();
    assert_eq!(decided.lefts, [(sku("cap"), 0), (sku("tee"), 3)]);
    expected.held(now_ms, &[0, 1, 3, 4, 6, 7].map(|i| asks[i]));
    let after = together.state().await;
    assert_eq!(after, expected);

    let mut outcomes = Vec::new();
    for ask in asks {
        outcomes.push(alone.reserve_one(ask).await);
    }
    assert_eq!(decided.outcomes, outcomes);
    assert_eq!(comparable(after), comparable(alone.state().await));
}

#[tokio::test]
async fn the_same_lines_with_another_body_are_another_wish() {
    let scene = Scene::selling(&[("tee", 9, 0)]).await;
    let ask = |user| scene.ask(user, "k", &[("tee", 1)]);
    // Bodies of the bytes that stand between lines, and before a body.
    let asks = [
        ask("ann"),
        with_body(&ask("bob"), b'|'),
        with_body(&ask("cat"), b'|'),
        with_body(&ask("dan"), b','),
        ask("eve"),
    ];
    let asks: Vec<&Reserve> = asks.iter().collect();
    let mut expected = scene.state().await;
    let decided = scene.reserve(&asks).await;
    assert_eq!(
        decided.outcomes,
        [2, 3, 4, 5, 6].map(|seq| held(seq, decided.now_ms))
    );
    expected.held(decided.now_ms, &asks);
    assert_eq!(scene.state().await, expected);
    let again = scene.reserve(&asks).await.outcomes;
    for (ask, outcome) in asks.iter().zip(again) {
        let Reserved::Repeat(record) = &outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!((record.body, &record.user), (ask.body, &ask.user));
    }
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn a_key_with_another_body_is_a_mismatch_in_the_batch_that_holds_it() {
    let scene = Scene::selling(&[("tee", 9, 0)]).await;
    let (ann, bob) = (
        scene.ask("ann", "k", &[("tee", 1)]),
        scene.ask("bob", "k", &[("tee", 1)]),
    );
    let (other_ann, other_bob) = (with_body(&ann, 0), with_body(&bob, 0));
    let mut expected = scene.state().await;
    let decided = scene
        .reserve(&[&ann, &other_ann, &other_bob, &bob, &ann])
        .await;
    let record = Record::parse(&scene.record(ann.id).await).unwrap();
    assert_eq!(
        decided.outcomes,
        [
            held(2, decided.now_ms),
            Reserved::Mismatch,
            held(3, decided.now_ms),
            Reserved::Mismatch,
            Reserved::Repeat(Box::new(record))
        ]
    );
    expected.held(decided.now_ms, &[&ann, &other_bob]);
    assert_eq!(scene.state().await, expected);
}
