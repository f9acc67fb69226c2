//! The first admin, who has nobody to give him his role: made by a command.

use std::io::Write as _;
use std::process::{Command, Stdio};

use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::people::Person;
use crate::stage::{Desk, eventually};

#[tokio::test]
async fn the_first_admin_chooses_his_password_by_the_link_and_gives_roles() {
    let stage = Stage::start(&StageOptions::whole(0).with_mail()).unwrap();
    let desk = Desk::on(&stage).await;
    let olga = Person::new("olga");
    let made = stage.run_backoffice(&["admin", "--email", &olga.email, "--name", "Olga", "--json"]);
    let made = made.unwrap();
    let made: Value = serde_json::from_str(&made.success().unwrap()).unwrap();
    let link = made["link"].as_str().unwrap();
    assert!(
        link.starts_with("http://127.0.0.1:8081/account/password?token="),
        "{link}"
    );
    let token = link.split_once('=').unwrap().1;
    let body = json!({"token": token, "password": olga.password});
    olga.post(&desk, "/v1/password-resets/complete", &body)
        .await
        .ok(204);
    let session = olga.sign_in(&desk).await;
    let (_, bob) = Person::with_account(&desk, "bob").await;
    let call = desk
        .call("POST", &format!("/admin/v1/users/{bob}/role"))
        .token(&session.access);
    call.json(&json!({"role": "operator"})).send().await.ok(200);
    let audit = desk
        .audit(&format!("user:{}", made["user"].as_str().unwrap()))
        .await;
    assert_eq!(
        (audit[0].0.as_str(), audit[0].1.as_str()),
        ("command-line", "user.admin")
    );
}

#[tokio::test]
async fn somebody_with_an_account_is_promoted_and_a_password_may_come_from_standard_input() {
    let stage = Stage::start(&StageOptions::whole(0).with_mail()).unwrap();
    let desk = Desk::on(&stage).await;
    let (mut ann, id) = Person::with_account(&desk, "ann").await;
    let before = ann.sign_in(&desk).await;
    let run = |password: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-backoffice"));
        let mut child = command
            .args(["admin", "--email", &ann.email, "--password-stdin"])
            .env_clear()
            .env("DATABASE_URL", stage.database_url())
            .env("TOKEN_SECRET", stage.token_secret())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let line = format!("{password}\n");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    };
    let short = run("short");
    assert_eq!(short.status.code(), Some(2));
    assert!(!String::from_utf8_lossy(&short.stderr).contains("short\n"));
    let done = run("an admin's own battery");
    assert!(done.status.success(), "{done:?}");
    assert!(!String::from_utf8_lossy(&done.stdout).contains("token="));
    ann.password = "an admin's own battery".to_owned();
    // Told by the back-office's next look at the books.
    eventually(async || (!before.is_let_in(&desk).await).then_some(())).await;
    let session = ann.sign_in(&desk).await;
    let call = desk
        .call("GET", &format!("/admin/v1/users/{id}"))
        .token(&session.access);
    assert_eq!(call.send().await.ok(200)["role"], "admin");

    // Of one who is an admin already, a new password ends what the old one let in.
    let done = run("another admin's battery");
    assert!(done.status.success(), "{done:?}");
    eventually(async || (!session.is_let_in(&desk).await).then_some(())).await;
    assert_eq!(
        ann.refresh(&desk, &session.refresh).await.refusal(),
        (401, "session_ended")
    );
    let audit = desk.audit(&format!("user:{id}")).await;
    let set = |change: &Value| change["password_set"] == true;
    assert_eq!(audit.iter().filter(|(.., after)| set(after)).count(), 2);
}
