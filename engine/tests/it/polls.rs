//! Polls of the line that nearly all are in are answered on a way of their own (`front/answering.rs`), and alike.

use std::collections::BTreeSet;

use doorbuster_core::claims::Role;
use doorbuster_engine::limits::HOT_EVERY;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::harness::{Shop, send};
use super::line::{ticket, with_line};

/// What ann hears of every way to ask for her place in `sale`, with a ticket of it and one of another: status, code, and the names of headers.
async fn heard(
    shop: &Shop,
    sale: &str,
    own: &str,
    foreign: &str,
) -> Vec<(u16, String, Vec<String>)> {
    let path = format!("/v1/sales/{sale}/tickets/current");
    let token = |user| {
        (
            "authorization",
            format!("Bearer {}", shop.token(user, Role::Buyer)),
        )
    };
    let ticket = |text: &str| ("queue-ticket", text.to_owned());
    let mut heard = Vec::new();
    for (method, headers) in [
        ("GET", vec![]),
        (
            "GET",
            vec![("authorization", "Bearer x.y.z".to_owned()), ticket(own)],
        ),
        ("GET", vec![token("ann")]),
        ("GET", vec![token("ann"), ticket("forged")]),
        ("GET", vec![token("ann"), ticket(own), ticket(own)]),
        ("GET", vec![token("ann"), ticket(foreign)]),
        ("GET", vec![token("bob"), ticket(own)]),
        ("GET", vec![token("ann"), ticket(own)]),
        ("HEAD", vec![token("ann"), ticket(own)]),
        ("OPTIONS", vec![token("ann"), ticket(own)]),
        ("POST", vec![token("ann"), ticket(own)]),
    ] {
        let answer = send(&shop.engine(0), method, &path, &headers, String::new())
            .await
            .unwrap();
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        heard.push((
            answer.status.as_u16(),
            answer.body["code"].to_string(),
            names,
        ));
    }
    heard
}

/// What there is about the place of one who is let in, and which place it is; nothing before.
fn admitted(told: &Value) -> Option<(BTreeSet<String>, Vec<Value>)> {
    let names = told.as_object()?.keys().cloned().collect();
    let place = ["lane", "number", "place", "position"].map(|name| told[name].clone());
    (told["state"] == "admitted").then(|| (names, place.into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_sale_that_all_ask_for_people_hear_what_they_hear_of_another() {
    let shop = Shop::with_engines(1).await;
    let mut tickets = Vec::new();
    for sale in ["hot", "other"] {
        with_line(&shop, sale, 2, json!({})).await;
        tickets.push(ticket(&shop.join(0, sale, "ann").await));
    }
    for _ in 0..2 * HOT_EVERY {
        shop.poll(0, "hot", "ann", &tickets[0]).await;
    }
    let told = |sale, own| shop.poll_until((0, sale), "ann", own, "she is let in", admitted);
    let hot = told("hot", &tickets[0]).await;
    assert_eq!(hot, told("other", &tickets[1]).await);
    assert!(hot.0.contains("admitted_until") && !hot.0.contains("ticket"));
    let hot = heard(&shop, "hot", &tickets[0], &tickets[1]).await;
    let other = heard(&shop, "other", &tickets[1], &tickets[0]).await;
    let statuses: Vec<u16> = hot.iter().map(|(status, ..)| *status).collect();
    assert_eq!(
        statuses,
        [401, 401, 400, 403, 400, 403, 403, 429, 429, 204, 405]
    );
    for (hot, other) in hot.iter().zip(&other) {
        assert_eq!(hot, other);
    }
    let path = "/v1/sales/no%20id/tickets/current";
    let stranger = send(&shop.engine(0), "GET", path, &[], String::new())
        .await
        .unwrap();
    assert_eq!(
        stranger.status,
        StatusCode::UNAUTHORIZED,
        "before anything else"
    );
}
