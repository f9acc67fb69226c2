//! Mails leave when they can: a server that is away costs time, never a mail, and what is over is not told any more.

use doorbuster_stage::{Stage, StageOptions};

use crate::http::Call;
use crate::people::{Person, mails_to};
use crate::stage::{Desk, eventually};

#[tokio::test]
async fn a_mail_waits_for_its_server_goes_once_and_is_dead_when_it_tells_of_what_is_over() {
    let stage = Stage::start(&StageOptions::whole(0).with_mail()).unwrap();
    let desk = Desk::on(&stage).await;
    stage.mail().kill9().unwrap();
    let (ann, late) = (Person::new("ann"), Person::new("late"));
    for person in [&ann, &late] {
        person.sign_up(&desk).await.ok(202);
    }
    let waiting = async |email: &str| -> Option<(String, u32, Option<String>)> {
        sqlx::query_as("select state, tries, error from mails where recipient = ?")
            .bind(email)
            .fetch_optional(&desk.books)
            .await
            .unwrap()
    };
    eventually(async || {
        let (state, tries, error) = waiting(&ann.email).await?;
        (tries > 0).then(|| {
            assert_eq!(
                (state.as_str(), error.as_deref()),
                ("waiting", Some("unreachable"))
            )
        })
    })
    .await;
    desk.sql(
        "update mails set expires_at = '2020-01-01' where recipient = ?",
        &late.email,
    )
    .await;
    stage.mail().start().unwrap();
    sqlx::query("update mails set next_try_at = utc_timestamp(3)")
        .execute(&desk.books)
        .await
        .unwrap();
    let token = ann.token_from_mail(&desk, "/account/confirm").await;
    assert!(!token.is_empty());
    eventually(async || waiting(&ann.email).await.is_none().then_some(())).await;
    let mails = mails_to(&desk, &ann.email);
    assert_eq!(mails.len(), 1);
    for header in [
        "Message-ID: <",
        "From: Doorbuster <no-reply@localhost>",
        "Date: ",
    ] {
        assert!(mails[0].headers.contains(header), "{mails:?}");
    }
    let (state, _, error) =
        eventually(async || waiting(&late.email).await.filter(|row| row.0 == "dead")).await;
    assert_eq!(
        (state.as_str(), error.as_deref()),
        ("dead", Some("expired"))
    );
    assert!(mails_to(&desk, &late.email).is_empty());
    let metrics = Call::new(stage.backoffice(0).url(), "GET", "/metrics")
        .send()
        .await
        .text;
    for line in [
        "doorbuster_backoffice_mails_total{outcome=\"sent\"} 1",
        "doorbuster_backoffice_mails_total{outcome=\"dead\"} 1",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[tokio::test]
async fn a_back_office_without_a_server_keeps_its_mails_and_the_next_one_sends_them() {
    let stage = Stage::start(&StageOptions::whole(0)).unwrap();
    let desk = Desk::on(&stage).await;
    Person::new("ann").sign_up(&desk).await.ok(202);
    let (waiting,): (i64,) =
        sqlx::query_as("select count(*) from mails where state = 'waiting' and tries = 0")
            .fetch_one(&desk.books)
            .await
            .unwrap();
    assert_eq!(waiting, 1);
    assert!(
        stage
            .backoffice(0)
            .log_tail(50)
            .contains("SMTP_URL is not set")
    );
}
