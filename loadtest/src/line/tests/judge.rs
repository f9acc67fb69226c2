//! A perfect line that each test spoils in one way.

use std::collections::HashMap;
use std::time::Duration;

use doorbuster_core::line::LineDraft;
use doorbuster_core::ticket::Place;

use super::super::judge::{Facts, LineNumbers, judge};
use super::super::person::{End, Kind, Span, Story};
use super::super::watch::Watched;
use super::super::{LinePlan, Trouble};
use crate::audit;
use crate::audit::ledger::Ledger;
use crate::audit::line::{LineState, Look};
use crate::audit::tests::Case;
use crate::history::Header;
use crate::plan::{Offer, Room};

/// Four came one after the other for two units: two were let in and served, two waited until the sale was closed.
struct Line {
    plan: LinePlan,
    header: Header,
    stories: Vec<Story>,
    state: LineState,
    watched: Watched,
    ledger: Ledger,
}

const PEOPLE: u32 = 4;
const CLOSED_US: u64 = 60_000_000;

fn at(ms: u64) -> Span {
    Span {
        sent_us: ms * 1_000,
        done_us: ms * 1_000 + 500,
    }
}

fn story(number: u32) -> Story {
    let let_in = number <= 2;
    let end = if let_in { End::Reserved } else { End::Closed };
    let end_us = if let_in {
        3_000_000
    } else {
        CLOSED_US + 1_000_000
    };
    Story {
        numbers: vec![(at(10 * u64::from(number)), Place::general(number))],
        waited: Some(at(if let_in { 1_000 } else { 59_000 })),
        admitted: let_in.then(|| at(2_000)),
        end: Some((end, end_us)),
        ..Story::default()
    }
}

impl Line {
    fn perfect() -> Self {
        let case = Case::sold(2);
        let (_, ledger) = audit::judge(&case.history, &case.live, &case.books).unwrap();
        let line = LineDraft {
            draw: false,
            ..LineDraft::default()
        };
        let looks = [(2, 2, 0), (2, 0, 2)].map(|(watermark, left, held)| {
            let look = Look {
                epoch: 1,
                numbers: PEOPLE,
                watermark,
                admitted_total: 2,
                unspent: left,
                left_before: left,
                left,
                held,
            };
            (2_500_000, look)
        });
        let names = (1..=PEOPLE).map(|n| (format!("p{n}"), Place::general(n)));
        Self {
            plan: LinePlan {
                offer: Offer {
                    room: Some(Room { line, opens_ms: 0 }),
                    ..Offer::sale("s")
                },
                people: PEOPLE,
                early: 0.0,
                leavers: 0.0,
                bots: 0,
                arriving: Duration::from_secs(1),
                trouble: Trouble::None,
                engines: 1,
                connections: 1,
                seed: 1,
            },
            header: case.history.header,
            stories: (1..=PEOPLE).map(story).collect(),
            state: LineState {
                epoch: 1,
                numbers: PEOPLE,
                watermark: 2,
                places: names.collect::<HashMap<_, _>>(),
                ..LineState::default()
            },
            watched: Watched {
                looks: looks.to_vec(),
                closed_us: CLOSED_US,
                ..Watched::default()
            },
            ledger,
        }
    }

    fn judged(&self) -> LineNumbers {
        let users: Vec<String> = (1..=PEOPLE).map(|n| format!("p{n}")).collect();
        let judged = judge(&Facts {
            plan: &self.plan,
            header: &self.header,
            stories: &self.stories,
            users: &users,
            kinds: &[Kind::Patient; PEOPLE as usize],
            dues_us: &[0; PEOPLE as usize],
            state: &self.state,
            watched: &self.watched,
            ledger: &self.ledger,
            draw: &[],
            opens_us: 0,
        });
        let counted: u64 = judged.numbers.named().iter().map(|(_, count)| count).sum();
        assert_eq!(counted, judged.findings.len() as u64, "{judged:?}");
        judged.numbers
    }

    /// What comes of it if one thing is otherwise.
    fn if_only(change: impl FnOnce(&mut Line)) -> LineNumbers {
        let mut line = Line::perfect();
        change(&mut line);
        line.judged()
    }
}

#[test]
fn a_perfect_line_is_clean() {
    assert_eq!(Line::perfect().judged(), LineNumbers::default());
}

