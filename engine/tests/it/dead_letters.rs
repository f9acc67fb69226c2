//! Dead letters: events that MySQL refuses stop nothing else, wait for a person, and are applied once their cause is mended.

use std::time::Duration;

use doorbuster_core::claims::Role;
use doorbuster_core::ids::LiveId;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::harness::{Answer, Shop, send, within};

/// From now on MySQL takes no reservation of users whose names begin with `eve`.
async fn refuse_eve(shop: &Shop) {
    let ban = "alter table reservations add constraint no_eve check (user_id not like 'eve%')";
    sqlx::query(ban).execute(&shop.books).await.unwrap();
}

async fn forgive_eve(shop: &Shop) {
    let pardon = "alter table reservations drop constraint no_eve";
    sqlx::query(pardon).execute(&shop.books).await.unwrap();
}

async fn letters(shop: &Shop) -> Value {
    let answer = shop
        .staff("GET", "/admin/v1/dead-letters?sale=s", None)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    answer.body
}

/// Waits for so many; their ids.
async fn until_letters(shop: &Shop, count: usize) -> Vec<String> {
    within(Duration::from_secs(10), "the letters are there", || async {
        let page = letters(shop).await;
        let ids = page["letters"].as_array()?.iter();
        let ids: Vec<String> = ids.map(|l| l["id"].as_str().unwrap().to_string()).collect();
        (ids.len() == count).then_some(ids)
    })
    .await
}

async fn retry(shop: &Shop, id: &str) -> Answer {
    shop.staff("POST", &format!("/admin/v1/dead-letters/{id}/retry"), None)
        .await
}

/// Waits until MySQL has all that Redis had, letters or not.
async fn until_flushed(shop: &Shop, live: &LiveId) {
    within(
        Duration::from_secs(15),
        "the books have caught up",
        || async { shop.try_snapshot(live).await.filter(|s| s.backlog() == 0) },
    )
    .await;
}

