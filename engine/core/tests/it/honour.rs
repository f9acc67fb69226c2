//! `honour`: what was accepted and lost is written anew while there is stock, never beyond it and never beyond a limit.

use doorbuster_core::clock;
use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::honour::Honoured;
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::gate::switch::Verb;

use crate::harness::{EPOCH, HOUR_MS, Scene};
use crate::rebuilt::{NEXT, rebuilt};
use crate::state::{id_text, record_of};

async fn honour(scene: &Scene, request: &Reserve) -> Honoured {
    scene
        .gate
        .honour(&scene.live, NEXT, request, EPOCH)
        .await
        .unwrap()
}

async fn refusal(scene: &Scene, request: &Reserve) -> Reserved {
    let before = scene.state().await;
    let Honoured::Decided { outcome, .. } = honour(scene, request).await else {
        panic!("not decided")
    };
    assert_eq!(scene.state().await, before, "a refusal writes nothing");
    outcome
}

async fn reserve(scene: &Scene, request: &Reserve) -> Reserved {
    match scene
        .gate
        .reserve(&scene.live, NEXT, &[request])
        .await
        .unwrap()
    {
        Batch::Decided(mut decided) => decided.outcomes.remove(0),
        Batch::Fenced(fenced) => panic!("{fenced:?}"),
    }
}

#[tokio::test]
async fn honoured_is_a_hold_with_its_original_id_even_while_paused() {
    let scene = rebuilt(&[("cap", 9, 0, 0, 0), ("tee", 5, 0, 2, 0)], &[]).await;
    scene
        .gate
        .switch(&scene.live, NEXT, Verb::Pause)
        .await
        .unwrap();
    let ann = scene.ask("ann", "k", &[("cap", 1), ("tee", 2)]);
    let mut expected = scene.state().await;
    let Honoured::Decided {
        now_ms, outcome, ..
    } = honour(&scene, &ann).await
    else {
        panic!("not decided")
    };
    let deadline_ms = now_ms + HOUR_MS;
    assert_eq!(
        outcome,
        Reserved::Held {
            seq: 10,
            deadline_ms
        }
    );
    expected.held(now_ms, &[&ann]);
    assert_eq!(scene.state().await, expected);
    assert_eq!(
        expected.records.keys().collect::<Vec<_>>(),
        [&id_text(ann.id)]
    );
}

#[tokio::test]
async fn repeat_and_mismatch_where_it_was_not_lost_after_all() {
    let scene = rebuilt(&[("tee", 5, 0, 0, 0)], &[]).await;
    let ann = scene.ask("ann", "k", &[("tee", 2)]);
    honour(&scene, &ann).await;
    let again = refusal(&scene, &ann).await;
    assert!(matches!(again, Reserved::Repeat(r) if r.seq == 9 && r.user == ann.user));
    let other = scene.ask("ann", "k", &[("tee", 1)]);
    assert_eq!(refusal(&scene, &other).await, Reserved::Mismatch);
}

#[tokio::test]
async fn not_lost_where_the_receipt_is_of_this_generation() {
    let scene = rebuilt(&[("tee", 5, 0, 0, 0)], &[]).await;
    let before = scene.state().await;
    let ann = scene.ask("ann", "k", &[("tee", 2)]);
    for proven in [NEXT, NEXT + 1] {
        let refused = scene.gate.honour(&scene.live, NEXT, &ann, proven).await;
        assert_eq!(refused.unwrap(), Honoured::NotLost);
    }
    let old = scene
        .gate
        .honour(&scene.live, EPOCH, &ann, 0)
        .await
        .unwrap();
    assert_eq!(old, Honoured::Fenced(Fenced::Recovering("epoch".into())));
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn sold_out_limit_reached_and_unknown_sku_are_refused() {
    let scene = rebuilt(&[("cap", 1, 0, 0, 0), ("tee", 5, 0, 2, 0)], &[]).await;
    let ask = |lines: &[(&str, u32)]| scene.ask("ann", "k", lines);
    let sold_out = refusal(&scene, &ask(&[("cap", 2), ("tee", 1)])).await;
    assert!(matches!(sold_out, Reserved::SoldOut { left: 1, .. }));
    let limited = refusal(&scene, &ask(&[("tee", 3)])).await;
    assert!(matches!(limited, Reserved::LimitReached { limit: 2, .. }));
    let unknown = refusal(&scene, &ask(&[("mug", 1)])).await;
    assert!(matches!(unknown, Reserved::UnknownSku(_)));
}

#[tokio::test]
async fn units_kept_for_receipts_go_to_them_alone_until_their_time_is_over() {
    let scene = rebuilt(&[("tee", 5, 0, 0, 3)], &[]).await;
    let ask = |user: &str, units| scene.ask(user, "k", &[("tee", units)]);
    let new = reserve(&scene, &ask("new", 3)).await;
    assert!(matches!(new, Reserved::SoldOut { left: 2, .. }), "{new:?}");
    assert!(matches!(
        reserve(&scene, &ask("eve", 2)).await,
        Reserved::Held { .. }
    ));
    assert_eq!(scene.state().await.units("tee/left"), 3);
    let held = honour(&scene, &ask("ann", 2)).await;
    assert!(matches!(
        held,
        Honoured::Decided {
            outcome: Reserved::Held { .. },
            ..
        }
    ));
    let state = scene.state().await;
    assert_eq!(
        (state.units("tee/left"), &state.stock["tee/kept"][..2]),
        (1, "1|")
    );
    let late = reserve(&scene, &ask("new", 1)).await;
    assert!(
        matches!(late, Reserved::SoldOut { left: 0, .. }),
        "{late:?}"
    );
    let over = clock::now_ms() - 1;
    scene.set("stock", "tee/kept", format!("1|{over}")).await;
    assert!(matches!(
        reserve(&scene, &ask("new", 1)).await,
        Reserved::Held { .. }
    ));
    assert_eq!(scene.state().await.units("tee/left"), 0);
}

#[tokio::test]
async fn recovering_where_the_stock_breaks_the_conservation_law() {
    let ann = Scene::selling(&[("x", 1, 0)])
        .await
        .ask("ann", "z", &[("tee", 1)]);
    let record = (ann.id, record_of('h', 3, 4_000_000_000_000, &ann));
    let scene = rebuilt(&[("tee", 5, 1, 0, 0)], &[record]).await;
    scene.set("stock", "tee/sold", "1").await;
    let bob = scene.ask("bob", "k", &[("tee", 1)]);
    let fenced = honour(&scene, &bob).await;
    assert_eq!(
        fenced,
        Honoured::Fenced(Fenced::Recovering("conservation".into()))
    );
}
