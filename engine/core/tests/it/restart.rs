//! A Redis that is killed and comes back sells nothing until a writer has vouched for it, and then goes on where it was.

use std::time::Duration;

use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::gate::{Fenced, GateError};
use doorbuster_stage::{Stage, StageOptions};

use crate::harness::{Scene, random_sale};

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_refuses_until_it_is_vouched_for() {
    let stage = Stage::start(&StageOptions::redis_only()).unwrap();
    let scene = Scene::unopened(stage.redis_url(), random_sale()).await;
    scene.open(&[("tee", 5, 0)]).await;
    scene.vouch().await;
    let (ann, bob) = (
        scene.ask("ann", "k", &[("tee", 1)]),
        scene.ask("bob", "k", &[("tee", 1)]),
    );
    assert!(matches!(
        scene.reserve_one(&ann).await,
        Reserved::Held { .. }
    ));

    stage.redis().kill9().unwrap();
    let lost = scene.try_reserve(&[&bob]).await.unwrap_err();
    assert!(
        matches!(lost, GateError::Unknown | GateError::Unavailable(_)),
        "{lost:?}"
    );
    stage.redis().restart().unwrap();

    let before = eventually_answers(&scene, &bob).await;
    assert_eq!(before, Fenced::Recovering("run_id".into()));
    let state = scene.state().await;
    assert_eq!(
        (
            state.units("tee/held"),
            state.records.len(),
            state.number("seq")
        ),
        (1, 1, 2),
        "what was acknowledged is there"
    );

    scene.vouch().await;
    assert!(matches!(scene.reserve_one(&ann).await, Reserved::Repeat(_)));
    assert!(matches!(
        scene.reserve_one(&bob).await,
        Reserved::Held { seq: 3, .. }
    ));
}

/// Asks until the gate has found the server again, and expects a refusal.
async fn eventually_answers(scene: &Scene, ask: &Reserve) -> Fenced {
    let answer = async {
        loop {
            match scene.try_reserve(&[ask]).await {
                Ok(Batch::Fenced(fenced)) => return fenced,
                Ok(Batch::Decided(decided)) => panic!("sold without a vouch: {decided:?}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), answer)
        .await
        .expect("the gate connects again")
}
