//! What the client does with answers, lost answers and broken connections.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use doorbuster_core::clock;
use doorbuster_core::ids::{IdempotencyKey, UserId};
use doorbuster_loadtest::client::course::{self, Market};
use doorbuster_loadtest::client::endpoint::Endpoint;
use doorbuster_loadtest::client::pool::Pool;
use doorbuster_loadtest::client::request::Requests;
use doorbuster_loadtest::crowd::{Behaviour, Errand};
use doorbuster_loadtest::history::{Broken, Client, Seen, Verb};
use doorbuster_loadtest::plan::{Losses, Offer};
use doorbuster_loadtest::record;
use doorbuster_loadtest::tally::Tally;

use crate::shop::{Shop, held, refused};

/// One user with a behaviour.
struct Visit {
    behaviour: Behaviour,
    losses: Losses,
    sends: u32,
    connections: usize,
    due: Duration,
}

const PLAIN: Visit = Visit {
    behaviour: Behaviour::Plain,
    losses: Losses::None,
    sends: 1,
    connections: 2,
    due: Duration::ZERO,
};

fn market(shops: &[&Shop], visit: &Visit) -> Arc<Market> {
    let offer = Offer::sale("s");
    let endpoints = shops.iter().map(|shop| Endpoint {
        address: shop.address,
        host: shop.address.to_string(),
    });
    let endpoints: Vec<Endpoint> = endpoints.collect();
    Arc::new(Market {
        requests: endpoints
            .iter()
            .map(|e| Requests::new(e, &offer.live, &offer.lines()))
            .collect(),
        pools: endpoints
            .into_iter()
            .map(|e| Pool::new(e, visit.connections))
            .collect(),
        losses: visit.losses,
        sends: visit.sends,
        keeps_receipts: false,
        till: None,
        origin: clock::instant(),
        over: AtomicBool::new(false),
        tally: Tally::default(),
    })
}

async fn visit(shops: &[&Shop], visit: &Visit) -> Client {
    let errand = Errand {
        user: UserId::parse("buyer-0000000").unwrap(),
        key: IdempotencyKey::parse("key-1").unwrap(),
        behaviour: visit.behaviour,
        due: visit.due,
        engine: 0,
        seed: 1,
    };
    course::walk(market(shops, visit), errand, "token".into()).await
}

fn statuses(client: &Client) -> Vec<Option<u16>> {
    let status = |seen: &Seen| match seen {
        Seen::Answered(answer) => Some(answer.status),
        Seen::Lost | Seen::Broken(_) => None,
    };
    client.asks.iter().map(|ask| status(&ask.seen)).collect()
}

#[tokio::test]
async fn a_plain_user_asks_once_and_understands_the_answer() {
    let shop = Shop::open(|_, _| held(201, 7)).await;
    let client = visit(&[&shop], &PLAIN).await;
    let told = client.verdict().unwrap().told.as_ref().unwrap();
    assert_eq!((told.seq, told.status.as_str()), (7, "held"));
    let received = shop.received();
    assert_eq!(
        (
            received.len(),
            received[0].path.as_str(),
            received[0].key.as_str()
        ),
        (1, "/v1/sales/s/reservations", "key-1")
    );
}

#[tokio::test]
async fn whoever_is_put_off_asks_again_with_the_same_key_on_the_same_connection() {
    let shop = Shop::open(|i, _| match i {
        0 => refused(503, "overloaded"),
        1 => refused(429, "rate_limited"),
        _ => refused(409, "sold_out"),
    })
    .await;
    let client = visit(&[&shop], &PLAIN).await;
    assert_eq!(statuses(&client), [Some(503), Some(429), Some(409)]);
    assert_eq!(client.verdict().unwrap().code.as_deref(), Some("sold_out"));
    assert!(
        shop.received()
            .iter()
            .all(|received| received.key == "key-1" && received.connection == 0)
    );
}

#[tokio::test]
async fn a_lost_answer_is_never_seen_and_asked_for_again_elsewhere() {
    let (first, second) = (
        Shop::open(|_, _| held(201, 7)).await,
        Shop::open(|_, _| held(200, 7)).await,
    );
    let client = visit(
        &[&first, &second],
        &Visit {
            behaviour: Behaviour::LoseAnswer,
            ..PLAIN
        },
    )
    .await;
    assert_eq!(statuses(&client), [None, Some(200)]);
    assert_eq!(client.asks[0].seen, Seen::Lost);
    assert_eq!(second.received()[0].key, "key-1");
    // The request whose answer was lost had been sent whole: the server got it all the same.
    let arrived = async {
        while first.received().is_empty() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(5), arrived)
        .await
        .unwrap();
}

