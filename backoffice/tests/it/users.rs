//! What staff does about people: roles, deactivation, erasure; who may, and what is left afterwards.

use doorbuster_core::claims::Role;
use serde_json::{Value, json};

use crate::http::Answer;
use crate::people::{Person, Session};
use crate::stage::{Desk, eventually};

async fn as_role(desk: &Desk<'_>, role: Role, method: &str, path: &str, body: &Value) -> Answer {
    let call = desk.call(method, path).token(&desk.token("staff", role));
    match body {
        Value::Null => call.send().await,
        body => call.json(body).send().await,
    }
}

fn reason() -> Value {
    json!({"reason": "case 4711"})
}

#[tokio::test]
async fn users_are_found_by_address_role_and_page() {
    let desk = Desk::shared().await;
    let mut ids = Vec::new();
    let (ann, id) = Person::with_account(&desk, "ann").await;
    ids.push(id);
    for _ in 0..2 {
        ids.push(Person::with_account(&desk, "bob").await.1);
    }
    let by_email = format!("/admin/v1/users?email={}", ann.email);
    let found = desk.get(&by_email).await.ok(200);
    assert_eq!(
        (
            &found["users"][0]["id"],
            found["users"].as_array().unwrap().len()
        ),
        (&json!(ids[0]), 1)
    );
    assert_eq!(
        desk.get(&format!("/admin/v1/users/{}", ids[0]))
            .await
            .ok(200),
        found["users"][0]
    );

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    while !ids.iter().all(|id| seen.contains(id)) {
        let path = format!("/admin/v1/users?role=buyer&state=active&limit=2{cursor}");
        let page = desk.get(&path).await.ok(200);
        seen.extend(
            page["users"]
                .as_array()
                .unwrap()
                .iter()
                .map(|u| u["id"].as_str().unwrap().to_owned()),
        );
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or("end"));
    }
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), seen.len(), "each on one page");
    for bad in [
        "limit=0",
        "limit=101",
        "cursor=x",
        "role=king",
        "state=x",
        "email=x",
        "page=2",
    ] {
        let answer = desk.get(&format!("/admin/v1/users?{bad}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{bad}");
    }
    assert_eq!(
        desk.get("/admin/v1/users/nobody").await.refusal(),
        (404, "unknown_user")
    );
}

#[tokio::test]
async fn a_role_is_given_by_admins_and_tokens_with_the_old_one_end() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let before = ann.sign_in(&desk).await;
    let path = format!("/admin/v1/users/{id}/role");
    let operator = json!({"role": "operator"});
    let given = as_role(&desk, Role::Admin, "POST", &path, &operator)
        .await
        .ok(200);
    assert_eq!(given["role"], "operator");
    assert!(!before.is_let_in(&desk).await);
    assert_eq!(
        ann.refresh(&desk, &before.refresh).await.refusal(),
        (401, "session_ended")
    );
    let after = ann.sign_in(&desk).await;
    let call = desk
        .call("GET", "/admin/v1/users?limit=1")
        .token(&after.access);
    call.send().await.ok(200);
    as_role(&desk, Role::Admin, "POST", &path, &operator)
        .await
        .ok(200);
    assert!(
        after.is_let_in(&desk).await,
        "what he has already is no change"
    );
    let audit = desk.audit(&format!("user:{id}")).await;
    let roles: Vec<_> = audit
        .iter()
        .filter(|(_, action, ..)| action == "user.role")
        .collect();
    assert_eq!(roles.len(), 1);
    assert_eq!(
        (&roles[0].2["role"], &roles[0].3["role"]),
        (&json!("buyer"), &json!("operator"))
    );

    for verb in ["deactivate", "reactivate", "log-out"] {
        let path = format!("/admin/v1/users/{id}/{verb}");
        let answer = as_role(&desk, Role::Operator, "POST", &path, &reason()).await;
        assert_eq!(
            answer.refusal(),
            (403, "forbidden"),
            "operators deal with buyers: {verb}"
        );
    }
}

#[tokio::test]
async fn the_last_active_admin_stays_one() {
    // On a stage of its own: other tests make admins too.
    let stage =
        doorbuster_stage::Stage::start(&doorbuster_stage::StageOptions::whole(0).with_mail())
            .unwrap();
    let desk = Desk::on(&stage).await;
    let (_, first) = Person::with_account(&desk, "first").await;
    let (_, second) = Person::with_account(&desk, "second").await;
    let admin = json!({"role": "admin"});
    for id in [&first, &second] {
        as_role(
            &desk,
            Role::Admin,
            "POST",
            &format!("/admin/v1/users/{id}/role"),
            &admin,
        )
        .await
        .ok(200);
    }
    // Both leave at once: one of them has to stay.
    let leave = async |id: &str| {
        let path = format!("/admin/v1/users/{id}/deactivate");
        as_role(&desk, Role::Admin, "POST", &path, &reason()).await
    };
    let (one, two) = tokio::join!(leave(&first), leave(&second));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let last = if one.status == 409 { &first } else { &second };
    for (verb, body) in [
        ("role", json!({"role": "buyer"})),
        ("erase", reason()),
        ("deactivate", reason()),
    ] {
        let path = format!("/admin/v1/users/{last}/{verb}");
        let answer = as_role(&desk, Role::Admin, "POST", &path, &body).await;
        assert_eq!(answer.refusal(), (409, "last_admin"), "{verb}");
    }
}

