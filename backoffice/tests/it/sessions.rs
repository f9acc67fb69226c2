//! Signing in and out: who is let in, who is not and cannot tell why, and how soon every engine knows.

use std::time::Instant;

use doorbuster_core::clock;
use serde_json::{Value, json};

use crate::people::{Person, Session, place};
use crate::stage::{Desk, eventually};

#[tokio::test]
async fn a_wrong_password_an_unknown_account_and_a_deactivated_one_are_answered_alike() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let (gone, id) = Person::with_account(&desk, "gone").await;
    let reason = json!({"reason": "test"});
    desk.put(&format!("/admin/v1/users/{id}/deactivate"), &reason)
        .await
        .ok(200);
    let wrong = Person {
        password: "wrong horse battery".to_owned(),
        ..ann
    };
    let mut answers = Vec::new();
    for person in [wrong, Person::new("nobody"), gone] {
        let answer = person.try_sign_in(&desk).await;
        assert_eq!(answer.refusal(), (401, "wrong_credentials"));
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        let mut body = answer.json.clone();
        body["request_id"] = Value::Null;
        answers.push((answer.header("content-length").to_owned(), names, body));
    }
    assert!(
        answers.windows(2).all(|two| two[0] == two[1]),
        "{answers:?}"
    );
}

/// How surely one list of durations is longer than the other (Mann and Whitney's z).
fn difference(ours: &[u128], theirs: &[u128]) -> f64 {
    let wins: f64 = ours
        .iter()
        .flat_map(|a| theirs.iter().map(move |b| a.cmp(b)))
        .map(|order| match order {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    let (n, m) = (ours.len() as f64, theirs.len() as f64);
    (wins - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

#[tokio::test]
async fn an_unknown_account_takes_as_long_as_a_wrong_password() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let took = async |email: String| {
        let person = Person {
            email,
            password: "wrong horse battery".to_owned(),
            place: place(),
        };
        let began: Instant = clock::instant();
        let answer = person.try_sign_in(&desk).await;
        assert_eq!(answer.refusal(), (401, "wrong_credentials"));
        began.elapsed().as_micros()
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        known.push(took(ann.email.clone()).await);
        unknown.push(took(Person::new("nobody").email).await);
    }
    // Without the decoy hash every unknown one would be faster than every known one: z beyond 7.
    let z = difference(&known, &unknown);
    assert!(z.abs() < 4.0, "z = {z}: {known:?} {unknown:?}");
}

/// Waits until the engine lets the token in no more, and says how long that took; the back-office does not already.
async fn until_refused(desk: &Desk<'_>, session: &Session) -> f64 {
    let began = clock::instant();
    eventually(async || (!session.is_let_in_by_engine(desk).await).then_some(())).await;
    let took = began.elapsed().as_secs_f64();
    assert!(!session.is_let_in(desk).await);
    took
}

#[tokio::test]
async fn logging_out_ends_one_sign_in_within_a_second_and_the_others_go_on() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let (phone, laptop) = (ann.sign_in(&desk).await, ann.sign_in(&desk).await);
    let body = json!({"refresh_token": phone.refresh});
    for _ in 0..2 {
        ann.post(&desk, "/v1/sessions/log-out", &body).await.ok(204);
    }
    let took = until_refused(&desk, &phone).await;
    assert!(took < 1.0, "{took} s");
    assert_eq!(
        ann.refresh(&desk, &phone.refresh).await.refusal(),
        (401, "session_ended")
    );
    let laptop = Session::of(&ann.refresh(&desk, &laptop.refresh).await.ok(200));
    assert!(laptop.is_let_in(&desk).await && laptop.is_let_in_by_engine(&desk).await);
    let unknown = json!({"refresh_token": "nothing of ours"});
    ann.post(&desk, "/v1/sessions/log-out", &unknown)
        .await
        .ok(204);
    let audit = desk.audit(&format!("user:{id}")).await;
    let log_outs = audit
        .iter()
        .filter(|(_, action, ..)| action == "session.log_out");
    assert_eq!(log_outs.count(), 1, "{audit:?}");
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_sign_ins_within_a_second() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let sessions = [ann.sign_in(&desk).await, ann.sign_in(&desk).await];
    let call = ann.call(&desk, "POST", "/v1/sessions/log-out-everywhere");
    let told = call.token(&sessions[0].access).send().await.ok(200);
    assert_eq!(told, json!({"user": id, "generation": 1}));
    let began = clock::instant();
    for session in &sessions {
        eventually(async || (!session.is_let_in_by_engine(&desk).await).then_some(())).await;
    }
    let took = began.elapsed().as_secs_f64();
    assert!(took < 1.0, "{took} s");
    for session in &sessions {
        assert!(!session.is_let_in(&desk).await);
        let refreshed = ann.refresh(&desk, &session.refresh).await;
        assert_eq!(refreshed.refusal(), (401, "session_ended"));
    }
    let audit = desk.audit(&format!("user:{id}")).await;
    assert!(
        audit
            .iter()
            .any(|(actor, action, ..)| *actor == id && action == "session.log_out_everywhere")
    );
    assert!(ann.sign_in(&desk).await.is_let_in_by_engine(&desk).await);
}

#[tokio::test]
async fn many_log_outs_with_one_token_are_one_revocation() {
    let desk = Desk::shared().await;
    let user = crate::stage::name("theirs");
    let token = desk.token(&user, doorbuster_core::claims::Role::Buyer);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let call = desk.call("POST", "/v1/sessions/log-out-everywhere");
        calls.spawn(call.token(&token).send());
    }
    while let Some(answer) = calls.join_next().await {
        let answer = answer.unwrap();
        assert!([200, 401].contains(&answer.status), "{answer:?}");
    }
    let (generation,): (u64,) =
        sqlx::query_as("select generation from revocations where user_id = ?")
            .bind(&user)
            .fetch_one(&desk.books)
            .await
            .unwrap();
    assert_eq!(generation, 1);
    assert_eq!(desk.audit(&format!("user:{user}")).await.len(), 1);
}

#[tokio::test]
async fn one_user_signs_in_so_often_and_then_waits() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    use sha2::Digest as _;
    sqlx::query("insert into throttles (subject, failures, failed_at, blocked_until) values (?, 99, utc_timestamp(3), utc_timestamp(3))")
        .bind(sha2::Sha256::digest(format!("sign_ins|{id}")).to_vec())
        .execute(&desk.books)
        .await
        .unwrap();
    ann.sign_in(&desk).await;
    assert_eq!(
        ann.try_sign_in(&desk).await.refusal(),
        (429, "rate_limited")
    );
}

