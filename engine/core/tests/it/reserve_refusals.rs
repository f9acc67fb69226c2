//! `reserve`, refused: all lines of a request or none, and a refusal changes nothing.

use doorbuster_core::clock;
use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::reserve::Reserved;
use doorbuster_core::gate::script::Script;
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::gate::{self, Fenced};
use doorbuster_core::limits::{BACKLOG_BYTES_MAX, BACKLOG_EVENTS_MAX, ENDED_PER_USER_MAX};

use crate::harness::{EPOCH, Scene, sku};
use crate::reserve::{held, refused};
use crate::reserve_in_line::two_of_three;
use crate::state::State;

#[tokio::test]
async fn sold_out_for_the_second_who_asks_for_the_last_unit_in_one_batch() {
    let scene = Scene::selling(&[("tee", 1, 0)]).await;
    let (ann, bob) = (
        scene.ask("ann", "k", &[("tee", 1)]),
        scene.ask("bob", "k", &[("tee", 1)]),
    );
    let mut expected = scene.state().await;
    let decided = scene.reserve(&[&ann, &bob]).await;
    assert_eq!(
        decided.outcomes,
        [
            held(2, decided.now_ms),
            Reserved::SoldOut {
                sku: sku("tee"),
                left: 0
            }
        ]
    );
    assert_eq!(decided.lefts, [(sku("tee"), 0)]);
    expected.held(decided.now_ms, &[&ann]);
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn sold_out_of_one_line_takes_none_of_the_others() {
    let scene = Scene::selling(&[("tee", 5, 0), ("cap", 2, 0)]).await;
    refused(
        &scene,
        &scene.ask("ann", "k", &[("tee", 1), ("cap", 3)]),
        Reserved::SoldOut {
            sku: sku("cap"),
            left: 2,
        },
    )
    .await;
    let decided = scene
        .reserve(&[
            &scene.ask("ann", "k", &[("tee", 1), ("cap", 3)]),
            &scene.ask("bob", "k", &[("tee", 5)]),
        ])
        .await;
    assert_eq!(
        decided.outcomes[1],
        held(2, decided.now_ms),
        "the one before it took none"
    );
}

#[tokio::test]
async fn limit_reached_counts_what_the_user_holds_by_any_request() {
    let scene = Scene::selling(&[("tee", 9, 3), ("cap", 9, 0)]).await;
    let limit = Reserved::LimitReached {
        sku: sku("tee"),
        limit: 3,
    };
    refused(
        &scene,
        &scene.ask("ann", "k1", &[("tee", 4)]),
        limit.clone(),
    )
    .await;
    scene
        .reserve_one(&scene.ask("ann", "k2", &[("tee", 2)]))
        .await;
    refused(
        &scene,
        &scene.ask("ann", "k3", &[("cap", 1), ("tee", 2)]),
        limit.clone(),
    )
    .await;
    assert!(matches!(
        scene
            .reserve_one(&scene.ask("ann", "k4", &[("tee", 1), ("cap", 8)]))
            .await,
        Reserved::Held { .. }
    ));
    refused(&scene, &scene.ask("ann", "k5", &[("tee", 1)]), limit).await;
    assert!(
        matches!(
            scene
                .reserve_one(&scene.ask("bob", "k", &[("tee", 3)]))
                .await,
            Reserved::Held { .. }
        ),
        "someone else"
    );
}

#[tokio::test]
async fn limit_reached_within_one_batch() {
    let scene = Scene::selling(&[("tee", 9, 1)]).await;
    let (first, second) = (
        scene.ask("ann", "k1", &[("tee", 1)]),
        scene.ask("ann", "k2", &[("tee", 1)]),
    );
    let mut expected = scene.state().await;
    let decided = scene.reserve(&[&first, &second]).await;
    assert_eq!(
        decided.outcomes,
        [
            held(2, decided.now_ms),
            Reserved::LimitReached {
                sku: sku("tee"),
                limit: 1
            }
        ]
    );
    expected.held(decided.now_ms, &[&first]);
    assert_eq!(scene.state().await, expected);
}

#[tokio::test]
async fn limit_reached_after_so_many_ended_reservations() {
    let scene = Scene::selling(&[("tee", 9, 0)]).await;
    for i in 0..ENDED_PER_USER_MAX {
        let ask = scene.ask("ann", &format!("k{i}"), &[("tee", 1)]);
        assert!(
            matches!(scene.reserve_one(&ask).await, Reserved::Held { .. }),
            "{i}"
        );
        scene
            .gate
            .cancel(&scene.live, EPOCH, ask.id, &ask.user)
            .await
            .unwrap();
    }
    let limit = Reserved::LimitReached {
        sku: sku("tee"),
        limit: u64::from(ENDED_PER_USER_MAX),
    };
    refused(&scene, &scene.ask("ann", "one-more", &[("tee", 1)]), limit).await;
    assert!(matches!(
        scene
            .reserve_one(&scene.ask("bob", "k", &[("tee", 1)]))
            .await,
        Reserved::Held { .. }
    ));
}

#[tokio::test]
async fn unknown_sku_of_a_known_sale() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    refused(
        &scene,
        &scene.ask("ann", "k", &[("tee", 1), ("cap", 1)]),
        Reserved::UnknownSku(sku("cap")),
    )
    .await;
}

