//! What a gate remembers of what it caused is, event by event, what the scripts wrote into the journal.

use doorbuster_core::gate::adjust::Adjust;
use doorbuster_core::ids::IdempotencyKey;
use doorbuster_core::journal::{Entry, RawEvent, StreamId};

use crate::harness::{EPOCH, Scene, sku};
use crate::paying::{begin, release, settle};

fn events(entries: &[Entry]) -> Vec<(u32, u64, &RawEvent)> {
    let all = entries.iter().flat_map(|entry| {
        let of_entry = entry.events.iter();
        of_entry.map(move |event| (entry.epoch, entry.at_ms, event))
    });
    all.collect()
}

#[tokio::test]
async fn holds_ends_and_sweeps_are_remembered_as_the_journal_has_them() {
    let scene = Scene::selling(&[("tee", 50, 2), ("cap", 5, 0)]).await;
    scene.gate.remember_unflushed();
    let ann = scene.ask("ann", "k", &[("cap", 1), ("tee", 2)]);
    let (bob, cat) = (
        scene.ask("bob", "k", &[("tee", 1)]),
        scene.ask("cat", "k", &[("tee", 1)]),
    );
    let limited = scene.ask("ann", "other", &[("tee", 1)]);
    scene.reserve(&[&ann, &limited, &bob, &ann, &cat]).await;
    let key = IdempotencyKey::parse("key").unwrap();
    let adjust = Adjust {
        key: &key,
        sku: &sku("tee"),
        by: 1,
    };
    scene
        .gate
        .adjust(&scene.live, EPOCH, &adjust)
        .await
        .unwrap();
    for _ in 0..2 {
        let cancelled = scene
            .gate
            .cancel(&scene.live, EPOCH, ann.id, &ann.user)
            .await;
        cancelled.unwrap();
    }
    let now_ms = scene.stop_time().await;
    scene.set_deadline(bob.id, now_ms - 2).await;
    scene.set_deadline(cat.id, now_ms - 1).await;
    scene
        .gate
        .cancel(&scene.live, EPOCH, cat.id, &cat.user)
        .await
        .unwrap();
    scene.gate.sweep(&scene.live, EPOCH).await.unwrap();

    let journal = scene
        .gate
        .journal(&scene.live, &StreamId::start(), 99)
        .await
        .unwrap();
    let remembered = scene.gate.settled_unflushed(&scene.live).await;
    // Opening, which a back-office asks for before anybody remembers, and the adjustment, which is no engine's doing.
    let caused: Vec<_> = events(&journal)
        .into_iter()
        .filter(|(_, _, event)| event.field.len() == 16)
        .collect();
    assert_eq!(caused.len(), 6);
    assert_eq!(events(&remembered), caused);
    assert_eq!(scene.gate.unflushed_size().events, 6);

    scene
        .gate
        .forget_flushed(&scene.live, EPOCH, journal.last().unwrap().last_seq());
    assert!(scene.gate.settled_unflushed(&scene.live).await.is_empty());
}

#[tokio::test]
async fn payments_and_returns_are_remembered_as_the_journal_has_them() {
    let scene = Scene::selling(&[("tee", 50, 0), ("cap", 5, 0)]).await;
    scene.gate.remember_unflushed();
    let ann = scene.ask("ann", "k", &[("cap", 1), ("tee", 2)]);
    let bob = scene.ask("bob", "k", &[("tee", 1)]);
    scene.reserve(&[&ann, &bob]).await;
    for _ in 0..2 {
        begin(&scene, &ann).await;
        settle(&scene, &ann, true).await;
        release(&scene, &bob).await;
        settle(&scene, &bob, true).await;
    }
    let (gate, live) = (&scene.gate, &scene.live);
    for lines in [vec![(sku("tee"), 2)], vec![(sku("cap"), 1)]] {
        let restocked = gate.restock(live, EPOCH, ann.id, &ann.user, lines[0].0.as_str(), &lines);
        restocked.await.unwrap();
    }
    let lines = [(sku("tee"), 1)];
    let written_off = gate.write_off(live, EPOCH, bob.id, &bob.user, "k", &lines);
    written_off.await.unwrap();
    let journal = gate.journal(live, &StreamId::start(), 99).await.unwrap();
    let remembered = gate.settled_unflushed(live).await;
    assert_eq!(events(&remembered), events(&journal)[1..]);
    assert_eq!(events(&remembered).len(), 12);
}

#[tokio::test]
async fn claims_are_remembered_as_the_journal_has_them() {
    let scene = Scene::coupon(2, 1).await;
    scene.gate.remember_unflushed();
    let asks = ["ann", "ann", "bob", "cat"].map(|user| scene.ask_claim(user, user));
    scene.claim(&asks.iter().collect::<Vec<_>>()).await;
    let journal = scene
        .gate
        .journal(&scene.live, &StreamId::start(), 99)
        .await
        .unwrap();
    let remembered = scene.gate.settled_unflushed(&scene.live).await;
    assert_eq!(events(&remembered), events(&journal)[1..]);
}

#[tokio::test]
async fn a_gate_remembers_nothing_unless_it_is_told_to() {
    let scene = Scene::selling(&[("tee", 50, 2)]).await;
    scene
        .reserve(&[&scene.ask("ann", "k", &[("tee", 1)])])
        .await;
    assert!(scene.gate.settled_unflushed(&scene.live).await.is_empty());
}
