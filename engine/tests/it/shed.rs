//! Who is sent away, and who is not: by address, by sale, by number of connections, and by class when there is too much to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use doorbuster_stage::StageOptions;
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::harness::{Answer, Shop, send, started, within};
use super::redis_of::raw;
use super::surface::metrics;

fn options() -> StageOptions {
    StageOptions::whole(1).engine_env("RATE_PER_USER", "0")
}

/// A look at the sale, as a proxy passes it on.
async fn look(shop: &Shop, field: &'static str, value: &str) -> Answer {
    let headers = [(field, value.to_string())];
    send(
        &shop.engine(0),
        "GET",
        "/v1/sales/s",
        &headers,
        String::new(),
    )
    .await
    .unwrap()
}

fn seconds(answer: &Answer) -> u64 {
    answer.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

async fn shed(shop: &Shop, reason: &str) -> u64 {
    let begin = format!("doorbuster_shed_total{{reason=\"{reason}\"}} ");
    let text = metrics(shop, 0).await;
    let count = text.lines().find_map(|line| line.strip_prefix(&begin));
    count.map_or(0, |count| count.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_a_rate_and_is_told_which_and_a_proxy_is_as_many_as_it_speaks_for() {
    let options = options()
        .engine_env("RATE_PER_ADDRESS", "5")
        .engine_env("TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8");
    let shop = Shop::open(options).await;
    shop.sale("s", &[("tee", 100, 0)], 300).await;
    let mut refused = None;
    for _ in 0..30 {
        let answer = look(&shop, "x-forwarded-for", "1.1.1.1, 198.51.100.1, 10.0.0.9").await;
        match answer.status {
            StatusCode::OK => {}
            _ => refused = Some(answer),
        }
    }
    let refused = refused.expect("thirty at once are more than ten");
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::TOO_MANY_REQUESTS, "rate_limited")
    );
    let after = seconds(&refused);
    assert!((1..=2).contains(&after));
    assert_eq!(refused.headers["ratelimit-policy"], "\"address\";q=5;w=1");
    assert_eq!(
        refused.headers["ratelimit"],
        format!("\"address\";r=0;t={after}")
    );
    for (field, other) in [
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-for", "198.51.100.1, 2001:db8::1"),
        ("forwarded", "for=198.51.100.2;proto=https"),
    ] {
        let answer = look(&shop, field, other).await;
        assert_eq!(answer.status, StatusCode::OK, "{other}");
    }
    let mut host = 0;
    while look(&shop, "x-forwarded-for", &format!("2001:db8:0:1::{host:x}"))
        .await
        .status
        == StatusCode::OK
    {
        host += 1;
        assert!(host < 100, "a network of customers is one");
    }
    assert!(shed(&shop, "rate_address").await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_believed_who_is_no_proxy() {
    let shop = Shop::open(options().engine_env("RATE_PER_ADDRESS", "5")).await;
    shop.sale("s", &[("tee", 100, 0)], 300).await;
    let mut refused = 0;
    for i in 0..30 {
        let answer = look(&shop, "x-forwarded-for", &format!("198.51.100.{i}")).await;
        refused += u32::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused > 0, "all thirty come from here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_has_a_rate_of_its_own_which_others_and_those_who_cancel_do_not_meet() {
    let shop = Shop::open(options().engine_env("RATE_PER_SALE", "5")).await;
    shop.sale("s", &[("tee", 100, 0)], 300).await;
    shop.sale("other", &[("tee", 100, 0)], 300).await;
    let (mut held, mut refused) = (Vec::new(), None);
    for i in 0..30 {
        let answer = shop.reserve_one(0, "s", &format!("u{i}"), "k").await;
        match answer.status {
            StatusCode::CREATED => held.push((format!("u{i}"), answer.id().to_string())),
            _ => refused = Some(answer),
        }
    }
    let refused = refused.expect("thirty at once are more than ten");
    assert_eq!(refused.code(), "rate_limited");
    assert_eq!(refused.headers["ratelimit-policy"], "\"sale\";q=5;w=1");
    let elsewhere = shop.reserve_one(0, "other", "ann", "k").await;
    assert_eq!(elsewhere.status, StatusCode::CREATED);
    assert!(elsewhere.headers.get("ratelimit").is_none());
    for (user, id) in held {
        let path = format!("/v1/sales/s/reservations/{id}");
        let cancelled = shop.buyer(0, "DELETE", &path, &user).await;
        assert_eq!(cancelled.status, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_holds_so_many_connections_and_the_next_is_told_so() {
    let shop = Shop::open(options().engine_env("MAX_CONNECTIONS_PER_ADDRESS", "3")).await;
    let address = shop.engine(0).replace("http://", "");
    let held = tokio::sync::Mutex::new(Vec::new());
    // Those who looked whether the engine is ready may still have their connections: ours are three only once they are gone.
    let said = within(
        Duration::from_secs(5),
        "three are let in, and one more is not",
        || async {
            let mut held = held.lock().await;
            let mut one = TcpStream::connect(&address).await.unwrap();
            let sent = one
                .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
                .await;
            let mut head = [0; 12];
            sent.ok()?;
            one.read_exact(&mut head).await.ok()?;
            if head == *b"HTTP/1.1 200" {
                held.push(one);
                assert!(held.len() <= 3, "an address has more than it may");
                return None;
            }
            let mut rest = String::new();
            one.read_to_string(&mut rest).await.ok()?;
            (head == *b"HTTP/1.1 503" && held.len() == 3).then_some(rest)
        },
    )
    .await;
    assert!(said.contains("retry-after: ") && said.contains("\"code\":\"overloaded\""));
    held.lock().await.clear();
    within(Duration::from_secs(5), "there is room again", || async {
        let text = tokio::time::timeout(Duration::from_secs(1), metrics(&shop, 0)).await;
        let text = text.ok()?;
        text.contains("doorbuster_shed_total{reason=\"connections_per_address\"}")
            .then_some(())
    })
    .await;
}

/// Lanes that ask again the moment they are answered, until told to stop; how often each status and code was heard.
async fn storm(shop: Arc<Shop>, lanes: usize, stop: Arc<AtomicBool>) -> BTreeMap<String, u64> {
    let mut tasks = JoinSet::new();
    for lane in 0..lanes {
        let (shop, stop) = (Arc::clone(&shop), Arc::clone(&stop));
        tasks.spawn(async move {
            let (mut heard, mut key) = (Vec::new(), 0);
            let user = format!("u{lane}");
            while !stop.load(Ordering::Relaxed) {
                let items = serde_json::json!([{"sku": "tee", "quantity": 1}]);
                let answer = shop
                    .try_reserve(0, "s", &user, &format!("k{key}"), items)
                    .await;
                let Some(answer) = answer else { continue };
                if answer.status == StatusCode::CREATED {
                    key += 1;
                }
                heard.push(format!("{} {}", answer.status.as_u16(), answer.code()));
            }
            heard
        });
    }
    let mut counts = BTreeMap::new();
    for heard in tasks.join_all().await.into_iter().flatten() {
        *counts.entry(heard).or_insert(0) += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn when_redis_is_too_slow_for_the_crowd_looking_yields_to_buying_and_buying_to_cancelling() {
    let shop = Arc::new(Shop::open(options()).await);
    let live = shop.sale("s", &[("tee", 1_000_000, 0)], 600).await;
    let ann = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(ann.status, StatusCode::CREATED);

    let stop = Arc::new(AtomicBool::new(false));
    let storming = tokio::spawn(storm(Arc::clone(&shop), 1_500, Arc::clone(&stop)));
    // Redis answers every quarter of a second, and then one batch: a thousand a second, and any machine's crowd asks for more.
    let slow = {
        let (shop, stop) = (Arc::clone(&shop), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                raw(&shop, "CLIENT", &["PAUSE", "250", "ALL"]).await;
            }
        })
    };
    let refused = within(Duration::from_secs(20), "a look yields", || async {
        let answer = look(&shop, "accept", "*/*").await;
        (answer.status != StatusCode::OK).then_some(answer)
    })
    .await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "overloaded")
    );
    assert!((1..=3).contains(&seconds(&refused)));
    let path = format!("/v1/sales/s/reservations/{}", ann.id());
    within(Duration::from_secs(20), "ann cancels", || async {
        let cancelled = shop.buyer(0, "DELETE", &path, "ann").await;
        (cancelled.status == StatusCode::OK).then_some(())
    })
    .await;
    within(Duration::from_secs(20), "buying yields too", || async {
        (shed(&shop, "load_reserve").await > 0).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    slow.await.unwrap();
    let heard = storming.await.unwrap();
    assert!(shed(&shop, "load_browse").await > 0);
    assert!(
        heard
            .keys()
            .all(|k| k == "201 " || k == "200 " || k == "503 overloaded"),
        "{heard:?}"
    );

    let calm = started();
    within(Duration::from_secs(5), "nobody yields any more", || async {
        let bought = shop.reserve_one(0, "s", "bob", "k").await;
        let looked = look(&shop, "accept", "*/*").await;
        (bought.status.is_success() && looked.status == StatusCode::OK).then_some(())
    })
    .await;
    assert!(calm.elapsed() < Duration::from_secs(5));
    let (left, held, sold) = shop.counts(&live).await;
    assert_eq!((left + held, sold), (1_000_000, 0));
    assert_eq!(held, heard["201 "] + 1, "those who were told yes, and bob");
}
