//! Signing up: only who reads the mail of an address gets an account with it, and nobody else learns whether it has one.

use serde_json::json;

use crate::people::{Person, mails_to};
use crate::stage::{Desk, eventually};

#[tokio::test]
async fn a_person_signs_up_confirms_by_the_link_once_and_signs_in() {
    let desk = Desk::shared().await;
    let ann = Person::new("ann");
    let asked = ann.sign_up(&desk).await.ok(202);
    assert_eq!(asked, json!({"status": "check_your_mail"}));
    assert_eq!(
        ann.try_sign_in(&desk).await.refusal(),
        (401, "wrong_credentials"),
        "before the address is confirmed"
    );
    let token = ann.token_from_mail(&desk, "/account/confirm").await;
    let mail = &mails_to(&desk, &ann.email)[0];
    assert!(mail.headers.contains("Subject: Please confirm"), "{mail:?}");
    assert!(
        mail.body
            .contains("http://127.0.0.1:8081/account/confirm?token="),
        "{mail:?}"
    );

    // A mail scanner looks at the link, as often as it likes.
    for _ in 0..3 {
        let path = format!("/account/confirm?token={token}");
        let page = ann.call(&desk, "GET", &path).send().await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("<form method=\"post\"") && !page.text.contains("<script"));
        assert!(page.text.contains("type=\"password\""));
        assert_eq!(page.header("referrer-policy"), "no-referrer");
    }
    let user = ann.confirm(&desk, &token).await.ok(201);
    assert_eq!(
        (&user["email"], &user["role"], &user["state"], &user["name"]),
        (
            &json!(ann.email),
            &json!("buyer"),
            &json!("active"),
            &json!("Ann Lee")
        )
    );
    let again = ann.confirm(&desk, &token).await;
    assert_eq!(
        again.refusal(),
        (400, "invalid_link"),
        "a link is good once"
    );

    let session = ann.sign_in(&desk).await;
    assert!(session.is_let_in(&desk).await && session.is_let_in_by_engine(&desk).await);
    let me = desk
        .call("GET", "/v1/me")
        .token(&session.access)
        .send()
        .await;
    assert_eq!(me.ok(200), user);
    let audit = desk
        .audit(&format!("user:{}", user["id"].as_str().unwrap()))
        .await;
    assert_eq!(audit[0].1, "user.create");
}

#[tokio::test]
async fn the_page_behind_the_link_speaks_korean_and_its_button_confirms() {
    let desk = Desk::shared().await;
    let person = Person::new("minsu");
    let body = json!({"email": person.email, "name": "민수"});
    let call = person.call(&desk, "POST", "/v1/sign-ups");
    call.header("accept-language", "ko-KR")
        .json(&body)
        .send()
        .await
        .ok(202);
    let token = person.token_from_mail(&desk, "/account/confirm").await;
    assert!(
        mails_to(&desk, &person.email)[0]
            .body
            .contains("회원 가입을 요청받았습니다")
    );

    let post = |token: String| {
        let call = person.call(&desk, "POST", "/account/confirm");
        let call = call.header("accept-language", "ko");
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        call.body(token).send()
    };
    // A password that will not do leaves the link as good as before.
    let email = person.email.replace('@', "%40");
    for unfit in ["short", &email] {
        let page = post(format!("token={token}&password={unfit}")).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("비밀번호는 8자 이상") && page.text.contains(&token));
    }
    let password = person.password.replace(' ', "+");
    let filled = format!("token={token}&password={password}");
    let page = post(filled.clone()).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("<html lang=\"ko\">") && page.text.contains("확인되었습니다"));
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    let again = post(filled).await;
    assert!(again.text.contains("더 이상 사용할 수 없는 링크입니다"));
    for bad in ["token=x", "token=x&password=12345678&extra=1"] {
        let answer = post(bad.to_owned()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{bad}");
    }
    person.sign_in(&desk).await;
}

