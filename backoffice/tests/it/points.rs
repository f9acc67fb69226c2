//! Points: every balance is the sum of its entries, whoever moves it and however many at once.

use std::time::Duration;

use doorbuster_core::claims::Role;
use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::{Answer, Call};
use crate::stage::{Desk, eventually, name};

/// A request that can be sent from a task of its own.
fn adjust(desk: &Desk<'_>, user: &str, key: &str, by: i64) -> Call {
    desk.call("POST", &format!("/admin/v1/users/{user}/points/adjust"))
        .token(&desk.token("fay", Role::Finance))
        .header("idempotency-key", key)
        .json(&json!({"currency": "KRW", "by": by, "reason": "a test"}))
}

async fn points(desk: &Desk<'_>, user: &str) -> Value {
    let call = desk.call("GET", "/v1/me/points?currency=KRW&limit=100");
    call.token(&desk.token(user, Role::Buyer))
        .send()
        .await
        .ok(200)
}

async fn all(calls: Vec<Call>) -> Vec<Answer> {
    let mut under_way = JoinSet::new();
    for call in calls {
        under_way.spawn(call.send());
    }
    under_way.join_all().await
}

/// Balance, version, sum and count, as the books have them.
async fn books(desk: &Desk<'_>, user: &str) -> (i64, u32, i64, i64) {
    sqlx::query_as(
        "select a.balance, a.version, cast(sum(e.amount) as signed), count(*) from points_accounts a
        join points_entries e on e.user_id = a.user_id and e.currency = a.currency where a.user_id = ? group by a.balance, a.version",
    )
    .bind(user)
    .fetch_one(&desk.books)
    .await
    .unwrap()
}

#[tokio::test]
async fn two_hundred_at_once_spend_exactly_what_there_is() {
    let desk = Desk::shared().await;
    let user = name("spender");
    adjust(&desk, &user, "gift", 700).send().await.ok(200);
    let calls = (0..200).map(|i| adjust(&desk, &user, &format!("spend-{i}"), -10));
    let answers = all(calls.collect()).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    let short = answers
        .iter()
        .filter(|answer| answer.status == 409 && answer.code() == "insufficient_points");
    assert_eq!((done, short.count()), (70, 130));
    assert_eq!(books(&desk, &user).await, (0, 71, 0, 71));
    // Whoever was refused is refused again, and who was not has spent once.
    let calls = (0..200).map(|i| adjust(&desk, &user, &format!("spend-{i}"), -10));
    let again = all(calls.collect()).await;
    assert_eq!(
        again.iter().filter(|answer| answer.status == 200).count(),
        70
    );
    assert_eq!(books(&desk, &user).await, (0, 71, 0, 71));
}

#[tokio::test]
async fn one_key_moves_points_once_and_means_one_thing() {
    let desk = Desk::shared().await;
    let user = name("keyed");
    let calls = (0..50).map(|_| adjust(&desk, &user, "gift", 5));
    for answer in all(calls.collect()).await {
        assert_eq!(answer.ok(200)["balance"], 5);
    }
    assert_eq!(books(&desk, &user).await, (5, 1, 5, 1));
    let other = adjust(&desk, &user, "gift", 6).send().await;
    assert_eq!(other.refusal(), (422, "idempotency_mismatch"));
    let entry = &points(&desk, &user).await["entries"][0];
    assert_eq!(
        (&entry["kind"], &entry["amount"], &entry["reason"]),
        (&json!("adjust"), &json!(5), &json!("a test"))
    );
    let audit = desk.audit(&format!("user:{user}")).await;
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0].3["balance"], 5);
}

#[tokio::test]
async fn pages_of_entries_follow_one_another() {
    let desk = Desk::shared().await;
    let user = name("pages");
    for i in 1..=5 {
        let key = format!("gift-{i}");
        adjust(&desk, &user, &key, i).send().await.ok(200);
    }
    let page = async |cursor: &str| {
        let path = format!("/admin/v1/users/{user}/points?currency=KRW&limit=2{cursor}");
        desk.get(&path).await.ok(200)
    };
    let (first, mut seen) = (page("").await, Vec::new());
    assert_eq!(first["balance"], 15);
    let mut at = first;
    loop {
        let entries = at["entries"].as_array().unwrap().iter();
        seen.extend(entries.map(|entry| entry["amount"].as_i64().unwrap()));
        let Some(cursor) = at["next_cursor"].as_str() else {
            break;
        };
        at = page(&format!("&cursor={cursor}")).await;
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    for bad in [
        "currency=won",
        "currency=KRW&limit=0",
        "currency=KRW&cursor=x",
    ] {
        let path = format!("/admin/v1/users/{user}/points?{bad}");
        assert_eq!(desk.get(&path).await.refusal(), (400, "invalid_request"));
    }
}

#[tokio::test]
async fn what_has_expired_is_lost_once_and_what_no_entry_explains_is_an_alarm() {
    // Of its own, because its back-office is started again.
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let (user, odd) = (name("late"), name("odd"));
    adjust(&desk, &odd, "gift", 40).send().await.ok(200);
    desk.sql(
        "update points_accounts set balance = 41 where user_id = ?",
        &odd,
    )
    .await;
    adjust(&desk, &user, "gift", 40).send().await.ok(200);
    // Earned long ago, as the books would have it.
    for (version, amount, balance) in [(2, 100, 140), (3, 60, 200)] {
        let ends = if version == 2 {
            "2001-01-01"
        } else {
            "2999-01-01"
        };
        sqlx::query("insert into points_entries (user_id, currency, version, kind, amount, balance, cause, expires_at, at) values (?, 'KRW', ?, 'earn', ?, ?, ?, ?, now(3))")
            .bind(&user).bind(version).bind(amount).bind(balance).bind(format!("earn:{user}:{version}")).bind(ends)
            .execute(&desk.books).await.unwrap();
    }
    sqlx::query("update points_accounts set balance = 200, version = 3 where user_id = ?")
        .bind(&user)
        .execute(&desk.books)
        .await
        .unwrap();
    adjust(&desk, &user, "spent", -30).send().await.ok(200);
    desk.sql(
        "update points_accounts set next_expiry_at = '2001-01-01' where user_id = ?",
        &user,
    )
    .await;
    // A back-office that starts looks at once.
    assert!(
        stage
            .backoffice(0)
            .terminate(Duration::from_secs(10))
            .unwrap()
            .success()
    );
    stage.backoffice(0).restart().unwrap();
    let entry = eventually(async || {
        let entries = points(&desk, &user).await["entries"].clone();
        Some(entries[0].clone()).filter(|entry| entry["kind"] == "expire")
    })
    .await;
    assert_eq!(
        (&entry["amount"], &entry["balance"]),
        (&json!(-70), &json!(100))
    );
    assert_eq!(books(&desk, &user).await, (100, 5, 100, 5));
    let next: String = sqlx::query_scalar(
        "select cast(next_expiry_at as char) from points_accounts where user_id = ?",
    )
    .bind(&user)
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert!(next.starts_with("2999-01-01"), "{next}");
    let differing = async || {
        let metrics = desk.call("GET", "/metrics").send().await.text;
        let mut lines = metrics.lines();
        let name = "doorbuster_backoffice_points_accounts_differing ";
        lines.find_map(|line| line.strip_prefix(name)?.parse::<f64>().ok())
    };
    eventually(async || differing().await.filter(|accounts| *accounts == 1.0)).await;
}
