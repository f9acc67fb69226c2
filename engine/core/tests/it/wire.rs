//! What the client library does when the wire fails, behind a hop that loses bytes: no script is sent twice, no buyer gets
//! another's outcome, no wait is unbounded, and the gate comes back.
//!
//! Each guard was taken out once to see its test fail; the test says how it did.

use std::collections::HashMap;
use std::time::Duration;

use doorbuster_core::clock;
use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::gate::{Gate, GateError};
use doorbuster_core::limits::{
    CALLS_IN_FLIGHT_MAX, REDIS_CONNECTIONS, REDIS_UNRESPONSIVE, SCRIPT_TIMEOUT,
};
use doorbuster_stage::{Hop, Passing, Stage, StageOptions};
use tokio::task::JoinSet;

use crate::harness::{EPOCH, Scene, random_sale};

/// A sale on a server of its own; the scene's gate reaches it through the hop.
async fn behind_a_hop() -> (Stage, Hop, Scene) {
    let stage = Stage::start(&StageOptions::redis_only().ack_level("memory")).unwrap();
    let hop = Hop::to(stage.redis().port()).unwrap();
    let mut scene = Scene::unopened(stage.redis_url(), random_sale()).await;
    scene.open(&[("tee", 100_000, 0)]).await;
    scene.vouch().await;
    let url = format!("redis://127.0.0.1:{}", hop.port());
    scene.gate = Gate::connect(&url).await.unwrap();
    let first = scene.ask("first", "k", &[("tee", 1)]);
    scene.reserve_one(&first).await;
    (stage, hop, scene)
}

async fn reserve(scene: &Scene, user: &str) -> Result<Reserved, GateError> {
    let ask = scene.ask(user, "k", &[("tee", 1)]);
    match scene.try_reserve(&[&ask]).await? {
        Batch::Decided(decided) => Ok(decided.outcomes[0].clone()),
        Batch::Fenced(fenced) => panic!("{fenced:?}"),
    }
}

