//! What every script asks before it decides anything: whether the sale is there, whole, of this generation and vouched
//! for, and what time it is. A refusal changes nothing, whatever was asked.

use doorbuster_core::clock;
use doorbuster_core::gate::adjust::{Adjust, Adjusted};
use doorbuster_core::gate::begin_payment::BegunPayment;
use doorbuster_core::gate::cancel::Cancelled;
use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::find::Found;
use doorbuster_core::gate::release::Released;
use doorbuster_core::gate::restock::Returned;
use doorbuster_core::gate::script::Script;
use doorbuster_core::gate::settle::Settled;
use doorbuster_core::gate::snapshot::Snapped;
use doorbuster_core::gate::sweep::Swept;
use doorbuster_core::gate::switch::{Switched, Verb};
use doorbuster_core::gate::trim::Trimmed;
use doorbuster_core::gate::vouch::{Vouch, Vouched};
use doorbuster_core::gate::{self, Fenced};
use doorbuster_core::ids::IdempotencyKey;
use doorbuster_core::journal::StreamId;

use crate::harness::{EPOCH, HOUR_MS, Scene, user};
use crate::state::State;

/// A script's name, and the refusal that a call of it met.
macro_rules! refusal {
    ($script:ident, $call:expr, $refused:path) => {
        (
            stringify!($script),
            match $call.await.unwrap() {
                $refused(fenced) => Some(fenced),
                _ => None,
            },
        )
    };
}

/// Those about what is paid for.
async fn of_payments(scene: &Scene, epoch: u32) -> Vec<(&'static str, Option<Fenced>)> {
    let (gate, live, id) = (&scene.gate, &scene.live, scene.id("ann", "k"));
    let sku = crate::harness::sku(scene.coupon_id().as_str());
    vec![
        refusal!(
            begin_payment,
            gate.begin_payment(live, epoch, id, &user("ann")),
            BegunPayment::Fenced
        ),
        refusal!(
            settle,
            gate.settle(live, epoch, id, &user("ann"), true),
            Settled::Fenced
        ),
        refusal!(
            release,
            gate.release(live, epoch, id, &user("ann")),
            Released::Fenced
        ),
        refusal!(
            restock,
            gate.restock(live, epoch, id, &user("ann"), "k", &[(sku.clone(), 1)]),
            Returned::Fenced
        ),
        refusal!(
            write_off,
            gate.write_off(live, epoch, id, &user("ann"), "k", &[(sku.clone(), 1)]),
            Returned::Fenced
        ),
    ]
}

/// Calls every function but `open`; each refusal, by script.
async fn refusals(scene: &Scene, epoch: u32) -> Vec<(&'static str, Option<Fenced>)> {
    let (gate, live) = (&scene.gate, &scene.live);
    let (id, key) = (scene.id("ann", "k"), IdempotencyKey::parse("more").unwrap());
    let name = scene.coupon_id().as_str();
    let run_id = gate.run_id().await.unwrap();
    let entry_id = &StreamId::new("1-1");
    let sku = crate::harness::sku(name);
    let mut all = of_payments(scene, epoch).await;
    all.extend([
        refusal!(
            switch,
            gate.switch(live, epoch, Verb::Pause),
            Switched::Fenced
        ),
        refusal!(
            adjust,
            gate.adjust(
                live,
                epoch,
                &Adjust {
                    key: &key,
                    sku: &sku,
                    by: 1
                }
            ),
            Adjusted::Fenced
        ),
        refusal!(
            reserve,
            gate.reserve(live, epoch, &[&scene.ask("ann", "r", &[(name, 1)])]),
            Batch::Fenced
        ),
        refusal!(
            claim,
            gate.claim(scene.coupon_id(), epoch, &[&scene.ask_claim("bob", "c")]),
            Batch::Fenced
        ),
        refusal!(
            cancel,
            gate.cancel(live, epoch, id, &user("ann")),
            Cancelled::Fenced
        ),
        refusal!(sweep, gate.sweep(live, epoch), Swept::Fenced),
        refusal!(find, gate.find(live, epoch, id), Found::Fenced),
        refusal!(trim, gate.trim(live, epoch, entry_id, 1), Trimmed::Fenced),
        refusal!(
            vouch,
            gate.vouch(
                live,
                &Vouch {
                    epoch,
                    seq: 1,
                    entry_id,
                    run_id: &run_id
                }
            ),
            Vouched::Fenced
        ),
        refusal!(snapshot, gate.snapshot(live), Snapped::Fenced),
    ]);
    all
}

