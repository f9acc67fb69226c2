//! `sweep`: ends overdue holds in the order in which they began, and stops at the first that is not due.

use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::reserve::Reserve;
use doorbuster_core::gate::sweep::{Sweep, Swept};
use doorbuster_core::limits::SWEEP_HOLDS_MAX;

use crate::harness::{EPOCH, HOUR_MS, Scene};
use crate::notices::Notices;
use crate::paying;
use crate::state::id_text;

/// User, lines, and how many ms after now the hold is due.
type Ask<'a> = (&'a str, &'a [(&'a str, u32)], i64);

pub(crate) async fn sweep(scene: &Scene) -> Swept {
    scene.gate.sweep(&scene.live, EPOCH).await.unwrap()
}

/// A sale whose time stands still at the returned moment, with one hold for each deadline relative to it.
async fn with_deadlines(skus: &[(&str, u32, u32)], asks: &[Ask<'_>]) -> (Scene, u64, Vec<Reserve>) {
    let scene = Scene::selling(skus).await;
    let now_ms = scene.stop_time().await;
    let mut requests = Vec::new();
    for (i, (user, lines, due_in_ms)) in asks.iter().enumerate() {
        let ask = scene.ask(user, &format!("k{i}"), lines);
        scene.reserve_one(&ask).await;
        scene
            .set_deadline(ask.id, now_ms.checked_add_signed(*due_in_ms).unwrap())
            .await;
        requests.push(ask);
    }
    (scene, now_ms, requests)
}

#[tokio::test]
async fn swept_ends_what_is_due_and_stops_at_the_first_that_is_not() {
    let skus = [("tee", 9, 0), ("cap", 3, 0), ("mug", 9, 0)];
    let asks: [Ask<'_>; 5] = [
        ("ann", &[("tee", 2), ("cap", 1)], -5),
        ("ann", &[("tee", 1)], -4),
        ("bob", &[("cap", 2)], 0),
        ("bob", &[("mug", 1)], 1),
        ("cat", &[("mug", 1)], -1),
    ];
    let (scene, now_ms, asks) = with_deadlines(&skus, &asks).await;
    let mut notices = Notices::of(&scene).await;
    let mut expected = scene.state().await;
    let mut due = Vec::new();
    for ask in &asks[..3] {
        due.push((ask, scene.record(ask.id).await));
    }
    let swept = sweep(&scene).await;
    assert_eq!(
        swept,
        Swept::Swept(Sweep {
            now_ms,
            released: 3,
            oldest_ms: now_ms - 5,
            next_ms: now_ms + 1
        })
    );
    expected.ended(now_ms, 'e', &due);
    expected.order.drain(..3);
    let after = scene.state().await;
    assert_eq!(after, expected);
    assert_eq!(
        ["tee/left", "cap/left", "mug/left", "cap/restocked"].map(|field| after.units(field)),
        [9, 3, 7, 9]
    );
    assert_eq!(after.users["ann"], "2");
    assert_eq!(notices.since(&scene).await, [("cap".to_string(), 9)]);
}

#[tokio::test]
async fn swept_nothing_where_nothing_is_held() {
    let scene = Scene::selling(&[("tee", 9, 0)]).await;
    let now_ms = scene.stop_time().await;
    let before = scene.state().await;
    assert_eq!(
        sweep(&scene).await,
        Swept::Swept(Sweep {
            now_ms,
            released: 0,
            oldest_ms: 0,
            next_ms: now_ms + HOUR_MS
        })
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn swept_nothing_where_nothing_is_due() {
    let (scene, now_ms, _) = with_deadlines(&[("tee", 9, 0)], &[("ann", &[("tee", 1)], 1)]).await;
    let before = scene.state().await;
    assert_eq!(
        sweep(&scene).await,
        Swept::Swept(Sweep {
            now_ms,
            released: 0,
            oldest_ms: 0,
            next_ms: now_ms + 1
        })
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn swept_heads_that_ended_otherwise_leave_the_order_without_an_event() {
    let line: &[(&str, u32)] = &[("tee", 1)];
    let asks = [("ann", line, 9), ("bob", line, 9), ("cat", line, 9)];
    let (scene, now_ms, asks) = with_deadlines(&[("tee", 9, 0)], &asks).await;
    for ask in &asks[..2] {
        scene
            .gate
            .cancel(&scene.live, EPOCH, ask.id, &ask.user)
            .await
            .unwrap();
    }
    let mut expected = scene.state().await;
    assert_eq!(
        sweep(&scene).await,
        Swept::Swept(Sweep {
            now_ms,
            released: 0,
            oldest_ms: 0,
            next_ms: now_ms + 9
        })
    );
    expected.order.drain(..2);
    assert_eq!(scene.state().await, expected);

    scene
        .gate
        .cancel(&scene.live, EPOCH, asks[2].id, &asks[2].user)
        .await
        .unwrap();
    let mut expected = scene.state().await;
    assert_eq!(
        sweep(&scene).await,
        Swept::Swept(Sweep {
            now_ms,
            released: 0,
            oldest_ms: 0,
            next_ms: now_ms + HOUR_MS
        })
    );
    expected.order.clear();
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn swept_in_bounded_batches_and_the_rest_is_due_at_once() {
    let scene = Scene::selling(&[("tee", 1_000, 0)]).await;
    scene.set("sale", "hold_ms", "0").await;
    let now_ms = scene.stop_time().await;
    let asks: Vec<Reserve> = (0..=SWEEP_HOLDS_MAX)
        .map(|i| scene.ask(&format!("u-{i}"), "k", &[("tee", 2)]))
        .collect();
    for ask in &asks {
        scene.reserve_one(ask).await;
    }
    let full = Sweep {
        now_ms,
        released: SWEEP_HOLDS_MAX as u64,
        oldest_ms: now_ms,
        next_ms: now_ms,
    };
    assert_eq!(sweep(&scene).await, Swept::Swept(full));
    let after = scene.state().await;
    assert_eq!(
        (
            after.order.len(),
            after.units("tee/held"),
            after.units("tee/left")
        ),
        (1, 2, 998)
    );
    assert_eq!(
        sweep(&scene).await,
        Swept::Swept(Sweep {
            released: 1,
            ..full
        })
    );
    assert_eq!(
        sweep(&scene).await,
        Swept::Swept(Sweep {
            released: 0,
            oldest_ms: 0,
            ..full
        })
    );
    let after = scene.state().await;
    assert_eq!(
        (
            after.order.len(),
            after.units("tee/held"),
            after.units("tee/left")
        ),
        (0, 0, 1_000)
    );
}

#[tokio::test]
async fn swept_holds_of_the_largest_requests_fit_one_call() {
    let names: Vec<String> = (0..64).map(|i| format!("sku-{i}")).collect();
    let skus: Vec<(&str, u32, u32)> = names.iter().map(|name| (name.as_str(), 1_000, 0)).collect();
    let lines: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 3)).collect();
    let scene = Scene::selling(&skus).await;
    scene.set("sale", "hold_ms", "0").await;
    scene.stop_time().await;
    for i in 0..SWEEP_HOLDS_MAX {
        scene
            .reserve_one(&scene.ask(&format!("u-{i}"), "k", &lines))
            .await;
    }
    let swept = sweep(&scene).await;
    assert!(
        matches!(swept, Swept::Swept(Sweep { released, .. }) if released == SWEEP_HOLDS_MAX as u64),
        "{swept:?}"
    );
    let after = scene.state().await;
    assert!(
        names
            .iter()
            .all(|name| after.units(&format!("{name}/left")) == 1_000)
    );
    assert_eq!(
        after.users.len(),
        SWEEP_HOLDS_MAX,
        "one count of ended reservations each"
    );
}

#[tokio::test]
async fn recovering_where_the_counters_do_not_hold_what_would_be_given_back() {
    let line: &[(&str, u32)] = &[("tee", 2)];
    for (key, field, why) in [
        ("stock", "tee/held", "stock"),
        ("stock", "tee/left", "stock"),
        ("users", "bob/tee", "users"),
    ] {
        let (scene, _, _) =
            with_deadlines(&[("tee", 9, 0)], &[("ann", line, -2), ("bob", line, -1)]).await;
        scene.unset(key, field).await;
        refused(&scene, why).await;
        if field != "tee/left" {
            scene.set(key, field, "1").await;
            refused(&scene, why).await;
        }
    }
}

#[tokio::test]
async fn recovering_where_a_record_is_missing_or_malformed() {
    let line: &[(&str, u32)] = &[("tee", 2)];
    let (scene, _, asks) =
        with_deadlines(&[("tee", 9, 0)], &[("ann", line, -2), ("bob", line, -1)]).await;
    scene
        .set("records", asks[1].id.as_bytes(), "h3|garbage")
        .await;
    refused(&scene, "record").await;
    scene.unset("records", asks[1].id.as_bytes()).await;
    refused(&scene, "records").await;
}

async fn refused(scene: &Scene, why: &str) {
    let before = scene.state().await;
    assert_eq!(
        sweep(scene).await,
        Swept::Fenced(Fenced::Recovering(why.into()))
    );
    assert_eq!(scene.state().await, before);
}

/// A sale whose time stands still with payments that are due so many ms after now.
pub(crate) async fn with_payments(due_in_ms: &[i64]) -> (Scene, u64, Vec<Reserve>) {
    let scene = Scene::selling(&[("tee", 1_000, 0)]).await;
    let now_ms = scene.stop_time().await;
    let mut asks = Vec::new();
    for (i, due_in_ms) in due_in_ms.iter().enumerate() {
        let ask = scene.ask(&format!("u-{i}"), "k", &[("tee", 1)]);
        scene.reserve_one(&ask).await;
        paying::begin(&scene, &ask).await;
        let deadline_ms = now_ms.checked_add_signed(*due_in_ms).unwrap();
        paying::set_payment_deadline(&scene, ask.id, deadline_ms).await;
        asks.push(ask);
    }
    (scene, now_ms, asks)
}

#[tokio::test]
async fn swept_ends_payments_by_their_own_deadlines_and_drops_them_from_the_order() {
    let (scene, now_ms, asks) = with_payments(&[5, -7, -9, 0, 1]).await;
    let hold = scene.ask("zoe", "k", &[("tee", 1)]);
    scene.reserve_one(&hold).await;
    scene.set_deadline(hold.id, now_ms - 8).await;
    let mut expected = scene.state().await;
    let mut due = Vec::new();
    for ask in [&hold, &asks[2], &asks[1], &asks[3]] {
        due.push((ask, scene.record(ask.id).await));
    }
    let swept = Sweep {
        now_ms,
        released: 4,
        oldest_ms: now_ms - 9,
        next_ms: now_ms + 1,
    };
    assert_eq!(sweep(&scene).await, Swept::Swept(swept));
    expected.ended(now_ms, 'e', &due);
    expected.order.clear();
    for (ask, _) in &due[1..] {
        expected.paying.remove(&id_text(ask.id));
    }
    let after = scene.state().await;
    assert_eq!(after, expected);
    assert_eq!(after.paying.len(), 2);
}

#[tokio::test]
async fn swept_takes_of_payments_and_of_holds_so_that_neither_waits_for_the_other() {
    let half = SWEEP_HOLDS_MAX / 2;
    let (scene, now_ms, _) = with_payments(&vec![-1; SWEEP_HOLDS_MAX]).await;
    sweep(&scene).await;
    scene.set("sale", "hold_ms", "0").await;
    for i in 0..SWEEP_HOLDS_MAX {
        scene
            .reserve_one(&scene.ask(&format!("h-{i}"), "k", &[("tee", 1)]))
            .await;
    }
    let both = Sweep {
        now_ms,
        released: SWEEP_HOLDS_MAX as u64,
        oldest_ms: now_ms - 1,
        next_ms: now_ms,
    };
    // The first sweep ended half of the payments and dropped what the order had of them.
    let state = scene.state().await;
    assert_eq!(
        (state.paying.len(), state.order.len()),
        (half, half + SWEEP_HOLDS_MAX)
    );
    let Swept::Swept(swept) = sweep(&scene).await else {
        panic!("fenced")
    };
    let dropped = half as u64;
    assert_eq!(
        (swept.released, swept.oldest_ms),
        (both.released - dropped, both.oldest_ms)
    );
    assert!(scene.state().await.paying.is_empty());
    while scene.state().await.units("tee/held") > 0 {
        sweep(&scene).await;
    }
    assert_eq!(scene.state().await.units("tee/left"), 1_000);
}

#[tokio::test]
async fn swept_says_that_a_payment_may_begin_and_be_due_before_any_hold() {
    let (scene, now_ms, _) = with_payments(&[]).await;
    scene.set("sale", "payment_ms", "7").await;
    let Swept::Swept(swept) = sweep(&scene).await else {
        panic!("fenced")
    };
    assert_eq!(swept.next_ms, now_ms + 7);
}

#[tokio::test]
async fn recovering_where_a_payment_is_none() {
    let (scene, now_ms, asks) = with_payments(&[-1]).await;
    scene.set_deadline(asks[0].id, now_ms + 1).await;
    refused(&scene, "record").await;
    scene.set_deadline(asks[0].id, now_ms - 1).await;
    scene.set("records", asks[0].id.as_bytes(), "?").await;
    refused(&scene, "record").await;
    scene.unset("records", asks[0].id.as_bytes()).await;
    refused(&scene, "records").await;
}
