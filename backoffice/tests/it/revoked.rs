//! Redis tells the engines what the books know of revoked tokens, also after it was away or has lost all of it.

use doorbuster_stage::{Stage, StageOptions};
use serde_json::json;

use crate::people::Person;
use crate::stage::{Desk, eventually};

#[tokio::test]
async fn a_log_out_while_redis_is_away_holds_in_the_books_at_once_and_on_engines_when_it_is_back() {
    let stage = Stage::start(&StageOptions::whole(1).with_mail()).unwrap();
    let desk = Desk::on(&stage).await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let (bob, _) = Person::with_account(&desk, "bob").await;
    let (ann_in, bob_in) = (ann.sign_in(&desk).await, bob.sign_in(&desk).await);
    assert!(ann_in.is_let_in_by_engine(&desk).await);
    stage.redis().kill9().unwrap();
    let body = json!({"refresh_token": ann_in.refresh});
    let told = ann.post(&desk, "/v1/sessions/log-out", &body).await;
    assert_eq!(
        told.refusal(),
        (503, "unavailable"),
        "engines could not be told"
    );
    assert!(!ann_in.is_let_in(&desk).await, "the back-office knows");
    assert!(
        bob_in.is_let_in(&desk).await,
        "and asks the books about others"
    );
    assert_eq!(
        ann.refresh(&desk, &ann_in.refresh).await.refusal(),
        (401, "session_ended")
    );
    assert!(!ann_in.is_let_in_by_engine(&desk).await && !bob_in.is_let_in_by_engine(&desk).await);
    stage.redis().start().unwrap();
    eventually(async || bob_in.is_let_in_by_engine(&desk).await.then_some(())).await;
    eventually(async || {
        let (unpublished,): (i64,) =
            sqlx::query_as("select count(*) from revocations where published_at is null")
                .fetch_one(&desk.books)
                .await
                .unwrap();
        (unpublished == 0).then_some(())
    })
    .await;
    eventually(async || (!ann_in.is_let_in_by_engine(&desk).await).then_some(())).await;
}

#[tokio::test]
async fn a_redis_that_lost_everything_is_told_again_and_an_engine_that_starts_then_knows() {
    let stage = Stage::start(&StageOptions::whole(1).with_mail()).unwrap();
    let desk = Desk::on(&stage).await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let (out, bob) = (
        ann.sign_in(&desk).await,
        Person::with_account(&desk, "bob").await.0,
    );
    let body = json!({"refresh_token": out.refresh});
    ann.post(&desk, "/v1/sessions/log-out", &body).await.ok(204);
    desk.redis("DEL", vec![b"doorbuster:revocations".to_vec()])
        .await;
    eventually(async || {
        let length = desk
            .redis("XLEN", vec![b"doorbuster:revocations".to_vec()])
            .await;
        (length.as_i64() == Some(1)).then_some(())
    })
    .await;
    stage.engine(0).restart().unwrap();
    let good = bob.sign_in(&desk).await;
    eventually(async || good.is_let_in_by_engine(&desk).await.then_some(())).await;
    assert!(!out.is_let_in_by_engine(&desk).await);
}