#[tokio::test]
async fn not_open_and_closed_at_the_edges_of_the_window() {
    let scene = Scene::selling(&[("tee", 9, 0)]).await;
    let now_ms = scene.stop_time().await;
    let ask = scene.ask("ann", "k", &[("tee", 1)]);
    for (opens_ms, closes_ms, outcome) in [
        (now_ms + 1, now_ms + 9, Reserved::NotOpen),
        (now_ms - 9, now_ms, Reserved::Closed),
        (now_ms - 9, now_ms - 1, Reserved::Closed),
        (now_ms, now_ms + 1, held(2, now_ms)),
    ] {
        scene.set("sale", "opens_ms", opens_ms.to_string()).await;
        scene.set("sale", "closes_ms", closes_ms.to_string()).await;
        if matches!(outcome, Reserved::Held { .. }) {
            assert_eq!(
                scene.reserve_one(&ask).await,
                outcome,
                "the first and last millisecond"
            );
        } else {
            refused(&scene, &ask, outcome).await;
        }
    }
}

#[tokio::test]
async fn paused_and_closed_by_the_switch() {
    let scene = Scene::selling(&[("tee", 9, 0)]).await;
    for (verb, outcome) in [
        (Verb::Pause, Reserved::Paused),
        (Verb::Close, Reserved::Closed),
    ] {
        scene.gate.switch(&scene.live, EPOCH, verb).await.unwrap();
        refused(&scene, &scene.ask("ann", "k", &[("tee", 1)]), outcome).await;
    }
}

#[tokio::test]
async fn backlog_where_the_books_are_too_far_behind() {
    let ask = |scene: &Scene, user| scene.ask(user, "k", &[("tee", 1)]);
    for (field, bound) in [("seq", BACKLOG_EVENTS_MAX), ("bytes", BACKLOG_BYTES_MAX)] {
        let scene = Scene::selling(&[("tee", 9, 0)]).await;
        scene.set("sale", field, bound.to_string()).await;
        refused(&scene, &ask(&scene, "ann"), Reserved::Backlog).await;
        scene.set("sale", &format!("flushed_{field}"), "1").await;
        let decided = scene
            .reserve(&[&ask(&scene, "ann"), &ask(&scene, "bob")])
            .await;
        assert!(
            matches!(decided.outcomes[0], Reserved::Held { .. }),
            "one below {field}"
        );
        assert_eq!(
            decided.outcomes[1],
            Reserved::Backlog,
            "the first filled it"
        );
    }
}

#[tokio::test]
async fn recovering_where_the_stock_is_missing_or_does_not_add_up() {
    for counter in ["stocked", "left", "held", "sold"] {
        let scene = Scene::selling(&[("tee", 5, 0)]).await;
        scene.set("stock", format!("tee/{counter}"), "7").await;
        assert_eq!(fenced(&scene).await, "conservation");
    }
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    scene.raw("DEL", vec![scene.key("stock")]).await.unwrap();
    assert_eq!(fenced(&scene).await, "stock");
}

