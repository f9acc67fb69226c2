//! What is published of a draw: before it the pledge, after it all that it takes to hold it again.

use doorbuster_core::draw::{DrawKeys, Drawn, EntryList, Ranks};
use doorbuster_core::hex::to_hex;
use doorbuster_core::ids::{SaleId, UserId};
use doorbuster_core::line::Pledge;
use serde_json::{Value, json};

use crate::stage::{Desk, name, sale};

/// A sale with this line, opened.
async fn opened(desk: &Desk<'_>, line: Value) -> String {
    let id = name("draw");
    let mut draft = sale(&id);
    draft["waiting_room"] = true.into();
    draft["line"] = line;
    desk.put("/admin/v1/sales", &draft).await.ok(201);
    desk.post(&format!("/admin/v1/sales/{id}/open"))
        .await
        .ok(200);
    id
}

/// Holds a draw of so many, as an engine and a writer do, with what the sale pledged.
async fn draw(desk: &Desk<'_>, id: &str, early: u32) -> (Drawn, EntryList) {
    let shown = public(desk, &format!("/v1/sales/{id}/draw")).await;
    let pledge: Pledge =
        serde_json::from_value(json!({"salt": shown["salt"], "commitment": shown["commitment"]}))
            .unwrap();
    let keys = DrawKeys::derive(desk.stage.token_secret().as_bytes(), None).unwrap();
    let draw = keys.pledged(&SaleId::parse(id).unwrap(), &pledge).unwrap();
    let mut list = EntryList::vacant(early);
    for number in 1..=early {
        let user = UserId::parse(format!("u{number}")).unwrap();
        list.put(number, draw.entry(&user, number));
    }
    let drawn = draw.draw(&list);
    sqlx::query("insert into draws (sale_id, seq, epoch, early, seed, list_hash, secret, drawn_at) values (?, 2, 1, ?, ?, ?, ?, '2030-01-01')")
        .bind(id)
        .bind(early)
        .bind(to_hex(&drawn.seed))
        .bind(to_hex(&drawn.list_hash))
        .bind(to_hex(&drawn.secret.reveal()))
        .execute(&desk.books)
        .await
        .unwrap();
    (drawn, list)
}

async fn put_list(desk: &Desk<'_>, id: &str, drawn: &Drawn, list: &EntryList) {
    for (part, entries) in (0_u32..).zip(list.as_bytes().chunks(65_536 * 16)) {
        sqlx::query(
            "insert into draw_lists (sale_id, list_hash, part, entries) values (?, ?, ?, ?)",
        )
        .bind(id)
        .bind(to_hex(&drawn.list_hash))
        .bind(part)
        .bind(entries)
        .execute(&desk.books)
        .await
        .unwrap();
    }
}

/// Without a token.
async fn public(desk: &Desk<'_>, path: &str) -> Value {
    desk.call("GET", path).send().await.ok(200)
}

#[tokio::test]
async fn before_the_draw_its_pledge_is_shown_and_nothing_else() {
    let desk = Desk::shared().await;
    let id = opened(&desk, json!({})).await;
    let path = format!("/v1/sales/{id}/draw");
    let shown = public(&desk, &path).await;
    let fields: Vec<&String> = shown.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["commitment", "sale", "salt"]);
    let entries = desk.call("GET", &format!("{path}/entries")).send().await;
    assert_eq!(entries.refusal(), (409, "not_drawn"));
}

#[tokio::test]
async fn a_sale_that_draws_nobody_or_is_a_draft_or_is_none_shows_no_draw() {
    let desk = Desk::shared().await;
    let first_come = opened(&desk, json!({"draw": false})).await;
    let (no_line, draft) = (desk.selling("no-line").await, desk.draft("draft").await);
    for (id, code) in [
        (first_come.as_str(), "unknown_draw"),
        (&no_line, "unknown_draw"),
        (&draft, "unknown_sale"),
        ("nobody-wrote-it", "unknown_sale"),
    ] {
        for path in ["draw", "draw/entries"] {
            let call = desk.call("GET", &format!("/v1/sales/{id}/{path}"));
            assert_eq!(call.send().await.refusal(), (404, code), "{id} {path}");
        }
    }
}

#[tokio::test]
async fn after_the_draw_everything_is_shown_and_comes_to_what_was_pledged() {
    let desk = Desk::shared().await;
    let id = opened(&desk, json!({})).await;
    let (drawn, list) = draw(&desk, &id, 7).await;
    let path = format!("/v1/sales/{id}/draw");
    let late = desk.call("GET", &format!("{path}/entries")).send().await;
    assert_eq!(late.refusal(), (503, "unavailable"), "no list yet");
    put_list(&desk, &id, &drawn, &list).await;

    let shown = public(&desk, &path).await;
    let expected = json!({
        "sale": id, "salt": shown["salt"], "commitment": to_hex(&drawn.secret.commitment()),
        "drawn_at": "2030-01-01T00:00:00.000Z", "early": 7, "secret": to_hex(&drawn.secret.reveal()),
        "list_hash": to_hex(&drawn.list_hash), "seed": to_hex(&drawn.seed),
    });
    assert_eq!(shown, expected);
    let ranks = Ranks::new(&drawn.seed, 7);
    let csv = |numbers: std::ops::Range<u32>| {
        let line = |number| {
            let entry = list.get(number).unwrap();
            format!("{number},{entry},{}\n", ranks.place_of(number).unwrap())
        };
        let lines: String = numbers.map(line).collect();
        format!("number,entry,place\n{lines}")
    };
    for (query, numbers) in [
        ("", 1..8),
        ("?from=3&limit=2", 3..5),
        ("?from=6", 6..8),
        ("?from=8", 8..8),
    ] {
        let answer = desk
            .call("GET", &format!("{path}/entries{query}"))
            .send()
            .await;
        assert_eq!(answer.text, csv(numbers), "{query}");
        assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    }
    for query in ["?from=0", "?limit=0", "?limit=20001", "?from=x", "?to=1"] {
        let call = desk.call("GET", &format!("{path}/entries{query}"));
        assert_eq!(call.send().await.refusal(), (400, "invalid_request"));
    }
}

#[tokio::test]
async fn a_list_of_several_parts_is_read_across_their_border_and_a_missing_part_is_no_list() {
    let desk = Desk::shared().await;
    let id = opened(&desk, json!({})).await;
    let (drawn, list) = draw(&desk, &id, 65_540).await;
    put_list(&desk, &id, &drawn, &list).await;
    let call = || {
        let path = format!("/v1/sales/{id}/draw/entries?from=65535&limit=4");
        desk.call("GET", &path)
    };
    let text = call().send().await.text;
    let entries: Vec<&str> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap())
        .collect();
    let expected: Vec<String> = (65_535..65_539)
        .map(|number| list.get(number).unwrap().to_string())
        .collect();
    assert_eq!(entries, expected);
    desk.sql("delete from draw_lists where sale_id = ? and part = 0", &id)
        .await;
    assert_eq!(call().send().await.refusal(), (503, "unavailable"));
}
