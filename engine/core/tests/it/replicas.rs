//! Where answers count only once a replica has them: a replica that stands still confirms nothing, whoever asks, and nothing
//! is undone or done twice for it.

use std::time::Duration;

use doorbuster_core::clock;
use doorbuster_core::gate::find::Found;
use doorbuster_core::gate::replicas::ReplicaHas;
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::gate::{Gate, GateError};
use doorbuster_core::limits::{REPLICA_WAIT, SCRIPT_TIMEOUT};
use doorbuster_stage::{Stage, StageOptions};
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::{Builder, Value, config::Config};

use crate::harness::{EPOCH, Scene, random_sale};

/// A sale on a server with a replica, and a gate that waits for it.
async fn with_a_replica() -> (Stage, Scene) {
    let stage = Stage::start(&StageOptions::redis_only().ack_level("replica")).unwrap();
    let mut scene = Scene::unopened(stage.redis_url(), random_sale()).await;
    scene.open(&[("tee", 99, 0)]).await;
    scene.vouch().await;
    scene.gate = Gate::connect_waiting_for_replicas(stage.redis_url())
        .await
        .unwrap();
    let confirmed = async { while !scene.gate.replica_confirms().await.unwrap() {} };
    let bound = Duration::from_secs(20);
    tokio::time::timeout(bound, confirmed).await.unwrap();
    (stage, scene)
}

fn unreplicated<T: std::fmt::Debug>(result: Result<T, GateError>) {
    match result {
        Err(GateError::Unreplicated { .. }) => {}
        other => panic!("{other:?}"),
    }
}

fn asks(scene: &Scene, users: std::ops::Range<u32>) -> Vec<Reserve> {
    let ask = |n| scene.ask(&format!("u{n}"), "k", &[("tee", 1)]);
    users.map(ask).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_confirmed_is_in_the_replica() {
    let (stage, scene) = with_a_replica().await;
    assert_eq!(scene.gate.replica_has(), Some(ReplicaHas::Received));
    let config = Config::from_url(stage.replica().url()).unwrap();
    let replica = Builder::from_config(config).build().unwrap();
    replica.init().await.unwrap();
    for ask in asks(&scene, 0..20) {
        // A server that has forgotten the scripts is sent them whole, and confirms as well.
        scene.raw("SCRIPT", vec!["FLUSH"]).await.unwrap();
        let held = scene.reserve_one(&ask).await;
        assert!(matches!(held, Reserved::Held { .. }), "{held:?}");
        let dump: Value = replica.dump(scene.key("records")).await.unwrap();
        assert!(!dump.is_null());
        let there = doorbuster_core::gate::Gate::connect(stage.replica().url()).await;
        let found = there.unwrap().scan_records(&scene.live, 0, 1_000).await;
        let (_, records) = found.unwrap();
        assert!(records.iter().any(|(id, _)| *id == ask.id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stands_still_confirms_nothing_and_nothing_is_done_twice() {
    let (stage, scene) = with_a_replica().await;
    let known = scene.ask("known", "k", &[("tee", 1)]);
    scene.reserve_one(&known).await;
    stage.replica().freeze().unwrap();

    let began = clock::instant();
    let crowd = asks(&scene, 0..8);
    unreplicated(scene.try_reserve(&[&crowd[0]]).await);
    assert!((REPLICA_WAIT..SCRIPT_TIMEOUT).contains(&began.elapsed()));
    // A connection that wrote nothing, or nothing since, is told at once that replicas have all of it.
    let elsewhere = scene.raw("WAIT", vec!["1", "50"]).await.unwrap();
    assert_eq!(elsewhere, Value::Integer(1));
    for ask in &crowd {
        unreplicated(scene.try_reserve(&[ask]).await);
    }
    let (gate, live) = (&scene.gate, &scene.live);
    unreplicated(scene.try_reserve(&[&known]).await);
    unreplicated(gate.find(live, EPOCH, crowd[0].id).await);
    unreplicated(gate.cancel(live, EPOCH, crowd[7].id, &crowd[7].user).await);
    assert!(!gate.replica_confirms().await.unwrap());
    assert_eq!(scene.state().await.units("tee/left"), 99 - 1 - 7);

    stage.replica().thaw().unwrap();
    let found = gate.find(live, EPOCH, crowd[0].id).await.unwrap();
    assert!(matches!(found, Found::Found { .. }), "{found:?}");
    for (seq, ask) in (3..).zip(&crowd) {
        match scene.reserve_one(ask).await {
            Reserved::Repeat(record) => assert_eq!(record.seq, seq),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(scene.state().await.units("tee/left"), 99 - 1 - 7);
}
