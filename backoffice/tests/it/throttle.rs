//! Guessing is slow, wherever it comes from, and costs nobody else much.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use doorbuster_backoffice::accounts::limits::{PASSWORD_COUNT_TIMEOUT, PASSWORD_TURNS_MAX};
use doorbuster_stage::{Stage, StageOptions};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::people::{Person, mails_to, place};
use crate::stage::{Desk, eventually};

#[tokio::test]
async fn of_many_guesses_at_once_a_few_are_looked_at_and_the_owner_gets_in_from_elsewhere() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let guesser = Person {
        password: "wrong horse battery".to_owned(),
        place: place(),
        ..ann.clone()
    };
    let mut guesses = JoinSet::new();
    for _ in 0..30 {
        let (guesser, base) = (guesser.clone(), desk.stage.backoffice(0).url());
        guesses.spawn(async move { guesser.try_sign_in_at(base).await });
    }
    let answers = guesses.join_all().await;
    let with = |status: u16| answers.iter().filter(move |answer| answer.status == status);
    let looked_at = with(401).count();
    let refused: Vec<_> = with(429).collect();
    assert!((1..=6).contains(&looked_at), "{looked_at}");
    assert!(!refused.is_empty());
    // There is not room for all of one address at once.
    assert_eq!(looked_at + refused.len() + with(503).count(), 30);
    for answer in &refused {
        assert_eq!(answer.code(), "rate_limited");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    // The wait that they have earned is a second; on a busy machine it would be over before the next line.
    let pair = sha256(&format!("pair|{}|{}", ann.email, guesser.place));
    let lengthened = sqlx::query("update throttles set blocked_until = utc_timestamp(3) + interval 20 second where subject = ? and blocked_until > failed_at")
        .bind(&pair).execute(&desk.books).await.unwrap();
    assert_eq!(lengthened.rows_affected(), 1);
    let right = Person {
        password: ann.password.clone(),
        ..guesser
    };
    assert_eq!(
        right.try_sign_in(&desk).await.refusal(),
        (429, "rate_limited")
    );
    ann.sign_in(&desk).await;
}

#[tokio::test]
async fn guesses_from_a_thousand_places_at_one_account_are_bounded_too() {
    let desk = Desk::shared().await;
    let (ann, id) = Person::with_account(&desk, "ann").await;
    // As many as a crowd of guessers may have used up.
    let account = sha256(&format!("account|{}", ann.email));
    sqlx::query("insert into throttles (subject, failures, failed_at, blocked_until) values (?, 110, utc_timestamp(3), utc_timestamp(3) + interval 20 second)")
        .bind(&account).execute(&desk.books).await.unwrap();
    let elsewhere = Person {
        place: place(),
        ..ann.clone()
    };
    ann.sign_in(&desk).await;
    let wrong = Person {
        password: "wrong horse battery".to_owned(),
        ..ann.clone()
    };
    let mut looked_at = 0;
    for _ in 0..9 {
        looked_at += u32::from(wrong.try_sign_in(&desk).await.status == 401);
    }
    assert!(
        (1..=6).contains(&looked_at),
        "{looked_at}: where she is known guesses are few too"
    );
    let answer = elsewhere.try_sign_in(&desk).await;
    assert_eq!(answer.refusal(), (429, "rate_limited"));
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!(wait <= 31, "{wait}: strangers keep nobody out for long");
    sqlx::query("update throttles set blocked_until = utc_timestamp(3) where subject = ?")
        .bind(&account)
        .execute(&desk.books)
        .await
        .unwrap();
    elsewhere.sign_in(&desk).await;
    let (places,): (i64,) = sqlx::query_as("select count(*) from known_places where user_id = ?")
        .bind(&id)
        .fetch_one(&desk.books)
        .await
        .unwrap();
    assert_eq!(places, 2, "where she signed up and where she signed in");
}