#[test]
fn a_smaller_number_for_one_who_came_later_is_out_of_order() {
    let swapped = |line: &mut Line| {
        for (story, number) in line.stories.iter_mut().zip([2, 1]) {
            story.numbers[0].1 = Place::general(number);
        }
        line.state.places.insert("p1".into(), Place::general(2));
        line.state.places.insert("p2".into(), Place::general(1));
    };
    let numbers = Line::if_only(swapped);
    assert_eq!((numbers.order_violations, numbers.places_lost), (1, 0));
    let at_once = Line::if_only(|line| {
        swapped(line);
        line.stories[1].numbers[0].0 = line.stories[0].numbers[0].0;
    });
    assert_eq!(at_once.order_violations, 0, "they asked at the same time");
}

#[test]
fn a_number_twice_a_number_lost_and_a_number_skipped_are_found() {
    let twice = Line::if_only(|line| line.stories[3].numbers[0].1 = Place::general(3));
    assert_eq!((twice.numbers_twice, twice.places_lost), (1, 1));
    let in_redis = Line::if_only(|line| {
        line.state
            .places
            .insert("stranger".into(), Place::general(2));
    });
    assert_eq!(in_redis.numbers_twice, 1);
    let gone = Line::if_only(|line| {
        line.state.places.remove("p4");
    });
    assert_eq!(gone.places_lost, 1);
    let changed = Line::if_only(|line| line.stories[3].other_numbers = vec![Place::general(9)]);
    assert_eq!(changed.places_lost, 1);
    let refused = Line::if_only(|line| line.stories[3].ticket_refused = 1);
    assert_eq!(refused.places_lost, 1);
    let skipped = Line::if_only(|line| line.state.numbers = PEOPLE + 2);
    assert_eq!(skipped.numbers_skipped, 2);
}

#[test]
fn after_a_loss_only_those_who_came_back_must_have_their_places() {
    let emptied = |line: &mut Line| {
        line.watched.broke_us = Some(30_000_000);
        line.state.places.remove("p1");
    };
    assert_eq!(Line::if_only(emptied).places_lost, 0);
    let numbers = Line::if_only(|line| {
        emptied(line);
        line.state.places.remove("p4");
    });
    assert_eq!(numbers.places_lost, 1, "the fourth polled on");
}

#[test]
fn who_is_let_in_past_the_watermark_is_found_and_so_is_a_watermark_that_goes_back() {
    let past = Line::if_only(|line| line.state.watermark = 1);
    assert_eq!(past.past_watermark, 1);
    let back = Line::if_only(|line| line.watched.looks[1].1.watermark = 1);
    assert_eq!(back.watermark_back, 1);
}

#[test]
fn more_admitted_than_the_mode_allows_is_found_unless_stock_moved_meanwhile() {
    let many = Line::if_only(|line| line.watched.looks[0].1.unspent = 3);
    assert_eq!(many.past_capacity, 1);
    let moving = Line::if_only(|line| {
        line.watched.looks[0].1.unspent = 3;
        line.watched.looks[0].1.left_before = 3;
    });
    assert_eq!(moving.past_capacity, 0);
    let fast = Line::if_only(|line| {
        let room = line.plan.offer.room.as_mut().unwrap();
        room.line.per_second = Some(1);
        for story in &mut line.stories[..3] {
            story.admitted = Some(at(0));
        }
        line.state.watermark = 3;
    });
    assert_eq!(fast.past_capacity, 1, "two at once are its burst");
}

#[test]
fn one_who_never_missed_a_poll_is_not_overtaken() {
    let later_in = |line: &mut Line| {
        line.stories[3].admitted = Some(at(20_000));
        line.state.watermark = 4;
    };
    assert_eq!(Line::if_only(later_in).overtaken, 1);
    let asleep = Line::if_only(|line| {
        later_in(line);
        line.stories[2].missed_a_beat = true;
    });
    assert_eq!(asleep.overtaken, 0);
}

#[test]
fn an_end_that_was_none_is_untrue() {
    let sold_out = Line::if_only(|line| line.stories[2].end = Some((End::SoldOut, 100_000)));
    assert_eq!(sold_out.ended_untruly, 1, "units were left then");
    let closed = Line::if_only(|line| line.stories[2].end = Some((End::Closed, 10_000_000)));
    assert_eq!(closed.ended_untruly, 1);
}