/// Asks until a new buyer has something; how long that took.
async fn until_it_sells(scene: &Scene, bound: Duration) -> Duration {
    let began = clock::instant();
    let mut tries = 0;
    loop {
        tries += 1;
        let outcome = reserve(scene, &format!("again-{tries}")).await;
        if matches!(outcome, Ok(Reserved::Held { .. })) {
            return began.elapsed();
        }
        assert!(began.elapsed() < bound, "not within {bound:?}: {outcome:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_whose_reply_was_lost_with_its_connection_is_sent_once() {
    let (_stage, hop, scene) = behind_a_hop().await;
    let asks: Vec<Reserve> = (0..2 * REDIS_CONNECTIONS)
        .map(|n| scene.ask(&format!("u{n}"), "k", &[("tee", 1)]))
        .collect();
    hop.pass(Passing::RepliesLost);
    let mut calls = JoinSet::new();
    for ask in asks.clone() {
        let (gate, live) = (scene.gate.clone(), scene.live.clone());
        calls.spawn(async move { gate.reserve(&live, EPOCH, &[&ask]).await });
    }
    let all_arrived = async {
        while asks.iter().any(|ask| hop.seen(ask.id.as_bytes()) == 0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let bound = Duration::from_secs(10);
    tokio::time::timeout(bound, all_arrived).await.unwrap();
    hop.cut();
    // With fred's own setting of three attempts these are not unknown: they are sent again.
    for outcome in calls.join_all().await {
        assert!(matches!(outcome, Err(GateError::Unknown)), "{outcome:?}");
    }
    until_it_sells(&scene, Duration::from_secs(5)).await;
    for ask in &asks {
        assert_eq!(hop.seen(ask.id.as_bytes()), 1);
        let repeat = scene.reserve_one(ask).await;
        assert!(matches!(repeat, Reserved::Repeat(_)), "{repeat:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_gives_no_buyer_the_outcome_of_another() {
    let (_stage, hop, scene) = behind_a_hop().await;
    hop.pass(Passing::RepliesLost);
    let mut calls = JoinSet::new();
    for n in 0..REDIS_CONNECTIONS {
        let ask = scene.ask(&format!("lost{n}"), "k", &[("tee", 1)]);
        let (gate, live) = (scene.gate.clone(), scene.live.clone());
        calls.spawn(async move { gate.reserve(&live, EPOCH, &[&ask]).await });
    }
    for outcome in calls.join_all().await {
        assert!(matches!(outcome, Err(GateError::Unknown)), "{outcome:?}");
    }
    // Every connection now has one reply less than commands: what comes next belongs to the one before.
    hop.pass(Passing::Whole);
    let (mut told, mut mismatched, mut calls) = (HashMap::new(), 0, JoinSet::new());
    let began = clock::instant();
    for n in 0..2_000 {
        let ask = scene.ask(&format!("u{n}"), "k", &[("tee", 1)]);
        let (gate, live) = (scene.gate.clone(), scene.live.clone());
        calls.spawn(async move {
            let outcome = gate.reserve(&live, EPOCH, &[&ask]).await;
            (ask.id, outcome)
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (id, outcome) in calls.join_all().await {
        match outcome {
            Ok(Batch::Decided(decided)) => match decided.outcomes[..] {
                [Reserved::Held { seq, .. }] => drop(told.insert(id, seq)),
                ref other => panic!("{other:?}"),
            },
            Err(GateError::Mismatched { .. }) => mismatched += 1,
            Err(GateError::Unknown | GateError::Unavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    let took = began.elapsed();
    // Without the comparison of call numbers: 0.
    assert!(mismatched >= 1, "the test lost nothing");
    // Without giving up the connection: the reply of another call.
    let records = scene.gate.scan_records(&scene.live, 0, 100_000).await;
    for (id, record) in records.unwrap().1 {
        let record = doorbuster_core::record::Record::parse(&record).unwrap();
        if let Some(seq) = told.get(&id) {
            assert_eq!(record.seq, *seq);
        }
    }
    assert!(told.len() > 1_000, "{} in {took:?}", told.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wait_is_unbounded_and_a_connection_gone_silent_is_replaced() {
    let (_stage, hop, scene) = behind_a_hop().await;
    hop.pass(Passing::NothingArrives);
    let bound = SCRIPT_TIMEOUT + Duration::from_millis(500);
    let gate = &scene.gate;
    // Without the defaults for commands and scripts: never.
    let in_time = tokio::time::timeout(bound, async {
        let outcomes = tokio::join!(
            reserve(&scene, "ann"),
            async { gate.run_id().await.map(drop) },
            async {
                gate.backlogs(std::slice::from_ref(&scene.live))
                    .await
                    .map(drop)
            },
            async { gate.scan_records(&scene.live, 0, 10).await.map(drop) },
            async { gate.snapshot(&scene.live).await.map(drop) },
        );
        assert!(matches!(outcomes.0, Err(GateError::Unknown)));
        assert!(outcomes.1.is_err() && outcomes.2.is_err());
        assert!(outcomes.3.is_err() && outcomes.4.is_err());
    });
    in_time.await.expect("every call ends by itself");
    // New connections pass whole. Without the bound on silence: not within a minute.
    until_it_sells(&scene, REDIS_UNRESPONSIVE + Duration::from_secs(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_while_nobody_reads_and_then_a_cut_leave_the_gate_alive() {
    let (stage, hop, scene) = behind_a_hop().await;
    hop.pass(Passing::Stalled);
    // Each is some twenty kilobytes, so that sockets fill too.
    let asks: Vec<Reserve> = (0..256)
        .map(|n| scene.ask(&format!("u{n}-{}", "x".repeat(50)), "k", &[("tee", 1)]))
        .collect();
    let asks = std::sync::Arc::new(asks);
    let mut calls = JoinSet::new();
    for _ in 0..8 * CALLS_IN_FLIGHT_MAX {
        let (gate, live) = (scene.gate.clone(), scene.live.clone());
        let asks = std::sync::Arc::clone(&asks);
        calls.spawn(async move {
            let batch: Vec<&Reserve> = asks.iter().collect();
            gate.reserve(&live, EPOCH, &batch).await.map(drop)
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    hop.cut();
    stage.redis().kill9().unwrap();
    let mut busy = 0;
    for outcome in calls.join_all().await {
        match outcome {
            Err(GateError::Busy) => busy += 1,
            Err(GateError::Unknown | GateError::Unavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    stage.redis().start().unwrap();
    // It is vouched for under another process: what counts here is that the gate answers at all.
    let began = clock::instant();
    while scene.gate.run_id().await.is_err() {
        // With a buffer of 16, no bound on calls and nobody to start the connection's task again: for good.
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "the gate is dead"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(busy > 0, "the flood was no flood");
}
