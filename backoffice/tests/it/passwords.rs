//! Passwords forgotten and changed: the mailbox, or the old one, is the proof, and whatever the old one had let in ends.

use serde_json::json;

use crate::people::{Person, Session, mails_to};
use crate::stage::{Desk, eventually};

const NEW: &str = "a new horse battery";

#[tokio::test]
async fn a_forgotten_password_is_set_by_the_link_once_and_every_sign_in_ends() {
    let desk = Desk::shared().await;
    let (mut ann, id) = Person::with_account(&desk, "ann").await;
    let before = ann.sign_in(&desk).await;
    let email = json!({"email": ann.email});
    let asked = ann.post(&desk, "/v1/password-resets", &email).await.ok(202);
    assert_eq!(asked, json!({"status": "check_your_mail"}));
    let token = ann.token_from_mail(&desk, "/account/password").await;
    for _ in 0..2 {
        let path = format!("/account/password?token={token}");
        let page = ann.call(&desk, "GET", &path).send().await;
        assert!(page.text.contains("type=\"password\""), "{page:?}");
    }
    let path = "/v1/password-resets/complete";
    for unfit in ["short", &ann.email.to_uppercase()] {
        let body = json!({"token": token, "password": unfit});
        let answer = ann.post(&desk, path, &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{unfit}");
    }
    let complete = json!({"token": token, "password": NEW});
    ann.post(&desk, path, &complete).await.ok(204);
    let again = ann.post(&desk, path, &complete).await;
    assert_eq!(again.refusal(), (400, "invalid_link"));

    assert_eq!(
        ann.try_sign_in(&desk).await.refusal(),
        (401, "wrong_credentials")
    );
    let refreshed = ann.refresh(&desk, &before.refresh).await;
    assert_eq!(refreshed.refusal(), (401, "session_ended"));
    eventually(async || (!before.is_let_in_by_engine(&desk).await).then_some(())).await;
    ann.password = NEW.to_owned();
    assert!(ann.sign_in(&desk).await.is_let_in_by_engine(&desk).await);
    eventually(async || {
        let mails = mails_to(&desk, &ann.email);
        mails
            .iter()
            .any(|mail| mail.body.contains("Your password was changed"))
            .then_some(())
    })
    .await;
    let audit = desk.audit(&format!("user:{id}")).await;
    assert!(
        audit
            .iter()
            .any(|(_, action, ..)| action == "user.password")
    );
}

#[tokio::test]
async fn the_page_sets_a_password_and_says_what_is_wrong_with_one() {
    let desk = Desk::shared().await;
    let (mut ann, _) = Person::with_account(&desk, "ann").await;
    let email = json!({"email": ann.email});
    ann.post(&desk, "/v1/password-resets", &email).await.ok(202);
    let token = ann.token_from_mail(&desk, "/account/password").await;
    let post = async |password: &str| {
        let call = ann.call(&desk, "POST", "/account/password");
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        call.body(format!("token={token}&password={password}"))
            .send()
            .await
    };
    let short = post("short").await;
    assert!(short.text.contains("8 to 128 characters") && short.text.contains("<form"));
    assert!(!short.text.contains("value=\"short\""));
    assert!(
        post("a+new+horse+battery")
            .await
            .text
            .contains("Your password is set")
    );
    assert!(
        post("a+new+horse+battery")
            .await
            .text
            .contains("no longer good")
    );
    ann.password = NEW.to_owned();
    ann.sign_in(&desk).await;
}

#[tokio::test]
async fn whether_there_is_an_account_is_not_told_and_a_stranger_gets_no_mail() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let nobody = Person::new("nobody");
    let ask = async |person: &Person| {
        let body = json!({"email": person.email});
        person.post(&desk, "/v1/password-resets", &body).await
    };
    let (known, unknown) = (ask(&ann).await, ask(&nobody).await);
    assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
    ann.token_from_mail(&desk, "/account/password").await;
    assert!(mails_to(&desk, &nobody.email).is_empty());
}

#[tokio::test]
async fn a_link_that_is_old_or_another_persons_or_superseded_sets_nothing() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let email = json!({"email": ann.email});
    let complete = async |token: &str| {
        let body = json!({"token": token, "password": NEW});
        ann.post(&desk, "/v1/password-resets/complete", &body).await
    };
    ann.post(&desk, "/v1/password-resets", &email).await.ok(202);
    let old = ann.token_from_mail(&desk, "/account/password").await;
    desk.sql(
        "update one_time_tokens set expires_at = '2020-01-01' where user_id = ?",
        &id,
    )
    .await;
    assert_eq!(complete(&old).await.refusal(), (400, "invalid_link"));
    ann.post(&desk, "/v1/password-resets", &email).await.ok(202);
    let moved = eventually(async || {
        let token = ann.token_from_mail(&desk, "/account/password").await;
        (token != old).then_some(token)
    })
    .await;
    // The address is another since: what went to the one of before is void.
    desk.sql(
        "update one_time_tokens set email = 'before@shop.example' where user_id = ?",
        &id,
    )
    .await;
    assert_eq!(complete(&moved).await.refusal(), (400, "invalid_link"));
    ann.sign_in(&desk).await;
}

#[tokio::test]
async fn a_changed_password_ends_every_sign_in_and_begins_one() {
    let desk = Desk::shared().await;
    let (mut ann, _) = Person::with_account(&desk, "ann").await;
    let (here, there) = (ann.sign_in(&desk).await, ann.sign_in(&desk).await);
    let change = async |token: &str, current: &str, new: &str| {
        let call = ann.call(&desk, "PUT", "/v1/me/password").token(token);
        let body = json!({"current_password": current, "new_password": new});
        call.json(&body).send().await
    };
    let wrong = change(&here.access, "wrong horse battery", NEW).await;
    assert_eq!(wrong.refusal(), (401, "wrong_credentials"));
    for bad in ["short", ann.email.as_str()] {
        let answer = change(&here.access, &ann.password, bad).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"));
    }
    let next = Session::of(&change(&here.access, &ann.password, NEW).await.ok(200));
    assert!(next.is_let_in(&desk).await);
    eventually(async || next.is_let_in_by_engine(&desk).await.then_some(())).await;
    for old in [&here, &there] {
        assert!(!old.is_let_in(&desk).await);
        let refreshed = ann.refresh(&desk, &old.refresh).await;
        assert_eq!(refreshed.refusal(), (401, "session_ended"));
    }
    assert_eq!(
        ann.try_sign_in(&desk).await.refusal(),
        (401, "wrong_credentials")
    );
    ann.password = NEW.to_owned();
    ann.sign_in(&desk).await;
}