/// All scripts but the last `but` of the list above refuse with `expected`, and nothing changes.
async fn all_refuse(scene: &Scene, epoch: u32, but: usize, expected: &Fenced) {
    let before = scene.state().await;
    let refusals = refusals(scene, epoch).await;
    for (script, refusal) in &refusals[..refusals.len() - but] {
        assert_eq!(refusal.as_ref(), Some(expected), "{script}");
    }
    assert_eq!(scene.state().await, before);
}

fn recovering(why: &str) -> Fenced {
    Fenced::Recovering(why.to_string())
}

#[tokio::test]
async fn a_sale_that_redis_does_not_have_is_unknown_to_every_script() {
    let scene = Scene::coupon(5, 1).await;
    for key in ["sale", "stock", "journal"] {
        scene.raw("DEL", vec![scene.key(key)]).await.unwrap();
    }
    assert_eq!(scene.state().await, State::default());
    all_refuse(&scene, EPOCH, 0, &Fenced::UnknownSale).await;
}

#[tokio::test]
async fn a_sale_of_another_schema_is_refused_by_every_script() {
    let scene = Scene::coupon(5, 1).await;
    scene.set("sale", "schema", "2").await;
    all_refuse(&scene, EPOCH, 0, &Fenced::UnknownSchema("2".to_string())).await;
}

#[tokio::test]
async fn a_sale_whose_head_is_not_whole_is_refused_by_every_script() {
    let fields = [
        "epoch",
        "run_id",
        "state",
        "opens_ms",
        "closes_ms",
        "hold_ms",
        "seq",
        "flushed_seq",
        "bytes",
        "flushed_bytes",
        "last_now_ms",
    ];
    for field in fields {
        let scene = Scene::coupon(5, 1).await;
        scene.unset("sale", field).await;
        all_refuse(&scene, EPOCH, 0, &recovering("head")).await;
    }
}

#[tokio::test]
async fn a_caller_of_another_epoch_is_refused_by_every_script_but_snapshot() {
    let scene = Scene::coupon(5, 1).await;
    all_refuse(&scene, EPOCH + 1, 1, &recovering("epoch")).await;
}

#[tokio::test]
async fn a_sale_that_nobody_vouched_for_decides_nothing() {
    let scene = Scene::coupon(5, 1).await;
    for run_id in ["", "0123456789012345678901234567890123456789"] {
        scene.set("sale", "run_id", run_id).await;
        let before = scene.state().await;
        let refusals = refusals(&scene, EPOCH).await;
        for (script, refusal) in &refusals[..12] {
            assert_eq!(refusal, &Some(recovering("run_id")), "{script}");
        }
        // Bookkeeping that sells nothing goes on: these two look for an entry that is not there, and a look is a look.
        assert_eq!(
            refusals[12..],
            [
                ("trim", Some(recovering("journal"))),
                ("vouch", Some(recovering("journal"))),
                ("snapshot", None)
            ]
        );
        assert_eq!(scene.state().await, before);
    }
}