#[tokio::test]
async fn whoever_asks_for_an_account_of_anothers_address_does_not_choose_its_password() {
    let desk = Desk::shared().await;
    let ann = Person::new("ann");
    let stranger = Person {
        password: "the stranger's own".to_owned(),
        ..ann.clone()
    };
    let body = json!({"email": ann.email, "password": stranger.password, "name": "Ann"});
    let answer = stranger.post(&desk, "/v1/sign-ups", &body).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
    // Ann believes the mail that the stranger asked for, and follows its link.
    stranger.sign_up(&desk).await.ok(202);
    let token = ann.token_from_mail(&desk, "/account/confirm").await;
    for unfit in ["short", &ann.email.to_uppercase()] {
        let body = json!({"token": token, "password": unfit});
        let answer = ann.post(&desk, "/v1/sign-ups/confirm", &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{unfit}");
    }
    ann.confirm(&desk, &token).await.ok(201);
    assert_eq!(
        stranger.try_sign_in(&desk).await.refusal(),
        (401, "wrong_credentials")
    );
    ann.sign_in(&desk).await;
}

#[tokio::test]
async fn an_address_that_has_an_account_is_answered_alike_and_only_its_owner_is_told() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let stranger = Person {
        password: "the stranger's own".to_owned(),
        ..ann.clone()
    };
    let (taken, free) = (
        stranger.sign_up(&desk).await,
        Person::new("new").sign_up(&desk).await,
    );
    assert_eq!((taken.status, &taken.text), (free.status, &free.text));
    let mail = eventually(async || {
        let mails = mails_to(&desk, &ann.email);
        mails
            .into_iter()
            .find(|mail| mail.body.contains("has an account already"))
    })
    .await;
    assert!(!mail.body.contains("token="), "{mail:?}");
    assert_eq!(
        stranger.try_sign_in(&desk).await.refusal(),
        (401, "wrong_credentials")
    );
    ann.sign_in(&desk).await;
}

#[tokio::test]
async fn of_two_sign_ups_of_one_address_the_confirmed_one_counts_and_the_other_link_is_void() {
    let desk = Desk::shared().await;
    let ann = Person::new("ann");
    let stranger = Person {
        password: "the stranger's own".to_owned(),
        ..ann.clone()
    };
    stranger.sign_up(&desk).await.ok(202);
    let void = ann.token_from_mail(&desk, "/account/confirm").await;
    ann.sign_up(&desk).await.ok(202);
    let good = eventually(async || {
        let token = ann.token_from_mail(&desk, "/account/confirm").await;
        (token != void).then_some(token)
    })
    .await;
    ann.confirm(&desk, &good).await.ok(201);
    let late = ann.confirm(&desk, &void).await;
    assert_eq!(late.refusal(), (400, "invalid_link"));
    ann.sign_in(&desk).await;
    assert_eq!(
        stranger.try_sign_in(&desk).await.refusal(),
        (401, "wrong_credentials")
    );
}

#[tokio::test]
async fn links_expire_and_begin_where_the_operator_says_whatever_host_was_asked() {
    let desk = Desk::shared().await;
    let ann = Person::new("ann");
    let body = json!({"email": ann.email, "name": "Ann"});
    let call = ann
        .call(&desk, "POST", "/v1/sign-ups")
        .header("host", "evil.example");
    call.json(&body).send().await.ok(202);
    let token = ann.token_from_mail(&desk, "/account/confirm").await;
    assert!(!mails_to(&desk, &ann.email)[0].body.contains("evil.example"));
    desk.sql(
        "update sign_ups set expires_at = '2020-01-01' where email = ?",
        &ann.email,
    )
    .await;
    let late = ann.confirm(&desk, &token).await;
    assert_eq!(late.refusal(), (400, "invalid_link"));
}

#[tokio::test]
async fn what_cannot_be_accepted_is_said_field_by_field_and_in_korean_to_those_who_read_it() {
    let desk = Desk::shared().await;
    let ann = Person::new("ann");
    let body = json!({"email": "ann@localhost", "name": " "});
    let answer = ann.post(&desk, "/v1/sign-ups", &body).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
    let pointers: Vec<&str> = answer.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/email", "/name"]);
    let call = ann
        .call(&desk, "POST", "/v1/sign-ups")
        .header("accept-language", "ko");
    assert_eq!(
        call.json(&body).send().await.json["title"],
        "요청이 올바르지 않습니다"
    );

    let long = json!({"email": ann.email, "name": "x".repeat(60_000)});
    assert_eq!(
        ann.post(&desk, "/v1/sign-ups", &long).await.refusal(),
        (400, "invalid_request")
    );
    for more in ["role", "state", "id"] {
        let mut body = json!({"email": ann.email, "name": "Ann"});
        body[more] = json!("admin");
        let answer = ann.post(&desk, "/v1/sign-ups", &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{more}");
    }
    assert!(mails_to(&desk, &ann.email).is_empty());
}
