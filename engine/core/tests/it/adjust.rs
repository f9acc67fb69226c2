//! `adjust`: changes stock once per key, and never below what is held or sold.

use doorbuster_core::clock;
use doorbuster_core::gate::adjust::{Adjust, Adjusted};
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::gate::{self, Fenced};
use doorbuster_core::ids::IdempotencyKey;
use doorbuster_core::limits::ADJUSTS_PER_SALE_MAX;

use crate::harness::{EPOCH, Scene, sku};
use crate::notices::Notices;

async fn adjust(scene: &Scene, key: &str, name: &str, by: i64) -> Adjusted {
    let (key, sku) = (IdempotencyKey::parse(key).unwrap(), sku(name));
    scene
        .gate
        .adjust(
            &scene.live,
            EPOCH,
            &Adjust {
                key: &key,
                sku: &sku,
                by,
            },
        )
        .await
        .unwrap()
}

/// Adjusts, and expects that outcome and no change.
async fn refused(scene: &Scene, key: &str, name: &str, by: i64, expected: Adjusted) {
    let before = scene.state().await;
    assert_eq!(adjust(scene, key, name, by).await, expected);
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn adjusted_moves_stocked_and_left_and_remembers_the_key() {
    let scene = Scene::selling(&[("tee", 5, 0), ("cap", 1, 0)]).await;
    for (key, by, left, seq) in [("a", 4, 9, 2), ("b|with|bars", -7, 2, 3), ("c", -2, 0, 4)] {
        let mut expected = scene.state().await;
        assert_eq!(
            adjust(&scene, key, "tee", by).await,
            Adjusted::Adjusted { seq, left }
        );
        let after = scene.state().await;
        expected.stock("tee/stocked", by);
        expected.stock("tee/left", by);
        expected
            .adjusts
            .insert(key.into(), format!("{seq}|{left}|tee|{by}"));
        expected.state_entry(&after, "A", &format!("tee|{by}|{key}"));
        assert_eq!(after, expected);
    }
}

#[tokio::test]
async fn adjusted_from_nothing_left_is_a_restock_and_is_announced() {
    let scene = Scene::selling(&[("tee", 0, 0)]).await;
    let mut notices = Notices::of(&scene).await;
    assert_eq!(
        adjust(&scene, "a", "tee", 3).await,
        Adjusted::Adjusted { seq: 2, left: 3 }
    );
    assert_eq!(
        adjust(&scene, "b", "tee", 3).await,
        Adjusted::Adjusted { seq: 3, left: 6 }
    );
    assert_eq!(scene.state().await.units("tee/restocked"), 2);
    assert_eq!(notices.since(&scene).await, [("tee".to_string(), 2)]);
}

#[tokio::test]
async fn repeat_returns_the_first_result_for_good() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    adjust(&scene, "a", "tee", 4).await;
    adjust(&scene, "b", "tee", 1).await;
    refused(&scene, "a", "tee", 4, Adjusted::Repeat { seq: 2, left: 9 }).await;
    scene
        .gate
        .switch(&scene.live, EPOCH, Verb::Close)
        .await
        .unwrap();
    refused(&scene, "a", "tee", 4, Adjusted::Repeat { seq: 2, left: 9 }).await;
}

#[tokio::test]
async fn mismatch_where_the_key_stands_for_another_adjustment() {
    let scene = Scene::selling(&[("tee", 5, 0), ("cap", 5, 0)]).await;
    adjust(&scene, "a", "tee", 4).await;
    refused(&scene, "a", "tee", 3, Adjusted::Mismatch).await;
    refused(&scene, "a", "cap", 4, Adjusted::Mismatch).await;
}

#[tokio::test]
async fn unknown_sku_of_a_known_sale() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    refused(&scene, "a", "cap", 4, Adjusted::UnknownSku).await;
}

#[tokio::test]
async fn insufficient_where_more_would_be_taken_than_is_left() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    scene
        .reserve_one(&scene.ask("ann", "k", &[("tee", 2)]))
        .await;
    refused(&scene, "a", "tee", -4, Adjusted::Insufficient { left: 3 }).await;
}

#[tokio::test]
async fn too_many_adjustments_are_refused_and_known_ones_still_repeat() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    adjust(&scene, "a", "tee", 4).await;
    let mut fill = vec![scene.key("adjusts")];
    fill.extend(
        (1..ADJUSTS_PER_SALE_MAX).flat_map(|i| [format!("fill-{i}"), "2|9|tee|1".to_string()]),
    );
    scene.raw("HSET", fill).await.unwrap();
    refused(&scene, "b", "tee", 1, Adjusted::TooMany).await;
    refused(&scene, "a", "tee", 4, Adjusted::Repeat { seq: 2, left: 9 }).await;
}

#[tokio::test]
async fn closed_sales_keep_their_stock() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    scene
        .gate
        .switch(&scene.live, EPOCH, Verb::Close)
        .await
        .unwrap();
    refused(&scene, "a", "tee", 4, Adjusted::Closed).await;
}

#[tokio::test]
async fn paused_sales_can_be_adjusted() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    scene
        .gate
        .switch(&scene.live, EPOCH, Verb::Pause)
        .await
        .unwrap();
    assert_eq!(
        adjust(&scene, "a", "tee", 1).await,
        Adjusted::Adjusted { seq: 3, left: 6 }
    );
}

#[tokio::test]
async fn recovering_where_the_counters_do_not_add_up() {
    for counter in ["stocked", "left", "held", "sold"] {
        let scene = Scene::selling(&[("tee", 5, 0)]).await;
        scene.set("stock", format!("tee/{counter}"), "7").await;
        refused(
            &scene,
            "a",
            "tee",
            1,
            Adjusted::Fenced(Fenced::Recovering("conservation".into())),
        )
        .await;
    }
}

#[tokio::test]
async fn no_units_a_fraction_or_too_many_are_a_callers_mistake() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let before = scene.state().await;
    let now = clock::now_ms().to_string();
    for by in ["0", "1.5", "x", "nan", "inf", "1000000001", "-1000000001"] {
        let args: [&[u8]; 8] = [
            b"7",
            b"1",
            now.as_bytes(),
            b"key",
            b"tee",
            by.as_bytes(),
            b"9",
            b"test",
        ];
        let refused = scene.call(&gate::adjust::SCRIPT, &args).await.unwrap_err();
        assert!(
            refused.details().starts_with("BADARG by"),
            "{by}: {refused}"
        );
    }
    assert_eq!(scene.state().await, before);
}
