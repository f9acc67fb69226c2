//! Mails that could not be sent: staff sees them and why, and sends them after all.

use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::people::{Person, mails_to};
use crate::stage::{Desk, eventually};

const DEAD: &str = "/admin/v1/dead-mails";

/// The mail to this address among the dead.
async fn dead(desk: &Desk<'_>, email: &str) -> Option<Value> {
    let page = desk.get(DEAD).await.ok(200);
    let mails = page["mails"].as_array().unwrap();
    mails
        .iter()
        .find(|mail| mail["recipient"] == email)
        .cloned()
}

#[tokio::test]
async fn a_dead_mail_says_why_and_is_sent_after_all_unless_it_is_over() {
    let stage = Stage::start(&StageOptions::whole(0).with_mail()).unwrap();
    let desk = Desk::on(&stage).await;
    stage.mail().kill9().unwrap();
    let (ann, late) = (Person::new("ann"), Person::new("late"));
    for (person, written) in [(&ann, 1), (&late, 2)] {
        person.sign_up(&desk).await.ok(202);
        let count = async || -> i64 {
            let count = sqlx::query_scalar("select count(*) from mails");
            count.fetch_one(&desk.books).await.unwrap()
        };
        eventually(async || (count().await == written).then_some(())).await;
    }
    sqlx::query("update mails set tries = 11, next_try_at = utc_timestamp(3)")
        .execute(&desk.books)
        .await
        .unwrap();
    let mail = eventually(async || dead(&desk, &ann.email).await).await;
    let said = ["kind", "error", "tries"].map(|member| mail[member].clone());
    assert_eq!(
        said,
        [json!("confirm_email"), json!("unreachable"), json!(12)]
    );
    let late_mail = eventually(async || dead(&desk, &late.email).await).await;
    desk.sql(
        "update mails set expires_at = '2020-01-01' where recipient = ?",
        &late.email,
    )
    .await;

    let first = desk.get(&format!("{DEAD}?limit=1")).await.ok(200);
    assert_eq!(first["mails"], json!([dead(&desk, &late.email).await]));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = desk.get(&format!("{DEAD}?limit=1&cursor={cursor}")).await;
    let second = second.ok(200);
    assert_eq!(second["mails"], json!([mail]));
    assert_eq!(second["next_cursor"], Value::Null);
    for bad in ["limit=0", "limit=101", "cursor=x", "x=1"] {
        let answer = desk.get(&format!("{DEAD}?{bad}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{bad}");
    }

    stage.mail().start().unwrap();
    let retry = async |mail: &Value| {
        let id = mail["id"].as_str().unwrap();
        desk.post(&format!("{DEAD}/{id}/retry")).await
    };
    assert_eq!(retry(&late_mail).await.refusal(), (409, "mail_expired"));
    assert_eq!(retry(&mail).await.ok(200)["outcome"], "waiting");
    let token = ann.token_from_mail(&desk, "/account/confirm").await;
    ann.confirm(&desk, &token).await.ok(201);
    eventually(async || (retry(&mail).await.status == 404).then_some(())).await;
    assert_eq!(retry(&mail).await.refusal(), (404, "unknown_mail"));
    assert_eq!(mails_to(&desk, &ann.email).len(), 1);
    assert!(mails_to(&desk, &late.email).is_empty());

    let subject = format!("mail:{}", mail["id"].as_str().unwrap());
    let audit = desk.audit(&subject).await;
    assert_eq!(audit.len(), 1, "{audit:?}");
    assert_eq!(
        (audit[0].0.as_str(), audit[0].1.as_str()),
        ("olga", "mail.retry")
    );
    assert!(!format!("{audit:?}").contains(&ann.email));
}
