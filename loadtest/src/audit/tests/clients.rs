//! Oversold, undersold, lost, phantom, duplicated, limit breaches: what was told against what happened.

use doorbuster_core::journal::Event;
use doorbuster_core::record::Reason;

use super::case::{Case, START_MS, ask, refusal, sku, user};
use crate::audit::facts::Cursor;
use crate::audit::{Numbers, Verdict};
use crate::history::{Broken, Seen, Verb};

#[test]
fn a_perfect_run_is_clean() {
    assert_eq!(Case::sold(3).verdict(), Verdict::default());
    assert!(Case::sold(0).numbers().are_zero());
}

#[test]
fn a_unit_too_many_is_oversold_even_where_the_counters_agree() {
    let mut case = Case::sold(2);
    case.hold(9);
    assert_eq!(case.numbers().oversold, 1);
}

#[test]
fn a_unit_too_many_for_a_moment_is_oversold() {
    let mut case = Case::sold(2);
    case.hold(9);
    case.release(9, START_MS + 9_500, Reason::Expired);
    assert_eq!(case.numbers().oversold, 1);
}

#[test]
fn a_promise_too_many_is_oversold_and_lost() {
    let mut case = Case::sold(2);
    let mut promise = case.acceptance(2);
    promise.told.as_mut().unwrap().id = Case::id(3);
    case.history.clients[2].asks = vec![ask(Verb::Take, 3_000, Seen::Answered(Box::new(promise)))];
    let numbers = case.numbers();
    assert_eq!((numbers.oversold, numbers.lost), (1, 1));
}

#[test]
fn a_refusal_while_units_are_on_sale_is_undersold() {
    let mut case = Case::sold(2);
    let asks = case.history.clients.remove(1).asks;
    // Nobody took the second unit; the last client was refused all the same.
    for holdings in [&mut case.live.holdings, &mut case.books.holdings] {
        holdings.remove(&Case::id(2));
    }
    case.live.counted.remove(&format!("{}/{}", user(2), sku()));
    case.books.journal.pop();
    (case.live.seq, case.live.flushed_seq, case.books.cursor) =
        (2, 2, Some(Cursor { epoch: 1, seq: 2 }));
    (case.stock().left, case.stock().held) = (1, 1);
    assert_eq!(asks.len(), 1);
    assert_eq!(
        case.numbers(),
        Numbers {
            undersold: 1,
            ..Numbers::default()
        }
    );
}

#[test]
fn a_refusal_before_units_came_back_is_not_undersold() {
    let mut case = Case::sold(2);
    case.release(1, START_MS + 60_000, Reason::Expired);
    case.live
        .counted
        .insert(format!("{}/{}", user(2), sku()), 1);
    assert_eq!(case.verdict(), Verdict::default());
}

#[test]
fn a_refusal_long_after_units_came_back_is_undersold() {
    let mut case = Case::sold(2);
    case.release(1, START_MS + 6_500, Reason::Expired);
    case.live
        .counted
        .insert(format!("{}/{}", user(2), sku()), 1);
    assert!(
        case.numbers().are_zero(),
        "a second of delay is what the engine promises"
    );
    case.history.clients[2].asks = vec![ask(Verb::Take, 7_600, refusal("sold_out"))];
    assert_eq!(
        case.numbers(),
        Numbers {
            undersold: 1,
            ..Numbers::default()
        }
    );
}

#[test]
fn an_acceptance_that_is_missing_in_either_store_is_lost() {
    let mut case = Case::sold(2);
    case.books.holdings.remove(&Case::id(1));
    assert_eq!(case.numbers().lost, 1);
    case.live.holdings.remove(&Case::id(1));
    case.live.holdings.remove(&Case::id(2));
    assert_eq!(case.numbers().lost, 2);
}

#[test]
fn a_reservation_that_nobody_asked_for_is_a_phantom() {
    let mut case = Case::sold(2);
    case.history.clients.remove(0);
    assert_eq!(
        case.numbers(),
        Numbers {
            phantom: 1,
            ..Numbers::default()
        }
    );
}

