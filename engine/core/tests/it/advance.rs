//! `advance`: who is admitted, in which order, how many, and what becomes of those who do not come.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::advance::{Advance, Advanced, MoveId, Seen, Standing};
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::limits::{
    ADMIT_PLACES_MAX, CAPACITY_RATE_FIRST, CAPACITY_RATE_MIN, LINE_RESTORE, NUMBER_RIPE,
    OFFER_LIFE, REPORT_LIFE,
};
use doorbuster_core::line::{LineConfig, Mode};
use doorbuster_core::ticket::Place;

use crate::harness::{EPOCH, HOUR_MS};
use crate::in_line::{InLine, clock_ms, drawing, fixed, follow_stock, general};

async fn crowd(line: &InLine, people: u32) -> Vec<Place> {
    let names: Vec<String> = (1..=people).map(|n| format!("u{n}")).collect();
    for some in names.chunks(256) {
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        line.join(&some).await;
    }
    line.ripen().await;
    (1..=people).map(Place::general).collect()
}

#[tokio::test]
async fn as_many_are_offered_as_units_are_left_and_those_who_are_told_have_their_time() {
    let line = InLine::begun(3, follow_stock()).await;
    let all = crowd(&line, 5).await;
    assert_eq!(line.advance(&all).await, line.offered(&all[..3]));
    assert_eq!(line.advance(&all[3..]).await, []);
    let until_ms = line.now_ms() + 120_000;
    let told = [(all[0], Standing::Admitted { until_ms })];
    assert_eq!(line.tell(&all[..1]).await, told);
    // Told again by another engine: it has begun already.
    assert_eq!(line.tell(&all[..1]).await, []);

    line.pass(clock_ms(OFFER_LIFE)).await;
    let back = all[1..3].iter().map(|place| (*place, Standing::Waiting));
    let back: Vec<_> = back.collect();
    // The two who never asked are not there; those behind them are next.
    let next = line.offered(&all[3..]);
    assert_eq!(line.advance(&all[3..]).await, [back, next].concat());
    line.pass(120_000 - clock_ms(OFFER_LIFE)).await;
    let moved = line.advance(&all[1..2]).await;
    assert!(moved.contains(&(all[0], Standing::Over)));
    assert!(moved.contains(&line.offered(&all[1..2])[0]), "first again");
    // What is over is not offered again, whoever says that it is there.
    assert_eq!(line.advance(&all[..1]).await, []);
}

#[tokio::test]
async fn nobody_is_waited_for_who_is_not_there_and_who_comes_back_is_next() {
    let line = InLine::begun(1, follow_stock()).await;
    let all = crowd(&line, 6).await;
    assert_eq!(
        line.advance(&[all[2], all[4]]).await,
        line.offered(&all[2..3])
    );
    line.tell(&all[2..3]).await;
    line.pass(120_000).await;
    let moved = line.advance(&[all[0], all[4]]).await;
    let expected = [vec![(all[2], Standing::Over)], line.offered(&all[..1])].concat();
    assert_eq!(moved, expected);
}

#[tokio::test]
async fn a_number_is_neither_admitted_nor_passed_over_before_its_engine_can_have_reported_it() {
    let line = InLine::begun(9, follow_stock()).await;
    line.join(&["u1", "u2"]).await;
    let (both, ripe_ms) = (general([1, 2]), clock_ms(NUMBER_RIPE));
    assert_eq!(line.advance(&both[1..]).await, []);
    line.pass(ripe_ms).await;
    // From here on the two ripen, and another who comes meanwhile does not.
    assert_eq!(line.advance(&both[1..]).await, []);
    line.join(&["u3"]).await;
    line.pass(ripe_ms - 1).await;
    assert_eq!(line.advance(&both).await, []);
    line.pass(1).await;
    assert_eq!(line.advance(&general([1, 2, 3])).await, line.offered(&both));
}

#[tokio::test]
async fn the_reports_of_all_engines_are_one_line_and_nobody_is_passed_behind_a_cut() {
    let line = InLine::begun(4, follow_stock()).await;
    let all = crowd(&line, 9).await;
    line.set_left(0, 4).await;
    assert_eq!(line.advance_as("b", &[all[1], all[5]], |_| {}).await.1, []);
    let cut = |advance: &mut Advance<'_>| advance.is_cut_off = true;
    line.advance_as("c", &[all[3], all[4]], cut).await;
    line.set_left(4, 0).await;
    // Behind place 5 engine c may have others; and a place that two engines report is one.
    let moved = line.advance(&[all[0], all[1], all[6]]).await;
    assert_eq!(moved, line.offered(&[all[0], all[1], all[3], all[4]]));
    line.set_left(9, 0).await;
    assert_eq!(line.advance(&[all[6]]).await, [], "the cut holds");
    // A report that is old is no report, also not of a cut.
    line.pass(clock_ms(REPORT_LIFE) + 1).await;
    assert_eq!(line.advance(&[all[6]]).await, line.offered(&all[6..7]));
}

