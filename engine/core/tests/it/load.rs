//! `load`: parts of a rebuilt sale, beside the live one and only for the rebuild that staked last.

use doorbuster_core::gate::GateError;
use doorbuster_core::gate::load::{Load, Loaded};
use fred::types::Value;

use crate::harness::{Scene, array};
use crate::rebuilt::{NEXT, load, stake};

async fn raw(scene: &Scene, command: &'static str, key: &str, args: &[&str]) -> Value {
    let mut all = vec![scene.key(key)];
    all.extend(args.iter().map(ToString::to_string));
    scene.raw(command, all).await.unwrap()
}

#[tokio::test]
async fn loaded_fills_each_part_and_leaves_the_sale_as_it_is() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    stake(&scene).await;
    let before = scene.state().await;
    let id = scene.id("ann", "k");
    let users = [("ann/tee".to_string(), 2), ("ann".to_string(), 3)];
    let adjusts = [("key".to_string(), "2|3|tee|1".to_string())];
    let (records, ids) = ([(id, b"h1|2|ann|tee=2|".to_vec())], [id]);
    let order = Load::Order {
        ids: &ids,
        length: 0,
    };
    for part in [
        Load::Users(&users),
        Load::Records(&records),
        order,
        Load::Adjusts(&adjusts),
        Load::Paying(&[(77, id)]),
        Load::Returns(&[(b"x".to_vec(), "tee=1".to_string())]),
    ] {
        assert_eq!(load(&scene, part).await, Loaded::Loaded);
    }
    assert_eq!(
        raw(&scene, "HGET", "next_users", &["ann"]).await,
        Value::from("3")
    );
    assert_eq!(
        raw(&scene, "HLEN", "next_users", &[]).await,
        Value::Integer(2)
    );
    assert_eq!(
        raw(&scene, "HLEN", "next_records", &[]).await,
        Value::Integer(1)
    );
    assert_eq!(
        raw(&scene, "HGET", "next_adjusts", &["key"]).await,
        Value::from("2|3|tee|1")
    );
    assert_eq!(
        array(raw(&scene, "LRANGE", "next_order", &["0", "-1"]).await).len(),
        1
    );
    assert_eq!(
        raw(&scene, "ZRANGEBYSCORE", "next_paying", &["77", "77"]).await,
        Value::Array(vec![Value::Bytes(id.as_bytes().to_vec().into())])
    );
    assert_eq!(
        raw(&scene, "HGET", "next_returns", &["x"]).await,
        Value::from("tee=1")
    );
    let mut after = scene.state().await;
    after.strangers = before.strangers.clone();
    assert_eq!(after, before);
}

#[tokio::test]
async fn ids_repeated_are_in_the_order_once_and_a_gap_is_an_error() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    stake(&scene).await;
    let ids = [scene.id("ann", "k"), scene.id("bob", "k")];
    for _ in 0..3 {
        let order = Load::Order {
            ids: &ids,
            length: 0,
        };
        assert_eq!(load(&scene, order).await, Loaded::Loaded);
    }
    assert_eq!(
        raw(&scene, "LLEN", "next_order", &[]).await,
        Value::Integer(2)
    );
    let gap = Load::Order {
        ids: &ids,
        length: 5,
    };
    let refused = scene.gate.load(&scene.live, NEXT, &gap).await;
    assert!(
        matches!(refused, Err(GateError::Contract { .. })),
        "{refused:?}"
    );
    assert_eq!(
        raw(&scene, "LLEN", "next_order", &[]).await,
        Value::Integer(2)
    );
}

#[tokio::test]
async fn overtaken_without_a_stake_of_this_generation() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let before = scene.state().await;
    let users = [("ann/tee".to_string(), 2)];
    assert_eq!(load(&scene, Load::Users(&users)).await, Loaded::Overtaken);
    assert_eq!(scene.state().await, before);
    scene.gate.stake(&scene.live, NEXT + 1).await.unwrap();
    let before = scene.state().await;
    assert_eq!(load(&scene, Load::Users(&users)).await, Loaded::Overtaken);
    assert_eq!(scene.state().await, before);
}
