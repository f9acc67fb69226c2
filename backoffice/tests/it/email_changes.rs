//! Another address for an account: the password asks, the new mailbox confirms, the old one is told, and nobody learns who has an account.

use doorbuster_core::claims::Role;
use serde_json::json;

use crate::http::Answer;
use crate::people::{Person, Session, mails_to};
use crate::stage::{Desk, eventually, name};

const PAGE: &str = "/account/email";
const CONFIRM: &str = "/v1/email-changes/confirm";

async fn ask(desk: &Desk<'_>, person: &Person, session: &Session, email: &str) -> Answer {
    let call = person.call(desk, "POST", "/v1/me/email");
    let body = json!({"email": email, "current_password": person.password});
    call.token(&session.access).json(&body).send().await
}

/// The same person, reached under another address.
fn moved(person: &Person) -> Person {
    Person {
        email: format!("{}@elsewhere.example", name("new")),
        ..person.clone()
    }
}

#[tokio::test]
async fn an_address_is_changed_by_the_link_in_the_new_mailbox_once_and_the_old_one_is_told() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let session = ann.sign_in(&desk).await;
    let new = moved(&ann);
    let asked = ask(&desk, &ann, &session, &new.email.to_uppercase()).await;
    assert_eq!(asked.ok(202), json!({"status": "check_your_mail"}));
    let token = new.token_from_mail(&desk, PAGE).await;
    for _ in 0..2 {
        let path = format!("{PAGE}?token={token}");
        let page = ann.call(&desk, "GET", &path).send().await;
        assert!(page.text.contains("<form"), "{page:?}");
    }
    assert_eq!(
        new.try_sign_in(&desk).await.refusal(),
        (401, "wrong_credentials")
    );

    let body = json!({"token": token});
    ann.post(&desk, CONFIRM, &body).await.ok(204);
    let again = ann.post(&desk, CONFIRM, &body).await;
    assert_eq!(again.refusal(), (400, "invalid_link"));
    let me = desk
        .call("GET", "/v1/me")
        .token(&session.access)
        .send()
        .await;
    assert_eq!(me.ok(200)["email"], new.email);
    new.sign_in(&desk).await;
    assert_eq!(
        ann.try_sign_in(&desk).await.refusal(),
        (401, "wrong_credentials")
    );
    eventually(async || {
        let mails = mails_to(&desk, &ann.email);
        let told = |body: &str| body.contains("has another e-mail address now");
        mails.iter().any(|mail| told(&mail.body)).then_some(())
    })
    .await;
    let audit = desk.audit(&format!("user:{id}")).await;
    assert!(
        audit
            .iter()
            .any(|(actor, action, ..)| *actor == id && action == "user.email")
    );
    assert!(!format!("{audit:?}").contains('@'), "{audit:?}");
}

#[tokio::test]
async fn an_address_that_has_an_account_is_answered_alike_and_stays_its_owners() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let (bob, _) = Person::with_account(&desk, "bob").await;
    let session = ann.sign_in(&desk).await;
    let free = ask(&desk, &ann, &session, &moved(&ann).email).await;
    let taken = ask(&desk, &ann, &session, &bob.email).await;
    assert_eq!((free.status, free.json), (taken.status, taken.json));
    eventually(async || {
        let mails = mails_to(&desk, &bob.email);
        let told = |body: &str| body.contains("wants this address for another account");
        mails.iter().any(|mail| told(&mail.body)).then_some(())
    })
    .await;
    assert!(
        mails_to(&desk, &bob.email)
            .iter()
            .all(|mail| !mail.body.contains(PAGE))
    );

    // Two who want one address: who confirms first has it.
    let (carl, _) = Person::with_account(&desk, "carl").await;
    let carls = carl.sign_in(&desk).await;
    let wanted = moved(&ann);
    ask(&desk, &ann, &session, &wanted.email).await.ok(202);
    let anns_token = wanted.token_from_mail(&desk, PAGE).await;
    ask(&desk, &carl, &carls, &wanted.email).await.ok(202);
    let carls_token = eventually(async || {
        let token = wanted.token_from_mail(&desk, PAGE).await;
        (token != anns_token).then_some(token)
    })
    .await;
    let carls_token = json!({"token": carls_token});
    carl.post(&desk, CONFIRM, &carls_token).await.ok(204);
    let late = ann
        .post(&desk, CONFIRM, &json!({"token": anns_token}))
        .await;
    assert_eq!(late.refusal(), (400, "invalid_link"));
    ann.sign_in(&desk).await;
}

#[tokio::test]
async fn it_takes_the_password_and_another_address_and_a_new_password_makes_the_link_void() {
    let desk = Desk::shared().await;
    let (mut ann, _) = Person::with_account(&desk, "ann").await;
    let session = ann.sign_in(&desk).await;
    let new = moved(&ann);
    let wrong = Person {
        password: "wrong horse battery".to_owned(),
        ..ann.clone()
    };
    let answer = ask(&desk, &wrong, &session, &new.email).await;
    assert_eq!(answer.refusal(), (401, "wrong_credentials"));
    for bad in [ann.email.as_str(), "nobody", ""] {
        let answer = ask(&desk, &ann, &session, bad).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"));
        assert_eq!(answer.json["errors"][0]["pointer"], "/email", "{bad}");
    }
    ask(&desk, &ann, &session, &new.email).await.ok(202);
    let token = new.token_from_mail(&desk, PAGE).await;

    let body = json!({"current_password": ann.password, "new_password": "a new horse battery"});
    let call = ann.call(&desk, "PUT", "/v1/me/password");
    call.token(&session.access).json(&body).send().await.ok(200);
    ann.password = "a new horse battery".to_owned();
    let void = ann.post(&desk, CONFIRM, &json!({"token": token})).await;
    assert_eq!(void.refusal(), (400, "invalid_link"));
    let call = ann.call(&desk, "POST", PAGE);
    let page = call
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={token}"))
        .send()
        .await;
    assert!(page.text.contains("no longer good"), "{page:?}");

    // Erasure takes what was wanted along.
    let session = ann.sign_in(&desk).await;
    ask(&desk, &ann, &session, &new.email).await.ok(202);
    let call = ann
        .call(&desk, "POST", "/v1/me/erase")
        .token(&session.access);
    call.json(&json!({"password": ann.password}))
        .send()
        .await
        .ok(204);
    let left: Option<String> = sqlx::query_scalar(
        "select email from email_changes where email = ?
        union all select recipient from mails where recipient = ?",
    )
    .bind(&new.email)
    .bind(&new.email)
    .fetch_optional(&desk.books)
    .await
    .unwrap();
    assert_eq!(left, None);
}

#[tokio::test]
async fn deactivation_makes_the_link_void_also_where_the_account_is_given_back() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let session = ann.sign_in(&desk).await;
    let new = moved(&ann);
    ask(&desk, &ann, &session, &new.email).await.ok(202);
    let token = new.token_from_mail(&desk, PAGE).await;
    for verb in ["deactivate", "reactivate"] {
        let path = format!("/admin/v1/users/{id}/{verb}");
        let call = desk
            .call("POST", &path)
            .token(&desk.token("staff", Role::Admin));
        let reason = json!({"reason": "case 4711"});
        call.json(&reason).send().await.ok(200);
    }
    let void = ann.post(&desk, CONFIRM, &json!({"token": token})).await;
    assert_eq!(void.refusal(), (400, "invalid_link"));
    ann.sign_in(&desk).await;
}
