//! Payments at a provider that hangs, resets, talks nonsense or is away: never a yes or a no that nobody gave, and nobody waits for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doorbuster_backoffice::payments::Payments;
use doorbuster_backoffice::payments::breaker::Stand;
use doorbuster_backoffice::payments::charge::{AttemptId, Charge, Charged, Found, Voided};
use doorbuster_backoffice::payments::limits::{
    BREAKER_FAILURES, BREAKER_PAUSE_MAX, BREAKER_PROBES_MAX,
};
use doorbuster_stage::{Stage, StageOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::payments::{charge, payments};
use crate::till::{Till, outage, state};

/// A server that answers every request with these bytes, and closes; with none it resets, without any it hangs.
async fn rogue(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                match answer {
                    Some(answer) => drop(stream.write_all(answer).await),
                    None => sleep(Duration::from_secs(60)).await,
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn whoever_hangs_resets_or_talks_nonsense_has_said_neither_yes_nor_no() {
    let nonsense: [Option<&'static [u8]>; 8] = [
        None,
        Some(b""),
        Some(b"what?\r\n\r\n"),
        Some(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnope"),
        Some(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{}"),
        Some(b"HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot found"),
        Some(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
        Some(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"),
    ];
    for answer in nonsense {
        let said = answer.map(String::from_utf8_lossy);
        let payments = payments(&rogue(answer).await);
        let began = Instant::now();
        assert_eq!(
            payments.charge(charge("tok_ok", 1_000)).await,
            Charged::Unknown,
            "{said:?}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{said:?} {:?}",
            began.elapsed()
        );
        assert_eq!(
            payments.find(AttemptId::new(Uuid::new_v4())).await,
            Found::Unknown,
            "{said:?}"
        );
        // Three tries of each: by now the breaker is open, and nothing leaves us any more.
        assert_eq!(payments.breaker().unwrap().stand, Stand::Open, "{said:?}");
        let mut voided = payments.void(AttemptId::new(Uuid::new_v4())).await;
        if voided == Voided::Unknown {
            // On a busy machine its first, short pause was over before it was asked: it let one through, and is open again for longer.
            voided = payments.void(AttemptId::new(Uuid::new_v4())).await;
        }
        assert_eq!(voided, Voided::NotSent, "{said:?}");
    }
}

#[tokio::test]
async fn words_that_the_books_have_no_room_for_are_mapped_and_such_references_are_none() {
    let declined = concat!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        r#"{"id":"ch_1","key":"00000000-0000-0000-0000-000000000000","order":"o","status":"declined","captured":null,"reason":"한도 초과","at":"2026-01-01T00:00:00Z","refunds":[]}"#
    );
    let ours = payments(&rogue(Some(declined.as_bytes())).await);
    let expected = Charged::Declined {
        provider_ref: Some("ch_1".to_owned()),
        reason: "?? ??".to_owned(),
    };
    assert_eq!(ours.charge(charge("tok_ok", 1_000)).await, expected);
    let captured = concat!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        r#"{"id":"결제","key":"00000000-0000-0000-0000-000000000000","order":"o","status":"captured","captured":{"amount":1000,"currency":"KRW"},"reason":null,"at":"2026-01-01T00:00:00Z","refunds":[]}"#
    );
    let ours = payments(&rogue(Some(captured.as_bytes())).await);
    let said = ours.charge(charge("tok_ok", 1_000)).await;
    assert_eq!(said, Charged::Unknown);
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let payments = payments(&url);
    assert_eq!(
        payments.charge(charge("tok_ok", 1_000)).await,
        Charged::NotSent
    );
    assert_eq!(
        payments.find(AttemptId::new(Uuid::new_v4())).await,
        Found::Unknown
    );
}

#[tokio::test]
async fn a_deadline_is_kept_and_whoever_is_in_a_hurry_blames_nobody() {
    let payments = payments(&rogue(None).await);
    for _ in 0..2 * BREAKER_FAILURES {
        let hurried = Charge {
            deadline: Instant::now() + Duration::from_millis(30),
            ..charge("tok_ok", 1_000)
        };
        let began = Instant::now();
        assert_eq!(payments.charge(hurried).await, Charged::Unknown);
        assert!(
            began.elapsed() < Duration::from_millis(400),
            "{:?}",
            began.elapsed()
        );
    }
    assert_eq!(payments.breaker().unwrap().stand, Stand::Closed);
    let late = Charge {
        deadline: Instant::now(),
        ..charge("tok_ok", 1_000)
    };
    assert_eq!(payments.charge(late).await, Charged::NotSent);
}

/// Callers who never tire; how often each kind of answer came.
struct Callers {
    asked: AtomicU64,
    answered: AtomicU64,
}

fn besiege(payments: &Payments, callers: usize) -> Arc<Callers> {
    let counts = Arc::new(Callers {
        asked: AtomicU64::new(0),
        answered: AtomicU64::new(0),
    });
    for _ in 0..callers {
        let (payments, counts) = (payments.clone(), Arc::clone(&counts));
        tokio::spawn(async move {
            loop {
                let found = payments.find(AttemptId::new(Uuid::new_v4())).await;
                counts.asked.fetch_add(1, Ordering::Relaxed);
                if found != Found::Unknown {
                    counts.answered.fetch_add(1, Ordering::Relaxed);
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
    }
    counts
}

async fn requests(till: &Till) -> u64 {
    till.state().await["requests"].as_u64().unwrap()
}

#[tokio::test]
async fn a_provider_that_is_away_for_a_minute_is_probed_by_a_few_and_used_soon_after_it_is_back() {
    const CALLERS: usize = 20;
    let away = Duration::from_secs(60);
    let till = Till::start("", &[]).await;
    let payments = payments(till.url());
    let callers = besiege(&payments, CALLERS);
    sleep(Duration::from_millis(500)).await;
    assert!(callers.answered.load(Ordering::Relaxed) > 0);

    outage(&till.server, "refuse").await;
    let (before, asked) = (requests(&till).await, callers.asked.load(Ordering::Relaxed));
    sleep(away).await;
    let view = payments.breaker().unwrap();
    assert!(view.stand != Stand::Closed && view.opened >= 1, "{view:?}");
    let (came, asked) = (
        requests(&till).await - before,
        callers.asked.load(Ordering::Relaxed) - asked,
    );
    // Those who were under way, and then at most as many probes as there were pauses: 0.5, 1, 2, 4 and 5 s, each a fifth shorter at most.
    let pauses = 4 + away.as_secs() / (BREAKER_PAUSE_MAX.as_secs() * 4 / 5) + 1;
    let most =
        CALLERS as u64 + u64::from(BREAKER_FAILURES) + pauses * u64::from(BREAKER_PROBES_MAX);
    assert!(came <= most, "{came} requests came, {most} may");
    assert!(
        came >= 5 && asked > 20 * came,
        "{asked} were asked for, {came} came"
    );

    outage(&till.server, "off").await;
    let back = Instant::now();
    while payments.breaker().unwrap().stand != Stand::Closed {
        assert!(
            back.elapsed() < BREAKER_PAUSE_MAX * 2,
            "{:?}",
            payments.breaker()
        );
        sleep(Duration::from_millis(20)).await;
    }
    let answered = callers.answered.load(Ordering::Relaxed);
    sleep(Duration::from_secs(1)).await;
    assert!(callers.answered.load(Ordering::Relaxed) > answered + 100);
}

#[tokio::test]
async fn an_outage_ends_by_itself_where_it_was_given_an_end() {
    let stage = Stage::start(&StageOptions::redis_only()).unwrap();
    let server = Till::server(&stage, "", &[]);
    let body = serde_json::json!({"mode": "refuse", "seconds": 1});
    let call = crate::http::Call::new(server.url(), "POST", "/control/outage");
    assert_eq!(call.json(&body).send().await.ok(200)["outage"], "refuse");
    // What a proxy on this machine passes on is no word of this machine's.
    for name in ["forwarded", "x-forwarded-for"] {
        let call = crate::http::Call::new(server.url(), "POST", "/control/outage");
        let call = call.header(name, "for=203.0.113.7").json(&body);
        assert_eq!(call.send().await.status, 403, "{name}");
    }
    crate::stage::eventually(async || (state(&server).await["outage"] == "off").then_some(()))
        .await;
}
