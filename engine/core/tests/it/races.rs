//! Many at once, through one gate: never a unit too many, never one given back twice, also while Redis forgets its scripts.

use std::sync::Arc;

use doorbuster_core::gate::cancel::Cancelled;
use doorbuster_core::gate::reserve::Reserved;
use doorbuster_core::gate::sweep::{Sweep, Swept};
use doorbuster_core::record::{Reason, Status};
use tokio::task::JoinSet;

use crate::harness::{EPOCH, Scene};

const BUYERS: usize = 200;
const UNITS: u32 = 50;

/// Every buyer asks for one unit, all at once; how many got one.
async fn rush(scene: &Arc<Scene>) -> usize {
    let mut buyers = JoinSet::new();
    for i in 0..BUYERS {
        let scene = Arc::clone(scene);
        buyers.spawn(async move {
            let outcome = scene
                .reserve_one(&scene.ask(&format!("u-{i}"), "k", &[("tee", 1)]))
                .await;
            assert!(
                matches!(outcome, Reserved::Held { .. } | Reserved::SoldOut { .. }),
                "{outcome:?}"
            );
            usize::from(matches!(outcome, Reserved::Held { .. }))
        });
    }
    buyers.join_all().await.into_iter().sum()
}

async fn assert_sold_out(scene: &Scene) {
    let state = scene.state().await;
    assert_eq!(
        ["tee/left", "tee/held"].map(|field| state.units(field)),
        [0, u64::from(UNITS)]
    );
    assert_eq!(
        (state.records.len(), state.order.len(), state.users.len()),
        (50, 50, 50)
    );
    assert_eq!((state.journal.len(), state.number("seq")), (51, 51));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_buyers_for_fifty_units_are_fifty_holds() {
    let scene = Arc::new(Scene::selling(&[("tee", UNITS, 1)]).await);
    assert_eq!(rush(&scene).await, UNITS as usize);
    assert_sold_out(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_forgetting_its_scripts_sells_all_the_same() {
    let scene = Arc::new(Scene::selling(&[("tee", UNITS, 1)]).await);
    let forgetful = Arc::clone(&scene);
    let flushing = tokio::spawn(async move {
        loop {
            forgetful
                .raw("SCRIPT", vec!["FLUSH", "SYNC"])
                .await
                .unwrap();
        }
    });
    let held = rush(&scene).await;
    flushing.abort();
    assert_eq!(held, UNITS as usize);
    assert_sold_out(&scene).await;
}

#[tokio::test]
async fn a_script_that_redis_forgot_is_sent_again() {
    let scene = Scene::selling(&[("tee", 2, 0)]).await;
    for key in ["k1", "k2"] {
        scene.raw("SCRIPT", vec!["FLUSH", "SYNC"]).await.unwrap();
        assert!(matches!(
            scene
                .reserve_one(&scene.ask("ann", key, &[("tee", 1)]))
                .await,
            Reserved::Held { .. }
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_a_hundred_times_at_once_is_one_hold() {
    let scene = Arc::new(Scene::selling(&[("tee", UNITS, 0)]).await);
    let mut askers = JoinSet::new();
    for _ in 0..100 {
        let scene = Arc::clone(&scene);
        askers.spawn(async move {
            scene
                .reserve_one(&scene.ask("ann", "k", &[("tee", 2)]))
                .await
        });
    }
    let outcomes = askers.join_all().await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Reserved::Held { .. }))
            .count(),
        1
    );
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Reserved::Repeat(_)))
            .count(),
        99
    );
    assert_eq!(scene.state().await.units("tee/held"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_cancelled_and_swept_at_once_is_given_back_once() {
    let scene = Scene::selling(&[("tee", 1, 0)]).await;
    scene.set("sale", "hold_ms", "0").await;
    let (mut by_cancel, mut by_sweep) = (0, 0);
    for round in 0..200 {
        let ask = scene.ask(
            &format!("u-{}", round / 10),
            &format!("k-{round}"),
            &[("tee", 1)],
        );
        assert!(
            matches!(scene.reserve_one(&ask).await, Reserved::Held { .. }),
            "round {round}"
        );
        let (cancelled, swept) = tokio::join!(
            async {
                scene
                    .gate
                    .cancel(&scene.live, EPOCH, ask.id, &ask.user)
                    .await
                    .unwrap()
            },
            async { scene.gate.sweep(&scene.live, EPOCH).await.unwrap() },
        );
        let Cancelled::Ended { record, .. } = cancelled else {
            panic!("round {round}: {cancelled:?}")
        };
        assert_eq!(record.status, Status::Released(Reason::Expired));
        let Swept::Swept(Sweep { released, .. }) = swept else {
            panic!("round {round}: {swept:?}")
        };
        by_sweep += released;
        by_cancel += 1 - released;
        let state = scene.state().await;
        assert_eq!(
            ["tee/left", "tee/held"].map(|field| state.units(field)),
            [1, 0],
            "round {round}"
        );
        assert_eq!(
            state.number("seq"),
            1 + 2 * (round + 1),
            "one hold, one end"
        );
    }
    assert_eq!(by_cancel + by_sweep, 200);
}
