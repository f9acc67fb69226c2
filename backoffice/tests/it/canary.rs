//! Canaries: whatever is secret or personal is planted everywhere it may be, and must be in no log and no metric, however much is logged.

use std::fs;

use doorbuster_core::claims::Role;
use doorbuster_stage::{Stage, StageOptions};
use serde_json::json;

use crate::http::Call;
use crate::people::{Person, Session};
use crate::stage::{Desk, eventually};

#[expect(
    clippy::too_many_lines,
    reason = "one life, told from its beginning to its end"
)]
#[tokio::test]
async fn no_secret_and_nothing_personal_is_in_any_log_or_metric() {
    let options = StageOptions::whole(1)
        .with_mail()
        .backoffice_env("RUST_LOG", "debug")
        .engine_env("RUST_LOG", "debug");
    let stage = Stage::start(&options).unwrap();
    let desk = Desk::on(&stage).await;
    let mut ann = Person::new("canary-mailbox");
    ann.password = "canary-password-1".to_owned();
    let mut secrets = vec![
        "canary-mailbox".to_owned(),
        "Canary Person".to_owned(),
        "+99-88-7777-6666".to_owned(),
        "Canary Street 5".to_owned(),
        stage.token_secret().to_owned(),
    ];

    // Sign up twice, with the wrong and the right link; sign in with wrong and right passwords.
    let body = json!({"email": ann.email, "name": "Canary Person"});
    ann.post(&desk, "/v1/sign-ups", &body).await.ok(202);
    let mailed = ann.token_from_mail(&desk, "/account/confirm").await;
    ann.call(&desk, "GET", &format!("/account/confirm?token={mailed}"))
        .send()
        .await;
    ann.post(
        &desk,
        "/v1/sign-ups/confirm",
        &json!({"token": "canary-password-2", "password": ann.password}),
    )
    .await;
    let id = ann.confirm(&desk, &mailed).await.ok(201)["id"].clone();
    ann.post(&desk, "/v1/sign-ups", &body).await.ok(202);
    let wrong = Person {
        password: "canary-password-3".to_owned(),
        ..ann.clone()
    };
    for _ in 0..8 {
        wrong.try_sign_in(&desk).await;
    }
    desk.sql("delete from throttles where failures > ?", "0")
        .await;
    let session = ann.sign_in(&desk).await;
    let next = Session::of(&ann.refresh(&desk, &session.refresh).await.ok(200));

    // What is said of oneself; bodies that do not fit; a token in a wrong place; an engine.
    let me = |method: &str, path: &str| desk.call(method, path).token(&next.access);
    me("PATCH", "/v1/me")
        .json(&json!({"phone": "+99-88-7777-6666"}))
        .send()
        .await
        .ok(200);
    let address = json!({"recipient": "Canary Person", "phone": "+99-88-7777-6666", "country": "KR", "postal_code": "04524", "line1": "Canary Street 5"});
    me("POST", "/v1/me/addresses")
        .json(&address)
        .send()
        .await
        .ok(201);
    ann.post(
        &desk,
        "/v1/sessions",
        &json!({"email": [ann.email], "password": {"x": ann.password}}),
    )
    .await;
    ann.post(
        &desk,
        "/v1/sessions",
        &json!({"email": ann.email, "password": ann.password, "canary-password-4": 1}),
    )
    .await;
    ann.call(
        &desk,
        "GET",
        &format!("/canary-mailbox?token={}", next.access),
    )
    .send()
    .await;
    assert!(next.is_let_in_by_engine(&desk).await);
    let engine = Call::new(
        stage.engine(0).url(),
        "POST",
        "/v1/sales/canary/reservations",
    );
    engine
        .token("canary-password-5")
        .json(&json!({"items": []}))
        .send()
        .await;

    // Staff; a mail server that is away; a forgotten password; a stolen token; the end.
    let admin = desk.token("root", Role::Admin);
    let by_email = desk
        .call("GET", &format!("/admin/v1/users?email={}", ann.email))
        .token(&admin);
    by_email.send().await.ok(200);
    stage.mail().kill9().unwrap();
    ann.post(&desk, "/v1/password-resets", &json!({"email": ann.email}))
        .await
        .ok(202);
    eventually(async || {
        let log = fs::read_to_string(stage.backoffice(0).log_path()).unwrap();
        log.contains("a mail was not sent").then_some(())
    })
    .await;
    stage.mail().start().unwrap();
    sqlx::query("update mails set next_try_at = utc_timestamp(3)")
        .execute(&desk.books)
        .await
        .unwrap();
    let reset = ann.token_from_mail(&desk, "/account/password").await;
    let set = json!({"token": reset, "password": "canary-password-6"});
    ann.post(&desk, "/v1/password-resets/complete", &set)
        .await
        .ok(204);
    ann.refresh(&desk, &session.refresh).await;
    let erase = desk
        .call(
            "POST",
            &format!("/admin/v1/users/{}/erase", id.as_str().unwrap()),
        )
        .token(&admin);
    erase
        .json(&json!({"reason": "canary"}))
        .send()
        .await
        .ok(200);

    secrets.extend((1..=6).map(|n| format!("canary-password-{n}")));
    secrets.extend([
        session.access,
        session.refresh,
        next.access,
        next.refresh,
        mailed,
        reset,
        admin,
    ]);
    let metrics = async |url: &str| Call::new(url, "GET", "/metrics").send().await.text;
    let mut texts = vec![
        (
            "metrics of the back-office",
            metrics(stage.backoffice(0).url()).await,
        ),
        (
            "metrics of the engine",
            metrics(stage.engine(0).url()).await,
        ),
    ];
    for (name, path) in [
        ("log of the back-office", stage.backoffice(0).log_path()),
        ("log of the engine", stage.engine(0).log_path()),
        ("log of mariadb", stage.mariadb().log_path()),
        ("log of redis", stage.redis().log_path()),
    ] {
        texts.push((
            name,
            String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned(),
        ));
    }
    let log = &texts[2].1;
    assert!(
        log.contains("answered POST /v1/sessions"),
        "the log is as talkative as it should be: {log}"
    );
    for (name, text) in &texts {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in the {name}");
        }
    }
}
