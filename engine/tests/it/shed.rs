//! Who is sent away, and who is not: by address, by sale, and by number of connections.

use std::time::Duration;

use doorbuster_stage::StageOptions;
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{Answer, Shop, send, within};
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
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(TcpStream::connect(&address).await.unwrap());
    }
    // Accepted in turn by several sockets: the last may come first.
    let said = within(Duration::from_secs(5), "one is refused", || async {
        let mut one = TcpStream::connect(&address).await.unwrap();
        let sent = one
            .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await;
        let mut text = String::new();
        let read = one.read_to_string(&mut text).await;
        (sent.is_ok() && read.is_ok() && text.starts_with("HTTP/1.1 503")).then_some(text)
    })
    .await;
    assert!(said.contains("retry-after: ") && said.contains("\"code\":\"overloaded\""));
    idle.clear();
    within(Duration::from_secs(5), "there is room again", || async {
        let text = tokio::time::timeout(Duration::from_secs(1), metrics(&shop, 0)).await;
        let text = text.ok()?;
        text.contains("doorbuster_shed_total{reason=\"connections_per_address\"}")
            .then_some(())
    })
    .await;
}
