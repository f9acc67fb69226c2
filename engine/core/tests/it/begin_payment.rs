//! `begin_payment`: a hold becomes a payment with a deadline of its own, once.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::begin_payment::BegunPayment;
use doorbuster_core::gate::cancel::Cancelled;
use doorbuster_core::gate::reserve::Reserved;
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::record::{Reason, Status};

use crate::harness::{EPOCH, HOUR_MS, Scene, user};
use crate::notices::Notices;
use crate::paying::{
    begin, record, release, set_payment_deadline, settle, with_a_hold, with_a_payment, with_a_sale,
};

#[tokio::test]
async fn paying_lasts_as_long_as_a_payment_may_and_is_extended_once() {
    let (scene, ask) = with_a_hold().await;
    scene
        .set("sale", "payment_ms", (2 * HOUR_MS).to_string())
        .await;
    let (before, held) = (scene.state().await, scene.record(ask.id).await);
    let outcome = begin(&scene, &ask).await;
    let after = scene.state().await;
    let mut expected = before;
    expected.paying(after.number("last_now_ms"), &ask, &held);
    assert_eq!(after, expected);
    let record = record(&scene, ask.id).await;
    assert_eq!((record.status, record.seq), (Status::Paying, 2));
    assert_eq!(
        record.deadline_ms,
        after.number("last_now_ms") + 2 * HOUR_MS
    );
    let paying = BegunPayment::Paying { seq: 3, record };
    assert_eq!(outcome, paying);

    scene.stop_time().await;
    let before = scene.state().await;
    assert_eq!(begin(&scene, &ask).await, paying);
    assert!(
        matches!(scene.reserve_one(&ask).await, Reserved::Repeat(r) if r.status == Status::Paying)
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn paying_lasts_as_long_as_a_hold_where_the_sale_does_not_say() {
    let (scene, ask) = with_a_hold().await;
    scene.unset("sale", "payment_ms").await;
    scene.set("sale", "hold_ms", "5000").await;
    begin(&scene, &ask).await;
    let now_ms = scene.state().await.number("last_now_ms");
    assert_eq!(record(&scene, ask.id).await.deadline_ms, now_ms + 5_000);
}

#[tokio::test]
async fn paying_begins_whether_the_sale_is_paused_or_over() {
    for verb in [Verb::Pause, Verb::Close] {
        let (scene, ask) = with_a_hold().await;
        scene.set("sale", "closes_ms", "1").await;
        scene.gate.switch(&scene.live, EPOCH, verb).await.unwrap();
        assert!(matches!(
            begin(&scene, &ask).await,
            BegunPayment::Paying { .. }
        ));
    }
}

#[tokio::test]
async fn paid_is_shown_and_nothing_is_written() {
    let (scene, ask) = with_a_sale().await;
    let before = scene.state().await;
    let paid = BegunPayment::Paid(record(&scene, ask.id).await);
    assert_eq!(begin(&scene, &ask).await, paid);
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn ended_before_shows_how_and_writes_nothing() {
    let (scene, ask) = with_a_hold().await;
    release(&scene, &ask).await;
    for letter in ["c", "e", "f", "r"] {
        let ended = [letter.as_bytes(), &scene.record(ask.id).await[1..]].concat();
        scene.set("records", ask.id.as_bytes(), ended).await;
        let before = scene.state().await;
        let record = record(&scene, ask.id).await;
        assert_eq!(
            begin(&scene, &ask).await,
            BegunPayment::Ended { seq: 3, record }
        );
        assert_eq!(scene.state().await, before, "{letter}");
    }
}

#[tokio::test]
async fn ended_as_expired_where_the_hold_or_the_payment_is_past_its_deadline() {
    for is_paying in [false, true] {
        let (scene, ask) = if is_paying {
            with_a_payment().await
        } else {
            with_a_hold().await
        };
        let now_ms = scene.stop_time().await;
        if is_paying {
            set_payment_deadline(&scene, ask.id, now_ms).await;
        } else {
            scene.set_deadline(ask.id, now_ms).await;
        }
        let mut notices = Notices::of(&scene).await;
        let (mut expected, held) = (scene.state().await, scene.record(ask.id).await);
        let outcome = begin(&scene, &ask).await;
        expected.ended(now_ms, 'e', &[(&ask, held)]);
        expected.paying.clear();
        let seq = expected.number("seq");
        assert_eq!(scene.state().await, expected);
        let record = record(&scene, ask.id).await;
        assert_eq!(record.status, Status::Released(Reason::Expired));
        assert_eq!(outcome, BegunPayment::Ended { seq, record });
        assert_eq!(notices.since(&scene).await, [("cap".to_string(), seq)]);
    }
}

#[tokio::test]
async fn its_buyer_cannot_cancel_meanwhile_but_what_is_overdue_has_expired() {
    let (scene, ask) = with_a_payment().await;
    let cancel = async || {
        scene
            .gate
            .cancel(&scene.live, EPOCH, ask.id, &ask.user)
            .await
            .unwrap()
    };
    let in_flight = Cancelled::InFlight(record(&scene, ask.id).await);
    assert_eq!(cancel().await, in_flight);
    let now_ms = scene.stop_time().await;
    set_payment_deadline(&scene, ask.id, now_ms).await;
    let (mut expected, held) = (scene.state().await, scene.record(ask.id).await);
    expected.ended(now_ms, 'e', &[(&ask, held)]);
    expected.paying.clear();
    assert!(matches!(cancel().await, Cancelled::Ended { seq: 4, .. }));
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn unknown_reservation_where_there_is_none_or_it_is_someone_elses() {
    let (scene, ask) = with_a_hold().await;
    let before = scene.state().await;
    let other = scene.ask("ann", "other", &[("tee", 1)]);
    assert_eq!(
        begin(&scene, &other).await,
        BegunPayment::UnknownReservation
    );
    let theirs = doorbuster_core::gate::reserve::Reserve {
        user: user("bob"),
        ..ask
    };
    assert_eq!(
        begin(&scene, &theirs).await,
        BegunPayment::UnknownReservation
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn recovering_where_the_counters_or_the_record_do_not_hold() {
    for (key, field, why) in [
        ("stock", "tee/held", "stock"),
        ("stock", "cap/left", "stock"),
        ("users", "ann/cap", "users"),
    ] {
        let (scene, ask) = with_a_hold().await;
        scene.unset(key, field).await;
        refused(&scene, &ask, why).await;
    }
    let (scene, ask) = with_a_hold().await;
    scene.set("records", ask.id.as_bytes(), "h1|garbage").await;
    refused(&scene, &ask, "record").await;
}

async fn refused(scene: &Scene, ask: &doorbuster_core::gate::reserve::Reserve, why: &str) {
    let before = scene.state().await;
    assert_eq!(
        begin(scene, ask).await,
        BegunPayment::Fenced(Fenced::Recovering(why.into()))
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn a_payment_that_begins_again_after_its_end_is_none() {
    let (scene, ask) = with_a_payment().await;
    release(&scene, &ask).await;
    assert!(matches!(
        begin(&scene, &ask).await,
        BegunPayment::Ended { .. }
    ));
    settle(&scene, &ask, true).await;
    assert!(matches!(begin(&scene, &ask).await, BegunPayment::Paid(_)));
}