fn reconcile(shop: &Shop) -> (Option<i32>, String) {
    let done = shop
        .stage
        .run_backoffice(&["reconcile", "--sale", "s"])
        .unwrap();
    (done.status.code(), done.stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_event_waits_for_a_person_and_ends_where_the_journals_last_word_puts_it() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 10, 0)], 300).await;
    refuse_eve(&shop).await;
    let eve = shop.reserve_one(0, "s", "eve", "k").await;
    assert_eq!(eve.status, StatusCode::CREATED, "the sale goes on");
    let held = until_letters(&shop, 1).await;
    let ann = shop.reserve_one(0, "s", "ann", "k").await;
    assert_eq!(ann.status, StatusCode::CREATED);
    until_flushed(&shop, &live).await;
    assert_eq!(shop.booked_units(&live).await, 1, "ann's is in the books");

    let letter = letters(&shop).await["letters"][0].clone();
    assert_eq!(
        (
            &letter["kind"],
            &letter["user"],
            &letter["reservation"],
            &letter["tries"]
        ),
        (&json!("held"), &json!("eve"), &json!(eve.id()), &json!(0))
    );
    let refused = retry(&shop, &held[0]).await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::CONFLICT, "still_refused")
    );
    assert_eq!(letters(&shop).await["letters"][0]["tries"], json!(1));

    forgive_eve(&shop).await;
    // The hold ends while its beginning is not in the books: that cannot be applied either.
    let path = format!("/v1/sales/s/reservations/{}", eve.id());
    let cancelled = shop.buyer(0, "DELETE", &path, "eve").await;
    assert_eq!(cancelled.status, StatusCode::OK, "{:?}", cancelled.body);
    let both = until_letters(&shop, 2).await;
    let (code, text) = reconcile(&shop);
    assert!(code == Some(1) && text.contains("dead_letter"), "{text}");

    for id in &both {
        let applied = retry(&shop, id).await;
        assert_eq!(
            (applied.status, &applied.body["outcome"]),
            (StatusCode::OK, &json!("applied")),
            "{:?}",
            applied.body
        );
        assert_eq!(retry(&shop, id).await.body, applied.body, "repeatable");
    }
    let row: (String, Option<String>) =
        sqlx::query_as("select status, reason from reservations where user_id = 'eve'")
            .fetch_one(&shop.books)
            .await
            .unwrap();
    assert_eq!(row, ("released".into(), Some("cancelled".into())));
    shop.until_booked(&live).await;
    let (code, text) = reconcile(&shop);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(retry(&shop, "s:999").await.code(), "unknown_dead_letter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_dead_letters_stopped_goes_on_once_the_cause_is_mended_without_a_restart() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 100, 0)], 300).await;
    refuse_eve(&shop).await;
    // One after the other, each with a transaction of its own: three are letters, the fourth stops the writer.
    for i in 1..=3 {
        shop.reserve_one(0, "s", &format!("eve{i}"), "k").await;
        until_letters(&shop, i).await;
    }
    shop.reserve_one(0, "s", "eve4", "k").await;
    within(
        Duration::from_secs(10),
        "the writer has stopped",
        || async {
            let page = letters(&shop).await;
            (page["stopped"][0]["sale"] == json!("s")).then_some(())
        },
    )
    .await;
    let stopped_at = shop.snapshot(&live).await.flushed_seq;
    for i in 0..5 {
        let held = shop.reserve_one(0, "s", &format!("ann{i}"), "k").await;
        assert_eq!(held.status, StatusCode::CREATED, "buyers notice nothing");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(shop.snapshot(&live).await.flushed_seq, stopped_at);

    forgive_eve(&shop).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        shop.snapshot(&live).await.flushed_seq,
        stopped_at,
        "letters are open: it waits for the person"
    );
    for id in until_letters(&shop, 4).await {
        assert_eq!(retry(&shop, &id).await.status, StatusCode::OK);
    }
    shop.until_booked(&live).await;
    within(Duration::from_secs(5), "the stop is gone", || async {
        (letters(&shop).await["stopped"] == json!([])).then_some(())
    })
    .await;
    assert_eq!(shop.booked_units(&live).await, 9);
    let (code, text) = reconcile(&shop);
    assert_eq!(code, Some(0), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_refused_as_a_whole_stops_the_writer_and_is_tried_until_it_gets_through() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 100, 0)], 300).await;
    let mut held = Vec::new();
    for i in 0..8 {
        let user = format!("u{i}");
        let answer = shop.reserve_one(0, "s", &user, "k").await;
        held.push((user, answer.id().to_string()));
    }
    shop.until_booked(&live).await;
    let ban = "alter table reservations add constraint no_end check (status = 'held')";
    sqlx::query(ban).execute(&shop.books).await.unwrap();
    // The books stand still while a batch gathers, of which more is refused than may be.
    shop.stage.mariadb().freeze().unwrap();
    for (user, id) in &held {
        let path = format!("/v1/sales/s/reservations/{id}");
        let ended = shop.buyer(0, "DELETE", &path, user).await;
        assert_eq!(ended.status, StatusCode::OK, "{:?}", ended.body);
    }
    shop.stage.mariadb().thaw().unwrap();
    within(
        Duration::from_secs(10),
        "the writer has stopped",
        || async {
            let page = letters(&shop).await;
            (page["stopped"][0]["sale"] == json!("s")).then_some(())
        },
    )
    .await;
    assert_eq!(
        letters(&shop).await["letters"],
        json!([]),
        "nothing was written"
    );
    let pardon = "alter table reservations drop constraint no_end";
    sqlx::query(pardon).execute(&shop.books).await.unwrap();
    shop.until_booked(&live).await;
    assert_eq!(shop.booked_units(&live).await, 0);
    let (code, text) = reconcile(&shop);
    assert_eq!(code, Some(0), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_can_never_be_applied_is_discarded_by_an_admin_alone_and_stays_told() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 10, 0)], 300).await;
    refuse_eve(&shop).await;
    shop.reserve_one(0, "s", "eve", "k").await;
    let id = until_letters(&shop, 1).await.remove(0);
    let discard = async |role, reason: &str| {
        let headers = [
            (
                "authorization",
                format!("Bearer {}", shop.token("adam", role)),
            ),
            ("content-type", "application/json".to_string()),
        ];
        let url = shop.stage.backoffice(0).url().to_string();
        let path = format!("/admin/v1/dead-letters/{id}/discard");
        let body = json!({"reason": reason}).to_string();
        send(&url, "POST", &path, &headers, body).await.unwrap()
    };
    assert_eq!(discard(Role::Operator, "x").await.code(), "forbidden");
    assert_eq!(discard(Role::Admin, "").await.code(), "invalid_request");
    let discarded = discard(Role::Admin, "a test").await;
    assert_eq!(
        (discarded.status, &discarded.body["outcome"]),
        (StatusCode::OK, &json!("discarded")),
        "{:?}",
        discarded.body
    );
    assert_eq!(discard(Role::Admin, "again").await.body, discarded.body);
    assert_eq!(letters(&shop).await["letters"], json!([]));
    let audited: Vec<(String, String)> = sqlx::query_as(
        "select actor, action from audit_log where action like 'dead_letter.%' order by id",
    )
    .fetch_all(&shop.books)
    .await
    .unwrap();
    assert_eq!(
        audited,
        [("adam".to_string(), "dead_letter.discard".to_string())]
    );

    // Redis has counted it and the books have not: that is said, and not repaired behind the admin's back.
    until_flushed(&shop, &live).await;
    assert_eq!(shop.counts(&live).await, (9, 1, 0));
    forgive_eve(&shop).await;
    let done = shop
        .stage
        .run_backoffice(&["reconcile", "--sale", "s", "--repair"])
        .unwrap();
    assert_eq!(done.status.code(), Some(1), "{}", done.stdout);
    assert!(done.stdout.contains("discarded"), "{}", done.stdout);
    assert_eq!(shop.booked_units(&live).await, 0);
}
