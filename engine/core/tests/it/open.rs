//! `open`: puts a sale into Redis once, and never over anything that is left of it.

use doorbuster_core::gate::open::Opened;
use doorbuster_core::gate::{self, Fenced};

use crate::harness::{Scene, random_sale, redis_url};
use crate::state::{Fields, State};

const SKUS: [(&str, u32, u32); 2] = [("tee", 5, 2), ("cap", 0, 0)];

async fn unopened() -> Scene {
    Scene::unopened(redis_url(), random_sale()).await
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs
        .iter()
        .map(|(field, value)| ((*field).to_string(), (*value).to_string()))
        .collect()
}

#[tokio::test]
async fn opened_writes_head_stock_and_one_journal_entry() {
    let scene = unopened().await;
    assert_eq!(scene.open(&SKUS).await, Opened::Opened);
    let seen = scene.gate.settled_sightings().await;
    assert_eq!(seen, [(scene.live.clone(), 1, 1)]);

    let state = scene.state().await;
    let (opens, closes, now) = (
        &state.sale["opens_ms"],
        &state.sale["closes_ms"],
        &state.sale["last_now_ms"],
    );
    assert_eq!(
        state,
        State {
            sale: fields(&[
                ("schema", "1"),
                ("epoch", "1"),
                ("run_id", ""),
                ("state", "open"),
                ("opens_ms", opens),
                ("closes_ms", closes),
                ("hold_ms", "3600000"),
                ("payment_ms", "3600000"),
                ("seq", "1"),
                ("flushed_seq", "0"),
                ("bytes", "27"),
                ("flushed_bytes", "0"),
                ("last_now_ms", now),
                ("config", "{}"),
            ]),
            stock: fields(&[
                ("tee/stocked", "5"),
                ("tee/left", "5"),
                ("tee/held", "0"),
                ("tee/sold", "0"),
                ("tee/limit", "2"),
                ("tee/restocked", "0"),
                ("cap/stocked", "0"),
                ("cap/left", "0"),
                ("cap/held", "0"),
                ("cap/sold", "0"),
                ("cap/limit", "0"),
                ("cap/restocked", "0"),
            ]),
            journal: vec![
                [
                    ("e", "1"),
                    ("s", "1"),
                    ("n", "1"),
                    ("t", now),
                    ("b", "27"),
                    ("O", "tee=5,cap=0")
                ]
                .map(|(field, value)| (field.to_string(), value.to_string()))
                .to_vec()
            ],
            ..State::default()
        }
    );
    assert!(closes > opens && now > opens);
}

#[tokio::test]
async fn a_sale_of_many_skus_is_opened_whole() {
    let scene = unopened().await;
    let names: Vec<String> = (0..256).map(|i| format!("sku-{i}")).collect();
    let skus: Vec<(&str, u32, u32)> = names
        .iter()
        .map(|name| (name.as_str(), 1_000_000_000, 1))
        .collect();
    assert_eq!(scene.open(&skus).await, Opened::Opened);
    let state = scene.state().await;
    assert_eq!(state.stock.len(), 256 * 6);
    assert!(
        names
            .iter()
            .all(|name| state.units(&format!("{name}/left")) == 1_000_000_000)
    );
}

#[tokio::test]
async fn already_names_the_epoch_and_writes_nothing() {
    let scene = unopened().await;
    scene.open(&SKUS).await;
    scene.set("sale", "epoch", "7").await;
    let before = scene.state().await;
    assert_eq!(
        scene.open(&[("tee", 99, 0)]).await,
        Opened::Already { epoch: 7 }
    );
    assert_eq!(scene.state().await, before);
}

#[tokio::test]
async fn recovering_leftovers_of_a_lost_sale_are_not_opened_over() {
    for key in ["stock", "users", "records", "journal"] {
        let scene = unopened().await;
        if key == "journal" {
            scene
                .raw(
                    "XADD",
                    vec![scene.key(key), "*".into(), "s".into(), "1".into()],
                )
                .await
                .unwrap();
        } else {
            scene.set(key, "x", "1").await;
        }
        let before = scene.state().await;
        assert_eq!(
            scene.open(&SKUS).await,
            Opened::Fenced(Fenced::Recovering("leftovers".into())),
            "{key}"
        );
        assert_eq!(scene.state().await, before);
    }
}

#[tokio::test]
async fn recovering_clock_where_the_caller_lives_at_another_time() {
    let scene = unopened().await;
    let args: [&[u8]; 11] = [
        b"7", b"1", b"1000", b"1", b"2", b"3", b"4", b"{}", b"tee", b"5", b"0",
    ];
    assert_eq!(
        scene.call(&gate::open::SCRIPT, &args).await.unwrap(),
        ["recovering", "7", "clock"]
    );
    assert_eq!(scene.state().await, State::default());
}

#[tokio::test]
async fn a_sale_of_nothing_is_a_callers_mistake() {
    let scene = unopened().await;
    let args: [&[u8]; 8] = [b"7", b"1", b"1000", b"1", b"2", b"3", b"4", b"{}"];
    assert!(
        scene
            .call(&gate::open::SCRIPT, &args)
            .await
            .unwrap_err()
            .details()
            .starts_with("BADARG skus")
    );
    assert_eq!(scene.state().await, State::default());
}
