//! What a user says of himself and where he wants things sent: his alone.

use serde_json::{Value, json};

use crate::http::Answer;
use crate::people::{Person, Session};
use crate::stage::Desk;

async fn ask(desk: &Desk<'_>, session: &Session, method: &str, path: &str, body: &Value) -> Answer {
    let call = desk.call(method, path).token(&session.access);
    match body {
        Value::Null => call.send().await,
        body => call.json(body).send().await,
    }
}

fn address(line1: &str) -> Value {
    json!({"recipient": "Ann Lee", "phone": "+82-10-1234-5678", "country": "KR", "postal_code": "04524", "line1": line1})
}

#[tokio::test]
async fn addresses_are_added_replaced_and_removed_and_one_is_the_default() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let session = ann.sign_in(&desk).await;
    let mine = "/v1/me/addresses";
    let first = ask(&desk, &session, "POST", mine, &address("세종대로 110")).await;
    let at = first.header("location").to_owned();
    let first = first.ok(201);
    assert_eq!(
        (&first["is_default"], &first["line2"]),
        (&json!(true), &json!(""))
    );
    assert_eq!(at, format!("{mine}/{}", first["id"].as_str().unwrap()));
    let mut other = address("태평로 1");
    other["is_default"] = json!(true);
    let second = ask(&desk, &session, "POST", mine, &other).await.ok(201);
    let list = ask(&desk, &session, "GET", mine, &Value::Null)
        .await
        .ok(200);
    let lines: Vec<(&Value, &Value)> = list["addresses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["line1"], &one["is_default"]))
        .collect();
    assert_eq!(
        lines,
        [
            (&json!("태평로 1"), &json!(true)),
            (&json!("세종대로 110"), &json!(false))
        ]
    );

    let second_at = format!("{mine}/{}", second["id"].as_str().unwrap());
    let replaced = ask(&desk, &session, "PUT", &second_at, &address("을지로 5"))
        .await
        .ok(200);
    assert_eq!(
        (&replaced["line1"], &replaced["is_default"]),
        (&json!("을지로 5"), &json!(true)),
        "one must be the default"
    );
    ask(&desk, &session, "DELETE", &second_at, &Value::Null)
        .await
        .ok(204);
    let gone = ask(&desk, &session, "DELETE", &second_at, &Value::Null).await;
    assert_eq!(gone.refusal(), (404, "unknown_address"));
    let list = ask(&desk, &session, "GET", mine, &Value::Null)
        .await
        .ok(200);
    assert_eq!(list["addresses"][0]["is_default"], true);
}

#[tokio::test]
async fn anothers_address_is_not_there_and_twenty_are_enough() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let (eve, _) = Person::with_account(&desk, "eve").await;
    let (ann, eve) = (ann.sign_in(&desk).await, eve.sign_in(&desk).await);
    let mine = "/v1/me/addresses";
    let first = ask(&desk, &ann, "POST", mine, &address("세종대로 110"))
        .await
        .ok(201);
    let at = format!("{mine}/{}", first["id"].as_str().unwrap());
    for (method, body) in [("PUT", address("stolen")), ("DELETE", Value::Null)] {
        let answer = ask(&desk, &eve, method, &at, &body).await;
        assert_eq!(answer.refusal(), (404, "unknown_address"), "{method}");
    }
    let list = ask(&desk, &eve, "GET", mine, &Value::Null).await.ok(200);
    assert_eq!(list, json!({"addresses": []}));
    for _ in 1..20 {
        ask(&desk, &ann, "POST", mine, &address("more"))
            .await
            .ok(201);
    }
    let one_more = ask(&desk, &ann, "POST", mine, &address("more")).await;
    assert_eq!(one_more.refusal(), (409, "too_many_addresses"));
    let (defaults,): (i64,) =
        sqlx::query_as("select count(*) from addresses where user_id = ? and is_default")
            .bind(&id)
            .fetch_one(&desk.books)
            .await
            .unwrap();
    assert_eq!(defaults, 1);
    let bad = json!({"recipient": "", "phone": "x", "country": "kr", "postal_code": "!", "line1": "\u{7}", "owner": 1});
    let answer = ask(&desk, &ann, "POST", mine, &bad).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
}

#[tokio::test]
async fn a_profile_changes_where_it_is_told_to_and_nowhere_else() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let session = ann.sign_in(&desk).await;
    let before = ask(&desk, &session, "GET", "/v1/me", &Value::Null)
        .await
        .ok(200);
    let changes = json!({"phone": "010 1234 5678", "language": "ko"});
    let after = ask(&desk, &session, "PATCH", "/v1/me", &changes)
        .await
        .ok(200);
    let mut expected = before.clone();
    (expected["phone"], expected["language"]) = (json!("010 1234 5678"), json!("ko"));
    assert_eq!(after, expected);
    let none = ask(&desk, &session, "PATCH", "/v1/me", &json!({"phone": ""}))
        .await
        .ok(200);
    assert_eq!(none["phone"], Value::Null);
    for bad in [
        json!({"role": "admin"}),
        json!({"state": "active"}),
        json!({"email": "other@shop.example"}),
        json!({"name": ""}),
        json!({"phone": "<script>"}),
        json!({"language": "fr"}),
    ] {
        let answer = ask(&desk, &session, "PATCH", "/v1/me", &bad).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{bad}");
    }
}