#[tokio::test]
async fn an_engine_that_may_have_the_first_of_all_holds_the_line_until_it_knows() {
    let line = InLine::begun(2, follow_stock()).await;
    let all = crowd(&line, 3).await;
    let cut = |advance: &mut Advance<'_>| advance.is_cut_off = true;
    line.advance_as("b", &[], cut).await;
    assert_eq!(line.advance(&all[1..]).await, []);
    let moved = line.advance_as("b", &all[..1], |_| {}).await.1;
    assert_eq!(moved, line.offered(&all[..2]));
}

#[tokio::test]
async fn an_offer_that_nobody_was_told_of_gives_its_rate_to_another() {
    let line = InLine::begun(1_000, fixed(10)).await;
    let all = crowd(&line, 200).await;
    let offers = async || {
        line.pass(500).await;
        let moved = line.advance(&all).await.into_iter();
        moved
            .filter(|(_, how)| matches!(how, Standing::Offered { .. }))
            .count()
    };
    line.advance(&all).await;
    for _ in 0..clock_ms(OFFER_LIFE) / 500 {
        assert_eq!(offers().await, 5);
    }
    assert_eq!(
        offers().await,
        10,
        "five of the rate, and the first five again"
    );
}

#[tokio::test]
async fn a_fixed_rate_is_held_and_does_not_pile_up() {
    let line = InLine::begun(1_000, fixed(10)).await;
    let all = crowd(&line, 100).await;
    assert_eq!(line.advance(&all).await, []);
    for (pass_ms, count) in [(300, 3), (500, 5), (250, 2), (50, 1), (60_000, 10)] {
        line.pass(pass_ms).await;
        let offers = line.advance(&all).await.into_iter();
        let offers = offers.filter(|(_, how)| matches!(how, Standing::Offered { .. }));
        assert_eq!(offers.count(), count, "{pass_ms} ms");
    }
}

#[tokio::test]
async fn the_rate_follows_the_engines_where_it_is_asked_to() {
    let config = LineConfig {
        mode: Mode::FollowCapacity,
        ..follow_stock()
    };
    let line = InLine::begun(100_000, config).await;
    let all = crowd(&line, 1_000).await;
    let pressed = |advance: &mut Advance<'_>| advance.is_pressed = true;
    line.pass(500).await;
    let (head, moved) = line.advance_as("a", &all, |_| {}).await;
    let first = f64::from(CAPACITY_RATE_FIRST);
    assert_eq!(
        (head.rate, moved.len()),
        (first, CAPACITY_RATE_FIRST as usize / 2)
    );
    line.pass(500).await;
    let (head, _) = line.advance_as("a", &all, |_| {}).await;
    assert!(head.rate > first, "more would have come: {}", head.rate);
    let mut before = head.rate;
    for _ in 0..3 {
        line.pass(500).await;
        let (head, _) = line.advance_as("a", &all, pressed).await;
        assert!(head.rate < 0.8 * before);
        before = head.rate;
    }
    // One that is pressed slows the line, whoever moves it.
    line.pass(500).await;
    let (head, _) = line.advance_as("b", &all, |_| {}).await;
    assert!(head.rate < before);
    for _ in 0..20 {
        line.pass(500).await;
        line.advance_as("a", &all, pressed).await;
    }
    let (head, _) = line.advance_as("a", &all, pressed).await;
    assert_eq!(head.rate, f64::from(CAPACITY_RATE_MIN));
}

#[tokio::test]
async fn one_call_admits_no_more_than_its_bound() {
    let line = InLine::begun(100_000, follow_stock()).await;
    crowd(&line, 3_000).await;
    let some = |from: u32| -> Vec<Place> { (from..from + 1_000).map(Place::general).collect() };
    line.set_left(0, 100_000).await;
    line.advance_as("b", &some(1), |_| {}).await;
    line.advance_as("c", &some(1_001), |_| {}).await;
    line.set_left(100_000, 0).await;
    let moved = line.advance_as("a", &some(2_001), |_| {}).await.1;
    assert_eq!(moved.len(), ADMIT_PLACES_MAX);
    assert_eq!(moved.last().unwrap().0, Place::general(2_000));
}

#[tokio::test]
async fn nobody_is_admitted_while_nothing_is_left_or_the_sale_does_not_sell() {
    let line = InLine::begun(2, follow_stock()).await;
    let all = crowd(&line, 3).await;
    let (gate, live) = (&line.scene.gate, &line.scene.live);
    line.set_left(0, 2).await;
    assert_eq!(line.advance(&all).await, []);
    line.set_left(2, 0).await;
    gate.switch(live, EPOCH, Verb::Pause).await.unwrap();
    assert_eq!(line.advance(&all).await, []);
    gate.switch(live, EPOCH, Verb::Resume).await.unwrap();
    line.opens_later().await;
    assert_eq!(line.advance(&all).await, []);
    line.pass(HOUR_MS).await;
    assert_eq!(line.advance(&all).await, line.offered(&all[..2]));
    gate.switch(live, EPOCH, Verb::Close).await.unwrap();
    line.pass(clock_ms(OFFER_LIFE)).await;
    let (head, moved) = line.advance_as("a", &all, |_| {}).await;
    assert!(moved.iter().all(|(_, how)| *how == Standing::Waiting));
    assert_eq!((head.left, head.held, head.unspent), (2, 0, 0));
}

