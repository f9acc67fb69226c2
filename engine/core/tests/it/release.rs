//! `release`: a payment that came to nothing gives its units back, once.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::release::Released;
use doorbuster_core::gate::reserve::Reserve;
use doorbuster_core::record::{Reason, Status};

use crate::harness::{Scene, user};
use crate::notices::Notices;
use crate::paying::{
    record, release, set_payment_deadline, with_a_hold, with_a_payment, with_a_sale,
};

async fn nothing(scene: &Scene, ask: &Reserve, expected: Released) {
    let before = scene.state().await;
    assert_eq!(release(scene, ask).await, expected);
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn released_gives_everything_back_whether_its_payment_had_begun_or_not() {
    for is_paying in [false, true] {
        let (scene, ask) = if is_paying {
            with_a_payment().await
        } else {
            with_a_hold().await
        };
        let mut notices = Notices::of(&scene).await;
        let (mut expected, before) = (scene.state().await, scene.record(ask.id).await);
        let outcome = release(&scene, &ask).await;
        let after = scene.state().await;
        expected.ended(after.number("last_now_ms"), 'f', &[(&ask, before)]);
        expected.paying.clear();
        assert_eq!(after, expected);
        let (seq, record) = (expected.number("seq"), record(&scene, ask.id).await);
        assert_eq!(record.status, Status::Released(Reason::PaymentFailed));
        let released = Released::Released {
            seq,
            record: record.clone(),
        };
        assert_eq!(outcome, released);
        assert_eq!(notices.since(&scene).await, [("cap".to_string(), seq)]);
        nothing(&scene, &ask, Released::Ended { seq, record }).await;
    }
}

#[tokio::test]
async fn ended_as_expired_past_the_deadline() {
    let (scene, ask) = with_a_payment().await;
    let now_ms = scene.stop_time().await;
    set_payment_deadline(&scene, ask.id, now_ms).await;
    let (mut expected, before) = (scene.state().await, scene.record(ask.id).await);
    let outcome = release(&scene, &ask).await;
    expected.ended(now_ms, 'e', &[(&ask, before)]);
    expected.paying.clear();
    assert_eq!(scene.state().await, expected);
    let record = record(&scene, ask.id).await;
    assert_eq!(record.status, Status::Released(Reason::Expired));
    assert_eq!(outcome, Released::Ended { seq: 4, record });
}

#[tokio::test]
async fn paid_stays_paid() {
    let (scene, ask) = with_a_sale().await;
    let record = record(&scene, ask.id).await;
    nothing(&scene, &ask, Released::Paid(record)).await;
}

#[tokio::test]
async fn unknown_reservation_where_there_is_none_or_it_is_someone_elses() {
    let (scene, ask) = with_a_payment().await;
    let other = scene.ask("ann", "other", &[("tee", 1)]);
    nothing(&scene, &other, Released::UnknownReservation).await;
    let theirs = Reserve {
        user: user("bob"),
        ..ask
    };
    nothing(&scene, &theirs, Released::UnknownReservation).await;
}

#[tokio::test]
async fn recovering_where_the_counters_or_the_record_do_not_hold() {
    let fenced = |why: &str| Released::Fenced(Fenced::Recovering(why.into()));
    for (key, field, why) in [
        ("stock", "tee/held", "stock"),
        ("users", "ann/tee", "users"),
    ] {
        let (scene, ask) = with_a_payment().await;
        scene.set(key, field, "1").await;
        nothing(&scene, &ask, fenced(why)).await;
        scene.unset(key, field).await;
        nothing(&scene, &ask, fenced(why)).await;
    }
    let (scene, ask) = with_a_payment().await;
    scene.set("records", ask.id.as_bytes(), "p1|garbage").await;
    nothing(&scene, &ask, fenced("record")).await;
}