/// Many who may not ask, over and over, until a stranger has been let in five times.
async fn flood(desk: &Desk<'_>, blocked: &Person, subject: &str) {
    sqlx::query("insert into throttles (subject, failures, failed_at, blocked_until) values (?, 400, utc_timestamp(3), utc_timestamp(3) + interval 60 second)")
        .bind(sha256(subject)).execute(&desk.books).await.unwrap();
    let base = desk.stage.backoffice(0).url();
    let (told_so, without_room) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut flood = JoinSet::new();
    for _ in 0..30 {
        let (blocked, base) = (blocked.clone(), base.to_owned());
        let (told_so, without_room) = (Arc::clone(&told_so), Arc::clone(&without_room));
        flood.spawn(async move {
            loop {
                let answer = blocked.try_sign_in_at(&base).await;
                match answer.status {
                    429 => told_so.fetch_add(1, Ordering::Relaxed),
                    503 => without_room.fetch_add(1, Ordering::Relaxed),
                    _ => panic!("{answer:?}"),
                };
            }
        });
    }
    for _ in 0..5 {
        let stranger = Person::new("stranger");
        eventually(async || {
            let answer = stranger.try_sign_in(desk).await;
            assert!([401, 503].contains(&answer.status), "{answer:?}");
            (answer.status == 401).then_some(())
        })
        .await;
    }
    assert!(
        flood.try_join_next().is_none(),
        "one was answered otherwise"
    );
    let (told_so, without_room) = (
        told_so.load(Ordering::Relaxed),
        without_room.load(Ordering::Relaxed),
    );
    assert!(
        told_so > without_room,
        "{told_so} were told why, {without_room} were not"
    );
}

#[tokio::test]
async fn who_may_not_ask_keeps_nobody_else_from_it() {
    let desk = Desk::shared().await;
    let blocked = Person::new("flood");
    flood(&desk, &blocked, &format!("place|{}", blocked.place)).await;
    let blocked = Person::new("flood");
    let pair = format!("pair|{}|{}", blocked.email, blocked.place);
    flood(&desk, &blocked, &pair).await;
}

/// With nobody else on it.
fn own_stage() -> Stage {
    let options = StageOptions::whole(0)
        .with_mail()
        .backoffice_env("TRUSTED_PROXIES", "127.0.0.1");
    Stage::start(&options).unwrap()
}

#[tokio::test]
async fn who_waits_for_his_turn_has_cost_no_statement_that_writes() {
    let stage = own_stage();
    let desk = Desk::on(&stage).await;
    for _ in 0..5 {
        if is_seen_waiting(&desk).await {
            return;
        }
    }
    panic!("turns were never held for long enough to be looked at");
}

/// Whether one was seen to wait for his turn while all turns were held for certain, and to have cost nothing by then; false where the machine was too slow to tell.
async fn is_seen_waiting(desk: &Desk<'_>) -> bool {
    let (first, next) = (Person::new("first"), Person::new("next"));
    let subject = |of: &Person| sha256(&format!("place|{}", of.place));
    sqlx::query("insert into throttles (subject, failures, failed_at, blocked_until) values (?, 0, utc_timestamp(3), utc_timestamp(3))")
        .bind(subject(&first)).execute(&desk.books).await.unwrap();
    let mut held = desk.books.begin().await.unwrap();
    sqlx::query("select failures from throttles where subject = ? for update")
        .bind(subject(&first))
        .execute(&mut *held)
        .await
        .unwrap();
    let try_of = |person: &Person| {
        let (person, base) = (person.clone(), desk.stage.backoffice(0).url().to_owned());
        tokio::spawn(async move { person.try_sign_in_at(&base).await })
    };
    let began = Instant::now();
    let with_turns: Vec<_> = (0..PASSWORD_TURNS_MAX).map(|_| try_of(&first)).collect();
    eventually(async || {
        let (waiting,): (i64,) = sqlx::query_as(
            "select count(*) from information_schema.processlist where info like '-- lock%insert into throttles%'",
        )
        .fetch_one(&desk.books)
        .await
        .unwrap();
        (waiting >= PASSWORD_TURNS_MAX as i64).then_some(())
    })
    .await;
    let waiting = try_of(&next);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let counted = async || {
        let (rows,): (i64,) = sqlx::query_as("select count(*) from throttles where subject = ?")
            .bind(subject(&next))
            .fetch_one(&desk.books)
            .await
            .unwrap();
        rows
    };
    let (rows, is_answered) = (counted().await, waiting.is_finished());
    let all_held = began.elapsed() < PASSWORD_COUNT_TIMEOUT.mul_f64(0.9)
        && with_turns.iter().all(|tried| !tried.is_finished());
    held.rollback().await.unwrap();
    for tried in with_turns {
        tried.await.unwrap();
    }
    let answer = waiting.await.unwrap();
    if all_held {
        assert_eq!((rows, is_answered), (0, false), "he had no turn yet");
        assert_eq!(answer.refusal(), (401, "wrong_credentials"));
        assert_eq!(counted().await, 1);
    }
    all_held
}

