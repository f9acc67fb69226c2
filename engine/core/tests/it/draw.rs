//! `draw`: sets a line's order once; the first of several is believed.

use doorbuster_core::draw::{DrawSecret, Drawn};
use doorbuster_core::gate::Fenced;
use doorbuster_core::gate::draw::{DrawSet, Novelty};
use doorbuster_core::hex::to_hex;
use doorbuster_core::journal::{Event, StreamId};

use crate::harness::{EPOCH, Scene, array};
use crate::state::Fields;

fn drawn(early: u32, seed: u8) -> Drawn {
    Drawn {
        early,
        seed: [seed; 32],
        list_hash: [2; 32],
        secret: DrawSecret::from_bytes([3; 32]),
    }
}

/// A sale with a line of which so many came early.
async fn counted(early: &str) -> Scene {
    let scene = Scene::selling(&[("tee", 5, 0)]).await;
    scene.set("line", "epoch", EPOCH.to_string()).await;
    scene.set("line", "early", early).await;
    scene
}

async fn draw(scene: &Scene, drawn: &Drawn, novelty: Novelty) -> DrawSet {
    let set = scene.gate.draw(&scene.live, EPOCH, drawn, novelty).await;
    set.unwrap()
}

async fn line(scene: &Scene) -> Fields {
    let reply = scene.raw("HGETALL", vec![scene.key("line")]).await;
    let flat = array(reply.unwrap()).into_iter();
    let flat: Vec<String> = flat.filter_map(|value| value.into_string()).collect();
    let pairs = flat.chunks(2);
    pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

#[tokio::test]
async fn drawn_puts_the_seed_into_the_line_and_the_draw_into_the_journal() {
    let scene = counted("3").await;
    scene.gate.remember_unflushed();
    let (mut expected, mut line_after) = (scene.state().await, line(&scene).await);

    let set = draw(&scene, &drawn(3, 1), Novelty::New).await;

    assert_eq!(set, DrawSet::Drawn { seq: 2 });
    let after = scene.state().await;
    expected.state_entry(&after, "D", &drawn(3, 1).text());
    assert_eq!(after, expected);
    line_after.insert("drawn".into(), to_hex(&[1; 32]));
    assert_eq!(line(&scene).await, line_after);
    let entries = scene.gate.journal(&scene.live, &StreamId::start(), 9).await;
    let entries = entries.unwrap();
    let event = entries.last().unwrap().events[0].decode();
    assert_eq!(event, Ok(Event::Drawn(drawn(3, 1))));
    let told = scene.gate.settled_unflushed(&scene.live).await;
    assert_eq!(
        told.last().map(|entry| &entry.events),
        entries.last().map(|entry| &entry.events),
        "a draw is told again after a loss"
    );
}

#[tokio::test]
async fn already_drawn_is_drawn_once() {
    let scene = counted("3").await;
    draw(&scene, &drawn(3, 1), Novelty::New).await;
    let before = (scene.state().await, line(&scene).await);
    for novelty in [Novelty::New, Novelty::Booked] {
        for seed in [1, 9] {
            let set = draw(&scene, &drawn(3, seed), novelty).await;
            assert_eq!(set, DrawSet::Already { seed: [1; 32] });
        }
    }
    assert_eq!((scene.state().await, line(&scene).await), before);
}

#[tokio::test]
async fn moved_where_another_number_of_users_came_early_or_nobody_has_counted_them() {
    for (early, said) in [("4", Some(4)), ("", None)] {
        let scene = counted(early).await;
        let before = (scene.state().await, line(&scene).await);
        let set = draw(&scene, &drawn(3, 1), Novelty::New).await;
        assert_eq!(set, DrawSet::Moved { early: said });
        assert_eq!((scene.state().await, line(&scene).await), before);
    }
}

#[tokio::test]
async fn restored_from_the_books_with_their_count_and_without_an_event() {
    let scene = counted("10003").await;
    let before = scene.state().await;
    let set = draw(&scene, &drawn(3, 1), Novelty::Booked).await;
    assert_eq!(set, DrawSet::Restored);
    assert_eq!(scene.state().await, before);
    let line = line(&scene).await;
    assert_eq!(line["early"], "3");
    assert_eq!(line["drawn"], to_hex(&[1; 32]));
}

#[tokio::test]
async fn recovering_where_the_line_is_of_another_generation_or_is_being_restored() {
    for (field, value) in [("epoch", "0"), ("restoring", "1")] {
        let scene = counted("3").await;
        scene.set("line", field, value).await;
        let before = (scene.state().await, line(&scene).await);
        let set = draw(&scene, &drawn(3, 1), Novelty::New).await;
        let fenced = Fenced::Recovering("line".into());
        assert_eq!(set, DrawSet::Fenced(fenced));
        assert_eq!((scene.state().await, line(&scene).await), before);
    }
}
