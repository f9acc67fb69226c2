//! What one does next, answer by answer.

use doorbuster_core::ids::UserId;
use doorbuster_core::ticket::Place;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::super::person::{End, Kind, Person, Span, Step};
use super::super::view::Heard;
use crate::client::connection::{Response, Then};
use crate::history::{Answer, Ask, Broken, Seen, Verb};

fn person(kind: Kind) -> Person {
    let user = UserId::parse("ann").unwrap();
    let rng = SmallRng::seed_from_u64(1);
    Person::new(user, "token".into(), kind, 0, rng)
}

fn at(ms: u64) -> Span {
    Span {
        sent_us: ms * 1_000,
        done_us: ms * 1_000 + 500,
    }
}

fn answer(status: u16, body: &str) -> Result<Heard, Broken> {
    Ok(Heard::of(&Response {
        status,
        retry_after_s: Some(2),
        body: body.as_bytes(),
        then: Then::Reuse,
    }))
}

fn says(state: &str, number: u32) -> Result<Heard, Broken> {
    let body = format!(
        r#"{{"ticket":"t{number}","number":{number},"state":"{state}","poll_after_ms":4000,"estimate":1,
            "eta_seconds":{{"low":5,"high":9}}}}"#
    );
    answer(200, &body)
}

fn ask(ms: u64, seen: Seen) -> Ask {
    Ask {
        verb: Verb::Take,
        engine: 0,
        sent_us: ms * 1_000,
        done_us: ms * 1_000,
        seen,
    }
}

fn till(status: u16, code: Option<&str>) -> Seen {
    Seen::Answered(Box::new(Answer {
        status,
        code: code.map(str::to_owned),
        ..Answer::default()
    }))
}

#[test]
fn a_patient_person_polls_when_told_to_reserves_once_admitted_and_goes_home() {
    let mut ann = person(Kind::Patient);
    assert_eq!(ann.step, Step::Join);
    let next = ann.hear(at(10), says("waiting", 7)).unwrap();
    assert!((4_010_000..=4_411_000).contains(&next), "{next}");
    assert_eq!((ann.step, ann.ticket.as_str()), (Step::Poll, "t7"));
    let next = ann.hear(at(4_100), says("admitted", 7)).unwrap();
    assert!(next <= 4_601_000 && ann.step == Step::Reserve);
    assert_eq!(ann.served(ask(4_500, till(201, None))), None);
    let story = &ann.story;
    assert_eq!(story.end, Some((End::Reserved, 4_500_000)));
    assert_eq!(story.numbers, [(at(10), Place::general(7))]);
    assert_eq!((story.promises.len(), story.polls), (1, 1));
    assert!(!story.missed_a_beat && story.other_numbers.is_empty());
}

#[test]
fn a_leaver_goes_without_a_word_but_not_before_it_has_a_place_or_once_it_is_let_in() {
    let mut bob = person(Kind::Leaver(5_000_000));
    assert!(!bob.leaves(6_000_000), "it has yet to join");
    bob.hear(at(10), says("waiting", 1));
    assert!(!bob.leaves(4_999_999));
    assert!(bob.leaves(5_000_000));
    assert_eq!(bob.story.end, Some((End::Left, 5_000_000)));
    let mut eve = person(Kind::Leaver(5_000_000));
    eve.hear(at(10), says("admitted", 1));
    assert!(!eve.leaves(6_000_000));
}

#[test]
fn another_number_is_noticed_unless_the_first_was_used_up() {
    let mut ann = person(Kind::Patient);
    ann.hear(at(10), says("waiting", 7));
    ann.hear(at(5_000), says("waiting", 8));
    assert_eq!(ann.story.other_numbers, [Place::general(8)]);
    let mut bob = person(Kind::Patient);
    bob.hear(at(10), says("admitted", 7));
    bob.step = Step::Poll;
    bob.hear(at(200_000), says("expired", 7));
    assert_eq!((bob.step, bob.story.admitted), (Step::Join, None));
    bob.hear(at(201_000), says("waiting", 90));
    assert!(bob.story.other_numbers.is_empty());
    assert_eq!(bob.story.numbers.len(), 2);
}

#[test]
fn a_refused_ticket_is_told_from_a_line_that_is_away() {
    let mut ann = person(Kind::Patient);
    ann.hear(at(10), says("waiting", 7));
    let next = ann.hear(at(5_000), answer(503, r#"{"code":"recovering"}"#));
    assert!((7_000_000..8_001_000).contains(&next.unwrap()), "{next:?}");
    assert_eq!((ann.step, ann.story.ticket_refused), (Step::Poll, 0));
    ann.hear(at(8_000), answer(403, r#"{"code":"forbidden"}"#));
    assert_eq!((ann.step, ann.story.ticket_refused), (Step::Join, 1));
}

#[test]
fn nobody_there_is_an_engine_to_leave_and_silence_a_beat_missed() {
    let mut ann = person(Kind::Patient);
    ann.hear(at(10), says("waiting", 7));
    let next = ann.hear(at(4_100), Err(Broken::Reset)).unwrap();
    assert!(next < 5_200_000 && ann.engine == 1);
    assert!(!ann.story.missed_a_beat);
    ann.hear(at(9_011), says("waiting", 7));
    assert!(ann.story.missed_a_beat, "twice four seconds and one");
}

#[test]
fn a_number_may_be_from_an_attempt_whose_answer_nobody_got_but_not_from_one_that_was_turned_away() {
    let tries = |first: [Result<Heard, Broken>; 2]| {
        let mut ann = person(Kind::Patient);
        for (ms, heard) in [10, 1_000].into_iter().zip(first) {
            ann.hear(at(ms), heard);
        }
        ann.hear(at(3_000), says("waiting", 7));
        ann.story.numbers[0].0.sent_us
    };
    let busy = || answer(429, r#"{"code":"rate_limited"}"#);
    let away = || answer(503, r#"{"code":"unavailable"}"#);
    assert_eq!(tries([Err(Broken::Timeout), away()]), 10_000);
    assert_eq!(tries([busy(), Err(Broken::Reset)]), 1_000_000);
    assert_eq!(tries([busy(), Err(Broken::Unreachable)]), 3_000_000);
}

#[test]
fn a_bot_asks_at_once_again_and_tries_the_till() {
    let mut bot = person(Kind::Bot);
    bot.hear(at(10), says("waiting", 7));
    let mut polls = 0;
    while bot.step == Step::Poll {
        let next = bot.hear(at(1_000), says("waiting", 7)).unwrap();
        assert!(next < 1_300_000, "{next}");
        polls += 1;
    }
    assert_eq!(polls, 7);
    let next = bot.served(ask(2_000, till(403, Some("not_admitted"))));
    assert_eq!((bot.step, bot.story.not_admitted), (Step::Poll, 1));
    assert!(next.is_some() && bot.story.end.is_none());
}

#[test]
fn the_end_is_heard_at_the_door_and_at_the_till() {
    for (state, end) in [("sold_out", End::SoldOut), ("closed", End::Closed)] {
        let mut ann = person(Kind::Patient);
        assert_eq!(ann.hear(at(10), says(state, 7)), None);
        assert_eq!(ann.story.end, Some((end, 10_500)));
    }
    let mut ann = person(Kind::Patient);
    ann.hear(at(10), says("admitted", 7));
    assert_eq!(ann.served(ask(20, till(409, Some("sold_out")))), None);
    let sold_out = End::Refused("sold_out".into());
    assert_eq!(ann.story.end, Some((sold_out, 20_000)));
}
