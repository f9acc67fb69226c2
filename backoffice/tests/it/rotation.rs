//! Another token secret, with the one before still accepted: nobody is signed out by it, and mails that wait have links that are good.

use std::path::Path;

use doorbuster_stage::{Program, Stage, StageOptions};
use serde_json::json;

use crate::people::{Person, Session};
use crate::stage::{Desk, eventually};

#[tokio::test]
async fn another_secret_ends_no_sign_in_and_voids_no_link() {
    let stage = Stage::start(&StageOptions::whole(0).with_mail()).unwrap();
    let desk = Desk::on(&stage).await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let (idle, busy) = (ann.sign_in(&desk).await, ann.sign_in(&desk).await);
    let next = Session::of(&ann.refresh(&desk, &busy.refresh).await.ok(200));
    // Two mails wait when the secret is changed.
    stage.mail().kill9().unwrap();
    let bob = Person::new("bob");
    bob.sign_up(&desk).await.ok(202);
    let email = json!({"email": ann.email});
    ann.post(&desk, "/v1/password-resets", &email).await.ok(202);
    eventually(async || {
        let count = sqlx::query_scalar("select count(*) from mails");
        let waiting: i64 = count.fetch_one(&desk.books).await.unwrap();
        (waiting == 2).then_some(())
    })
    .await;
    stage.backoffice(0).kill9().unwrap();
    stage.mail().start().unwrap();
    let changed = stage
        .start_program(&Program {
            name: "changed",
            path: Path::new(env!("CARGO_BIN_EXE_doorbuster-backoffice")),
            args: &["serve"],
            env: &[
                (
                    "TOKEN_SECRET",
                    "a secret that nobody has had before now, at all",
                ),
                ("TOKEN_SECRET_PREVIOUS", stage.token_secret()),
                ("BACKOFFICE_LISTEN", "127.0.0.1:{port}"),
            ],
            port: None,
        })
        .unwrap();
    let base = changed.url();

    // An answer that was lost before the change comes again after it, and the newest goes on.
    let again = Session::of(&ann.refresh_at(base, &busy.refresh).await.ok(200));
    assert_eq!(again.refresh, next.refresh);
    for token in [&idle.refresh, &next.refresh] {
        let session = Session::of(&ann.refresh_at(base, token).await.ok(200));
        ann.refresh_at(base, &session.refresh).await.ok(200);
    }
    sqlx::query("update mails set next_try_at = utc_timestamp(3)")
        .execute(&desk.books)
        .await
        .unwrap();
    let token = bob.token_from_mail(&desk, "/account/confirm").await;
    let body = json!({"token": token, "password": bob.password});
    bob.post_at(base, "/v1/sign-ups/confirm", &body)
        .await
        .ok(201);
    let token = ann.token_from_mail(&desk, "/account/password").await;
    let body = json!({"token": token, "password": "a new horse battery"});
    ann.post_at(base, "/v1/password-resets/complete", &body)
        .await
        .ok(204);
}
