//! `join`: numbers in the order of coming, one for each user, also after a loss.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::advance::{Advance, Gap, Seen};
use doorbuster_core::gate::join::{Instead, JoinBatch, Joined};
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::limits::{LINE_GAP, LINE_PLACES_MAX, LINE_RESTORE};
use doorbuster_core::ticket::Place;

use crate::harness::{EPOCH, HOUR_MS};
use crate::in_line::{InLine, clock_ms, coming, follow_stock, invited, joined};

#[tokio::test]
async fn joined_in_the_order_of_coming_and_already_for_who_has_a_number() {
    let line = InLine::begun(5, follow_stock()).await;
    let outcomes = line.join(&["ann", "bob", "ann", "cat"]).await;
    let ann = Joined::Already(Place::general(1));
    assert_eq!(outcomes[2], ann);
    assert_eq!(
        [&outcomes[..2], &outcomes[3..]].concat(),
        joined(&[1, 2, 3])
    );
    assert_eq!(line.join(&["ann"]).await, [ann]);
    assert_eq!(line.join(&["dan"]).await, joined(&[4]));
    assert_eq!(line.size("HLEN", "places").await, 4);
}

#[tokio::test]
async fn behind_until_the_line_has_begun_and_until_the_early_ones_are_counted() {
    let line = InLine::unmoved(5, follow_stock()).await;
    line.opens_later().await;
    let ann = [coming("ann", Instead::Nothing)];
    assert_eq!(line.join_batch(&ann).await, JoinBatch::Behind);
    assert_eq!(line.size("HLEN", "places").await, 0);
    let (head, _) = line.advance_as("a", &[], |_| {}).await;
    assert_eq!(head.seen.early, None);
    assert_eq!(line.join(&["ann"]).await, joined(&[1]));
    line.pass(HOUR_MS).await;
    let bob = [coming("bob", Instead::Nothing)];
    assert_eq!(line.join_batch(&bob).await, JoinBatch::Behind);
    let (head, _) = line.advance_as("a", &[], |_| {}).await;
    assert_eq!(head.seen.early, Some(1));
    assert_eq!(line.join(&["bob"]).await, joined(&[2]));
    let (head, _) = line.advance_as("a", &[], |_| {}).await;
    assert_eq!((head.seen.early, head.seen.given), (Some(1), 2));
}

#[tokio::test]
async fn behind_on_a_server_that_the_line_has_not_moved_on() {
    let line = InLine::begun(5, follow_stock()).await;
    line.scene.set("line", "run_id", "another").await;
    let ann = [coming("ann", Instead::Nothing)];
    assert_eq!(line.join_batch(&ann).await, JoinBatch::Behind);
}

#[tokio::test]
async fn a_number_that_is_over_is_replaced_once_by_one_at_the_end() {
    let line = InLine::begun(5, follow_stock()).await;
    line.join(&["ann", "bob"]).await;
    let again = [coming("ann", Instead::Over(Place::general(1)))];
    assert_eq!(line.joins(&again).await, joined(&[3]));
    let now = [Joined::Already(Place::general(3))];
    assert_eq!(line.joins(&again).await, now);
    assert_eq!(line.join(&["ann"]).await, now);
    assert_eq!(line.size("HLEN", "places").await, 2);
}

#[tokio::test]
async fn an_invite_is_good_for_the_first_user_who_comes_with_it_and_once() {
    let line = InLine::begun(5, follow_stock()).await;
    line.join(&["bob"]).await;
    let come = [
        invited("ann", "vip-1"),
        invited("eve", "vip-1"),
        invited("bob", "vip-2"),
        invited("cat", "vip-3"),
    ];
    let expected = [
        Joined::Joined(Place::invite(1)),
        Joined::Uninvited,
        Joined::Already(Place::general(1)),
        Joined::Joined(Place::invite(2)),
    ];
    assert_eq!(line.joins(&come).await, expected);
    // Whoever has used it up goes to the end like everybody.
    let mut again = invited("ann", "vip-1");
    again.instead = Instead::Over(Place::invite(1));
    assert_eq!(line.joins(&[again]).await, joined(&[2]));
    assert_eq!(
        line.joins(&[invited("eve", "vip-1")]).await,
        [Joined::Uninvited]
    );
}

