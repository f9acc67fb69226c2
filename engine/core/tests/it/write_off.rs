//! `write_off`: units of a paid reservation leave the stock for good, once per key, and never more than were sold.

use doorbuster_core::gate::reserve::Reserve;
use doorbuster_core::gate::restock::Returned;
use doorbuster_core::gate::{self, Fenced};
use doorbuster_core::ids::SkuId;
use doorbuster_core::record::{Reason, Status};

use crate::harness::{EPOCH, Scene, sku, user};
use crate::notices::Notices;
use crate::paying::{Back, record, with_a_payment, with_a_sale};

async fn write_off(scene: &Scene, ask: &Reserve, key: &str, lines: &[(&str, u32)]) -> Returned {
    let lines: Vec<(SkuId, u32)> = lines.iter().map(|(name, n)| (sku(name), *n)).collect();
    let (gate, live) = (&scene.gate, &scene.live);
    gate.write_off(live, EPOCH, ask.id, &ask.user, key, &lines)
        .await
        .unwrap()
}

/// Nothing is written, and the answer is this.
async fn nothing(
    scene: &Scene,
    ask: &Reserve,
    key: &str,
    lines: &[(&str, u32)],
    expected: Returned,
) {
    let before = scene.state().await;
    assert_eq!(write_off(scene, ask, key, lines).await, expected);
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn done_takes_units_out_of_the_stock_and_the_last_ones_refund_it() {
    let (scene, ask) = with_a_sale().await;
    let mut notices = Notices::of(&scene).await;
    let (mut expected, sold) = (scene.state().await, scene.record(ask.id).await);
    let done = write_off(&scene, &ask, "a", &[("cap", 2)]).await;
    let after = scene.state().await;
    let back = Back {
        letter: 'W',
        key: "a",
        lines: &[("cap", 2, 2)],
        totals: "cap=2",
    };
    expected.returned(after.number("last_now_ms"), &ask, &sold, &back);
    assert_eq!(after, expected);
    assert_eq!(done, Returned::Done { seq: 5 });
    assert_eq!(
        ["cap/stocked", "cap/left", "cap/sold"].map(|field| after.units(field)),
        [0, 0, 0]
    );

    let mut expected = scene.state().await;
    let done = write_off(&scene, &ask, "b", &[("tee", 3)]).await;
    let after = scene.state().await;
    let back = Back {
        letter: 'W',
        key: "b",
        lines: &[("tee", 3, 3)],
        totals: "tee=3,cap=2",
    };
    expected.returned(after.number("last_now_ms"), &ask, &sold, &back);
    assert_eq!(after, expected);
    assert_eq!(done, Returned::Done { seq: 7 });
    let status = record(&scene, ask.id).await.status;
    assert_eq!(status, Status::Released(Reason::Refunded));
    assert_eq!(notices.since(&scene).await, [], "nothing is on sale again");
}

#[tokio::test]
async fn already_under_the_same_key_which_says_nothing_of_a_restock() {
    let (scene, ask) = with_a_sale().await;
    write_off(&scene, &ask, "a", &[("tee", 1)]).await;
    let already = Returned::Already { seq: 5 };
    nothing(&scene, &ask, "a", &[("tee", 1)], already.clone()).await;
    let (gate, live) = (&scene.gate, &scene.live);
    let restocked = gate
        .restock(live, EPOCH, ask.id, &ask.user, "a", &[(sku("tee"), 2)])
        .await;
    assert_eq!(restocked.unwrap(), Returned::Done { seq: 6 });
    nothing(&scene, &ask, "b", &[("tee", 1)], Returned::TooMany).await;
    nothing(&scene, &ask, "a", &[("tee", 1)], already).await;
    let state = scene.state().await;
    assert_eq!(
        ["tee/stocked", "tee/left", "tee/sold"].map(|field| state.units(field)),
        [4, 4, 0]
    );
}

#[tokio::test]
async fn too_many_is_more_than_was_sold_and_has_not_come_back() {
    let (scene, ask) = with_a_sale().await;
    for lines in [
        [("tee", 4)].as_slice(),
        &[("tee", 1), ("cap", 3)],
        &[("mug", 1)],
    ] {
        nothing(&scene, &ask, "a", lines, Returned::TooMany).await;
    }
    write_off(&scene, &ask, "a", &[("tee", 2)]).await;
    nothing(&scene, &ask, "b", &[("tee", 2)], Returned::TooMany).await;
    assert_eq!(
        write_off(&scene, &ask, "b", &[("tee", 1)]).await,
        Returned::Done { seq: 6 }
    );
}

#[tokio::test]
async fn not_paid_before_it_is_and_after_all_has_come_back() {
    let (scene, ask) = with_a_payment().await;
    let paying = Returned::NotPaid(record(&scene, ask.id).await);
    nothing(&scene, &ask, "a", &[("tee", 1)], paying).await;
    let (scene, ask) = with_a_sale().await;
    write_off(&scene, &ask, "a", &[("tee", 3), ("cap", 2)]).await;
    let refunded = Returned::NotPaid(record(&scene, ask.id).await);
    nothing(&scene, &ask, "b", &[("tee", 1)], refunded).await;
}

#[tokio::test]
async fn unknown_reservation_where_there_is_none_or_it_is_someone_elses() {
    let (scene, ask) = with_a_sale().await;
    let lines = [("tee", 1)];
    let other = scene.ask("ann", "other", &lines);
    nothing(&scene, &other, "a", &lines, Returned::UnknownReservation).await;
    let theirs = Reserve {
        user: user("bob"),
        ..ask
    };
    nothing(&scene, &theirs, "a", &lines, Returned::UnknownReservation).await;
}

#[tokio::test]
async fn recovering_where_the_counters_or_the_record_do_not_hold() {
    let fenced = |why: &str| Returned::Fenced(Fenced::Recovering(why.into()));
    for (key, field, why) in [
        ("stock", "tee/sold", "conservation"),
        ("stock", "tee/stocked", "conservation"),
        ("users", "ann/tee", "users"),
    ] {
        let (scene, ask) = with_a_sale().await;
        scene.set(key, field, "1").await;
        nothing(&scene, &ask, "a", &[("tee", 2)], fenced(why)).await;
        scene.unset(key, field).await;
        let why = if key == "stock" { "stock" } else { why };
        nothing(&scene, &ask, "a", &[("tee", 2)], fenced(why)).await;
    }
    let (scene, ask) = with_a_sale().await;
    scene.set("records", ask.id.as_bytes(), "s1|garbage").await;
    nothing(&scene, &ask, "a", &[("tee", 1)], fenced("record")).await;
}

#[tokio::test]
async fn a_callers_mistake_is_refused() {
    let (scene, ask) = with_a_sale().await;
    let before = scene.state().await;
    for (key, lines) in [
        ("", "tee=1"),
        ("a", ""),
        ("a", "tee=0"),
        ("a", "tee=1,tee=1"),
        ("a", "tee=1,"),
        ("a", "tee"),
    ] {
        let args: [&[u8]; 7] = [
            b"7",
            b"1",
            b"0",
            ask.id.as_bytes(),
            b"ann",
            key.as_bytes(),
            lines.as_bytes(),
        ];
        let refused = scene
            .call(&gate::write_off::SCRIPT, &args)
            .await
            .unwrap_err();
        assert!(refused.details().starts_with("BADARG"), "{key} {lines}");
    }
    assert_eq!(scene.state().await, before);
}
