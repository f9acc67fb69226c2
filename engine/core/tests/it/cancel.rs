//! `cancel`: gives the units of one hold back, once, and only to its own buyer's wish.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::cancel::Cancelled;
use doorbuster_core::gate::reserve::Reserve;
use doorbuster_core::ids::{ReservationId, UserId};
use doorbuster_core::record::{Reason, Record, Status};

use crate::harness::{EPOCH, Scene, user};
use crate::notices::Notices;
use crate::state::{State, id_text};

async fn cancel(scene: &Scene, id: ReservationId, user: &UserId) -> Cancelled {
    scene
        .gate
        .cancel(&scene.live, EPOCH, id, user)
        .await
        .unwrap()
}

/// Two skus, the second sold out by this very hold.
async fn with_a_hold() -> (Scene, Reserve) {
    let scene = Scene::selling(&[("tee", 5, 0), ("cap", 2, 0)]).await;
    let ask = scene.ask("ann", "k", &[("tee", 3), ("cap", 2)]);
    scene.reserve_one(&ask).await;
    (scene, ask)
}

async fn present(scene: &Scene, ask: &Reserve) -> Box<Record> {
    Box::new(Record::parse(&scene.record(ask.id).await).unwrap())
}

/// `before`, with the hold ended at the time that `after` tells.
async fn ended(scene: &Scene, before: State, letter: char, ask: &Reserve, held: Vec<u8>) {
    let (mut expected, after) = (before, scene.state().await);
    expected.ended(after.number("last_now_ms"), letter, &[(ask, held)]);
    assert_eq!(after, expected);
}

#[tokio::test]
async fn cancelled_gives_everything_back_and_says_so() {
    let (scene, ask) = with_a_hold().await;
    let other = scene.ask("ann", "k2", &[("tee", 1)]);
    scene.reserve_one(&other).await;
    let mut notices = Notices::of(&scene).await;
    let (before, held) = (scene.state().await, scene.record(ask.id).await);
    let outcome = cancel(&scene, ask.id, &ask.user).await;
    let record = present(&scene, &ask).await;
    assert_eq!(
        (record.status, record.seq),
        (Status::Released(Reason::Cancelled), 2)
    );
    assert_eq!(outcome, Cancelled::Cancelled { seq: 4, record });
    ended(&scene, before, 'c', &ask, held).await;

    let after = scene.state().await;
    assert_eq!(
        ["tee/left", "cap/left", "tee/restocked", "cap/restocked"].map(|field| after.units(field)),
        [4, 2, 0, 4]
    );
    assert_eq!(
        after
            .users
            .iter()
            .map(|(field, n)| (field.as_str(), n.as_str()))
            .collect::<Vec<_>>(),
        [("ann", "1"), ("ann/tee", "1")]
    );
    assert_eq!(notices.since(&scene).await, [("cap".to_string(), 4)]);
}

#[tokio::test]
async fn ended_before_shows_how_and_writes_nothing() {
    let (scene, ask) = with_a_hold().await;
    cancel(&scene, ask.id, &ask.user).await;
    let mut notices = Notices::of(&scene).await;
    for letter in ["c", "e", "f", "r", "s"] {
        let record = [letter.as_bytes(), &scene.record(ask.id).await[1..]].concat();
        scene.set("records", ask.id.as_bytes(), record).await;
        let before = scene.state().await;
        assert_eq!(
            cancel(&scene, ask.id, &ask.user).await,
            Cancelled::Ended {
                seq: 3,
                record: present(&scene, &ask).await
            },
            "{letter}"
        );
        assert_eq!(scene.state().await, before);
    }
    assert_eq!(notices.since(&scene).await, []);
}

#[tokio::test]
async fn ended_as_expired_from_the_deadline_on_and_cancelled_before() {
    for (past_ms, letter, reason) in [(0, 'e', Reason::Expired), (1, 'e', Reason::Expired)] {
        let (scene, ask) = with_a_hold().await;
        let now_ms = scene.stop_time().await;
        scene.set_deadline(ask.id, now_ms - past_ms).await;
        let (before, held) = (scene.state().await, scene.record(ask.id).await);
        let outcome = cancel(&scene, ask.id, &ask.user).await;
        let record = present(&scene, &ask).await;
        assert_eq!(record.status, Status::Released(reason));
        assert_eq!(outcome, Cancelled::Ended { seq: 3, record });
        ended(&scene, before, letter, &ask, held).await;
    }
    let (scene, ask) = with_a_hold().await;
    scene
        .set_deadline(ask.id, scene.stop_time().await + 1)
        .await;
    assert!(matches!(
        cancel(&scene, ask.id, &ask.user).await,
        Cancelled::Cancelled { .. }
    ));
}

#[tokio::test]
async fn unknown_reservation_where_there_is_none_or_it_is_someone_elses() {
    let (scene, ask) = with_a_hold().await;
    let before = scene.state().await;
    assert_eq!(
        cancel(&scene, scene.id("ann", "other"), &ask.user).await,
        Cancelled::UnknownReservation
    );
    assert_eq!(
        cancel(&scene, ask.id, &user("bob")).await,
        Cancelled::UnknownReservation
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn in_flight_while_it_is_being_paid() {
    let (scene, ask) = with_a_hold().await;
    let paying = [b"p", &scene.record(ask.id).await[1..]].concat();
    scene.set("records", ask.id.as_bytes(), paying).await;
    let before = scene.state().await;
    assert_eq!(
        cancel(&scene, ask.id, &ask.user).await,
        Cancelled::InFlight(present(&scene, &ask).await)
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn recovering_where_the_counters_do_not_hold_what_would_be_given_back() {
    for (key, field, why) in [
        ("stock", "tee/held", "stock"),
        ("stock", "cap/held", "stock"),
        ("users", "ann/tee", "users"),
        ("users", "ann/cap", "users"),
    ] {
        let (scene, ask) = with_a_hold().await;
        scene.set(key, field, "1").await;
        refused(&scene, &ask, why).await;
        scene.unset(key, field).await;
        refused(&scene, &ask, why).await;
    }
    let (scene, ask) = with_a_hold().await;
    scene.unset("stock", "cap/left").await;
    refused(&scene, &ask, "stock").await;
    scene.set("records", ask.id.as_bytes(), "h1|garbage").await;
    assert_eq!(scene.state().await.records[&id_text(ask.id)], "h1|garbage");
    refused(&scene, &ask, "record").await;
}

async fn refused(scene: &Scene, ask: &Reserve, why: &str) {
    let before = scene.state().await;
    assert_eq!(
        cancel(scene, ask.id, &ask.user).await,
        Cancelled::Fenced(Fenced::Recovering(why.into()))
    );
    assert_eq!(scene.state().await, before);
}