#[tokio::test]
async fn a_user_of_the_shops_own_is_logged_out_by_staff_though_nobody_knows_him_here() {
    let desk = Desk::shared().await;
    let user = crate::stage::name("theirs");
    let session = Session {
        access: desk.token(&user, doorbuster_core::claims::Role::Buyer),
        refresh: String::new(),
    };
    let me = desk
        .call("GET", "/v1/me")
        .token(&session.access)
        .send()
        .await;
    assert_eq!(me.refusal(), (404, "unknown_user"));
    assert!(session.is_let_in_by_engine(&desk).await);
    let path = format!("/admin/v1/users/{user}/log-out");
    let told = desk.put(&path, &json!({"reason": "token leaked"})).await;
    assert_eq!(told.ok(200), json!({"user": user, "generation": 1}));
    eventually(async || (!session.is_let_in_by_engine(&desk).await).then_some(())).await;
    // The shop signs its next token with what it was told.
    let next = Session {
        access: desk.token_of(&user, doorbuster_core::claims::Role::Buyer, 1),
        refresh: String::new(),
    };
    assert!(next.is_let_in_by_engine(&desk).await);
    let me = desk
        .call("GET", "/v1/me")
        .token(&session.access)
        .send()
        .await;
    assert_eq!(me.refusal(), (401, "unauthorized"));
}

#[tokio::test]
async fn one_user_has_so_many_sign_ins_and_one_more_ends_the_oldest() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    let oldest = ann.sign_in(&desk).await;
    desk.sql(
        "update refresh_families set created_at = '2020-01-01' where user_id = ?",
        &id,
    )
    .await;
    for _ in 0..49 {
        let family = uuid::Uuid::new_v4();
        sqlx::query("insert into refresh_families (family_id, user_id, generation, token_hash, created_at, refreshed_at, expires_at) values (?, ?, 1, repeat('x', 32), now(6), now(6), '2999-01-01')")
            .bind(family).bind(&id).execute(&desk.books).await.unwrap();
    }
    ann.sign_in(&desk).await;
    assert_eq!(
        ann.refresh(&desk, &oldest.refresh).await.refusal(),
        (401, "session_ended")
    );
    let why: Option<String> = sqlx::query_scalar(
        "select end_reason from refresh_families where user_id = ? and ended_at is not null",
    )
    .bind(&id)
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(why.as_deref(), Some("evicted"));
    let (open,): (i64,) = sqlx::query_as(
        "select count(*) from refresh_families where user_id = ? and ended_at is null",
    )
    .bind(&id)
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(open, 50);
}
