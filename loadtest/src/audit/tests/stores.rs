//! Differences: fields, counters and states that contradict each other.

use doorbuster_core::ids::BodyHash;
use doorbuster_core::record::{Reason, Status};

use super::case::{Case, DEADLINE_MS, START_MS, ask, refusal, sku, user};
use crate::audit::Numbers;
use crate::audit::facts::{Cursor, Holding};
use crate::history::{Answer, Seen, Told, Verb};

#[test]
fn every_field_that_differs_is_a_difference() {
    type Change = fn(&mut Holding);
    let changes: [Change; 5] = [
        |holding| holding.user = user(7),
        |holding| holding.status = Status::Released(Reason::Expired),
        |holding| holding.at_ms += 1,
        |holding| holding.lines.clear(),
        |holding| holding.body = Some(BodyHash::of(b"two")),
    ];
    for (i, change) in changes.iter().enumerate() {
        let mut case = Case::sold(2);
        change(case.books.holdings.get_mut(&Case::id(1)).unwrap());
        assert_eq!(
            case.numbers(),
            Numbers {
                differences: 1,
                ..Numbers::default()
            },
            "field {i}"
        );
    }
}

#[test]
fn every_field_that_a_client_was_told_wrongly_is_a_difference() {
    type Change = fn(&mut Told);
    let changes: [Change; 7] = [
        |told| told.id = Case::id(7),
        |told| told.seq = 99,
        |told| told.user = user(7),
        |told| told.of = "t".into(),
        |told| told.lines[0].quantity = 2,
        |told| told.deadline_ms = None,
        |told| told.status = "paid".into(),
    ];
    for (i, change) in changes.iter().enumerate() {
        let mut case = Case::sold(2);
        change(case.last_answer(1).told.as_mut().unwrap());
        assert_eq!(
            case.numbers(),
            Numbers {
                differences: 1,
                ..Numbers::default()
            },
            "field {i}"
        );
    }
    let mut case = Case::sold(2);
    case.last_answer(1).told = None;
    assert_eq!(case.numbers().differences, 1);
}

#[test]
fn counters_that_are_not_their_sums_are_differences() {
    type Change = fn(&mut Case);
    let changes: [(Change, u64); 8] = [
        // Conservation, and left against the journal.
        (|case| case.stock().left += 1, 2),
        (|case| case.stock().stocked += 1, 2),
        // Conservation, and the counter's own sum.
        (|case| case.stock().held += 1, 2),
        (|case| case.stock().sold += 1, 2),
        (
            |case| *case.live.counted.get_mut("u1/doorbuster").unwrap() = 2,
            1,
        ),
        (|case| case.live.flushed_seq -= 1, 1),
        (|case| case.books.dead_letters = 1, 1),
        (
            |case| {
                case.books.cursor = Some(Cursor {
                    epoch: 2,
                    seq: case.live.seq,
                })
            },
            1,
        ),
    ];
    for (i, (change, count)) in changes.iter().enumerate() {
        let mut case = Case::sold(2);
        change(&mut case);
        assert_eq!(
            case.numbers(),
            Numbers {
                differences: *count,
                ..Numbers::default()
            },
            "change {i}"
        );
    }
}

#[test]
fn a_cancellation_is_asked_for_and_takes_effect() {
    let mut unasked = Case::sold(2);
    unasked.release(1, START_MS + 60_000, Reason::Cancelled);
    unasked
        .live
        .counted
        .insert(format!("{}/{}", user(2), sku()), 1);
    assert_eq!(
        unasked.numbers(),
        Numbers {
            differences: 1,
            ..Numbers::default()
        }
    );
    let cancel = ask(
        Verb::Cancel,
        59_900,
        Seen::Answered(Box::new(Answer {
            status: 200,
            ..Answer::default()
        })),
    );
    unasked.history.clients[0].asks.push(cancel.clone());
    assert!(unasked.numbers().are_zero());
    let mut without_effect = Case::sold(2);
    without_effect.history.clients[0].asks.push(cancel);
    assert_eq!(
        without_effect.numbers(),
        Numbers {
            differences: 1,
            ..Numbers::default()
        }
    );
}

#[test]
fn a_limit_that_was_never_reached_is_a_difference() {
    let mut case = Case::sold(2);
    case.history.clients[2].asks = vec![ask(Verb::Take, 9_000, refusal("limit_reached"))];
    assert_eq!(
        case.numbers(),
        Numbers {
            differences: 1,
            ..Numbers::default()
        }
    );
}

#[test]
fn a_reservation_that_comes_back_to_life_is_duplicated() {
    let mut case = Case::sold(2);
    case.release(1, START_MS + 60_000, Reason::Expired);
    case.hold_silently(1);
    assert!(case.numbers().duplicated >= 1);
}

#[test]
fn how_late_units_came_back_is_measured() {
    let mut case = Case::sold(2);
    case.release(1, DEADLINE_MS + 700, Reason::Expired);
    let summary = case.outcome().summary;
    assert_eq!((summary.sweep_lag_ms_max, summary.expired), (Some(700), 1));
}