async fn fenced(scene: &Scene) -> String {
    let before = scene.state().await;
    let batch = scene
        .try_reserve(&[&scene.ask("ann", "k", &[("tee", 1)])])
        .await
        .unwrap();
    assert_eq!(scene.state().await, before);
    match batch {
        Batch::Fenced(Fenced::Recovering(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// ARGV of one call, up to its first run.
fn head(now: &str) -> [&[u8]; 6] {
    [b"7", b"1", now.as_bytes(), b"16", b"99", b"9999"]
}

/// Sends these runs, and expects that they are called bad.
async fn mistaken(scene: &Scene, script: &Script, runs: &[&[u8]], what: &str) {
    let now = clock::now_ms().to_string();
    let args = [&head(&now)[..], runs].concat();
    let refused = scene.call(script, &args).await.unwrap_err();
    assert!(
        refused.details().starts_with(&format!("BADARG {what}")),
        "{runs:?}: {refused}"
    );
}

#[tokio::test]
async fn no_request_or_a_run_that_does_not_add_up_is_a_callers_mistake() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let before = scene.state().await;
    let (id, other): (&[u8], &[u8]) = (&[1; 16], &[3; 16]);
    let one = [b"tee=1|".as_slice(), &[2_u8; 16]].concat();
    let badly_run: [&[&[u8]]; 14] = [
        &[],
        &[b"1"],
        &[b"1", &one],
        &[b"1", &one, id],
        &[b"2", &one, id, b"ann"],
        &[b"0", &one],
        &[b"-1", &one, id, b"ann"],
        &[b"x", &one, id, b"ann"],
        &[b"nan", &one, id, b"ann"],
        &[b"1.5", &one, id, b"ann", id],
        // What comes first is as it should be.
        &[b"1", &one, id, b"ann", b"1"],
        &[b"1", &one, id, b"ann", b"1", &one, other],
        &[b"1", &one, id, b"ann", b"0", &one, other, b"bob"],
        &[b"1", &one, id, b"ann", other, b"bob"],
    ];
    for runs in badly_run {
        mistaken(&scene, &gate::reserve::WITHOUT_LINE, runs, "requests").await;
    }
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn a_run_without_its_places_in_a_sale_with_a_line_is_a_callers_mistake() {
    let line = two_of_three(9).await;
    // Keys that only a line has are listed in any order.
    let state = async || State {
        strangers: Vec::new(),
        ..line.scene.state().await
    };
    let before = state().await;
    let (id, other): (&[u8], &[u8]) = (&[1; 16], &[3; 16]);
    let one = [b"tee=1|".as_slice(), &[2_u8; 16]].concat();
    let badly_run: [&[&[u8]]; 8] = [
        &[],
        &[b"1", &one, id, b"ann"],
        // A number without a place.
        &[b"1", &one, id, b"ann", b"1"],
        &[b"2", &one, id, b"ann", b"1", b"1", other, b"bob", b"2"],
        // As in a sale without a line.
        &[b"2", &one, id, b"ann", other, b"bob"],
        &[b"-1", &one, id, b"ann", b"1", b"1"],
        &[b"nan", &one, id, b"ann", b"1", b"1"],
        &[
            b"1", &one, id, b"ann", b"1", b"1", b"1", &one, other, b"bob",
        ],
    ];
    for runs in badly_run {
        mistaken(&line.scene, &gate::reserve::SCRIPT, runs, "requests").await;
    }
    assert_eq!(state().await, before);
    assert_eq!(line.size("ZCARD", "served").await, 0);
    let now = clock::now_ms().to_string();
    let run: [&[u8]; 6] = [b"1", &one, id, b"ann", b"1", b"1"];
    let args = [&head(&now)[..], &run].concat();
    let reply = line.scene.call(&gate::reserve::SCRIPT, &args).await;
    assert_eq!(reply.unwrap()[0], "decided");
    assert_eq!(
        line.size("ZCARD", "served").await,
        1,
        "the one that adds up"
    );
}

#[tokio::test]
async fn no_whole_units_or_no_whole_body_are_a_callers_mistake() {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    let before = scene.state().await;
    let (id, other): (&[u8], &[u8]) = (&[1; 16], &[3; 16]);
    let one = [b"tee=1|".as_slice(), &[2_u8; 16]].concat();
    for (lines, body_bytes, what) in [
        ("tee=0|", 16, "quantity"),
        ("tee=1,cap=0|", 16, "quantity"),
        ("tee=-1|", 16, "lines"),
        ("tee=1.5|", 16, "lines"),
        ("tee=x|", 16, "lines"),
        ("tee=1,|", 16, "lines"),
        ("tee=1,tee=1|", 16, "lines"),
        ("cap=1,tee=1,cap=2|", 16, "lines"),
        ("tee=1 cap=1|", 16, "lines"),
        ("|", 16, "lines"),
        ("tee=1", 16, "lines"),
        ("tee=1", 0, "lines"),
        ("tee=1|", 0, "lines"),
        ("tee=1|", 15, "lines"),
        ("tee=1|", 17, "lines"),
    ] {
        let wish = [lines.as_bytes(), &[2_u8; 17][..body_bytes]].concat();
        let first: [&[u8]; 4] = [b"1", &one, id, b"ann"];
        let run: [&[u8]; 4] = [b"1", &wish, other, b"bob"];
        mistaken(&scene, &gate::reserve::WITHOUT_LINE, &run, what).await;
        let runs = [first, run].concat();
        mistaken(&scene, &gate::reserve::WITHOUT_LINE, &runs, what).await;
    }
    assert_eq!(scene.state().await, before);
}
