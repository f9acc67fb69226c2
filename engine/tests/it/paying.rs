//! From hold to money: what a back-office does to a reservation is what its buyer sees, what the books say and what a rebuild
//! restores, whatever dies meanwhile.

use std::time::Duration;

use doorbuster_core::clock;
use doorbuster_core::gate::begin_payment::BegunPayment;
use doorbuster_core::gate::release::Released;
use doorbuster_core::gate::restock::Returned;
use doorbuster_core::gate::settle::Settled;
use doorbuster_core::ids::{LiveId, ReservationId, SkuId, UserId};
use doorbuster_stage::StageOptions;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::harness::{Answer, Shop, within};
use super::rebuild::{rebuilt, reserve};
use super::redis_of::raw;

/// A reservation of one's own, and what a back-office does to it.
struct Bought<'a> {
    shop: &'a Shop,
    live: &'a LiveId,
    id: ReservationId,
    user: UserId,
}

impl<'a> Bought<'a> {
    async fn hold(shop: &'a Shop, live: &'a LiveId, user: &str, units: u32) -> Self {
        let held = reserve(shop, user, "k", units).await;
        assert_eq!(held.status, StatusCode::CREATED, "{:?}", held.body);
        Self {
            shop,
            live,
            id: ReservationId::parse(held.id()).unwrap(),
            user: UserId::parse(user).unwrap(),
        }
    }

    async fn epoch(&self) -> u32 {
        self.shop.snapshot(self.live).await.epoch
    }

    async fn begin(&self) -> BegunPayment {
        let (gate, epoch) = (&self.shop.gate, self.epoch().await);
        gate.begin_payment(self.live, epoch, self.id, &self.user)
            .await
            .unwrap()
    }

    async fn settle(&self, reacquire: bool) -> Settled {
        let (gate, epoch) = (&self.shop.gate, self.epoch().await);
        gate.settle(self.live, epoch, self.id, &self.user, reacquire)
            .await
            .unwrap()
    }

    async fn release(&self) -> Released {
        let (gate, epoch) = (&self.shop.gate, self.epoch().await);
        gate.release(self.live, epoch, self.id, &self.user)
            .await
            .unwrap()
    }

    async fn paid(self) -> Self {
        assert!(matches!(self.begin().await, BegunPayment::Paying { .. }));
        assert!(matches!(self.settle(false).await, Settled::Paid { .. }));
        self
    }

    async fn restock(&self, key: &str, units: u32) -> Returned {
        let lines = [(SkuId::parse("tee").unwrap(), units)];
        let (gate, epoch) = (&self.shop.gate, self.epoch().await);
        gate.restock(self.live, epoch, self.id, &self.user, key, &lines)
            .await
            .unwrap()
    }

    async fn write_off(&self, key: &str, units: u32) -> Returned {
        let lines = [(SkuId::parse("tee").unwrap(), units)];
        let (gate, epoch) = (&self.shop.gate, self.epoch().await);
        gate.write_off(self.live, epoch, self.id, &self.user, key, &lines)
            .await
            .unwrap()
    }

    async fn ask(&self, method: &str) -> Answer {
        let path = format!("/v1/sales/s/reservations/{}", self.id);
        self.shop.buyer(0, method, &path, self.user.as_str()).await
    }

    /// Status and reason as its buyer sees them.
    async fn shown(&self) -> (String, Value) {
        let body = self.ask("GET").await.body;
        let status = body["status"].as_str().unwrap_or_default().to_owned();
        (status, body["reason"].clone())
    }

    /// Status, reason and deadline in the books.
    async fn booked(&self) -> (String, Option<String>, u64) {
        let sql = "select status, reason, deadline from reservations where id = ?";
        let (status, reason, deadline): (String, Option<String>, chrono::DateTime<chrono::Utc>) =
            sqlx::query_as(sql)
                .bind(self.id.as_bytes().as_slice())
                .fetch_one(&self.shop.books)
                .await
                .unwrap();
        (status, reason, clock::to_ms(deadline))
    }
}

/// Every state that a reservation can be in, of ten units.
async fn one_of_each<'a>(shop: &'a Shop, live: &'a LiveId) -> Vec<(Bought<'a>, &'static str)> {
    let mut all = Vec::new();
    all.push((Bought::hold(shop, live, "held", 1).await, "held"));
    let paying = Bought::hold(shop, live, "paying", 2).await;
    assert!(matches!(paying.begin().await, BegunPayment::Paying { .. }));
    all.push((paying, "paying"));
    all.push((
        Bought::hold(shop, live, "paid", 1).await.paid().await,
        "paid",
    ));
    let some_back = Bought::hold(shop, live, "some", 3).await.paid().await;
    assert!(matches!(
        some_back.restock("r1", 1).await,
        Returned::Done { .. }
    ));
    assert!(matches!(
        some_back.write_off("r1", 1).await,
        Returned::Done { .. }
    ));
    all.push((some_back, "paid"));
    let all_back = Bought::hold(shop, live, "back", 2).await.paid().await;
    assert!(matches!(
        all_back.restock("r1", 2).await,
        Returned::Done { .. }
    ));
    all.push((all_back, "refunded"));
    let failed = Bought::hold(shop, live, "failed", 1).await;
    failed.begin().await;
    assert!(matches!(failed.release().await, Released::Released { .. }));
    all.push((failed, "payment_failed"));
    let again = Bought::hold(shop, live, "again", 1).await;
    again.begin().await;
    again.release().await;
    let settled = again.settle(true).await;
    assert!(matches!(
        settled,
        Settled::Paid {
            reacquired: true,
            ..
        }
    ));
    all.push((again, "paid"));
    all
}

