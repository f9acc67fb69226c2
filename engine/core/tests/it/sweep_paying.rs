//! `sweep` of what is, or is no longer, being paid for.

use doorbuster_core::gate::sweep::Swept;

use crate::sweep::{sweep, with_payments};

#[tokio::test]
async fn swept_drops_what_is_not_being_paid_and_ends_the_others() {
    let (scene, now_ms, asks) = with_payments(&[-3, -2, -1]).await;
    let sold = [b"s", &scene.record(asks[1].id).await[1..]].concat();
    scene.set("records", asks[1].id.as_bytes(), sold).await;
    let mut expected = scene.state().await;
    let mut due = Vec::new();
    for ask in [&asks[0], &asks[2]] {
        due.push((ask, scene.record(ask.id).await));
    }
    let Swept::Swept(swept) = sweep(&scene).await else {
        panic!("fenced")
    };
    assert_eq!((swept.released, swept.oldest_ms), (2, now_ms - 3));
    expected.ended(now_ms, 'e', &due);
    expected.order.clear();
    expected.paying.clear();
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn a_payment_under_way_is_left_to_sweep_when_the_order_has_dropped_it() {
    let (scene, _, _) = with_payments(&[60_000]).await;
    sweep(&scene).await;
    assert!(scene.state().await.order.is_empty());
    let lives = [scene.live.clone()];
    assert_eq!(scene.gate.orders(&lives).await.unwrap(), [1]);
}
