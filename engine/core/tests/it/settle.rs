//! `settle`: what was paid for is sold, once; what had ended takes units that are left, or is gone.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::gate::settle::Settled;
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::record::{Reason, Status};

use crate::harness::{EPOCH, HOUR_MS, Scene, user};
use crate::notices::Notices;
use crate::paying::{
    record, release, set_payment_deadline, settle, with_a_hold, with_a_payment, with_a_sale,
};
use crate::state::State;

/// What `settle` found, and the state that it left.
async fn settled(scene: &Scene, ask: &Reserve, reacquire: bool) -> (Settled, State) {
    let outcome = settle(scene, ask, reacquire).await;
    (outcome, scene.state().await)
}

async fn is_paid(scene: &Scene, ask: &Reserve, seq: u64, reacquired: bool) -> Settled {
    let record = record(scene, ask.id).await;
    assert_eq!(record.status, Status::Paid);
    Settled::Paid {
        seq,
        record,
        reacquired,
    }
}

/// Nothing is written, and the answer is this.
async fn nothing(scene: &Scene, ask: &Reserve, reacquire: bool, expected: Settled) {
    let before = scene.state().await;
    assert_eq!(settled(scene, ask, reacquire).await, (expected, before));
}

#[tokio::test]
async fn paid_sells_what_was_held_and_a_repeat_sells_nothing_more() {
    let (scene, ask) = with_a_payment().await;
    let (mut expected, before) = (scene.state().await, scene.record(ask.id).await);
    let (outcome, after) = settled(&scene, &ask, false).await;
    expected.paid(after.number("last_now_ms"), &ask, &before);
    assert_eq!(after, expected);
    assert_eq!(outcome, is_paid(&scene, &ask, 4, false).await);
    assert_eq!(
        ["tee/left", "tee/held", "tee/sold", "cap/sold"].map(|field| after.units(field)),
        [2, 0, 3, 2]
    );
    nothing(&scene, &ask, true, outcome).await;
    let repeat = scene.reserve_one(&ask).await;
    assert!(matches!(repeat, Reserved::Repeat(r) if r.status == Status::Paid));
}

#[tokio::test]
async fn paid_of_one_that_had_ended_takes_units_that_are_left() {
    for letter in ["e", "f", "c"] {
        let (scene, ask) = with_a_payment().await;
        release(&scene, &ask).await;
        let ended = [letter.as_bytes(), &scene.record(ask.id).await[1..]].concat();
        scene.set("records", ask.id.as_bytes(), &ended).await;
        // Neither the limit of three tees nor a sale that is over stands against it.
        scene
            .reserve_one(&scene.ask("ann", "more", &[("tee", 2)]))
            .await;
        scene
            .gate
            .switch(&scene.live, EPOCH, Verb::Close)
            .await
            .unwrap();
        let mut expected = scene.state().await;
        let (outcome, after) = settled(&scene, &ask, true).await;
        expected.reacquired(after.number("last_now_ms"), &ask, &ended);
        let seq = expected.number("seq");
        assert_eq!(after, expected, "{letter}");
        assert_eq!(outcome, is_paid(&scene, &ask, seq, true).await);
        assert_eq!(after.users["ann/tee"], "5");
        assert!(!after.users.contains_key("ann"), "it has not ended");
        let again = is_paid(&scene, &ask, seq, false).await;
        nothing(&scene, &ask, true, again).await;
    }
}

#[tokio::test]
async fn gone_where_a_unit_is_missing_or_kept_for_receipts_or_nothing_is_to_be_taken() {
    let (scene, ask) = with_a_payment().await;
    release(&scene, &ask).await;
    let gone = async || Settled::Gone {
        record: record(&scene, ask.id).await,
    };
    nothing(&scene, &ask, false, gone().await).await;
    let now_ms = scene.stop_time().await;
    scene
        .set("stock", "tee/kept", format!("3|{}", now_ms + 1))
        .await;
    nothing(&scene, &ask, true, gone().await).await;
    let bob = scene.ask("bob", "k", &[("cap", 1)]);
    scene.reserve_one(&bob).await;
    scene.set("stock", "tee/kept", format!("3|{now_ms}")).await;
    nothing(&scene, &ask, true, gone().await).await;
    release(&scene, &bob).await;
    assert!(matches!(
        settle(&scene, &ask, true).await,
        Settled::Paid {
            reacquired: true,
            ..
        }
    ));
}