/// What buyers see of each, and whether they may cancel it.
async fn is_shown(all: &[(Bought<'_>, &str)]) {
    for (bought, expected) in all {
        let (status, reason) = bought.shown().await;
        let word = reason.as_str().unwrap_or(&status);
        assert_eq!(word, *expected, "{}", bought.user);
        let repeat = bought.shop;
        let units = bought.ask("GET").await.body["items"][0]["quantity"].clone();
        let items = json!([{"sku": "tee", "quantity": units}]);
        let repeated = repeat
            .reserve(0, "s", bought.user.as_str(), "k", items)
            .await;
        assert_eq!(repeated.status, StatusCode::OK);
        assert_eq!(repeated.body["status"], status.as_str());
        let refused = match *expected {
            "held" => continue,
            "paying" => "in_flight",
            _ => "hold_ended",
        };
        let answer = bought.ask("DELETE").await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::CONFLICT, refused)
        );
    }
}

async fn units(shop: &Shop, live: &LiveId) -> [u64; 4] {
    let stock = shop.snapshot(live).await.stock;
    let tee = stock.values().next().unwrap();
    [tee.stocked, tee.left, tee.held, tee.sold]
}

/// What the operator's page says of Redis and of the books.
async fn pages(shop: &Shop) -> (Value, Value) {
    let body = shop.staff("GET", "/admin/v1/sales/s", None).await.body;
    (
        body["items"][0]["live"].clone(),
        body["items"][0]["books"].clone(),
    )
}

