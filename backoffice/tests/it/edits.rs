//! Editing drafts of sales: what may change, who is told that another was faster, and that nothing sells but what the books say.

use serde_json::{Value, json};

use crate::http::{Answer, Call};
use crate::stage::{Desk, eventually, name, sale};

/// The stage's usual draft as it is to be: another title and window, one sku less and one more.
fn revised(version: u64) -> Value {
    json!({
        "version": version, "title": "Tee, again", "opens_at": "2998-01-01T00:00:00Z", "closes_at": "2999-01-01T00:00:00Z",
        "hold_seconds": 120, "payment_seconds": 60, "waiting_room": true, "line": {"mode": "fixed", "per_second": 50, "draw": false},
        "items": [
            {"sku": "bag", "title": "Bag", "price": {"amount": 4900, "currency": "KRW"}, "stock": 7, "limit_per_user": 1},
            {"sku": "tee", "title": "Tee", "price": {"amount": 18900, "currency": "KRW"}, "stock": 50}
        ]
    })
}

fn path(id: &str) -> String {
    format!("/admin/v1/sales/{id}")
}

fn pointers(answer: &Answer) -> Vec<&str> {
    let errors = answer.json["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_draft_becomes_what_the_edit_says_and_the_log_has_both() {
    let desk = Desk::shared().await;
    let id = desk.draft("edited").await;
    let before = desk.get(&path(&id)).await.ok(200);
    assert_eq!(before["version"], 1);

    let edited = desk.edit(&path(&id), &revised(1)).await.ok(200);

    let shown = desk.get(&path(&id)).await.ok(200);
    for field in ["version", "title", "opens_at", "items", "line"] {
        assert_eq!(edited[field], shown[field], "{field}");
    }
    assert_eq!(
        (&shown["state"], &shown["version"], &shown["hold_seconds"]),
        (&json!("draft"), &json!(2), &json!(120))
    );
    assert_eq!(shown["created_at"], before["created_at"]);
    assert_eq!(shown["line"]["per_second"], 50);
    let items: Vec<(&Value, &Value)> = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (&item["sku"], &item["stock"]))
        .collect();
    assert_eq!(
        items,
        [(&json!("bag"), &json!(7)), (&json!("tee"), &json!(50))]
    );
    let audit = desk.audit(&format!("sale:{id}")).await;
    let (actor, action, was, is) = &audit[1];
    assert_eq!((actor.as_str(), action.as_str()), ("olga", "sale.update"));
    assert_eq!(
        (&was["title"], &is["title"]),
        (&json!("한정판 티셔츠 🎟"), &json!("Tee, again"))
    );
    assert_eq!(
        (&was["items"][0]["price"]["amount"], &was["line"]),
        (&json!(19900), &Value::Null)
    );
    assert_eq!(
        (&is["items"][1]["price"]["amount"], &is["line"]["mode"]),
        (&json!(18900), &json!("fixed"))
    );

    // The waiting room goes again, and with it its line.
    let mut plain = revised(2);
    plain["waiting_room"] = json!(false);
    drop(plain.as_object_mut().unwrap().remove("line"));
    let edited = desk.edit(&path(&id), &plain).await.ok(200);
    assert_eq!(
        (&edited["waiting_room"], &edited["line"], &edited["version"]),
        (&json!(false), &Value::Null, &json!(3))
    );
}

#[tokio::test]
async fn of_editors_of_one_version_one_is_heard_and_the_others_are_told() {
    let desk = Desk::shared().await;
    let id = desk.draft("raced").await;
    let path = path(&id);
    let mut edits = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let token = desk.token("olga", doorbuster_core::claims::Role::Operator);
        let call = desk.call("PUT", &path).token(&token).json(&revised(1));
        edits.spawn(call.send());
    }
    let answers = edits.join_all().await;
    let heard = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(heard, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.refusal(), (409, "version_conflict"));
    }
    assert_eq!(desk.get(&path).await.ok(200)["version"], 2);
    assert_eq!(desk.audit(&format!("sale:{id}")).await.len(), 2);
}

#[tokio::test]
async fn an_edit_that_cannot_be_done_changes_nothing() {
    let desk = Desk::shared().await;
    let id = desk.draft("kept").await;
    let before = desk.get(&path(&id)).await.ok(200);

    let mut bad = revised(1);
    drop(bad.as_object_mut().unwrap().remove("version"));
    bad["id"] = json!("another");
    bad["hold_seconds"] = json!(0);
    bad["items"][0]["stock"] = json!(-1);
    let answer = desk.edit(&path(&id), &bad).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
    let expected = ["/id", "/version", "/hold_seconds", "/items/0/stock"];
    assert_eq!(pointers(&answer), expected);
    let mut unlisted = revised(1);
    unlisted["items"][1] = json!({"sku": name("nowhere"), "stock": 1});
    let answer = desk.edit(&path(&id), &unlisted).await;
    assert_eq!(pointers(&answer), ["/items/1/sku"]);
    let nobodys = desk.edit(&path(&name("nobody")), &revised(1)).await;
    assert_eq!(nobodys.refusal(), (404, "unknown_sale"));

    let after = desk.get(&path(&id)).await.ok(200);
    assert_eq!(
        (&after["version"], &after["items"]),
        (&before["version"], &before["items"])
    );
    // What is written down first has no version yet, and needs an id.
    let mut new = sale(&name("versioned"));
    new["version"] = json!(1);
    drop(new.as_object_mut().unwrap().remove("id"));
    let answer = desk.put("/admin/v1/sales", &new).await;
    assert_eq!(pointers(&answer), ["/version", "/id"]);

    desk.post(&format!("{}/open", path(&id))).await.ok(200);
    for version in [1, 9] {
        let answer = desk.edit(&path(&id), &revised(version)).await;
        assert_eq!(answer.refusal(), (409, "not_draft"), "{version}");
    }
    let korean = desk
        .call("PUT", &path(&id))
        .token(&desk.token("olga", doorbuster_core::claims::Role::Operator))
        .header("accept-language", "ko")
        .json(&revised(1));
    assert_eq!(
        korean.send().await.json["title"],
        "이미 공개되어 수정할 수 없습니다"
    );
    let selling = desk.get(&path(&id)).await.ok(200);
    assert_eq!(selling["items"][0]["live"]["left"], 100);
}

