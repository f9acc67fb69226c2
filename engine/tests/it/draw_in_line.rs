//! The draw as those who wait see it: everyone who came early has a place in one order, on every engine, that anyone can recompute, and
//! that survives whatever is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use doorbuster_core::clock;
use doorbuster_core::draw::{Entry, EntryList, Ranks};
use doorbuster_core::hex::from_hex;
use doorbuster_core::ids::{LiveId, SaleId};
use doorbuster_stage::StageOptions;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::harness::{Answer, Shop, send, within};
use super::redis_of::raw;

const SALE: &str = "s";
/// A sale with a line that draws, and slow: who is admitted is not the matter. It opens when some seconds have passed, in which all join,
/// also on a machine that is busy.
async fn soon(shop: &Shop, seconds: u64) -> LiveId {
    let (opens, closes) = (
        clock::now_ms() + 1_000 * seconds,
        clock::now_ms() + 3_600_000,
    );
    let body = json!({"id": SALE, "title": "Drop", "opens_at": clock::rfc3339(opens), "closes_at": clock::rfc3339(closes),
        "hold_seconds": 300, "payment_seconds": 300, "waiting_room": true, "line": {"mode": "fixed", "per_second": 1, "invites": true},
        "items": [{"sku": "tee", "title": "Tee", "price": {"amount": 1, "currency": "KRW"}, "stock": 1000}]});
    let created = shop.staff("POST", "/admin/v1/sales", Some(body)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{:?}", created.body);
    let path = format!("/admin/v1/sales/{SALE}/open");
    let opened = shop.staff("POST", &path, None).await;
    assert_eq!(opened.status, StatusCode::OK, "{:?}", opened.body);
    let live = LiveId::Sale(SaleId::parse(SALE).unwrap());
    shop.until_vouched(&live).await;
    live
}

async fn ask(
    shop: &Shop,
    engine: usize,
    path: &str,
    user: &str,
    header: Option<(&str, &str)>,
) -> Option<Answer> {
    let token = shop.token(user, doorbuster_core::claims::Role::Buyer);
    let mut headers = vec![("authorization", format!("Bearer {token}"))];
    headers.extend(header.map(|(name, value)| (name, value.to_owned())));
    let method = if path.ends_with("/current") {
        "GET"
    } else {
        "POST"
    };
    send(&shop.engine(engine), method, path, &headers, String::new()).await
}

/// Joins, as soon as the sale lets anybody.
async fn join(shop: &Shop, engine: usize, user: &str, invite: Option<&str>) -> Value {
    let path = format!("/v1/sales/{SALE}/tickets");
    within(Duration::from_secs(20), "a ticket", || async {
        let header = invite.map(|invite| ("queue-invite", invite));
        let joined = ask(shop, engine, &path, user, header).await?;
        joined.status.is_success().then_some(joined.body)
    })
    .await
}

/// Asks until the ticket has a place.
async fn place(shop: &Shop, engine: usize, user: &str, ticket: &Value) -> u32 {
    let path = format!("/v1/sales/{SALE}/tickets/current");
    let ticket = ticket["ticket"].as_str().unwrap();
    within(Duration::from_secs(40), "a place", || async {
        let told = ask(shop, engine, &path, user, Some(("queue-ticket", ticket))).await?;
        let place = told.body["place"].as_u64()?;
        u32::try_from(place).ok()
    })
    .await
}

/// What the back-office publishes.
async fn published(shop: &Shop, path: &str) -> Answer {
    let url = shop.stage.backoffice(0).url().to_string();
    send(&url, "GET", path, &[], String::new()).await.unwrap()
}

/// The draw, once it is in the books.
async fn booked(shop: &Shop) -> Value {
    let path = format!("/v1/sales/{SALE}/draw");
    within(Duration::from_secs(20), "the draw is booked", || async {
        let draw = published(shop, &path).await.body;
        draw["seed"].is_string().then_some(draw)
    })
    .await
}

fn name(n: usize) -> String {
    format!("u{n}")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_early_is_drawn_and_every_engine_and_everyone_else_knows_the_same_order() {
    let shop = Shop::with_engines(2).await;
    let live = soon(&shop, 7).await;
    let made = shop
        .stage
        .run_backoffice(&["invite", "--sale", SALE, "--json"])
        .unwrap();
    let invites: Value = serde_json::from_str(&made.stdout).unwrap();
    let invite = invites["invites"][0].as_str().unwrap();
    let mut tickets = BTreeMap::new();
    for n in 0..30 {
        tickets.insert(n, join(&shop, n % 2, &name(n), None).await);
    }
    let guest = join(&shop, 0, "guest", Some(invite)).await;
    assert!(
        guest["draw_entry"].is_null(),
        "invites are not drawn: {guest}"
    );

    let mut places = BTreeMap::new();
    let mut list = EntryList::vacant(30);
    for (n, ticket) in &tickets {
        assert!(ticket["position"].is_null() && ticket["place"].is_null());
        let number = u32::try_from(ticket["number"].as_u64().unwrap()).unwrap();
        list.put(
            number,
            Entry::parse(ticket["draw_entry"].as_str().unwrap()).unwrap(),
        );
        // On the other engine than the one that gave the number.
        places.insert(number, place(&shop, (n + 1) % 2, &name(*n), ticket).await);
    }
    let late = join(&shop, 0, "late", None).await;
    assert_eq!((&late["number"], &late["place"]), (&json!(31), &json!(31)));
    assert!(late["draw_entry"].is_null(), "{late}");

    let draw = booked(&shop).await;
    assert_eq!(draw["early"], 30);
    assert_eq!(
        from_hex(draw["list_hash"].as_str().unwrap()),
        Some(list.hash())
    );
    let ranks = Ranks::new(&from_hex(draw["seed"].as_str().unwrap()).unwrap(), 30);
    for (number, place) in &places {
        assert_eq!(ranks.place_of(*number), Some(*place), "number {number}");
    }
    shop.until_booked(&live).await;
    let parts: Vec<Vec<u8>> =
        sqlx::query_scalar("select entries from draw_lists where sale_id = ?")
            .bind(SALE)
            .fetch_all(&shop.books)
            .await
            .unwrap();
    assert_eq!(
        parts,
        [list.as_bytes()],
        "one list, and the one that was drawn from"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draw_stands_when_redis_is_emptied_and_every_engine_has_gone() {
    let shop = Shop::with_engines(1).await;
    let live = soon(&shop, 4).await;
    let ann = join(&shop, 0, "ann", None).await;
    for n in 0..9 {
        join(&shop, 0, &name(n), None).await;
    }
    let before = place(&shop, 0, "ann", &ann).await;
    let draw = booked(&shop).await;
    shop.until_booked(&live).await;

    shop.stage.engine(0).kill9().unwrap();
    raw(&shop, "FLUSHALL", &[]).await;
    shop.stage.engine(0).start().unwrap();

    assert_eq!(place(&shop, 0, "ann", &ann).await, before);
    assert_eq!(booked(&shop).await, draw);
    let draws: i64 = sqlx::query_scalar("select count(*) from journal where kind = 'drawn'")
        .fetch_one(&shop.books)
        .await
        .unwrap();
    assert_eq!(draws, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draw_that_no_writer_had_booked_is_taken_over_from_the_engine_that_held_it() {
    let options = StageOptions::whole(1)
        .engine_role("front")
        .engine_env("RATE_PER_USER", "0");
    let shop = Shop::open(options).await;
    let writer = shop.stage.add_engine("writer", &[]).unwrap();
    soon(&shop, 4).await;
    let ann = join(&shop, 0, "ann", None).await;
    join(&shop, 0, "bob", None).await;
    shop.stage.engine(writer).kill9().unwrap();
    let before = place(&shop, 0, "ann", &ann).await;

    raw(&shop, "FLUSHALL", &[]).await;
    shop.stage.engine(writer).start().unwrap();

    let draw = booked(&shop).await;
    let seed = from_hex(draw["seed"].as_str().unwrap()).unwrap();
    let number = u32::try_from(ann["number"].as_u64().unwrap()).unwrap();
    assert_eq!(Ranks::new(&seed, 2).place_of(number), Some(before));
    assert_eq!(place(&shop, 0, "ann", &ann).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_do_not_wait_for_books_that_are_away_and_the_list_arrives_when_they_are_back() {
    let shop = Shop::with_engines(1).await;
    soon(&shop, 4).await;
    let ann = join(&shop, 0, "ann", None).await;
    shop.stage.mariadb().freeze().unwrap();
    place(&shop, 0, "ann", &ann).await;
    shop.stage.mariadb().thaw().unwrap();
    booked(&shop).await;
    let path = format!("/v1/sales/{SALE}/draw/entries");
    within(Duration::from_secs(20), "the list arrives", || async {
        let list = published(&shop, &path).await;
        (list.status == StatusCode::OK).then_some(())
    })
    .await;
}
