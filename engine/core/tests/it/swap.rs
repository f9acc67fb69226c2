//! `swap`: a rebuilt sale takes the place of the one as it is, and nothing of an older generation comes after it.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::load::{Load, Loaded};
use doorbuster_core::gate::reserve::Reserved;
use doorbuster_core::gate::swap::{Counts, Swapped};
use doorbuster_core::journal::{Event, StreamId};

use crate::harness::{Scene, random_sale, redis_url};
use crate::rebuilt::{EVENT, NEXT, load, stake, swap};
use crate::state::{id_text, record_of, text};

fn none() -> Counts {
    Counts::default()
}

#[tokio::test]
async fn swapped_is_the_whole_sale() {
    let scene = Scene::selling(&[("tee", 5, 3)]).await;
    let (ann, bob) = (
        scene.ask("ann", "k", &[("tee", 2)]),
        scene.ask("bob", "k", &[("tee", 1)]),
    );
    scene.reserve(&[&ann, &bob]).await;
    let run_id = stake(&scene).await;
    let record = record_of('h', 3, 4_000_000_000_000, &ann);
    let users = [("ann/tee".to_string(), 2)];
    let adjusts = [("key".to_string(), "2|3|tee|1".to_string())];
    let order = Load::Order {
        ids: &[ann.id],
        length: 0,
    };
    let records = [(ann.id, record.clone())];
    for part in [
        Load::Users(&users),
        Load::Records(&records),
        order,
        Load::Adjusts(&adjusts),
        Load::Paying(&[(4_000_000_000_001, bob.id)]),
        Load::Returns(&[(b"x".to_vec(), "tee=1".to_string())]),
    ] {
        assert_eq!(load(&scene, part).await, Loaded::Loaded);
    }
    let counts = Counts {
        users: 1,
        records: 1,
        order: 1,
        paying: 1,
        adjusts: 1,
        returns: 1,
    };
    let shelves = [("tee", 5, 2, 3, 0)];
    let swapped = swap(&scene, &run_id, counts, &shelves).await;
    assert_eq!(swapped, Swapped::Swapped { seq: 8 });

    let state = scene.state().await;
    assert!(state.strangers.is_empty() && state.expiring.is_empty());
    let field = |name: &str| state.sale[name].as_str();
    assert_eq!(
        [field("epoch"), field("run_id"), field("state")],
        ["2", &run_id, "open"]
    );
    assert_eq!(
        [field("seq"), field("flushed_seq"), field("opens_ms")],
        ["8", "7", "1"]
    );
    let units = ["stocked", "left", "held", "sold", "limit", "restocked"];
    assert_eq!(
        units.map(|u| state.units(&format!("tee/{u}"))),
        [5, 3, 2, 0, 3, 8]
    );
    assert_eq!(state.stock.len(), 6, "the old sku's fields are gone");
    assert_eq!(state.users, [("ann/tee".into(), "2".into())].into());
    assert_eq!(state.records, [(id_text(ann.id), text(&record))].into());
    assert_eq!(state.order, [id_text(ann.id)]);
    let deadline = "4000000000001".to_string();
    assert_eq!(state.paying, [(id_text(bob.id), deadline)].into());
    assert_eq!(state.returns, [("x".into(), "tee=1".into())].into());
    assert_eq!(state.sale["payment_ms"], "1800000");
    assert_eq!(state.adjusts, [("key".into(), "2|3|tee|1".into())].into());
    tells_of_the_rebuild(&scene).await;
}

/// The journal has one entry, of the new generation.
async fn tells_of_the_rebuild(scene: &Scene) {
    let entries = scene
        .gate
        .journal(&scene.live, &StreamId::start(), 9)
        .await
        .unwrap();
    assert_eq!(
        (entries.len(), entries[0].epoch, entries[0].first_seq),
        (1, NEXT, 8)
    );
    assert_eq!(entries[0].events[0].value, EVENT.as_bytes());
    assert_eq!(entries[0].events[0].decode(), Ok(Event::Rebuilt));
}

