//! `withdraw`: a sale whose journal does not continue the books sells no more until it is vouched for anew.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::withdraw::Withdrawn;

use crate::harness::{Scene, random_sale, redis_url};

#[tokio::test]
async fn withdrawn_empties_the_run_id_and_nothing_else_and_the_sale_refuses() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let mut expected = scene.state().await;
    let withdrawn = scene.gate.withdraw(&scene.live).await.unwrap();
    assert_eq!(withdrawn, Withdrawn::Withdrawn);
    expected.sale.insert("run_id".into(), String::new());
    assert_eq!(scene.state().await, expected);
    let request = scene.ask("ann", "k", &[("tee", 1)]);
    let refused = scene.try_reserve(&[&request]).await.unwrap();
    assert_eq!(refused, Batch::Fenced(Fenced::Recovering("run_id".into())));
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn already_before_anybody_vouched() {
    let scene = Scene::unopened(redis_url(), random_sale()).await;
    scene.open(&[("tee", 5, 0)]).await;
    let before = scene.state().await;
    let again = scene.gate.withdraw(&scene.live).await.unwrap();
    assert_eq!(again, Withdrawn::Already);
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn unknown_sale_unknown_schema_and_a_broken_head_write_nothing() {
    let nowhere = Scene::unopened(redis_url(), random_sale()).await;
    let fenced = nowhere.gate.withdraw(&nowhere.live).await.unwrap();
    assert_eq!(fenced, Withdrawn::Fenced(Fenced::UnknownSale));
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    scene.set("sale", "schema", "2").await;
    let before = scene.state().await;
    let fenced = scene.gate.withdraw(&scene.live).await.unwrap();
    assert_eq!(fenced, Withdrawn::Fenced(Fenced::UnknownSchema("2".into())));
    assert_eq!(scene.state().await, before);
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    scene.unset("sale", "seq").await;
    let fenced = scene.gate.withdraw(&scene.live).await.unwrap();
    assert_eq!(fenced, Withdrawn::Fenced(Fenced::Recovering("head".into())));
}