#[test]
fn a_reservation_of_someone_who_was_told_no_is_a_phantom_unless_a_request_was_open() {
    let mut case = Case::sold(2);
    case.history.clients[0].asks = vec![ask(Verb::Take, 8_000, refusal("sold_out"))];
    assert_eq!(
        case.numbers(),
        Numbers {
            phantom: 1,
            ..Numbers::default()
        }
    );
    for open in [Seen::Lost, Seen::Broken(Broken::Timeout)] {
        case.history.clients[0].asks = vec![
            ask(Verb::Take, 500, open),
            ask(Verb::Take, 8_000, refusal("sold_out")),
        ];
        assert!(case.numbers().are_zero());
    }
    case.history.clients[0].asks[0].seen = Seen::Broken(Broken::Unreachable);
    assert_eq!(
        case.numbers().phantom,
        1,
        "what was never sent cannot have been decided"
    );
}

#[test]
fn whoever_was_never_answered_may_have_a_reservation_or_none() {
    let mut case = Case::sold(2);
    case.history.clients[0].asks = vec![ask(Verb::Take, 1_000, Seen::Broken(Broken::Reset))];
    case.history.clients[2].asks = vec![ask(Verb::Take, 3_000, Seen::Broken(Broken::Reset))];
    assert!(case.numbers().are_zero());
}

#[test]
fn one_key_with_two_outcomes_is_duplicated() {
    let mut case = Case::sold(2);
    let mut other = case.acceptance(1);
    other.told.as_mut().unwrap().seq = 77;
    case.history.clients[0]
        .asks
        .push(ask(Verb::Take, 2_000, Seen::Answered(Box::new(other))));
    assert_eq!(case.numbers().duplicated, 1);
}

#[test]
fn a_refusal_after_an_acceptance_is_duplicated() {
    for code in ["sold_out", "limit_reached", "idempotency_mismatch"] {
        let mut case = Case::sold(2);
        case.history.clients[0]
            .asks
            .push(ask(Verb::Take, 9_000, refusal(code)));
        assert_eq!(
            case.numbers(),
            Numbers {
                duplicated: 1,
                ..Numbers::default()
            },
            "{code}"
        );
    }
}

#[test]
fn a_refusal_beside_an_acceptance_is_fine_only_where_the_units_came_back_in_between() {
    let mut case = Case::sold(2);
    case.release(1, START_MS + 8_000, Reason::Expired);
    case.live
        .counted
        .insert(format!("{}/{}", user(2), sku()), 1);
    case.history.clients.pop();
    case.hold(9);
    let refused_at_ms = 7_900;
    case.history.clients[2]
        .asks
        .insert(0, ask(Verb::Take, refused_at_ms, refusal("sold_out")));
    assert_eq!(case.verdict(), Verdict::default());
    case.history.clients[2].asks[0].seen = refusal("limit_reached");
    assert_eq!(case.numbers().duplicated, 1);
    let mut never_sold_out = Case::sold(2);
    never_sold_out.history.clients[0]
        .asks
        .insert(0, ask(Verb::Take, 900, refusal("sold_out")));
    assert_eq!(never_sold_out.numbers().duplicated, 1);
}

#[test]
fn shared_numbers_gaps_and_repeats_are_duplicated() {
    let mut shared = Case::sold(2);
    shared.live.holdings.get_mut(&Case::id(2)).unwrap().seq = 2;
    assert_eq!(shared.numbers().duplicated, 1);
    let mut gap = Case::sold(3);
    gap.books.journal.remove(2);
    assert_eq!(gap.numbers().duplicated, 1);
    let mut repeat = Case::sold(2);
    let row = repeat.books.journal[2].clone();
    repeat.books.journal.push(row);
    assert!(repeat.numbers().duplicated >= 1);
    let mut told_twice = Case::sold(2);
    told_twice.last_answer(2).told.as_mut().unwrap().seq = 2;
    assert_eq!(told_twice.numbers().duplicated, 1);
}

#[test]
fn more_than_a_user_may_have_is_a_limit_breach() {
    let mut case = Case::sold(2);
    for holdings in [&mut case.live.holdings, &mut case.books.holdings] {
        holdings.get_mut(&Case::id(2)).unwrap().user = user(1);
    }
    if let Ok(Event::Reservation { record, .. }) = &mut case.books.journal[2].event {
        record.user = user(1);
    }
    assert_eq!(case.numbers().limit_breaches, 1);
}

#[test]
fn promises_beyond_the_limit_are_a_breach_whatever_the_stores_say() {
    let mut case = Case::sold(2);
    case.history.clients[1].user = user(1);
    assert_eq!(case.numbers().limit_breaches, 1);
}