#[tokio::test]
async fn every_acceptance_can_be_lost_and_other_answers_are_read() {
    let shop = Shop::open(|i, _| if i < 2 { held(201, 7) } else { held(200, 7) }).await;
    let client = visit(
        &[&shop],
        &Visit {
            losses: Losses::EveryAcceptance,
            ..PLAIN
        },
    )
    .await;
    assert_eq!(statuses(&client), [None, None, Some(200)]);
    let connections: Vec<usize> = shop
        .received()
        .iter()
        .map(|received| received.connection)
        .collect();
    assert_eq!(
        connections,
        [0, 1, 2],
        "a lost answer takes its connection with it"
    );
}

#[tokio::test]
async fn a_double_click_sends_twice_on_two_engines() {
    let (first, second) = (
        Shop::open(|_, _| held(201, 7)).await,
        Shop::open(|_, _| held(200, 7)).await,
    );
    let client = visit(
        &[&first, &second],
        &Visit {
            behaviour: Behaviour::DoubleClick,
            ..PLAIN
        },
    )
    .await;
    assert_eq!(
        (
            client.asks.len(),
            first.received().len(),
            second.received().len()
        ),
        (2, 1, 1)
    );
}

#[tokio::test]
async fn duplicates_share_one_key() {
    let shop = Shop::open(|i, _| held(if i == 0 { 201 } else { 200 }, 7)).await;
    let client = visit(&[&shop], &Visit { sends: 20, ..PLAIN }).await;
    assert_eq!(client.asks.len(), 20);
    assert!(
        shop.received()
            .iter()
            .all(|received| received.key == "key-1" && received.connection < 2)
    );
}

#[tokio::test]
async fn a_retry_repeats_after_the_answer_and_a_cancel_deletes_what_it_got() {
    let shop = Shop::open(|_, received| {
        if received.method == "POST" {
            held(201, 7)
        } else {
            held(200, 7)
        }
    })
    .await;
    let retried = visit(
        &[&shop],
        &Visit {
            behaviour: Behaviour::Retry,
            ..PLAIN
        },
    )
    .await;
    assert_eq!(retried.asks.len(), 2);
    let cancelled = visit(
        &[&shop],
        &Visit {
            behaviour: Behaviour::Cancel,
            ..PLAIN
        },
    )
    .await;
    assert_eq!(cancelled.asks[1].verb, Verb::Cancel);
    let last = shop.received().pop().unwrap();
    assert_eq!(
        (last.method.as_str(), last.path.as_str()),
        (
            "DELETE",
            "/v1/sales/s/reservations/01010101-0101-0101-0101-010101010101"
        )
    );
}

#[tokio::test]
async fn an_engine_that_is_gone_is_left_for_another() {
    let (gone, second) = (Shop::closed().await, Shop::open(|_, _| held(201, 8)).await);
    let client = visit(&[&gone, &second], &PLAIN).await;
    assert_eq!(client.asks[0].seen, Seen::Broken(Broken::Unreachable));
    assert_eq!(statuses(&client), [None, Some(201)]);
}

#[tokio::test]
async fn latency_counts_from_the_due_time_however_long_the_harness_made_one_wait() {
    let shop = Shop::open(|_, _| refused(409, "sold_out")).await;
    let market = market(&[&shop], &PLAIN);
    // Both connections are taken, as they are when the harness cannot keep up.
    let taken = (
        market.pools[0].take().await.unwrap(),
        market.pools[0].take().await.unwrap(),
    );
    let errand = Errand {
        user: UserId::parse("late").unwrap(),
        key: IdempotencyKey::parse("k").unwrap(),
        behaviour: Behaviour::Plain,
        due: Duration::ZERO,
        engine: 0,
        seed: 1,
    };
    let late = tokio::spawn(course::walk(Arc::clone(&market), errand, "token".into()));
    let wait = Duration::from_millis(120);
    tokio::time::sleep(wait).await;
    drop(taken);
    let client = late.await.unwrap();
    assert!(client.asks[0].sent_us >= 120_000);
    assert!(record::first_answers(&[client]).latency_ms().max >= 120.0);
}
