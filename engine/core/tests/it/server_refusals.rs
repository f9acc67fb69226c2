//! What Redis itself refuses before it runs a script, and how the gate says so: as known, for nothing was decided.

use doorbuster_core::gate::GateError;
use doorbuster_core::gate::adjust::{Adjust, Adjusted};
use doorbuster_core::gate::begin_payment::BegunPayment;
use doorbuster_core::gate::cancel::Cancelled;
use doorbuster_core::gate::find::Found;
use doorbuster_core::gate::release::Released;
use doorbuster_core::gate::reserve::Reserved;
use doorbuster_core::gate::restock::Returned;
use doorbuster_core::gate::settle::Settled;
use doorbuster_core::gate::snapshot::Snapped;
use doorbuster_core::gate::sweep::{Sweep, Swept};
use doorbuster_core::gate::switch::{Switched, Verb};
use doorbuster_core::gate::trim::Trimmed;
use doorbuster_core::ids::IdempotencyKey;
use doorbuster_core::journal::StreamId;
use doorbuster_stage::{Stage, StageOptions};

use crate::harness::{EPOCH, Scene, random_sale, sku, user};
use crate::paying;

/// A sale on a server of its own, with one hold of ann's and one of bob's that is overdue.
async fn on_its_own_server() -> (Stage, Scene) {
    let stage = Stage::start(&StageOptions::redis_only().ack_level("memory")).unwrap();
    let scene = Scene::unopened(stage.redis_url(), random_sale()).await;
    scene.open(&[("tee", 5, 0)]).await;
    scene.vouch().await;
    scene.set("sale", "hold_ms", "0").await;
    for user in ["bob", "ann"] {
        let held = scene
            .reserve_one(&scene.ask(user, "k", &[("tee", 1)]))
            .await;
        assert!(matches!(held, Reserved::Held { .. }));
    }
    scene
        .set_deadline(scene.id("ann", "k"), u64::from(u32::MAX) * 1_000)
        .await;
    (stage, scene)
}

fn refused<T: std::fmt::Debug>(result: Result<T, GateError>, code: &str) {
    match result {
        Err(GateError::Refused { detail, .. }) => assert!(detail.starts_with(code), "{detail}"),
        other => panic!("{other:?}"),
    }
}

async fn add_one(scene: &Scene) -> Result<Adjusted, GateError> {
    let (key, sku) = (IdempotencyKey::parse("more").unwrap(), sku("tee"));
    let adjust = Adjust {
        key: &key,
        sku: &sku,
        by: 1,
    };
    scene.gate.adjust(&scene.live, EPOCH, &adjust).await
}

/// Everything that reads, gives units back or frees memory.
async fn give_back(scene: &Scene) {
    let (gate, live, id) = (&scene.gate, &scene.live, scene.id("ann", "k"));
    let found = gate.find(live, EPOCH, id).await.unwrap();
    assert!(matches!(found, Found::Found { .. }));
    let snapped = gate.snapshot(live).await.unwrap();
    assert!(matches!(snapped, Snapped::Snapshot(_)));
    let swept = gate.sweep(live, EPOCH).await.unwrap();
    assert!(matches!(swept, Swept::Swept(Sweep { released: 1, .. })));
    let cancelled = gate.cancel(live, EPOCH, id, &user("ann")).await.unwrap();
    assert!(matches!(cancelled, Cancelled::Cancelled { .. }));
    let switched = gate.switch(live, EPOCH, Verb::Pause).await.unwrap();
    assert!(matches!(switched, Switched::Switched { .. }));
    let entries = gate.journal(live, &StreamId::start(), 99).await.unwrap();
    let last = entries.last().unwrap();
    let trimmed = gate
        .trim(live, EPOCH, &last.id, last.last_seq())
        .await
        .unwrap();
    assert!(matches!(trimmed, Trimmed::Trimmed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_memory_full_nothing_is_sold_and_all_that_gives_back_goes_on() {
    let (_stage, scene) = on_its_own_server().await;
    let dan = scene.ask("dan", "k", &[("tee", 1)]);
    scene.set("sale", "hold_ms", "60000").await;
    scene.reserve_one(&dan).await;
    paying::begin(&scene, &dan).await;
    let eve = scene.ask("eve", "k", &[("tee", 1)]);
    scene.reserve_one(&eve).await;
    let set_memory = |bytes| scene.raw("CONFIG", vec!["SET", "maxmemory", bytes]);
    set_memory("1").await.unwrap();
    let before = scene.state().await;
    let cat = scene.ask("cat", "k", &[("tee", 1)]);
    refused(scene.try_reserve(&[&cat]).await, "OOM");
    refused(add_one(&scene).await, "OOM");
    let (gate, live, dan) = (&scene.gate, &scene.live, scene.id("dan", "k"));
    assert_eq!(scene.state().await, before);

    // Who holds may pay, what was paid for is sold, and what comes back is taken.
    let (eve, eves_id) = (user("eve"), scene.id("eve", "k"));
    let begun = gate.begin_payment(live, EPOCH, eves_id, &eve).await;
    assert!(
        matches!(begun, Ok(BegunPayment::Paying { .. })),
        "{begun:?}"
    );
    let released = gate.release(live, EPOCH, eves_id, &eve).await;
    assert!(
        matches!(released, Ok(Released::Released { .. })),
        "{released:?}"
    );
    let settled = gate.settle(live, EPOCH, dan, &user("dan"), true).await;
    assert!(matches!(settled, Ok(Settled::Paid { .. })), "{settled:?}");
    let lines = [(sku("tee"), 1)];
    let restocked = gate
        .restock(live, EPOCH, dan, &user("dan"), "k", &lines)
        .await;
    assert!(
        matches!(restocked, Ok(Returned::Done { .. })),
        "{restocked:?}"
    );
    give_back(&scene).await;
    assert_eq!(scene.state().await.units("tee/left"), 5);

    set_memory("0").await.unwrap();
    let adjusted = add_one(&scene).await.unwrap();
    assert!(
        matches!(adjusted, Adjusted::Adjusted { left: 6, .. }),
        "what was refused may be asked again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_unavailable_for_whatever_writes() {
    let (_stage, scene) = on_its_own_server().await;
    let before = scene.state().await;
    scene
        .raw("REPLICAOF", vec!["127.0.0.1", "1"])
        .await
        .unwrap();
    let refused = scene
        .try_reserve(&[&scene.ask("cat", "k", &[("tee", 1)])])
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, GateError::Unavailable(why) if why.contains("READONLY")),
        "{refused:?}"
    );
    assert_eq!(scene.state().await, before);
    scene.raw("REPLICAOF", vec!["NO", "ONE"]).await.unwrap();
    assert!(matches!(
        scene
            .reserve_one(&scene.ask("cat", "k", &[("tee", 1)]))
            .await,
        Reserved::Held { .. }
    ));
}

#[tokio::test]
async fn a_callers_mistake_is_refused_by_the_script() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    refused(scene.try_reserve(&[]).await, "BADARG");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_a_server_hides_are_none() {
    let (_stage, scene) = on_its_own_server().await;
    assert_eq!(
        scene
            .gate
            .server_settings()
            .await
            .unwrap()
            .appendonly
            .as_deref(),
        Some("yes")
    );
    scene
        .raw("ACL", vec!["SETUSER", "default", "-config"])
        .await
        .unwrap();
    let settings = scene.gate.server_settings().await.unwrap();
    assert_eq!(
        (settings.appendonly, settings.maxmemory_policy),
        (None, None)
    );
    assert!(!settings.run_id.is_empty());
}