/// Every script that asks what time it is, with arguments that it would otherwise act on, told `caller_ms`.
async fn told_the_time(scene: &Scene, caller_ms: u64) -> Vec<(&'static str, Vec<String>)> {
    let (held, fresh, claimed) = (
        scene.id("ann", "held"),
        scene.id("bob", "fresh"),
        scene.id("cat", "claimed"),
    );
    let (held, fresh, claimed) = (
        held.as_bytes().as_slice(),
        fresh.as_bytes().as_slice(),
        claimed.as_bytes().as_slice(),
    );
    let (sku, body) = (scene.coupon_id().as_str().as_bytes(), [7; 16]);
    let lines = [sku, b"=1"].concat();
    let wish = [&lines[..], b"|", &body].concat();
    let caller_ms = caller_ms.to_string();
    let tails: [(&Script, Vec<&[u8]>); 12] = [
        (&gate::find::SCRIPT, vec![held]),
        (&gate::sweep::SCRIPT, vec![b"100", b"test"]),
        (
            &gate::reserve::WITHOUT_LINE,
            vec![b"16", b"9999", b"9999", b"1", &wish, fresh, b"bob"],
        ),
        (
            &gate::claim::SCRIPT,
            vec![sku, b"9999", b"9999", claimed, b"cat"],
        ),
        (&gate::cancel::SCRIPT, vec![held, b"ann", b"test"]),
        (
            &gate::adjust::SCRIPT,
            vec![b"key", sku, b"1", b"99", b"test"],
        ),
        (&gate::begin_payment::SCRIPT, vec![held, b"ann", b"test"]),
        (&gate::settle::SCRIPT, vec![held, b"ann", b"1", b"test"]),
        (&gate::release::SCRIPT, vec![held, b"ann", b"test"]),
        (
            &gate::restock::SCRIPT,
            vec![held, b"ann", b"a", &lines, b"test"],
        ),
        (&gate::write_off::SCRIPT, vec![held, b"ann", b"b", &lines]),
        (&gate::switch::SCRIPT, vec![b"pause"]),
    ];
    let mut replies = Vec::new();
    for (script, tail) in tails {
        let args = [vec![b"7".as_slice(), b"1", caller_ms.as_bytes()], tail].concat();
        replies.push((script.name, scene.call(script, &args).await.unwrap()));
    }
    replies
}

/// A coupon with stock and one hold that is due since long.
async fn with_an_overdue_hold() -> Scene {
    let scene = Scene::coupon(9, 0).await;
    let ask = scene.ask("ann", "held", &[(scene.coupon_id().as_str(), 1)]);
    scene.reserve_one(&ask).await;
    scene.set_deadline(ask.id, 1).await;
    scene
}

#[tokio::test]
async fn a_leap_that_the_caller_does_not_see_is_refused() {
    let scene = with_an_overdue_hold().await;
    let now_ms = clock::now_ms();
    scene
        .set("sale", "last_now_ms", (now_ms - HOUR_MS).to_string())
        .await;
    let before = scene.state().await;
    for caller_ms in [now_ms - HOUR_MS, now_ms + HOUR_MS, 0] {
        for (script, reply) in told_the_time(&scene, caller_ms).await {
            assert_eq!(reply, ["recovering", "7", "clock"], "{script}");
        }
    }
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn a_leap_that_the_caller_sees_too_is_taken() {
    let scene = with_an_overdue_hold().await;
    let now_ms = clock::now_ms();
    scene
        .set("sale", "last_now_ms", (now_ms - HOUR_MS).to_string())
        .await;
    assert_told(told_the_time(&scene, now_ms).await);
    assert!(scene.state().await.number("last_now_ms") >= now_ms - 1_000);
}

#[tokio::test]
async fn without_a_leap_the_callers_clock_does_not_matter() {
    assert_told(told_the_time(&with_an_overdue_hold().await, 0).await);
}

fn assert_told(replies: Vec<(&'static str, Vec<String>)>) {
    let words: Vec<(&str, &str)> = replies
        .iter()
        .map(|(script, reply)| (*script, reply[0].as_str()))
        .collect();
    assert_eq!(
        words,
        [
            ("find", "found"),
            ("sweep", "swept"),
            ("reserve", "decided"),
            ("claim", "decided"),
            ("cancel", "ended"),
            ("adjust", "adjusted"),
            ("begin_payment", "ended"),
            ("settle", "paid"),
            ("release", "paid"),
            ("restock", "done"),
            ("write_off", "not_paid"),
            ("switch", "switched"),
        ]
    );
}

#[tokio::test]
async fn time_never_goes_back() {
    let scene = Scene::coupon(9, 0).await;
    let ahead_ms = scene.stop_time().await;
    let decided = scene.claim(&[&scene.ask_claim("ann", "k")]).await;
    assert_eq!(decided.now_ms, ahead_ms);
    assert_eq!(scene.state().await.number("last_now_ms"), ahead_ms);
}