#[tokio::test]
async fn a_deactivated_user_is_out_within_a_second_and_comes_back_when_staff_says_so() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let session = ann.sign_in(&desk).await;
    assert!(session.is_let_in_by_engine(&desk).await);
    let path = format!("/admin/v1/users/{id}");
    let deactivated = desk
        .put(&format!("{path}/deactivate"), &reason())
        .await
        .ok(200);
    assert_eq!(deactivated["state"], "deactivated");
    let began = doorbuster_core::clock::instant();
    eventually(async || (!session.is_let_in_by_engine(&desk).await).then_some(())).await;
    assert!(began.elapsed().as_secs_f64() < 1.0);
    assert!(!session.is_let_in(&desk).await);
    assert_eq!(
        ann.try_sign_in(&desk).await.refusal(),
        (401, "wrong_credentials")
    );
    assert_eq!(
        ann.refresh(&desk, &session.refresh).await.refusal(),
        (401, "session_ended")
    );
    let empty = desk
        .put(&format!("{path}/reactivate"), &json!({"reason": " "}))
        .await;
    assert_eq!(empty.refusal(), (400, "invalid_request"));
    desk.put(&format!("{path}/reactivate"), &reason())
        .await
        .ok(200);
    assert!(ann.sign_in(&desk).await.is_let_in(&desk).await);
    let audit = desk.audit(&format!("user:{id}")).await;
    let actions: Vec<&str> = audit
        .iter()
        .map(|(_, action, ..)| action.as_str())
        .collect();
    assert_eq!(
        actions,
        ["user.create", "user.deactivate", "user.reactivate"]
    );
    assert_eq!(audit[1].3["reason"], "case 4711");
}

/// Tables that still have `text` in some column.
async fn tables_with(desk: &Desk<'_>, text: &str) -> Vec<String> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select table_name, column_name from information_schema.columns
        where table_schema = database() and data_type in ('varchar', 'char', 'text', 'longtext', 'json')",
    )
    .fetch_all(&desk.books)
    .await
    .unwrap();
    let mut found = Vec::new();
    for (table, column) in columns {
        let statement = format!("select count(*) from `{table}` where instr(`{column}`, ?) > 0");
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(text)
            .fetch_one(&desk.books)
            .await
            .unwrap();
        if count > 0 {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

#[tokio::test]
async fn erasure_leaves_the_books_and_nothing_that_tells_who_it_was() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "erased").await;
    let session: Session = ann.sign_in(&desk).await;
    let mark = "Hallmark-Street-77";
    let address = json!({"recipient": "Ann Lee", "phone": "+82-10-9999-0000", "country": "KR", "postal_code": "04524", "line1": mark});
    let call = desk.call("POST", "/v1/me/addresses").token(&session.access);
    call.json(&address).send().await.ok(201);
    let sale = desk.selling("books").await;
    let call = crate::http::Call::new(
        desk.stage.engine(0).url(),
        "POST",
        &format!("/v1/sales/{sale}/reservations"),
    );
    let call = call.token(&session.access).header("idempotency-key", "k");
    let held = call
        .json(&json!({"items": [{"sku": "tee", "quantity": 1}]}))
        .send()
        .await
        .ok(201);
    desk.written_back(&format!("/admin/v1/sales/{sale}")).await;
    // A sign-up with the same address, and a mail that waits.
    ann.sign_up(&desk).await.ok(202);
    assert!(
        tables_with(&desk, &ann.email)
            .await
            .contains(&"users.email".to_owned())
    );

    let erase = async |password: &str| {
        let call = ann
            .call(&desk, "POST", "/v1/me/erase")
            .token(&session.access);
        call.json(&json!({"password": password})).send().await
    };
    assert_eq!(
        erase("wrong horse battery").await.refusal(),
        (401, "wrong_credentials")
    );
    erase(&ann.password).await.ok(204);
    for text in [ann.email.as_str(), mark, "+82-10-9999-0000"] {
        assert_eq!(
            tables_with(&desk, text).await,
            Vec::<String>::new(),
            "{text}"
        );
    }
    let left = desk.get(&format!("/admin/v1/users/{id}")).await.ok(200);
    assert_eq!(
        (&left["state"], &left["email"], &left["name"]),
        (&json!("erased"), &Value::Null, &json!(""))
    );
    assert!(!session.is_let_in(&desk).await);
    assert_eq!(
        ann.try_sign_in(&desk).await.refusal(),
        (401, "wrong_credentials")
    );
    let (owner,): (String,) =
        sqlx::query_as("select user_id from reservations where sale_id = ? and id = ?")
            .bind(&sale)
            .bind(uuid::Uuid::parse_str(held["id"].as_str().unwrap()).unwrap())
            .fetch_one(&desk.books)
            .await
            .unwrap();
    assert_eq!(owner, id, "the books keep the purchase");
    erased_for_good(&desk, &id).await;
}

async fn erased_for_good(desk: &Desk<'_>, id: &str) {
    for (verb, body) in [("reactivate", reason()), ("role", json!({"role": "admin"}))] {
        let path = format!("/admin/v1/users/{id}/{verb}");
        let answer = as_role(desk, Role::Admin, "POST", &path, &body).await;
        assert_eq!(
            answer.refusal(),
            (409, "not_active"),
            "{verb}: erasure is for good"
        );
    }
}
