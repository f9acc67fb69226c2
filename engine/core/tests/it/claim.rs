//! `claim`: first come, first served, and final.

use doorbuster_core::clock;
use doorbuster_core::gate::claim::{ClaimCoupon, Claimed};
use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::gate::{self, Fenced};
use doorbuster_core::limits::{BACKLOG_BYTES_MAX, BACKLOG_EVENTS_MAX, BATCH_REQUESTS_MAX};
use doorbuster_core::record::Claim;

use crate::harness::{EPOCH, Scene};
use crate::state::{State, id_text};

/// What one call that makes these claims, and no others, leaves behind.
fn claimed(state: &mut State, scene: &Scene, now_ms: u64, claims: &[&ClaimCoupon]) {
    let sku = scene.coupon_id().as_str();
    let mut events = Vec::new();
    for (claim, seq) in claims.iter().zip(state.number("seq") + 1..) {
        let record = format!("k{seq}|{now_ms}|{}", claim.user);
        state.stock(&format!("{sku}/left"), -1);
        state.stock(&format!("{sku}/sold"), 1);
        state.user(&format!("{}/{sku}", claim.user), 1);
        state.records.insert(id_text(claim.id), record.clone());
        events.push((claim.id.as_bytes().to_vec(), record.into_bytes()));
    }
    state.entry(now_ms, &events);
}

