//! The line: who comes has one place, whoever is there is admitted in order, and nobody else gets anything.

use std::time::Duration;

use doorbuster_core::claims::Role;
use doorbuster_core::ids::LiveId;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::harness::{Answer, Shop, send, within};
use super::redis_of::raw;

/// A sale whose line is as `line` says; no draw. Open since a minute.
pub(super) async fn with_line(shop: &Shop, id: &str, stock: u32, line: Value) -> LiveId {
    let live = shop.sale(id, &[("tee", stock, 0)], 600).await;
    let mut config: Value = serde_json::from_str(&shop.snapshot(&live).await.config).unwrap();
    config["waiting_room"] = true.into();
    config["line"] =
        json!({"mode": "follow_stock", "factor": 1.0, "place_seconds": 120, "invites": false});
    for (field, value) in line.as_object().unwrap() {
        config["line"][field] = value.clone();
    }
    let key = format!("{{sale:{id}}}:sale");
    raw(shop, "HSET", &[&key, "config", &config.to_string()]).await;
    live
}

impl Shop {
    pub(super) async fn join(&self, engine: usize, sale: &str, user: &str) -> Answer {
        let path = format!("/v1/sales/{sale}/tickets");
        self.buyer(engine, "POST", &path, user).await
    }

    pub(super) async fn with_ticket(
        &self,
        engine: usize,
        (method, path): (&str, &str),
        user: &str,
        ticket: &str,
        body: Option<Value>,
    ) -> Answer {
        let token = self.token(user, Role::Buyer);
        let mut headers = vec![
            ("authorization", format!("Bearer {token}")),
            ("queue-ticket", ticket.to_string()),
        ];
        if body.is_some() {
            headers.push(("content-type", "application/json".into()));
            headers.push(("idempotency-key", "k".into()));
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        send(&self.engine(engine), method, path, &headers, body)
            .await
            .expect("the engine answers")
    }

    pub(super) async fn poll(&self, engine: usize, sale: &str, user: &str, ticket: &str) -> Answer {
        let path = format!("/v1/sales/{sale}/tickets/current");
        self.with_ticket(engine, ("GET", &path), user, ticket, None)
            .await
    }

    pub(super) async fn reserve_with(
        &self,
        engine: usize,
        sale: &str,
        user: &str,
        ticket: &str,
    ) -> Answer {
        let path = format!("/v1/sales/{sale}/reservations");
        let body = json!({"items": [{"sku": "tee", "quantity": 1}]});
        self.with_ticket(engine, ("POST", &path), user, ticket, Some(body))
            .await
    }

    /// Polls as told until `found` yields something.
    pub(super) async fn poll_until<T>(
        &self,
        (engine, sale): (usize, &str),
        user: &str,
        ticket: &str,
        what: &str,
        found: impl Fn(&Value) -> Option<T>,
    ) -> T {
        within(Duration::from_secs(20), what, || async {
            let polled = self.poll(engine, sale, user, ticket).await;
            if polled.status == StatusCode::TOO_MANY_REQUESTS {
                tokio::time::sleep(Duration::from_millis(300)).await;
                return None;
            }
            assert_eq!(polled.status, StatusCode::OK, "{:?}", polled.body);
            found(&polled.body)
        })
        .await
    }

    pub(super) async fn until_units_may_come_back(
        &self,
        at: (usize, &str),
        user: &str,
        ticket: &str,
    ) {
        self.poll_until(at, user, ticket, "units may come back", |told| {
            (told["units_may_come_back"] == true && told["state"] == "waiting").then_some(())
        })
        .await;
    }

    pub(super) async fn until_state(
        &self,
        at: (usize, &str),
        user: &str,
        ticket: &str,
        state: &str,
    ) -> Value {
        self.poll_until(at, user, ticket, state, |told| {
            (told["state"] == state).then(|| told.clone())
        })
        .await
    }
}

pub(super) fn ticket(joined: &Answer) -> String {
    joined.body["ticket"].as_str().expect("a ticket").into()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_place_for_a_user_on_three_engines_and_a_turn_in_order() {
    let shop = Shop::with_engines(3).await;
    with_line(&shop, "s", 2, json!({})).await;
    let refused = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::FORBIDDEN, "not_admitted")
    );