#[tokio::test]
async fn what_is_opened_while_it_is_edited_sells_what_the_books_say() {
    let desk = Desk::shared().await;
    let mut edits = 0;
    for round in 0_u64..12 {
        let id = desk.draft("contested").await;
        let mut body = sale(&id);
        body["version"] = json!(1);
        body["items"][0]["price"]["amount"] = json!(17900);
        body["items"][0]["stock"] = json!(10);
        let (path, opening) = (path(&id), format!("{}/open", path(&id)));
        let edit = async {
            tokio::time::sleep(std::time::Duration::from_micros(round * 400)).await;
            desk.edit(&path, &body).await
        };
        let (edited, opened) = tokio::join!(edit, desk.post(&opening));
        match edited.status {
            200 => edits += 1,
            _ => assert_eq!(edited.refusal(), (409, "not_draft")),
        }
        if opened.status != 200 {
            assert_eq!(opened.refusal(), (409, "version_conflict"));
            desk.post(&opening).await.ok(200);
        }
        let written = desk.get(&path).await.ok(200);
        let expected = if edited.status == 200 { 17900 } else { 19900 };
        assert_eq!(written["items"][0]["price"]["amount"], expected);
        assert_eq!(
            written["items"][0]["live"]["stocked"],
            written["items"][0]["stock"]
        );
        // Buyers are told the same.
        let engine = desk.stage.engine(0).url().to_owned();
        let told = eventually(async || {
            let call = Call::new(&engine, "GET", &format!("/v1/sales/{id}"));
            Some(call.send().await).filter(|answer| answer.status == 200)
        })
        .await;
        let mut items = told.json["items"].as_array().unwrap().iter();
        let tee = items.find(|item| item["sku"] == "tee").unwrap();
        assert_eq!(tee["price"]["amount"], expected);
    }
    println!("{edits} of 12 edits came first");
}

#[tokio::test]
async fn who_opens_what_was_edited_since_it_was_read_is_told_so() {
    let desk = Desk::shared().await;
    let id = desk.draft("overtaken").await;
    let mut edit = desk.books.begin().await.unwrap();
    sqlx::query("select 1 from sales where sale_id = ? for update")
        .bind(&id)
        .execute(&mut *edit)
        .await
        .unwrap();
    let opening = format!("{}/open", path(&id));
    let edited = async {
        // Whoever opens has read the draft by then, and waits for its row; nobody else waits for so long.
        eventually(async || {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from information_schema.processlist where time >= 1 and info like '%lock_published%from sales%' and info not like '%processlist%'",
            )
            .fetch_one(&desk.books)
            .await
            .unwrap();
            (waiting > 0).then_some(())
        })
        .await;
        for statement in [
            "update sale_items set stock = 7 where sale_id = ?",
            "insert into sale_edits (sale_id, version, edited_at) values (?, 2, utc_timestamp(3))",
        ] {
            sqlx::query(statement)
                .bind(&id)
                .execute(&mut *edit)
                .await
                .unwrap();
        }
        edit.commit().await.unwrap();
    };
    let (opened, ()) = tokio::join!(desk.post(&opening), edited);
    assert_eq!(opened.refusal(), (409, "version_conflict"));
    let opened = desk.post(&opening).await.ok(200);
    assert_eq!(opened["items"][0]["live"]["stocked"], 7);
}

#[tokio::test]
async fn a_schedule_moves_with_the_opening_time() {
    let desk = Desk::shared().await;
    let id = desk.draft("put-off").await;
    desk.edit(&path(&id), &revised(1)).await.ok(200);
    let scheduled = desk
        .put(&format!("{}/schedule", path(&id)), &json!({}))
        .await
        .ok(200);
    assert_eq!(
        scheduled["schedule"]["publish_at"],
        "2997-12-31T23:50:00.000Z"
    );
    let mut later = revised(2);
    later["opens_at"] = json!("2998-03-01T12:00:00Z");
    let edited = desk.edit(&path(&id), &later).await.ok(200);
    assert_eq!(edited["schedule"]["publish_at"], "2998-03-01T11:50:00.000Z");
    let audit = desk.audit(&format!("sale:{id}")).await;
    let last = audit.last().unwrap();
    assert_eq!(
        (&last.2["publish_at"], &last.3["publish_at"]),
        (
            &json!("2997-12-31T23:50:00.000Z"),
            &json!("2998-03-01T11:50:00.000Z")
        )
    );

    // Scheduled for after its opening, it cannot be made to close before that.
    let at = json!({"publish_at": "2998-06-01T00:00:00Z"});
    desk.put(&format!("{}/schedule", path(&id)), &at)
        .await
        .ok(200);
    later["version"] = json!(3);
    later["closes_at"] = json!("2998-05-01T00:00:00Z");
    let answer = desk.edit(&path(&id), &later).await;
    assert_eq!(pointers(&answer), ["/closes_at"]);
    let after = desk.get(&path(&id)).await.ok(200);
    assert_eq!(after["schedule"]["publish_at"], "2998-06-01T00:00:00.000Z");
}