/// Claims, and expects that outcome and no change.
async fn refused(scene: &Scene, ask: &ClaimCoupon, expected: Claimed) {
    let before = scene.state().await;
    assert_eq!(scene.claim(&[ask]).await.outcomes, [expected]);
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn claimed_moves_a_unit_from_left_to_sold() {
    let scene = Scene::coupon(300, 1).await;
    let asks: Vec<ClaimCoupon> = (0..BATCH_REQUESTS_MAX)
        .map(|i| scene.ask_claim(&format!("u-{i}"), "k"))
        .collect();
    let asks: Vec<&ClaimCoupon> = asks.iter().collect();
    for batch in [&asks[..1], &asks[1..]] {
        let mut expected = scene.state().await;
        let first = expected.number("seq") + 1;
        let decided = scene.claim(batch).await;
        let seqs: Vec<Claimed> = (first..)
            .take(batch.len())
            .map(|seq| Claimed::Claimed { seq })
            .collect();
        assert_eq!(
            (decided.seq, decided.outcomes),
            (first + batch.len() as u64 - 1, seqs)
        );
        claimed(&mut expected, &scene, decided.now_ms, batch);
        assert_eq!(scene.state().await, expected);
    }
}

#[tokio::test]
async fn repeat_shows_the_claim_also_within_a_batch_and_after_the_end() {
    let scene = Scene::coupon(5, 1).await;
    let ask = scene.ask_claim("ann", "k");
    let mut expected = scene.state().await;
    let decided = scene.claim(&[&ask, &ask]).await;
    let claim = Claim {
        seq: 2,
        claimed_ms: decided.now_ms,
        user: ask.user.clone(),
    };
    assert_eq!(
        decided.outcomes,
        [Claimed::Claimed { seq: 2 }, Claimed::Repeat(claim.clone())]
    );
    claimed(&mut expected, &scene, decided.now_ms, &[&ask]);
    assert_eq!(scene.state().await, expected);
    scene
        .gate
        .switch(&scene.live, EPOCH, Verb::Close)
        .await
        .unwrap();
    refused(&scene, &ask, Claimed::Repeat(claim)).await;
}

#[tokio::test]
async fn already_claimed_at_the_limit_also_within_a_batch() {
    let scene = Scene::coupon(9, 2).await;
    let asks = ["k1", "k2", "k3"].map(|key| scene.ask_claim("ann", key));
    let mut expected = scene.state().await;
    let decided = scene.claim(&[&asks[0], &asks[1], &asks[2]]).await;
    assert_eq!(
        decided.outcomes,
        [
            Claimed::Claimed { seq: 2 },
            Claimed::Claimed { seq: 3 },
            Claimed::AlreadyClaimed { limit: 2 }
        ]
    );
    claimed(&mut expected, &scene, decided.now_ms, &[&asks[0], &asks[1]]);
    assert_eq!(scene.state().await, expected);
    refused(&scene, &asks[2], Claimed::AlreadyClaimed { limit: 2 }).await;
}

#[tokio::test]
async fn without_a_limit_one_user_may_have_them_all() {
    let scene = Scene::coupon(3, 0).await;
    let asks = ["k1", "k2", "k3"].map(|key| scene.ask_claim("ann", key));
    let decided = scene.claim(&[&asks[0], &asks[1], &asks[2]]).await;
    assert_eq!(
        decided.outcomes,
        [2, 3, 4].map(|seq| Claimed::Claimed { seq })
    );
}

#[tokio::test]
async fn sold_out_for_the_second_who_claims_the_last_one_in_one_batch() {
    let scene = Scene::coupon(1, 0).await;
    let (ann, bob) = (scene.ask_claim("ann", "k"), scene.ask_claim("bob", "k"));
    let mut expected = scene.state().await;
    let decided = scene.claim(&[&ann, &bob]).await;
    assert_eq!(
        decided.outcomes,
        [Claimed::Claimed { seq: 2 }, Claimed::SoldOut]
    );
    assert_eq!(
        decided
            .lefts
            .iter()
            .map(|(_, left)| *left)
            .collect::<Vec<_>>(),
        [0]
    );
    claimed(&mut expected, &scene, decided.now_ms, &[&ann]);
    assert_eq!(scene.state().await, expected);
    refused(&scene, &bob, Claimed::SoldOut).await;
}

#[tokio::test]
async fn not_open_and_closed_at_the_edges_of_the_window() {
    let scene = Scene::coupon(9, 0).await;
    let now_ms = scene.stop_time().await;
    let ask = scene.ask_claim("ann", "k");
    for (opens_ms, closes_ms, outcome) in [
        (now_ms + 1, now_ms + 9, Claimed::NotOpen),
        (now_ms - 9, now_ms, Claimed::Closed),
    ] {
        scene.set("sale", "opens_ms", opens_ms.to_string()).await;
        scene.set("sale", "closes_ms", closes_ms.to_string()).await;
        refused(&scene, &ask, outcome).await;
    }
    scene.set("sale", "opens_ms", now_ms.to_string()).await;
    scene
        .set("sale", "closes_ms", (now_ms + 1).to_string())
        .await;
    assert_eq!(
        scene.claim(&[&ask]).await.outcomes,
        [Claimed::Claimed { seq: 2 }]
    );
}

#[tokio::test]
async fn paused_and_closed_by_the_switch() {
    let scene = Scene::coupon(9, 0).await;
    for (verb, outcome) in [
        (Verb::Pause, Claimed::Paused),
        (Verb::Close, Claimed::Closed),
    ] {
        scene.gate.switch(&scene.live, EPOCH, verb).await.unwrap();
        refused(&scene, &scene.ask_claim("ann", "k"), outcome).await;
    }
}

#[tokio::test]
async fn backlog_where_the_books_are_too_far_behind() {
    for (field, bound) in [("seq", BACKLOG_EVENTS_MAX), ("bytes", BACKLOG_BYTES_MAX)] {
        let scene = Scene::coupon(9, 0).await;
        scene.set("sale", field, bound.to_string()).await;
        refused(&scene, &scene.ask_claim("ann", "k"), Claimed::Backlog).await;
        scene.set("sale", &format!("flushed_{field}"), "1").await;
        let decided = scene
            .claim(&[&scene.ask_claim("ann", "k"), &scene.ask_claim("bob", "k")])
            .await;
        assert!(
            matches!(
                decided.outcomes[..],
                [Claimed::Claimed { .. }, Claimed::Backlog]
            ),
            "{decided:?}"
        );
    }
}

#[tokio::test]
async fn recovering_where_the_stock_is_missing_or_does_not_add_up() {
    for (counter, why) in [
        ("stocked", "conservation"),
        ("left", "conservation"),
        ("held", "conservation"),
        ("", "stock"),
    ] {
        let scene = Scene::coupon(5, 0).await;
        if counter.is_empty() {
            scene.raw("DEL", vec![scene.key("stock")]).await.unwrap();
        } else {
            scene
                .set("stock", format!("{}/{counter}", scene.coupon_id()), "7")
                .await;
        }
        let before = scene.state().await;
        let batch = scene
            .gate
            .claim(scene.coupon_id(), EPOCH, &[&scene.ask_claim("ann", "k")])
            .await
            .unwrap();
        assert_eq!(batch, Batch::Fenced(Fenced::Recovering(why.into())));
        assert_eq!(scene.state().await, before);
    }
}

#[tokio::test]
async fn no_claim_at_all_is_a_callers_mistake() {
    let scene = Scene::coupon(5, 0).await;
    let now = clock::now_ms().to_string();
    let args: [&[u8]; 6] = [
        b"7",
        b"1",
        now.as_bytes(),
        scene.coupon_id().as_str().as_bytes(),
        b"99",
        b"9999",
    ];
    assert!(
        scene
            .call(&gate::claim::SCRIPT, &args)
            .await
            .unwrap_err()
            .details()
            .starts_with("BADARG claims")
    );
}
