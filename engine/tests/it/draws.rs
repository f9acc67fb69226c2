//! A draw from Redis into the books, where it stays through whatever becomes of Redis.

use std::time::Duration;

use doorbuster_core::draw::{DrawSecret, Drawn};
use doorbuster_core::gate::draw::{DrawSet, Novelty};
use doorbuster_core::hex::to_hex;
use doorbuster_core::ids::LiveId;

use super::harness::{Shop, within};
use super::redis_of::raw;

fn drawn(seed: u8) -> Drawn {
    Drawn {
        early: 3,
        seed: [seed; 32],
        list_hash: [2; 32],
        secret: DrawSecret::from_bytes([3; 32]),
    }
}

/// What the books have of the sale's draw.
async fn booked(shop: &Shop, live: &LiveId) -> Option<(u64, u32, String)> {
    sqlx::query_as("select seq, early, seed from draws where sale_id = ?")
        .bind(live.book_id())
        .fetch_optional(&shop.books)
        .await
        .unwrap()
}

/// A line of which three came early, in this generation of the sale.
async fn counted(shop: &Shop, live: &LiveId, epoch: &str) {
    let key = format!("{{{}}}:line", live.tag());
    raw(shop, "HSET", &[&key, "epoch", epoch, "early", "3"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draw_is_booked_once_and_stays_when_redis_is_emptied() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 5, 0)], 300).await;
    counted(&shop, &live, "1").await;
    let set = shop.gate.draw(&live, 1, &drawn(1), Novelty::New).await;
    assert_eq!(set.unwrap(), DrawSet::Drawn { seq: 2 });
    shop.until_booked(&live).await;
    let expected = Some((2, 3, to_hex(&[1; 32])));
    assert_eq!(booked(&shop, &live).await, expected);

    raw(&shop, "FLUSHALL", &[]).await;
    within(Duration::from_secs(20), "the sale is rebuilt", || async {
        let snapshot = shop.try_snapshot(&live).await?;
        (snapshot.epoch == 2 && snapshot.is_vouched()).then_some(())
    })
    .await;
    shop.until_booked(&live).await;
    assert_eq!(booked(&shop, &live).await, expected);

    counted(&shop, &live, "2").await;
    let set = shop.gate.draw(&live, 2, &drawn(1), Novelty::Booked).await;
    assert_eq!(set.unwrap(), DrawSet::Restored);
    shop.until_booked(&live).await;
    assert_eq!(booked(&shop, &live).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_draw_is_a_dead_letter_and_the_first_stands() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 5, 0)], 300).await;
    for seed in [1, 9] {
        let key = format!("{{{}}}:line", live.tag());
        raw(&shop, "DEL", &[&key]).await;
        counted(&shop, &live, "1").await;
        let set = shop.gate.draw(&live, 1, &drawn(seed), Novelty::New).await;
        assert!(matches!(set, Ok(DrawSet::Drawn { .. })));
    }
    let letters = within(Duration::from_secs(10), "a dead letter", || async {
        let sql = "select seq from dead_letters where sale_id = ?";
        let seqs: Vec<u64> = sqlx::query_scalar(sql)
            .bind(live.book_id())
            .fetch_all(&shop.books)
            .await
            .unwrap();
        Some(seqs).filter(|seqs| !seqs.is_empty())
    })
    .await;
    assert_eq!(letters, [3]);
    assert_eq!(booked(&shop, &live).await, Some((2, 3, to_hex(&[1; 32]))));
}
