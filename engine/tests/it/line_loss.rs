//! The line in large: order over engines, capacity, invites, events as they come, and Redis emptied under it.

use std::collections::HashSet;
use std::time::Duration;

use doorbuster_core::claims::Role;
use doorbuster_core::ids::SaleId;
use doorbuster_core::ticket::TicketKeys;
use fred::types::Value as RedisValue;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::harness::{Shop, send, within};
use super::line::{ticket, with_line};
use super::rebuild::rebuilt;
use super::redis_of::raw;

fn texts(value: RedisValue, into: &mut Vec<String>) {
    match value {
        RedisValue::Array(values) => values.into_iter().for_each(|value| texts(value, into)),
        other => into.extend(other.into_string()),
    }
}

/// Every offer of admission ever made, in order.
async fn offers(shop: &Shop, sale: &str) -> Vec<u32> {
    let key = format!("{{sale:{sale}}}:moves");
    let mut found = Vec::new();
    texts(raw(shop, "XRANGE", &[&key, "-", "+"]).await, &mut found);
    let moves = found.iter().flat_map(|text| text.split(','));
    moves
        .filter_map(|moved| moved.strip_prefix('o')?.split(':').next()?.parse().ok())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_engines_admit_in_the_order_of_coming_and_never_more_than_are_left() {
    const PEOPLE: u32 = 60;
    let shop = std::sync::Arc::new(Shop::with_engines(3).await);
    let live = with_line(&shop, "s", 12, json!({"place_seconds": 60})).await;
    let (mut numbers, mut crowd) = (HashSet::new(), JoinSet::new());
    for i in 0..PEOPLE {
        let (user, at) = (format!("u{i}"), i as usize % 3);
        let joined = shop.join(at, "s", &user).await;
        numbers.insert(joined.body["number"].as_u64().unwrap());
        let (shop, mine) = (std::sync::Arc::clone(&shop), ticket(&joined));
        // Asks each engine in turn, buys when it may, and stops when it hears how it ends.
        crowd.spawn(async move {
            for ask in 0..60 {
                let told = shop.poll((at + ask) % 3, "s", &user, &mine).await;
                if told.body["state"] == "admitted" {
                    let bought = shop.reserve_with(at, "s", &user, &mine).await;
                    return bought.status == StatusCode::CREATED;
                }
                if told.body["units_may_come_back"] == true {
                    return false;
                }
                let after_ms = told.body["poll_after_ms"].as_u64().unwrap_or(500);
                tokio::time::sleep(Duration::from_millis(after_ms.min(1_500))).await;
            }
            panic!("{user} was never told how it ends");
        });
    }
    assert_eq!(numbers.len(), PEOPLE as usize, "one number each");
    let key = "{sale:s}:";
    while !crowd.is_empty() {
        let mut sets = [0; 2];
        for (set, name) in sets.iter_mut().zip(["offered", "admitted"]) {
            let key = format!("{key}{name}");
            *set = raw(&shop, "ZCARD", &[&key]).await.as_u64().unwrap();
        }
        // Read one after the other while places move on: one may be in both.
        assert!(sets[0] + sets[1] <= 2 * 12, "{sets:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        while crowd.try_join_next().is_some_and(|one| {
            one.unwrap();
            true
        }) {}
    }
    let (left, held, _) = shop.counts(&live).await;
    assert_eq!((left, held), (0, 12));
    let offers = offers(&shop, "s").await;
    assert!(offers.len() >= 12, "{offers:?}");
    assert!(offers[..12].is_sorted(), "in order: {offers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invited_come_before_everybody_with_an_invite_of_ours_and_once() {
    let shop = Shop::with_engines(1).await;
    let line = json!({"invites": true, "mode": "fixed", "per_second": 1});
    with_line(&shop, "s", 9, line).await;
    let keys = TicketKeys::derive(shop.stage.token_secret().as_bytes(), None).unwrap();
    let sale = SaleId::parse("s").unwrap();
    let come = async |user: &str, invite: &str| {
        let token = shop.token(user, Role::Buyer);
        let headers = [
            ("authorization", format!("Bearer {token}")),
            ("queue-invite", invite.to_string()),
        ];
        let (url, path) = (shop.engine(0), "/v1/sales/s/tickets");
        let answer = send(&url, "POST", path, &headers, String::new()).await;
        answer.unwrap()
    };
    for i in 0..3 {
        shop.join(0, "s", &format!("u{i}")).await;
    }
    let vip = come("vip", &keys.invite(&sale, "v1")).await;
    assert_eq!(vip.status, StatusCode::CREATED, "{:?}", vip.body);
    assert_eq!(
        (&vip.body["lane"], &vip.body["number"]),
        (&json!("invite"), &json!(1))
    );
    let other = SaleId::parse("t").unwrap();
    for (user, invite) in [
        ("eve", keys.invite(&sale, "v1")),
        ("eve", keys.invite(&other, "v2")),
        ("eve", ticket(&vip)),
    ] {
        let refused = come(user, &invite).await;
        assert_eq!(
            (refused.status, refused.code()),
            (StatusCode::FORBIDDEN, "forbidden")
        );
    }
    let told = shop
        .until_state((0, "s"), "vip", &ticket(&vip), "admitted")
        .await;
    assert_eq!(told["place"], 1);
}

/// Opens a stream of events, with the ticket in the address alone.
async fn listen(shop: &Shop, ticket: &str, last: &str) -> Response<Incoming> {
    let url = shop.engine(0);
    let address = url.strip_prefix("http://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!(
        "/v1/sales/s/tickets/current/events?ticket={ticket}"
    ))
    .header("host", address)
    .header("last-event-id", last)
    .body(Empty::<Bytes>::new())
    .unwrap();
    sender.send_request(request).await.unwrap()
}