#[tokio::test]
async fn gone_for_good_once_it_was_refunded() {
    let (scene, ask) = with_a_sale().await;
    let refunded = [b"r", &scene.record(ask.id).await[1..]].concat();
    scene.set("records", ask.id.as_bytes(), refunded).await;
    let record = record(&scene, ask.id).await;
    assert_eq!(record.status, Status::Released(Reason::Refunded));
    nothing(&scene, &ask, true, Settled::Gone { record }).await;
}

#[tokio::test]
async fn gone_as_expired_past_the_payments_deadline_unless_late_ones_are_taken() {
    let (scene, ask) = with_a_payment().await;
    let now_ms = scene.stop_time().await;
    set_payment_deadline(&scene, ask.id, now_ms).await;
    let mut notices = Notices::of(&scene).await;
    let (mut expected, before) = (scene.state().await, scene.record(ask.id).await);
    let (outcome, after) = settled(&scene, &ask, false).await;
    expected.ended(now_ms, 'e', &[(&ask, before)]);
    expected.paying.clear();
    assert_eq!(after, expected);
    let gone = Settled::Gone {
        record: record(&scene, ask.id).await,
    };
    assert_eq!(outcome, gone);
    assert_eq!(notices.since(&scene).await, [("cap".to_string(), 4)]);

    let (scene, ask) = with_a_payment().await;
    let now_ms = scene.stop_time().await;
    set_payment_deadline(&scene, ask.id, now_ms).await;
    let (mut expected, before) = (scene.state().await, scene.record(ask.id).await);
    let (outcome, after) = settled(&scene, &ask, true).await;
    expected.paid(now_ms, &ask, &before);
    assert_eq!(after, expected, "its units were still set aside");
    assert_eq!(outcome, is_paid(&scene, &ask, 4, false).await);
}

#[tokio::test]
async fn not_paying_where_no_payment_has_begun() {
    let (scene, ask) = with_a_hold().await;
    let record = record(&scene, ask.id).await;
    nothing(&scene, &ask, true, Settled::NotPaying(record)).await;
}

#[tokio::test]
async fn unknown_reservation_where_there_is_none_or_it_is_someone_elses() {
    let (scene, ask) = with_a_payment().await;
    let other = scene.ask("ann", "other", &[("tee", 1)]);
    nothing(&scene, &other, true, Settled::UnknownReservation).await;
    let theirs = Reserve {
        user: user("bob"),
        ..ask
    };
    nothing(&scene, &theirs, true, Settled::UnknownReservation).await;
}

#[tokio::test]
async fn recovering_where_the_counters_or_the_record_do_not_hold() {
    let fenced = |why: &str| Settled::Fenced(Fenced::Recovering(why.into()));
    for (key, field, value, why) in [
        ("stock", "tee/held", "2", "conservation"),
        ("stock", "cap/stocked", "7", "conservation"),
        ("users", "ann/cap", "1", "users"),
    ] {
        let (scene, ask) = with_a_payment().await;
        scene.set(key, field, value).await;
        nothing(&scene, &ask, true, fenced(why)).await;
        scene.unset(key, field).await;
        let why = if key == "stock" { "stock" } else { why };
        nothing(&scene, &ask, true, fenced(why)).await;
    }
    let (scene, ask) = with_a_payment().await;
    scene.set("stock", "tee/held", "1").await;
    scene.set("stock", "tee/left", "4").await;
    nothing(&scene, &ask, true, fenced("stock")).await;
    scene.set("records", ask.id.as_bytes(), "p1|garbage").await;
    nothing(&scene, &ask, true, fenced("record")).await;
    let (scene, ask) = with_a_payment().await;
    release(&scene, &ask).await;
    scene.unset("users", "ann").await;
    nothing(&scene, &ask, true, fenced("users")).await;
}

#[tokio::test]
async fn a_callers_mistake_is_refused() {
    let (scene, ask) = with_a_payment().await;
    let args: [&[u8]; 7] = [b"7", b"1", b"0", ask.id.as_bytes(), b"ann", b"2", b"test"];
    let script = &doorbuster_core::gate::settle::SCRIPT;
    let refused = scene.call(script, &args).await.unwrap_err();
    assert!(refused.details().starts_with("BADARG reacquire"));
    assert!(scene.state().await.number("last_now_ms") < doorbuster_core::clock::now_ms() + HOUR_MS);
}
