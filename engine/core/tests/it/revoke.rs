//! `revoke`, and what follows its stream: every engine knows what is revoked, also one that starts late or whose Redis lost it.

use doorbuster_core::claims::{Claims, Role};
use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::ids::UserId;
use doorbuster_core::journal::StreamId;
use doorbuster_core::limits::REVOCATIONS_PER_READ;
use doorbuster_core::revocations::{Judged, Revocations};
use doorbuster_stage::{Stage, StageOptions};

use crate::harness::{Scene, random_sale, redis_url};

const KEY: &str = "doorbuster:revocations";

/// A user whom no other test knows.
fn random_user() -> UserId {
    UserId::parse(format!("u-{}", uuid::Uuid::new_v4().simple())).unwrap()
}

fn claims(user: &UserId, generation: u64) -> Claims {
    let mut claims = Claims::access(user.clone(), Role::Buyer, clock::now_s(), 60);
    claims.generation = generation;
    claims
}

/// What `revocations` says now of the user's token of that generation.
fn judged(revocations: &Revocations, user: &UserId, generation: u64) -> Judged {
    revocations.judge(&claims(user, generation), clock::now_ms())
}

#[tokio::test]
async fn revoked_appends_one_entry_which_every_follower_reads_from_where_it_stands() {
    let gate = Gate::connect(redis_url()).await.unwrap();
    let (early, user) = (Revocations::default(), random_user());
    assert_eq!(judged(&early, &user, 0), Judged::Untold, "before a look");
    assert!(early.follow(&gate).await.unwrap(), "the first reads all");
    assert_eq!(judged(&early, &user, 0), Judged::Valid);

    let first = gate.revoke(&user, 1).await.unwrap();
    let again = gate.revoke(&user, 1).await.unwrap();
    assert_ne!(first, again, "a repeat is one more entry");

    assert!(
        !early.follow(&gate).await.unwrap(),
        "from where it stood on"
    );
    let late = Revocations::default();
    late.follow(&gate).await.unwrap();
    for follower in [&early, &late] {
        assert_eq!(judged(follower, &user, 0), Judged::Revoked);
        assert_eq!(judged(follower, &user, 1), Judged::Valid);
    }
    let entries = gate.revocations(&first, 10_000).await.unwrap();
    assert_eq!(
        (&entries[0].id, &entries[0].user, entries[0].generation),
        (&first, &user, 1)
    );
}

#[tokio::test]
async fn more_than_one_read_holds_is_read_to_its_end() {
    let gate = Gate::connect(redis_url()).await.unwrap();
    let follower = Revocations::default();
    follower.follow(&gate).await.unwrap();
    let scene = Scene::unopened(redis_url(), random_sale()).await;
    let users: Vec<UserId> = (0..2 * REVOCATIONS_PER_READ)
        .map(|_| random_user())
        .collect();
    for user in &users {
        scene
            .raw("XADD", vec![KEY, "*", "u", user.as_str(), "g", "7"])
            .await
            .unwrap();
    }
    follower.follow(&gate).await.unwrap();
    assert!(users.iter().all(|user| follower.is_revoked(user, 6)));
}

#[tokio::test]
async fn entries_that_no_token_outlives_go_and_newer_ones_stay() {
    let stage = Stage::start(&StageOptions::redis_only().ack_level("memory")).unwrap();
    let gate = Gate::connect(stage.redis_url()).await.unwrap();
    let scene = Scene::unopened(stage.redis_url(), random_sale()).await;
    let follower = Revocations::default();
    let (old, new) = (random_user(), random_user());
    let day_ago_ms = clock::now_ms() - 25 * 3_600_000;
    // Streams are trimmed a node of a hundred entries at a time.
    for i in 0..150 {
        let id = format!("{day_ago_ms}-{i}");
        scene
            .raw("XADD", vec![KEY, &id, "u", old.as_str(), "g", "1"])
            .await
            .unwrap();
    }
    follower.follow(&gate).await.unwrap();
    gate.revoke(&new, 1).await.unwrap();
    let left = gate.revocations(&StreamId::start(), 1_000).await.unwrap();
    assert!(left.len() < 100, "{} entries", left.len());
    assert_eq!(left.last().map(|entry| &entry.user), Some(&new));
    follower.follow(&gate).await.unwrap();
    assert!(follower.is_revoked(&new, 0));
}

#[tokio::test]
async fn a_redis_that_lost_the_stream_is_read_anew_and_what_was_known_stays_known() {
    let stage = Stage::start(&StageOptions::redis_only().ack_level("memory")).unwrap();
    let gate = Gate::connect(stage.redis_url()).await.unwrap();
    let scene = Scene::unopened(stage.redis_url(), random_sale()).await;
    let (follower, before, after) = (Revocations::default(), random_user(), random_user());
    gate.revoke(&before, 1).await.unwrap();
    follower.follow(&gate).await.unwrap();
    scene.raw("DEL", vec![KEY]).await.unwrap();
    assert!(follower.follow(&gate).await.unwrap(), "read in full");
    gate.revoke(&after, 1).await.unwrap();
    follower.follow(&gate).await.unwrap();
    assert!(follower.is_revoked(&before, 0) && follower.is_revoked(&after, 0));
}

#[tokio::test]
async fn nobody_is_let_in_while_redis_is_away_and_all_are_again_when_it_is_back() {
    let stage = Stage::start(&StageOptions::redis_only()).unwrap();
    let gate = Gate::connect(stage.redis_url()).await.unwrap();
    let (follower, gone, good) = (Revocations::default(), random_user(), random_user());
    gate.revoke(&gone, 1).await.unwrap();
    follower.follow(&gate).await.unwrap();
    stage.redis().kill9().unwrap();
    assert!(follower.follow(&gate).await.is_err());
    assert_eq!(judged(&follower, &gone, 0), Judged::Revoked);
    assert_eq!(judged(&follower, &good, 0), Judged::Untold);
    stage.redis().start().unwrap();
    while follower.follow(&gate).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(judged(&follower, &gone, 0), Judged::Revoked);
    assert_eq!(judged(&follower, &good, 0), Judged::Valid);
}

#[tokio::test]
async fn an_entry_that_is_none_of_ours_is_a_broken_contract() {
    let stage = Stage::start(&StageOptions::redis_only().ack_level("memory")).unwrap();
    let gate = Gate::connect(stage.redis_url()).await.unwrap();
    let scene = Scene::unopened(stage.redis_url(), random_sale()).await;
    scene
        .raw("XADD", vec![KEY, "*", "u", "a b", "g", "1"])
        .await
        .unwrap();
    let read = gate.revocations(&StreamId::start(), 10).await;
    assert!(matches!(
        read,
        Err(doorbuster_core::gate::GateError::Contract { .. })
    ));
}