/// The next event of a stream: its id, and what it tells.
async fn event(stream: &mut Response<Incoming>) -> Option<(String, Value)> {
    loop {
        let frame = tokio::time::timeout(Duration::from_secs(20), stream.body_mut().frame())
            .await
            .expect("an event")?;
        let text = String::from_utf8(frame.ok()?.into_data().ok()?.to_vec()).unwrap();
        let Some(rest) = text.strip_prefix("id: ") else {
            assert_eq!(text, ":\n\n");
            continue;
        };
        let (id, data) = rest.split_once("\ndata: ").unwrap();
        return Some((id.into(), serde_json::from_str(data).unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_is_told_at_once_stays_alive_and_is_not_told_twice() {
    let shop = Shop::with_engines(1).await;
    with_line(&shop, "s", 1, json!({"place_seconds": 30})).await;
    let (ann, bob) = (
        shop.join(0, "s", "ann").await,
        shop.join(0, "s", "bob").await,
    );
    let ann = ticket(&ann);
    shop.until_state((0, "s"), "ann", &ann, "admitted").await;
    let mut stream = listen(&shop, &ticket(&bob), "").await;
    assert_eq!(stream.status(), StatusCode::OK);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let (id, told) = event(&mut stream).await.unwrap();
    assert_eq!(
        (&told["state"], &told["number"]),
        (&json!("waiting"), &json!(2))
    );
    // Ann buys: what is left is nothing, and she cancels: what comes back is Bob's, though he never polls.
    let bought = shop.reserve_with(0, "s", "ann", &ann).await;
    let path = format!("/v1/sales/s/reservations/{}", bought.id());
    shop.buyer(0, "DELETE", &path, "ann").await;
    let (last, told) = loop {
        let (id, told) = event(&mut stream).await.unwrap();
        if told["state"] == "admitted" {
            break (id, told);
        }
    };
    assert_ne!(last, id);
    assert!(told["admitted_until"].is_string());
    // He comes back and has seen it; the stream before ends.
    let mut again = listen(&shop, &ticket(&bob), &last).await;
    assert!(
        event(&mut stream).await.is_none(),
        "one stream for a ticket"
    );
    let closed = shop.staff("POST", "/admin/v1/sales/s/close", None).await;
    assert_eq!(closed.status, StatusCode::OK);
    let (_, told) = event(&mut again).await.unwrap();
    assert_eq!(told["state"], "closed", "and nothing that he has seen");

    let forged = listen(&shop, "x.y", "").await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_emptied_and_everybody_has_the_place_that_they_had() {
    let shop = Shop::with_engines(2).await;
    let live = with_line(&shop, "s", 1, json!({"place_seconds": 60})).await;
    let mut tickets = Vec::new();
    for i in 0..6 {
        let joined = shop.join(i % 2, "s", &format!("u{i}")).await;
        tickets.push(ticket(&joined));
    }
    shop.until_state((0, "s"), "u0", &tickets[0], "admitted")
        .await;
    let bought = shop.reserve_with(0, "s", "u0", &tickets[0]).await;
    assert_eq!(bought.status, StatusCode::CREATED);
    shop.until_booked(&live).await;
    raw(&shop, "FLUSHALL", &[]).await;
    // From memory, while it is being rebuilt.
    let told = shop
        .until_state((1, "s"), "u5", &tickets[5], "waiting")
        .await;
    assert_eq!(told["number"], 6);
    rebuilt(&shop, "s", 2).await;
    // One joins again, as a page does that is reloaded: with the ticket, it is the same number.
    let reloaded = within(Duration::from_secs(20), "the number of before", || async {
        let bearer = format!("Bearer {}", shop.token("u5", Role::Buyer));
        let headers = [
            ("authorization", bearer),
            ("queue-ticket", tickets[5].clone()),
        ];
        let (url, path) = (shop.engine(1), "/v1/sales/s/tickets");
        let answer = send(&url, "POST", path, &headers, String::new())
            .await
            .unwrap();
        answer.status.is_success().then_some(answer)
    })
    .await;
    assert_eq!(reloaded.body["number"], json!(6), "{:?}", reloaded.body);
    let mut anew = Vec::new();
    for (i, old) in tickets.iter().enumerate() {
        let (user, engine) = (format!("u{i}"), (i + 1) % 2);
        let told = shop
            .poll_until((engine, "s"), &user, old, "a new ticket", |told| {
                told["ticket"].is_string().then(|| told.clone())
            })
            .await;
        assert_eq!(told["number"], json!(i + 1), "{told}");
        anew.push(told["ticket"].as_str().unwrap().to_owned());
    }
    let new = within(Duration::from_secs(20), "a number", || async {
        let joined = shop.join(0, "s", "new").await;
        (joined.status == StatusCode::CREATED).then_some(joined)
    })
    .await;
    assert_eq!(
        new.body["number"],
        json!(6 + 10_000 + 1),
        "behind all who may have one"
    );
    let key = "{sale:s}:places";
    assert_eq!(raw(&shop, "HLEN", &[key]).await.as_u64(), Some(7));
    // The unit comes back, and goes to the first who is there; the numbers that were set aside are in nobody's way.
    let path = format!("/v1/sales/s/reservations/{}", bought.id());
    shop.buyer(0, "DELETE", &path, "u0").await;
    let told = shop.until_state((0, "s"), "u1", &anew[1], "admitted").await;
    assert_eq!(told["number"], 2);
    let waits = shop
        .until_state((0, "s"), "new", &ticket(&new), "waiting")
        .await;
    assert_eq!(waits["position"], 5, "{waits}");
    let sold = shop.reserve_with(1, "s", "u1", &anew[1]).await;
    assert_eq!(sold.status, StatusCode::CREATED, "{:?}", sold.body);
}