#[tokio::test]
async fn where_the_sale_draws_nobody_but_the_invited_moves_before_it_has() {
    let line = InLine::unmoved(9, drawing()).await;
    line.opens_later().await;
    line.advance(&[]).await;
    crowd(&line, 3).await;
    line.joins(&[crate::in_line::invited("vip", "v")]).await;
    line.ripen().await;
    line.pass(HOUR_MS).await;
    let there = [Place::invite(1), Place::general(1), Place::general(2)];
    let (head, moved) = line.advance_as("a", &there, |_| {}).await;
    assert_eq!(moved, line.offered(&there[..1]));
    assert_eq!((head.seen.early, head.seen.seed), (Some(3), None));
    line.join(&["late"]).await;
    assert_eq!(line.advance(&general([4])).await, []);
    line.scene.set("line", "drawn", "ab".repeat(32)).await;
    let (head, moved) = line.advance_as("a", &there[1..], |_| {}).await;
    assert_eq!(moved, line.offered(&there[1..]));
    assert_eq!(head.seen.seed, Some([0xab; 32]));
    assert_eq!(head.seen.watermark_invites, 1);
}

#[tokio::test]
async fn a_line_that_was_lost_is_restored_from_what_engines_have_seen() {
    let line = InLine::begun(2, drawing()).await;
    let all = crowd(&line, 4).await;
    line.lose().await;
    let seen = Seen {
        given: 4,
        given_invites: 2,
        watermark: 3,
        watermark_invites: 1,
        early: Some(2),
        seed: Some([7; 32]),
    };
    let (head, moved) = line
        .advance_as("a", &all, |advance| advance.seen = seen)
        .await;
    assert!(head.is_restoring);
    assert_eq!((head.seen, moved), (seen, vec![]));
    // Another engine saw more.
    let more = Seen { given: 9, ..seen };
    let (head, _) = line
        .advance_as("b", &all, |advance| advance.seen = more)
        .await;
    assert_eq!(head.seen, more);
    line.pass(clock_ms(LINE_RESTORE)).await;
    let moved = line.advance(&all).await;
    assert_eq!(moved, line.offered(&all[..2]));
}

#[tokio::test]
async fn an_engine_that_was_away_is_told_what_it_missed_and_can_look_at_all() {
    let line = InLine::begun(3, follow_stock()).await;
    let all = crowd(&line, 4).await;
    line.advance(&all).await;
    line.tell(&all[..2]).await;
    line.pass(120_000).await;
    line.advance(&[]).await;
    let (gate, live, after) = (&line.scene.gate, &line.scene.live, MoveId::default());
    let advance = Advance {
        engine: "new",
        after: &after,
        alive: &[],
        is_cut_off: false,
        is_pressed: false,
        told: &[],
        seen: Seen::default(),
        line: &line.config,
    };
    let Advanced::Advanced { head, moves } = gate.advance(live, EPOCH, &advance).await.unwrap()
    else {
        panic!("fenced");
    };
    assert_eq!((moves.len(), moves[0].number), (3, 1));
    let standings = gate.standings(live).await.unwrap();
    assert_eq!(
        (standings.moves, &standings.after),
        (head.moves, &moves[2].id)
    );
    let mut over: Vec<_> = standings.places.into_iter().collect();
    over.sort_by_key(|(place, _)| *place);
    assert_eq!(
        over,
        all[..2]
            .iter()
            .map(|p| (*p, Standing::Over))
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_sale_that_may_not_sell_moves_nobody() {
    let line = InLine::begun(2, follow_stock()).await;
    line.scene.set("sale", "run_id", "").await;
    let (gate, live, after) = (&line.scene.gate, &line.scene.live, MoveId::default());
    let advance = Advance {
        engine: "a",
        after: &after,
        alive: &general([1]),
        is_cut_off: false,
        is_pressed: false,
        told: &[],
        seen: Seen::default(),
        line: &line.config,
    };
    let fenced = gate.advance(live, EPOCH, &advance).await.unwrap();
    let expected = Advanced::Fenced(Fenced::Recovering("run_id".into()));
    assert_eq!(fenced, expected);
    assert_eq!(line.size("ZCARD", "offered").await, 0);
}

#[tokio::test]
async fn what_is_no_report_is_a_callers_mistake() {
    let line = InLine::begun(2, follow_stock()).await;
    let now = line.now_ms().to_string();
    let script = &doorbuster_core::gate::advance::SCRIPT;
    let mut args: Vec<&[u8]> = vec![b"0"; script.argv.len()];
    (args[1], args[2], args[4], args[5]) = (b"1", now.as_bytes(), b"0-0", b"1|2");
    let refused = line.scene.call(script, &args).await.unwrap_err();
    assert!(refused.details().starts_with("BADARG report"), "{refused}");
}
