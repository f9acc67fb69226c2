//! `switch`: pause, resume, close; what is closed stays closed.

use doorbuster_core::clock;
use doorbuster_core::gate;
use doorbuster_core::gate::switch::{Switched, Verb};

use crate::harness::{EPOCH, Scene};

async fn switch(scene: &Scene, verb: Verb) -> Switched {
    scene.gate.switch(&scene.live, EPOCH, verb).await.unwrap()
}

#[tokio::test]
async fn switched_sets_the_state_and_writes_one_event() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let steps = [
        (Verb::Pause, "paused", "P"),
        (Verb::Resume, "open", "R"),
        (Verb::Pause, "paused", "P"),
        (Verb::Close, "closed", "C"),
    ];
    for ((verb, state, letter), seq) in steps.into_iter().zip(2..) {
        let mut expected = scene.state().await;
        assert_eq!(switch(&scene, verb).await, Switched::Switched { seq });
        let after = scene.state().await;
        expected.state_entry(&after, letter, "");
        expected.sale.insert("state".into(), state.into());
        assert_eq!(after, expected);
    }
}

#[tokio::test]
async fn already_in_that_state_writes_nothing() {
    for (verb, state) in [
        (Verb::Resume, "open"),
        (Verb::Pause, "paused"),
        (Verb::Close, "closed"),
    ] {
        let scene = Scene::selling(&[("tee", 5, 0)]).await;
        scene.set("sale", "state", state).await;
        let before = scene.state().await;
        assert_eq!(switch(&scene, verb).await, Switched::Already);
        assert_eq!(scene.state().await, before);
    }
}

#[tokio::test]
async fn closed_for_good() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    switch(&scene, Verb::Close).await;
    let before = scene.state().await;
    for verb in [Verb::Pause, Verb::Resume] {
        assert_eq!(switch(&scene, verb).await, Switched::Closed);
    }
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn an_unknown_verb_is_a_callers_mistake() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let before = scene.state().await;
    let now = clock::now_ms().to_string();
    let refused = scene
        .call(
            &gate::switch::SCRIPT,
            &[b"7", b"1", now.as_bytes(), b"stop"],
        )
        .await
        .unwrap_err();
    assert!(refused.details().starts_with("BADARG verb"), "{refused}");
    assert_eq!(scene.state().await, before);
}
