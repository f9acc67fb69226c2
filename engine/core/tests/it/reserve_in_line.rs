//! `reserve` in a sale with a line: whose turn it is, and for how long.

use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::reserve::{InLine as Asking, Reserved, Shown};
use doorbuster_core::limits::OFFER_LIFE;
use doorbuster_core::ticket::Place;

use crate::harness::EPOCH;
use crate::in_line::{InLine, clock_ms, follow_stock};

fn asking(line: &InLine, user: &str, key: &str, place: Option<u32>) -> Asking {
    let shown = place.map(|number| Shown {
        number: Place::general(number),
        place: Place::general(number),
    });
    let reserve = line.scene.ask(user, key, &[("tee", 1)]);
    Asking { reserve, shown }
}

async fn reserve(line: &InLine, asking: &[Asking]) -> Vec<Reserved> {
    let asking: Vec<&Asking> = asking.iter().collect();
    let (gate, live) = (&line.scene.gate, &line.scene.live);
    match gate.reserve_in_line(live, EPOCH, &asking).await.unwrap() {
        Batch::Decided(decided) => decided.outcomes,
        Batch::Fenced(fenced) => panic!("{fenced:?}"),
    }
}

fn is_held(outcome: &Reserved) -> bool {
    matches!(outcome, Reserved::Held { .. })
}

/// Three people, of whom the first two are offered admission, and the first has been told.
pub(crate) async fn two_of_three(stock: u32) -> InLine {
    let line = InLine::begun(stock, follow_stock()).await;
    line.join(&["ann", "bob", "cat"]).await;
    line.ripen().await;
    let all = [1, 2, 3].map(Place::general);
    line.advance(&all[..2]).await;
    line.tell(&all[..1]).await;
    line
}

#[tokio::test]
async fn not_admitted_are_all_but_those_whose_turn_it_is() {
    let line = two_of_three(9).await;
    let outcomes = reserve(
        &line,
        &[
            asking(&line, "cat", "k", Some(3)),
            asking(&line, "cat", "k", None),
            // Another's place, and a number that nobody has.
            asking(&line, "cat", "k", Some(1)),
            asking(&line, "eve", "k", Some(1)),
            asking(&line, "eve", "k", Some(9)),
        ],
    )
    .await;
    assert!(outcomes.iter().all(|o| *o == Reserved::NotAdmitted));
    let mine = [
        asking(&line, "ann", "k", Some(1)),
        asking(&line, "bob", "k", Some(2)),
    ];
    let outcomes = reserve(&line, &mine).await;
    assert!(outcomes.iter().all(is_held), "{outcomes:?}");
    assert_eq!(line.size("ZCARD", "offered").await, 0);
    assert_eq!(line.size("ZCARD", "admitted").await, 0);
    assert_eq!(line.size("ZCARD", "served").await, 2);
}

#[tokio::test]
async fn a_place_and_a_number_must_be_of_one_user() {
    let line = two_of_three(9).await;
    let mut eve = asking(&line, "cat", "k", Some(3));
    // A number of one's own, and the place of another.
    eve.shown = Some(Shown {
        number: Place::general(3),
        place: Place::general(3),
    });
    assert_eq!(reserve(&line, &[eve]).await, [Reserved::NotAdmitted]);
    let old = asking(&line, "ann", "k", Some(1));
    line.scene.set("places", "ann", "7").await;
    assert_eq!(reserve(&line, &[old]).await, [Reserved::NotAdmitted]);
}

#[tokio::test]
async fn a_repeat_needs_no_ticket_and_a_place_with_a_reservation_serves_on() {
    let line = two_of_three(9).await;
    assert!(is_held(
        &reserve(&line, &[asking(&line, "ann", "k", Some(1))]).await[0]
    ));
    let repeat = reserve(&line, &[asking(&line, "ann", "k", None)]).await;
    assert!(matches!(repeat[0], Reserved::Repeat(_)));
    let more = reserve(&line, &[asking(&line, "ann", "l", Some(1))]).await;
    assert!(is_held(&more[0]));
    assert_eq!(line.size("ZCARD", "served").await, 1);
    line.pass(120_000).await;
    let late = reserve(&line, &[asking(&line, "ann", "m", Some(1))]).await;
    assert_eq!(late, [Reserved::NotAdmitted]);
}

#[tokio::test]
async fn each_run_of_a_batch_uses_its_places_and_repeats_among_them_none() {
    let line = two_of_three(9).await;
    let two = |user, place| Asking {
        reserve: line.scene.ask(user, "k", &[("tee", 2)]),
        ..asking(&line, user, "k", place)
    };
    let batch = [
        asking(&line, "ann", "k", Some(1)),
        asking(&line, "ann", "k", None),
        two("bob", Some(2)),
        two("cat", None),
        two("bob", None),
        asking(&line, "ann", "l", Some(1)),
    ];
    let outcomes = reserve(&line, &batch).await;
    let [
        Reserved::Held { seq: 2, .. },
        Reserved::Repeat(ann),
        Reserved::Held { seq: 3, .. },
        Reserved::NotAdmitted,
        Reserved::Repeat(bob),
        Reserved::Held { seq: 4, .. },
    ] = &outcomes[..]
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!((ann.seq, &ann.lines), (2, &batch[0].reserve.lines));
    assert_eq!((bob.seq, &bob.lines), (3, &batch[2].reserve.lines));
    assert_eq!(line.scene.state().await.units("tee/left"), 5);
    assert_eq!(line.size("ZCARD", "offered").await, 0);
    assert_eq!(line.size("ZCARD", "admitted").await, 0);
    assert_eq!(line.size("ZCARD", "served").await, 2);
}

#[tokio::test]
async fn an_offer_that_nobody_was_told_of_ends_and_one_that_is_used_lasts_like_any() {
    let line = two_of_three(9).await;
    line.pass(clock_ms(OFFER_LIFE) - 1).await;
    assert!(is_held(
        &reserve(&line, &[asking(&line, "bob", "k", Some(2))]).await[0]
    ));
    line.pass(119_999).await;
    assert!(is_held(
        &reserve(&line, &[asking(&line, "bob", "l", Some(2))]).await[0]
    ));

    let line = two_of_three(9).await;
    line.pass(clock_ms(OFFER_LIFE)).await;
    let late = reserve(&line, &[asking(&line, "bob", "k", Some(2))]).await;
    assert_eq!(late, [Reserved::NotAdmitted]);
}

#[tokio::test]
async fn a_refusal_leaves_the_place_as_it_was() {
    let line = two_of_three(9).await;
    line.set_left(0, 9).await;
    let outcomes = reserve(&line, &[asking(&line, "ann", "k", Some(1))]).await;
    assert!(matches!(outcomes[0], Reserved::SoldOut { .. }));
    assert_eq!(line.size("ZCARD", "admitted").await, 1);
    assert_eq!(line.size("ZCARD", "served").await, 0);
}