    let mut tickets = Vec::new();
    for (i, user) in ["ann", "bob", "cat"].into_iter().enumerate() {
        let joined = shop.join(i, "s", user).await;
        assert_eq!(joined.status, StatusCode::CREATED, "{:?}", joined.body);
        assert_eq!(joined.body["number"], json!(i + 1), "{:?}", joined.body);
        let again = shop.join((i + 1) % 3, "s", user).await;
        assert_eq!(again.status, StatusCode::OK);
        assert_eq!(again.body["number"], joined.body["number"]);
        tickets.push(ticket(&joined));
    }
    for (i, user) in ["ann", "bob"].into_iter().enumerate() {
        let told = shop
            .until_state((2, "s"), user, &tickets[i], "admitted")
            .await;
        assert!(told["admitted_until"].is_string(), "{told}");
    }
    shop.poll_until((1, "s"), "cat", &tickets[2], "is next", |told| {
        (told["position"] == 1 && told["state"] == "waiting").then_some(())
    })
    .await;
    let early = shop.reserve_with(0, "s", "cat", &tickets[2]).await;
    assert_eq!(
        (early.status, early.code()),
        (StatusCode::FORBIDDEN, "not_admitted")
    );
    let ann = shop.reserve_with(1, "s", "ann", &tickets[0]).await;
    assert_eq!(ann.status, StatusCode::CREATED, "{:?}", ann.body);
    // A repeat needs no ticket.
    let again = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!((again.status, again.id()), (StatusCode::OK, ann.id()));
    // A ticket is its user's.
    let foreign = shop.reserve_with(0, "s", "cat", &tickets[1]).await;
    assert_eq!(
        (foreign.status, foreign.code()),
        (StatusCode::FORBIDDEN, "forbidden")
    );
    let bob = shop.reserve_with(0, "s", "bob", &tickets[1]).await;
    assert_eq!(bob.status, StatusCode::CREATED, "{:?}", bob.body);
    // What comes back goes to who is still in line.
    shop.until_units_may_come_back((1, "s"), "cat", &tickets[2])
        .await;
    let path = format!("/v1/sales/s/reservations/{}", bob.id());
    shop.buyer(0, "DELETE", &path, "bob").await;
    shop.until_state((1, "s"), "cat", &tickets[2], "admitted")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_come_is_passed_and_a_place_that_ran_out_is_replaced_at_the_end() {
    let shop = Shop::with_engines(2).await;
    with_line(&shop, "s", 1, json!({"place_seconds": 5})).await;
    let (ann, bob) = (
        shop.join(0, "s", "ann").await,
        shop.join(1, "s", "bob").await,
    );
    let (ann, bob) = (ticket(&ann), ticket(&bob));
    // Ann has closed her page: from here on only Bob polls.
    let told = shop.until_state((1, "s"), "bob", &bob, "admitted").await;
    assert_eq!(told["number"], 2);
    let told = shop.until_state((1, "s"), "bob", &bob, "expired").await;
    assert_eq!(told["position"], Value::Null, "{told}");
    let late = shop.reserve_with(0, "s", "bob", &bob).await;
    assert_eq!(
        (late.status, late.code()),
        (StatusCode::FORBIDDEN, "not_admitted")
    );
    let again = shop.join(0, "s", "bob").await;
    assert_eq!(
        (again.status, again.body["number"].clone()),
        (StatusCode::CREATED, json!(3))
    );
    // She is back, and first, with the place that she had.
    let told = shop.until_state((0, "s"), "ann", &ann, "admitted").await;
    assert_eq!(told["number"], 1);
    let sold = shop.reserve_with(1, "s", "ann", &ann).await;
    assert_eq!(sold.status, StatusCode::CREATED, "{:?}", sold.body);
    shop.until_units_may_come_back((1, "s"), "bob", &ticket(&again))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_ticket_but_ones_own_is_good_for_anything() {
    let shop = Shop::with_engines(1).await;
    with_line(&shop, "s", 5, json!({})).await;
    with_line(&shop, "t", 5, json!({})).await;
    let joined = shop.join(0, "s", "ann").await;
    let good = ticket(&joined);
    shop.until_state((0, "s"), "ann", &good, "admitted").await;
    let (payload, mac) = good.split_once('.').unwrap();
    let keys = doorbuster_core::ticket::TicketKeys::derive(&[7; 32], None).unwrap();
    let own =
        doorbuster_core::ticket::TicketKeys::derive(shop.stage.token_secret().as_bytes(), None)
            .unwrap();
    let (sale, user) = ("s".parse().unwrap(), "ann".parse().unwrap());
    let number = doorbuster_core::ticket::Place::general(1);
    let old = doorbuster_core::ticket::Ticket {
        number,
        epoch: 1,
        issued_ms: 1_000,
    };
    for (bad, code) in [
        (
            format!("{payload}.{}", mac.replace(&mac[..1], "_")),
            "forbidden",
        ),
        (format!("{payload}x.{mac}"), "forbidden"),
        ("x".into(), "forbidden"),
        (keys.sign(&sale, &user, &old), "forbidden"),
        (own.sign(&sale, &user, &old), "not_admitted"),
        ("x".repeat(400), "invalid_request"),
    ] {
        if bad == good {
            continue;
        }
        let polled = shop.poll(0, "s", "ann", &bad).await;
        assert_eq!(polled.code(), code, "{bad}");
        let reserved = shop.reserve_with(0, "s", "ann", &bad).await;
        assert_eq!(reserved.code(), code, "{bad}");
    }
    for (sale, user) in [("s", "eve"), ("t", "ann")] {
        let polled = shop.poll(0, sale, user, &good).await;
        assert_eq!(
            (polled.status, polled.code()),
            (StatusCode::FORBIDDEN, "forbidden")
        );
        let reserved = shop.reserve_with(0, sale, user, &good).await;
        assert_eq!(
            (reserved.status, reserved.code()),
            (StatusCode::FORBIDDEN, "forbidden")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_comes_too_early_is_refused_and_a_sale_without_a_line_has_none() {
    let shop = Shop::with_engines(1).await;
    with_line(&shop, "s", 5, json!({"mode": "fixed", "per_second": 1})).await;
    let mut last = String::new();
    for user in ["a", "b", "c", "d"] {
        last = ticket(&shop.join(0, "s", user).await);
    }
    let early = shop.poll(0, "s", "d", &last).await;
    assert_eq!(
        (early.status, early.code()),
        (StatusCode::TOO_MANY_REQUESTS, "rate_limited")
    );
    assert!(early.headers.contains_key("retry-after"));
    let told = shop
        .poll_until((0, "s"), "d", &last, "an estimate", |told| {
            told["eta_seconds"].is_object().then(|| told.clone())
        })
        .await;
    assert!(told["eta_seconds"]["low"].as_u64() <= told["eta_seconds"]["high"].as_u64());
    assert!(
        told["odds"].as_f64().is_some_and(|odds| odds > 0.0),
        "{told}"
    );

    shop.sale("plain", &[("tee", 5, 0)], 600).await;
    let joined = shop.join(0, "plain", "ann").await;
    assert_eq!(
        (joined.status, joined.code()),
        (StatusCode::NOT_FOUND, "no_line")
    );
    let sold = shop.reserve_one(0, "plain", "ann", "k").await;
    assert_eq!(sold.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_for_all_when_nothing_is_left_or_held_and_says_so() {
    let shop = Shop::with_engines(2).await;
    let live = with_line(&shop, "s", 1, json!({})).await;
    let (ann, bob) = (
        shop.join(0, "s", "ann").await,
        shop.join(1, "s", "bob").await,
    );
    shop.until_state((0, "s"), "ann", &ticket(&ann), "admitted")
        .await;
    shop.reserve_with(0, "s", "ann", &ticket(&ann)).await;
    // Paid, past the back-office, which cannot be told to yet.
    for (field, units) in [("tee/held", "0"), ("tee/sold", "1")] {
        raw(&shop, "HSET", &["{sale:s}:stock", field, units]).await;
    }
    shop.until_state((1, "s"), "bob", &ticket(&bob), "sold_out")
        .await;
    let late = shop.join(1, "s", "cat").await;
    assert_eq!(
        (late.status, late.code()),
        (StatusCode::CONFLICT, "sold_out")
    );
    let closed = shop.staff("POST", "/admin/v1/sales/s/close", None).await;
    assert_eq!(closed.status, StatusCode::OK);
    within(Duration::from_secs(5), "closed", || async {
        (shop.join(1, "s", "cat").await.code() == "closed").then_some(())
    })
    .await;
    let _ = live;
}
