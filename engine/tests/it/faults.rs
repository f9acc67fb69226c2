//! Processes die, stop and come back under load; nothing is lost, sold twice or left unanswered for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use doorbuster_core::ids::LiveId;
use doorbuster_stage::StageOptions;
use hyper::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use super::harness::{Shop, started, within};

const STOCK: u32 = 1_000_000;

/// Buyers who each buy again and again, repeating the same key on any engine until they have an answer.
struct Crowd {
    stop: Arc<AtomicBool>,
    buyers: JoinSet<u64>,
}

impl Crowd {
    fn start(shop: &Arc<Shop>, engines: usize, buyers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for buyer in 0..buyers {
            let (shop, stop) = (Arc::clone(shop), Arc::clone(&stop));
            tasks.spawn(async move {
                let mut held = 0;
                for i in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    buy(&shop, engines, &format!("u{buyer}-{i}")).await;
                    held += 1;
                }
                held
            });
        }
        Self {
            stop,
            buyers: tasks,
        }
    }

    /// How many reservations the crowd was told that it has.
    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.buyers.join_all().await.into_iter().sum()
    }
}

async fn buy(shop: &Shop, engines: usize, user: &str) {
    let mut tries = 0;
    within(Duration::from_secs(60), "a buyer has an answer", || {
        tries += 1;
        async move {
            let answer = shop
                .try_reserve(
                    tries % engines,
                    "s",
                    user,
                    "k",
                    json!([{"sku": "tee", "quantity": 1}]),
                )
                .await?;
            match answer.status {
                StatusCode::CREATED | StatusCode::OK => Some(()),
                StatusCode::SERVICE_UNAVAILABLE => None,
                other => panic!("{other}: {:?}", answer.body),
            }
        }
    })
    .await;
}

/// What the crowd was told is what Redis and MySQL have: no more, no less.
async fn audit(shop: &Shop, live: &LiveId, told: u64) {
    shop.until_booked(live).await;
    let (left, held, sold) = shop.counts(live).await;
    assert_eq!((left, held, sold), (u64::from(STOCK) - told, told, 0));
    assert_eq!(shop.booked_units(live).await, told);
    assert!(told > 0);
}

/// Time from `since` until a fresh buyer gets something.
async fn selling_again(shop: &Shop, engine: usize, name: &str) -> Duration {
    let since = started();
    within(Duration::from_secs(20), "selling again", || async {
        let answer = shop
            .try_reserve(
                engine,
                "s",
                &format!("probe-{name}"),
                "k",
                json!([{"sku": "tee", "quantity": 1}]),
            )
            .await?;
        matches!(answer.status, StatusCode::CREATED | StatusCode::OK).then_some(())
    })
    .await;
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_under_load_loses_nothing_and_sells_again_within_five_seconds() {
    let shop = Arc::new(Shop::with_engines(2).await);
    let live = shop.sale("s", &[("tee", STOCK, 0)], 600).await;
    let crowd = Crowd::start(&shop, 2, 16);
    for round in 0..3 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        shop.stage.redis().kill9().unwrap();
        shop.stage.redis().start().unwrap();
        let took = selling_again(&shop, round % 2, &round.to_string()).await;
        assert!(took < Duration::from_secs(5), "round {round}: {took:?}");
    }
    let told = crowd.end().await + 3;
    audit(&shop, &live, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_under_load_leaves_every_request_with_one_outcome() {
    let shop = Arc::new(Shop::with_engines(3).await);
    let live = shop.sale("s", &[("tee", STOCK, 0)], 600).await;
    let crowd = Crowd::start(&shop, 3, 16);
    for engine in [0, 1, 2, 0] {
        tokio::time::sleep(Duration::from_millis(500)).await;
        shop.stage.engine(engine).kill9().unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        shop.stage.engine(engine).start().unwrap();
    }
    let told = crowd.end().await;
    audit(&shop, &live, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_killed_or_frozen_under_load_loses_nothing_and_delays_its_sales_at_most_ten_seconds()
 {
    let shop = Arc::new(
        Shop::open(
            StageOptions::whole(1)
                .engine_role("front")
                .engine_env("RATE_PER_USER", "0"),
        )
        .await,
    );
    let writers = [
        shop.stage.add_engine("writer", &[]).unwrap(),
        shop.stage.add_engine("writer", &[]).unwrap(),
    ];
    let live = shop.sale("s", &[("tee", STOCK, 0)], 600).await;
    let crowd = Crowd::start(&shop, 1, 8);
    for round in 0..4 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        shop.stage.engine(writers[round % 2]).kill9().unwrap();
        shop.stage.engine(writers[round % 2]).start().unwrap();
    }
    for frozen in writers {
        shop.stage.engine(frozen).freeze().unwrap();
        let since = started();
        let seq = shop.snapshot(&live).await.seq;
        within(
            Duration::from_secs(10),
            "the other writer has taken over",
            || async { (shop.snapshot(&live).await.flushed_seq >= seq).then_some(()) },
        )
        .await;
        assert!(since.elapsed() < Duration::from_secs(10));
        shop.stage.engine(frozen).thaw().unwrap();
    }
    let told = crowd.end().await;
    audit(&shop, &live, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_away_for_twenty_seconds_stops_no_sale_and_the_books_catch_up() {
    let shop = Arc::new(Shop::with_engines(1).await);
    let live = shop.sale("s", &[("tee", STOCK, 0)], 600).await;
    let crowd = Crowd::start(&shop, 1, 4);
    tokio::time::sleep(Duration::from_millis(500)).await;
    shop.stage.mariadb().kill9().unwrap();
    let away = started();
    let mut slowest = Duration::ZERO;
    while away.elapsed() < Duration::from_secs(20) {
        slowest = slowest
            .max(selling_again(&shop, 0, &format!("{:?}", away.elapsed().as_millis())).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(
        slowest < Duration::from_secs(3),
        "a buyer waited {slowest:?} while mysql was away"
    );
    assert!(shop.snapshot(&live).await.backlog() > 0);
    shop.stage.mariadb().start().unwrap();
    let back = started();
    crowd.end().await;
    shop.until_booked(&live).await;
    assert!(
        back.elapsed() < Duration::from_secs(30),
        "{:?}",
        back.elapsed()
    );
    let (left, held, _) = shop.counts(&live).await;
    assert_eq!(left + held, u64::from(STOCK));
    assert_eq!(shop.booked_units(&live).await, held);
}