#[tokio::test]
async fn swapped_sells_in_the_new_generation_only() {
    let scene = Scene::selling(&[("tee", 5, 3)]).await;
    let (ann, bob) = (
        scene.ask("ann", "k", &[("tee", 2)]),
        scene.ask("bob", "k", &[("tee", 1)]),
    );
    let run_id = stake(&scene).await;
    let users = [("ann/tee".to_string(), 2)];
    let records = [(ann.id, record_of('h', 3, 4_000_000_000_000, &ann))];
    load(&scene, Load::Users(&users)).await;
    load(&scene, Load::Records(&records)).await;
    let counts = Counts {
        users: 1,
        records: 1,
        ..none()
    };
    let swapped = swap(&scene, &run_id, counts, &[("tee", 5, 2, 3, 0)]).await;
    assert_eq!(swapped, Swapped::Swapped { seq: 8 });

    let old = scene.try_reserve(&[&bob]).await.unwrap();
    assert_eq!(old, Batch::Fenced(Fenced::Recovering("epoch".into())));
    let more = scene.ask("ann", "other", &[("tee", 2)]);
    let now = scene
        .gate
        .reserve(&scene.live, NEXT, &[&ann, &more, &bob])
        .await
        .unwrap();
    let Batch::Decided(decided) = now else {
        panic!("{now:?}")
    };
    assert!(matches!(&decided.outcomes[0], Reserved::Repeat(r) if r.seq == 3));
    assert!(matches!(
        decided.outcomes[1],
        Reserved::LimitReached { limit: 3, .. }
    ));
    assert!(matches!(decided.outcomes[2], Reserved::Held { seq: 9, .. }));
}

#[tokio::test]
async fn swapped_where_redis_had_nothing_of_it() {
    let scene = Scene::unopened(redis_url(), random_sale()).await;
    let run_id = stake(&scene).await;
    let swapped = swap(&scene, &run_id, none(), &[("tee", 5, 0, 0, 0)]).await;
    assert_eq!(swapped, Swapped::Swapped { seq: 8 });
    let state = scene.state().await;
    assert_eq!((state.units("tee/left"), state.strangers.len()), (5, 0));
}

#[tokio::test]
async fn already_after_an_answer_that_was_lost() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let run_id = stake(&scene).await;
    let shelves = [("tee", 5, 0, 0, 0)];
    swap(&scene, &run_id, none(), &shelves).await;
    let bob = scene.ask("bob", "k", &[("tee", 1)]);
    scene
        .gate
        .reserve(&scene.live, NEXT, &[&bob])
        .await
        .unwrap();
    let before = scene.state().await;
    assert_eq!(
        swap(&scene, &run_id, none(), &shelves).await,
        Swapped::Already
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn refusals_write_nothing() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let shelves = [("tee", 5, 0, 0, 0)];
    let unstaked = scene.state().await;
    let refused = swap(&scene, "a", none(), &shelves).await;
    assert_eq!(refused, Swapped::Overtaken { epoch: 0 });
    assert_eq!(scene.state().await, unstaked);

    let run_id = stake(&scene).await;
    let before = scene.state().await;
    let fenced = |why: &str| Swapped::Fenced(Fenced::Recovering(why.into()));
    assert_eq!(swap(&scene, "a", none(), &shelves).await, fenced("run_id"));
    for half in [
        Counts {
            records: 1,
            ..none()
        },
        Counts {
            paying: 1,
            ..none()
        },
        Counts {
            returns: 1,
            ..none()
        },
    ] {
        let swapped = swap(&scene, &run_id, half, &shelves).await;
        assert_eq!(swapped, fenced("records"));
    }
    assert_eq!(scene.state().await, before);

    scene.gate.stake(&scene.live, NEXT + 1).await.unwrap();
    let before = scene.state().await;
    let late = swap(&scene, &run_id, none(), &shelves).await;
    assert_eq!(late, Swapped::Overtaken { epoch: NEXT + 1 });
    scene.set("sale", "epoch", (NEXT + 1).to_string()).await;
    let late = swap(&scene, &run_id, none(), &shelves).await;
    assert_eq!(late, Swapped::Overtaken { epoch: NEXT + 1 });
    scene.set("sale", "epoch", "1").await;
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn recovering_where_the_counts_break_the_conservation_law_or_the_clock_leapt() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let run_id = stake(&scene).await;
    let before = scene.state().await;
    let script = &doorbuster_core::gate::swap::SCRIPT;
    let hour_ago = (doorbuster_core::clock::now_ms() - 3_600_000).to_string();
    for (left, caller_ms, why) in [
        ("4", hour_ago.as_str(), "clock"),
        ("4", "now", "conservation"),
    ] {
        let now = doorbuster_core::clock::now_ms().to_string();
        let caller_ms = if caller_ms == "now" { &now } else { caller_ms };
        let args = [
            "1", "2", caller_ms, &run_id, "open", "1", "2", "3", "4", "{}", "7", "1", "e", "1",
            "0", "0", "0", "0", "0", "0", "tee", "5", left, "0", "0", "0", "0",
        ];
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        assert_eq!(
            scene.call(script, &args).await.unwrap(),
            ["recovering", "1", why]
        );
    }
    assert_eq!(scene.state().await, before);
}
