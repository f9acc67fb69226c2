//! Refresh tokens: each is good once, a repeat of a moment ago gets the same, and a copy that comes later ends the sign-in.

use serde_json::json;
use tokio::task::JoinSet;

use crate::people::{Person, Session};
use crate::stage::{Desk, eventually};

#[tokio::test]
async fn of_fifty_refreshes_at_once_one_chain_goes_on_and_an_older_token_ends_it() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let first = ann.sign_in(&desk).await;
    let mut refreshes = JoinSet::new();
    for _ in 0..50 {
        let (ann, token) = (ann.clone(), first.refresh.clone());
        let base = desk.stage.backoffice(0).url();
        refreshes.spawn(async move { ann.refresh_at(base, &token).await });
    }
    let answers = refreshes.join_all().await;
    let mut next: Vec<String> = answers
        .into_iter()
        .map(|answer| Session::of(&answer.ok(200)).refresh)
        .collect();
    next.sort();
    next.dedup();
    assert_eq!(next.len(), 1, "one chain");
    assert_ne!(next[0], first.refresh);

    let third = Session::of(&ann.refresh(&desk, &next[0]).await.ok(200));
    assert!(third.is_let_in_by_engine(&desk).await);
    let stolen = ann.refresh(&desk, &first.refresh).await;
    assert_eq!(stolen.refusal(), (401, "session_ended"));
    let newest = ann.refresh(&desk, &third.refresh).await;
    assert_eq!(
        newest.refusal(),
        (401, "session_ended"),
        "the whole family is over"
    );
    eventually(async || (!third.is_let_in_by_engine(&desk).await).then_some(())).await;
    let audit = desk.audit(&format!("user:{id}")).await;
    let reuses = audit
        .iter()
        .filter(|(_, action, ..)| action == "session.reuse");
    assert_eq!(reuses.count(), 1);
    assert!(
        ann.sign_in(&desk).await.is_let_in(&desk).await,
        "the user signs in anew"
    );
}

#[tokio::test]
async fn the_name_of_a_sign_in_ends_nothing() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let answer = ann.try_sign_in(&desk).await.ok(201);
    let session = Session::of(&answer);
    // It is in lists and in the audit log; whoever has read it makes tokens of it, of today's form and of the one before.
    let family: uuid::Uuid = answer["session_id"].as_str().unwrap().parse().unwrap();
    for length in [52, 68] {
        let mut forged = vec![7; length];
        forged[..16].copy_from_slice(family.as_bytes());
        forged[16..20].copy_from_slice(&1_u32.to_be_bytes());
        let forged = URL_SAFE_NO_PAD.encode(forged);
        let refused = ann.refresh(&desk, &forged).await;
        assert_eq!(refused.refusal(), (401, "session_ended"));
        let body = json!({"refresh_token": forged});
        ann.post(&desk, "/v1/sessions/log-out", &body).await.ok(204);
    }
    assert!(session.is_let_in(&desk).await);
    ann.refresh(&desk, &session.refresh).await.ok(200);
    let audit = desk.audit(&format!("user:{id}")).await;
    assert_eq!(audit.len(), 1, "{audit:?}");
}

#[tokio::test]
async fn the_token_just_replaced_is_a_repeat_for_a_moment_and_a_copy_after_it() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let first = ann.sign_in(&desk).await;
    let second = Session::of(&ann.refresh(&desk, &first.refresh).await.ok(200));
    let repeat = Session::of(&ann.refresh(&desk, &first.refresh).await.ok(200));
    assert_eq!(repeat.refresh, second.refresh);
    desk.sql(
        "update refresh_families set refreshed_at = refreshed_at - interval 11 second where user_id = ?",
        &id,
    )
    .await;
    assert_eq!(
        ann.refresh(&desk, &first.refresh).await.refusal(),
        (401, "session_ended")
    );
    assert_eq!(
        ann.refresh(&desk, &second.refresh).await.refusal(),
        (401, "session_ended")
    );
}

#[tokio::test]
async fn a_sign_in_ends_by_itself_when_nobody_uses_it_and_in_the_end_anyway() {
    let desk = Desk::shared().await;
    for set in [
        "update refresh_families set refreshed_at = now(6) - interval 15 day where user_id = ?",
        "update refresh_families set expires_at = now(3) where user_id = ?",
    ] {
        let (ann, id) = Person::with_account(&desk, "ann").await;
        let session = ann.sign_in(&desk).await;
        desk.sql(set, &id).await;
        assert_eq!(
            ann.refresh(&desk, &session.refresh).await.refusal(),
            (401, "session_ended")
        );
    }
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_and_one_of_another_kind_is_none() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let session = ann.sign_in(&desk).await;
    let body = json!({"email": ann.email});
    ann.post(&desk, "/v1/password-resets", &body).await.ok(202);
    let mailed = ann.token_from_mail(&desk, "/account/password").await;
    for token in ["", "x", &session.access, &mailed] {
        assert_eq!(
            ann.refresh(&desk, token).await.refusal(),
            (401, "session_ended"),
            "{token}"
        );
    }
    for token in [&session.refresh, &mailed] {
        let me = desk.call("GET", "/v1/me").token(token).send().await;
        assert_eq!(me.refusal(), (401, "unauthorized"));
    }
    for token in [&session.refresh, &session.access] {
        let body = json!({"token": token, "password": "a new horse battery"});
        let answer = ann.post(&desk, "/v1/password-resets/complete", &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_link"));
    }
    assert!(session.is_let_in(&desk).await);
}