/// The kinds of the journal's events that holding and opening do not make, and how many there are.
async fn kinds(shop: &Shop) -> String {
    let kinds: Vec<(String, i64)> = sqlx::query_as(
        "select kind, count(*) from journal where sale_id = 's' and kind not in ('held', 'opened') group by kind order by kind",
    )
    .fetch_all(&shop.books)
    .await
    .unwrap();
    let kinds: Vec<String> = kinds.iter().map(|(k, n)| format!("{k} {n}")).collect();
    kinds.join(", ")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_is_what_the_buyer_sees_the_books_say_and_a_rebuild_restores() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 12, 3)], 300).await;
    let all = one_of_each(&shop, &live).await;
    is_shown(&all).await;
    shop.until_booked(&live).await;
    // One of twelve was written off; held 1 + 2, sold 1 + 1 + 1.
    let before = units(&shop, &live).await;
    assert_eq!(before, [11, 5, 3, 3]);
    let (redis, books) = pages(&shop).await;
    assert_eq!(redis, books, "redis and the books");
    let mut booked = Vec::new();
    for (bought, expected) in &all {
        let (status, reason, deadline_ms) = bought.booked().await;
        assert_eq!(reason.as_ref().unwrap_or(&status), expected);
        booked.push((status, reason, deadline_ms));
    }
    let deadline = all[1].0.ask("GET").await.body["hold_expires_at"].clone();
    let of_books = clock::rfc3339(booked[1].2);
    assert_eq!(deadline, of_books.as_str(), "the payment's deadline");
    assert_eq!(
        kinds(&shop).await,
        "paid 4, paying 6, payment_failed 2, reacquired 1, refunded 1, restocked 2, written_off 1"
    );

    raw(&shop, "FLUSHALL", &[]).await;
    rebuilt(&shop, "s", 2).await;
    within(Duration::from_secs(10), "it sells again", || async {
        (all[0].0.ask("GET").await.status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(units(&shop, &live).await, before);
    is_shown(&all).await;
    let after = all[1].0.ask("GET").await.body["hold_expires_at"].clone();
    assert_eq!(after, deadline);
    let some_back = &all[3].0;
    assert!(matches!(
        some_back.restock("r1", 1).await,
        Returned::Already { .. }
    ));
    assert!(matches!(
        some_back.write_off("r1", 1).await,
        Returned::Already { .. }
    ));
    assert_eq!(some_back.restock("r2", 2).await, Returned::TooMany);
    // Two of three have come back, so the limit leaves room for two more, and not for three.
    let three = json!([{"sku": "tee", "quantity": 3}]);
    let refused = shop.reserve(0, "s", "some", "more", three).await;
    assert_eq!(refused.code(), "limit_reached");
    let two = json!([{"sku": "tee", "quantity": 2}]);
    let held = shop.reserve(0, "s", "some", "more2", two).await;
    assert_eq!(held.status, StatusCode::CREATED);
    // What was being paid can be settled, and the last unit of the other come back.
    assert!(matches!(all[1].0.settle(false).await, Settled::Paid { .. }));
    assert!(matches!(
        some_back.restock("r2", 1).await,
        Returned::Done { .. }
    ));
    assert_eq!(some_back.shown().await.1, "refunded");
    shop.until_booked(&live).await;
    let (redis, books) = pages(&shop).await;
    assert_eq!(redis, books, "redis and the books, after the rebuild");
    assert_eq!(units(&shop, &live).await, [11, 4, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_killed_around_each_event_books_each_once() {
    let options = StageOptions::whole(1)
        .engine_role("front")
        .engine_env("RATE_PER_USER", "0");
    let shop = Shop::open(options).await;
    let writer = shop.stage.add_engine("writer", &[]).unwrap();
    let live = shop.sale("s", &[("tee", 100, 0)], 300).await;
    shop.until_booked(&live).await;
    let mut all = Vec::new();
    // At once, while it reads or writes, and when it has just written.
    for (round, delay_ms) in [0, 4, 12, 30].into_iter().enumerate() {
        let bought = Bought::hold(&shop, &live, &format!("ann{round}"), 3).await;
        let other = Bought::hold(&shop, &live, &format!("bob{round}"), 2).await;
        let moves: [&str; 8] = [
            "begin",
            "settle",
            "restock",
            "write_off",
            "last",
            "fail",
            "release",
            "reacquire",
        ];
        for step in moves {
            match step {
                "begin" => drop(bought.begin().await),
                "settle" => drop(bought.settle(false).await),
                "restock" => drop(bought.restock("a", 1).await),
                "write_off" => drop(bought.write_off("a", 1).await),
                "last" => drop(bought.restock("b", 1).await),
                "fail" => drop(other.begin().await),
                "release" => drop(other.release().await),
                _ => drop(other.settle(true).await),
            }
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            shop.stage.engine(writer).kill9().unwrap();
            shop.stage.engine(writer).start().unwrap();
        }
        all.push(bought);
        all.push(other);
    }
    shop.until_vouched(&live).await;
    shop.until_booked(&live).await;
    let (redis, books) = pages(&shop).await;
    assert_eq!(redis, books);
    assert_eq!(units(&shop, &live).await, [96, 88, 0, 8]);
    for bought in &all {
        let (status, reason, _) = bought.booked().await;
        let expected = match bought.user.as_str().starts_with("ann") {
            true => ("released", Some("refunded")),
            false => ("paid", None),
        };
        assert_eq!((status.as_str(), reason.as_deref()), expected);
    }
    let returned: Vec<u32> =
        sqlx::query_scalar("select quantity from reservation_returns where sale_id = 's'")
            .fetch_all(&shop.books)
            .await
            .unwrap();
    assert_eq!(returned, [3; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_takes_too_long_expires_and_what_is_captured_late_takes_what_is_left() {
    let shop = Shop::with_engines(1).await;
    let (opens, closes) = (clock::now_ms() - 60_000, clock::now_ms() + 3_600_000);
    let body = json!({"id": "s", "title": "Friday drop", "opens_at": clock::rfc3339(opens), "closes_at": clock::rfc3339(closes),
        "hold_seconds": 600, "payment_seconds": 1, "waiting_room": false,
        "items": [{"sku": "tee", "title": "tee", "price": {"amount": 19900, "currency": "KRW"}, "stock": 2, "limit_per_user": 1}]});
    shop.staff("POST", "/admin/v1/sales", Some(body)).await;
    shop.staff("POST", "/admin/v1/sales/s/open", None).await;
    let live = LiveId::from_book_id("s").unwrap();
    shop.until_vouched(&live).await;
    let (ann, bob) = (
        Bought::hold(&shop, &live, "ann", 1).await,
        Bought::hold(&shop, &live, "bob", 1).await,
    );
    ann.begin().await;
    bob.begin().await;
    let began = clock::instant();
    within(Duration::from_secs(10), "both are back on sale", || async {
        (shop.counts(&live).await == (2, 0, 0)).then_some(())
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(ann.shown().await, ("released".into(), json!("expired")));
    let cat = Bought::hold(&shop, &live, "cat", 1).await;
    assert!(matches!(
        ann.settle(true).await,
        Settled::Paid {
            reacquired: true,
            ..
        }
    ));
    assert!(matches!(bob.settle(true).await, Settled::Gone { .. }));
    assert_eq!(shop.counts(&live).await, (0, 1, 1));
    cat.release().await;
    shop.until_booked(&live).await;
    assert_eq!(ann.booked().await.0, "paid");
    assert_eq!(bob.booked().await.1.as_deref(), Some("expired"));
    let (redis, books) = pages(&shop).await;
    assert_eq!(redis, books);
}