#[tokio::test]
async fn closed_and_full_lines_take_nobody_new() {
    let line = InLine::begun(5, follow_stock()).await;
    line.join(&["ann"]).await;
    let most = LINE_PLACES_MAX.to_string();
    line.scene.set("line", "given", &most).await;
    assert_eq!(line.join(&["bob"]).await, [Joined::Full]);
    line.scene.set("line", "given", "1").await;
    let (gate, live) = (&line.scene.gate, &line.scene.live);
    gate.switch(live, EPOCH, Verb::Close).await.unwrap();
    let outcomes = line.join(&["ann", "bob"]).await;
    assert_eq!(
        outcomes,
        [Joined::Already(Place::general(1)), Joined::Closed]
    );
}

#[tokio::test]
async fn after_a_loss_those_with_a_number_have_it_back_before_anybody_new_has_one() {
    let line = InLine::begun(5, follow_stock()).await;
    line.join(&["ann", "bob", "cat"]).await;
    line.lose().await;
    let seen = Seen {
        given: 3,
        watermark: 2,
        ..Seen::default()
    };
    let remembers = |advance: &mut Advance<'_>| advance.seen = seen;
    let (head, _) = line.advance_as("a", &[], remembers).await;
    assert!(head.is_restoring);
    assert_eq!(head.restored_ms, line.now_ms());
    assert_eq!((head.seen.given, head.seen.watermark), (3, 2));
    let back = |name, number| coming(name, Instead::Back(Place::general(number)));
    assert_eq!(line.join(&["new"]).await, [Joined::NotYet]);
    let restored = line.joins(&[back("bob", 2), back("bob", 2)]).await;
    let bob = Joined::Already(Place::general(2));
    assert_eq!(restored, [joined(&[2]), vec![bob]].concat());
    // Given by an engine that is gone: nobody else remembers it.
    assert_eq!(line.joins(&[back("dan", 7)]).await, joined(&[7]));

    line.pass(clock_ms(LINE_RESTORE)).await;
    let (head, _) = line.advance_as("a", &[], remembers).await;
    assert!(!head.is_restoring);
    let gap = Gap {
        after: 7,
        after_invites: 0,
        count: LINE_GAP,
    };
    assert_eq!(head.gaps, [gap]);
    let first = 7 + LINE_GAP + 1;
    assert_eq!(line.join(&["new"]).await, joined(&[first]));
    // Late, and within what was set aside; then beyond it, where another may have been.
    assert_eq!(line.joins(&[back("cat", 3)]).await, joined(&[3]));
    let beyond = [back("eve", first), back("new", 5)];
    assert_eq!(line.joins(&beyond).await, joined(&[first + 1, 5]));
    let smaller = [Joined::Already(Place::general(5))];
    assert_eq!(line.joins(&[back("new", first)]).await, smaller);
}

#[tokio::test]
async fn a_sale_that_may_not_sell_gives_no_numbers() {
    let line = InLine::begun(5, follow_stock()).await;
    line.scene.set("sale", "run_id", "").await;
    let ann = [coming("ann", Instead::Nothing)];
    let fenced = JoinBatch::Fenced(Fenced::Recovering("run_id".into()));
    assert_eq!(line.join_batch(&ann).await, fenced);
}

#[tokio::test]
async fn what_is_no_number_is_a_callers_mistake() {
    let line = InLine::begun(5, follow_stock()).await;
    let now = line.now_ms().to_string();
    let script = &doorbuster_core::gate::join::SCRIPT;
    let head: [&[u8]; 4] = [b"7", b"1", now.as_bytes(), b"99"];
    for (request, what) in [
        (vec![], "requests"),
        (vec![&b"ann"[..], b""], "requests"),
        (vec![&b"ann"[..], b"", b"x12"], "instead"),
        (vec![&b"ann"[..], b"", b"o1x"], "instead"),
    ] {
        let args = [&head[..], &request[..]].concat();
        let refused = line.scene.call(script, &args).await.unwrap_err();
        let expected = format!("BADARG {what}");
        assert!(refused.details().starts_with(&expected), "{refused}");
    }
    assert_eq!(line.size("HLEN", "places").await, 0);
}
