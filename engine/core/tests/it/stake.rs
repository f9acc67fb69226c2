//! `stake`: a rebuild begins, and the sale as it is decides nothing more.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::load::{Load, Loaded};
use doorbuster_core::gate::stake::Staked;

use crate::harness::{EPOCH, Scene, random_sale, redis_url};
use crate::rebuilt::{NEXT, load, stake};

#[tokio::test]
async fn staked_takes_the_vouch_back_and_says_where_the_sale_was() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let mut expected = scene.state().await;
    let run_id = scene.gate.run_id().await.unwrap();
    let staked = scene.gate.stake(&scene.live, NEXT).await.unwrap();
    let (epoch, seq) = (EPOCH, 1);
    assert_eq!(staked, Staked::Staked { run_id, epoch, seq });
    expected.sale.insert("run_id".into(), String::new());
    expected.strangers = vec![scene.key("rebuild")];
    assert_eq!(scene.state().await, expected);
    let refused = scene
        .try_reserve(&[&scene.ask("ann", "k", &[("tee", 1)])])
        .await
        .unwrap();
    assert_eq!(refused, Batch::Fenced(Fenced::Recovering("run_id".into())));
}

#[tokio::test]
async fn staked_where_redis_has_lost_the_sale_makes_no_sale() {
    let scene = Scene::unopened(redis_url(), random_sale()).await;
    let staked = scene.gate.stake(&scene.live, NEXT).await.unwrap();
    assert!(
        matches!(
            staked,
            Staked::Staked {
                epoch: 0,
                seq: 0,
                ..
            }
        ),
        "{staked:?}"
    );
    let state = scene.state().await;
    assert!(state.sale.is_empty());
    assert_eq!(state.strangers, [scene.key("rebuild")]);
}

#[tokio::test]
async fn staked_again_begins_with_nothing_loaded() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    stake(&scene).await;
    let users = [("ann/tee".to_string(), 1)];
    assert_eq!(load(&scene, Load::Users(&users)).await, Loaded::Loaded);
    assert_eq!(scene.state().await.strangers.len(), 2);
    stake(&scene).await;
    assert_eq!(scene.state().await.strangers, [scene.key("rebuild")]);
}

#[tokio::test]
async fn overtaken_by_a_later_rebuild_or_a_sale_that_is_as_new() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let before = scene.state().await;
    for epoch in [0, EPOCH] {
        let late = scene.gate.stake(&scene.live, epoch).await.unwrap();
        assert_eq!(late, Staked::Overtaken { epoch: EPOCH });
    }
    assert_eq!(scene.state().await, before);
    scene.gate.stake(&scene.live, NEXT + 1).await.unwrap();
    let before = scene.state().await;
    let late = scene.gate.stake(&scene.live, NEXT).await.unwrap();
    assert_eq!(late, Staked::Overtaken { epoch: NEXT + 1 });
    assert_eq!(scene.state().await, before);
}