fn sha256(text: &str) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).to_vec()
}

#[tokio::test]
async fn one_mailbox_gets_a_few_mails_and_nobody_is_told_that_there_are_no_more() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    let body = json!({"email": ann.email});
    for _ in 0..12 {
        let ask = Person {
            place: place(),
            ..ann.clone()
        };
        ask.post(&desk, "/v1/password-resets", &body).await.ok(202);
    }
    // Mails are written after the answer, which must not tell of them: until there are some, and no more come.
    let mut tokens = 0;
    for _ in 0..50 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let asked = sqlx::query_as("select count(*) from one_time_tokens where email = ?");
        let (now,): (i64,) = asked.bind(&ann.email).fetch_one(&desk.books).await.unwrap();
        if now > 0 && now == tokens {
            break;
        }
        tokens = now;
    }
    assert!((1..=6).contains(&tokens), "{tokens}");
    // Strangers have used up what there was; she is where she is known, and reads her mail.
    let before = mails_to(&desk, &ann.email).len();
    ann.post(&desk, "/v1/password-resets", &body).await.ok(202);
    eventually(async || (mails_to(&desk, &ann.email).len() > before).then_some(())).await;
}

#[tokio::test]
async fn mails_of_one_kind_leave_room_for_those_of_another() {
    let desk = Desk::shared().await;
    let (ann, _) = Person::with_account(&desk, "ann").await;
    for _ in 0..8 {
        let stranger = Person {
            place: place(),
            ..ann.clone()
        };
        stranger.sign_up(&desk).await.ok(202);
    }
    let elsewhere = Person {
        place: place(),
        ..ann.clone()
    };
    let body = json!({"email": ann.email});
    let path = "/v1/password-resets";
    elsewhere.post(&desk, path, &body).await.ok(202);
    ann.token_from_mail(&desk, "/account/password").await;
}

#[tokio::test]
async fn a_storm_of_sign_ins_takes_bounded_memory_and_is_answered() {
    let stage = own_stage();
    let desk = Desk::on(&stage).await;
    let nobody = Person::new("nobody");
    assert_eq!(nobody.try_sign_in(&desk).await.status, 401);
    let before = stage.backoffice(0).resident_bytes();
    let mut storm = JoinSet::new();
    let come = |storm: &mut JoinSet<_>| {
        let base = stage.backoffice(0).url().to_owned();
        storm.spawn(async move { Person::new("storm").try_sign_in_at(&base).await });
    };
    (0..200).for_each(|_| come(&mut storm));
    let mut most = 0;
    let (mut refused, mut unavailable, mut overloaded) = (0, 0, 0);
    while let Some(answer) = storm.join_next().await {
        most = most.max(stage.backoffice(0).resident_bytes());
        match answer.unwrap().refusal() {
            (401, "wrong_credentials") => refused += 1,
            (503, "unavailable") => unavailable += 1,
            (503, "overloaded") => overloaded += 1,
            other => panic!("{other:?}"),
        }
        // Another in his place until enough were looked at, and to an end also if nobody is.
        if refused < 50 && refused + unavailable + overloaded < 20_000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            come(&mut storm);
        }
    }
    assert!(refused >= 50, "{refused}");
    // Each that was looked at counts thrice: for the account, for the place, for both together. One that there was no room for does not.
    let (counted,): (i64,) = sqlx::query_as("select count(*) from throttles where failures > 0")
        .fetch_one(&desk.books)
        .await
        .unwrap();
    assert!(
        counted <= 3 * (1 + refused + unavailable),
        "{counted} of {refused}"
    );
    let grown = most.saturating_sub(before) >> 20;
    // One hash has 19 MiB, two hundred at once would have 3,800; what is left is two hundred requests under way.
    assert!(grown < 256, "{grown} MiB");
}
