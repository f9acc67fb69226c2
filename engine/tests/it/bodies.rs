//! A reservation's body comes as it comes, and what is told is the same; those who come too late are told without a future
//! (`front/reserving.rs`), and alike.

use std::collections::HashSet;
use std::time::Duration;

use doorbuster_core::claims::Role;
use doorbuster_engine::limits::{BODY_BYTES_MAX, HOT_EVERY};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::harness::{Answer, Shop, send, within};
use super::surface::metrics;

const WISH: &str = r#"{"items":[{"sku":"tee","quantity":1}]}"#;
const SOLD_OUT: (u16, &str) = (409, "sold_out");
/// Of one sale nothing is left, the other sells: what a reservation is told.
const SALES: [(&str, (u16, &str)); 2] = [("gone", SOLD_OUT), ("open", (201, ""))];

const CHUNKED: &str = "Transfer-Encoding: chunked";
const LAST_CHUNK: &str = "0\r\n\r\n";
const PAUSE: Duration = Duration::from_millis(50);

/// A connection that is spoken to by hand.
struct Wire(BufReader<TcpStream>);

impl Wire {
    async fn to(shop: &Shop) -> Self {
        let address = shop.engine(0).replace("http://", "");
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next answer, and nothing after it.
    async fn answer(&mut self) -> Answer {
        timeout(Duration::from_secs(10), self.read())
            .await
            .expect("an answer in time")
    }

    async fn read(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).await.unwrap();
            assert!(read > 0, "closed after {head:?}");
        }
        let mut headers = HeaderMap::new();
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let length: usize = headers
            .get("content-length")
            .map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        Answer {
            status: head["HTTP/1.1 ".len()..][..3].parse().unwrap(),
            headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }
}

/// A reservation up to its body; `framing` says how that comes.
fn head(token: &str, sale: &str, framing: &str) -> String {
    format!(
        "POST /v1/sales/{sale}/reservations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
    )
}

fn sized(body: &str) -> String {
    format!("Content-Length: {}", body.len())
}

fn whole(shop: &Shop, sale: &str, user: &str, body: &str) -> String {
    head(&shop.token(user, Role::Buyer), sale, &sized(body)) + body
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn check(answer: &Answer, told: (u16, &str), of: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        told,
        "{of}: {:?}",
        answer.body
    );
}

async fn shielded(shop: &Shop) -> u64 {
    let text = metrics(shop, 0).await;
    let begin = "doorbuster_shield_answers_total ";
    let count = text.lines().find_map(|line| line.strip_prefix(begin));
    count.map_or(0, |count| count.trim().parse().unwrap())
}

/// Opens a sale of which ann has all, and waits until the others are told so from memory; what ann was told.
async fn sold_out(shop: &Shop, sale: &str) -> Answer {
    shop.sale(sale, &[("tee", 1, 0)], 300).await;
    let held = shop.reserve_one(0, sale, "ann", "k").await;
    check(&held, (201, ""), sale);
    within(
        Duration::from_secs(5),
        "memory knows that nothing is left",
        || async {
            let before = shielded(shop).await;
            check(
                &shop.reserve_one(0, sale, "late", "k").await,
                SOLD_OUT,
                sale,
            );
            (shielded(shop).await > before).then_some(())
        },
    )
    .await;
    held
}

async fn with_sales() -> Shop {
    let shop = Shop::with_engines(1).await;
    shop.sale("open", &[("tee", 100, 0)], 300).await;
    sold_out(&shop, "gone").await;
    shop
}

/// Asks for it until it is the one that all ask for.
async fn heat(shop: &Shop, sale: &str) {
    for _ in 0..2 * HOT_EVERY {
        shop.reserve_one(0, sale, "late", "k").await;
    }
}

/// Ways to send one unit's wish: its framing, and what is sent with the head, then after a pause.
fn ways() -> Vec<(String, Vec<String>)> {
    let (begun, rest) = WISH.split_at(WISH.len() / 2);
    let longest = WISH.to_owned() + &" ".repeat(BODY_BYTES_MAX - WISH.len());
    let (first, last) = (chunk(begun), chunk(rest) + LAST_CHUNK);
    vec![
        (sized(WISH), vec![WISH.to_owned()]),
        (sized(WISH), vec![begun.to_owned(), rest.to_owned()]),
        (sized(WISH), vec![String::new(), WISH.to_owned()]),
        (sized(&longest), vec![longest.clone()]),
        (CHUNKED.to_owned(), vec![chunk(WISH) + LAST_CHUNK]),
        (CHUNKED.to_owned(), vec![first.clone() + &last]),
        (CHUNKED.to_owned(), vec![first, last]),
        (CHUNKED.to_owned(), vec![chunk(WISH), LAST_CHUNK.to_owned()]),
        (CHUNKED.to_owned(), vec![chunk(&longest) + LAST_CHUNK]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_in_pieces_is_a_body_and_the_next_request_is_answered_after_it() {
    let shop = with_sales().await;
    for (sale, told) in SALES {
        heat(&shop, sale).await;
        for (n, (framing, pieces)) in ways().iter().enumerate() {
            let way = format!("{sale}, way {n}, {framing}");
            let mut wire = Wire::to(&shop).await;
            let token = shop.token(&format!("u{n}"), Role::Buyer);
            wire.write(&(head(&token, sale, framing) + &pieces[0]))
                .await;
            for piece in &pieces[1..] {
                sleep(PAUSE).await;
                wire.write(piece).await;
            }
            check(&wire.answer().await, told, &way);
            wire.write(&whole(&shop, sale, &format!("v{n}"), WISH))
                .await;
            check(&wire.answer().await, told, &format!("{way}, the next"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reservations_in_one_write_are_answered_in_their_order() {
    let shop = with_sales().await;
    let hat = WISH.replace("tee", "hat");
    for (sale, told) in SALES {
        heat(&shop, sale).await;
        // Of a hat Redis is asked, of a tee that is sold out nobody.
        let (tee, hat) = ((WISH, told), (hat.as_str(), (404, "unknown_sku")));
        let mut wire = Wire::to(&shop).await;
        for (n, [first, second]) in [[tee, tee], [tee, hat], [hat, tee]].into_iter().enumerate() {
            let both = whole(&shop, sale, &format!("a{n}"), first.0)
                + &whole(&shop, sale, &format!("b{n}"), second.0);
            wire.write(&both).await;
            check(&wire.answer().await, first.1, sale);
            check(&wire.answer().await, second.1, sale);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_past_16_kib_is_refused_and_unread_where_its_head_says_so() {
    let shop = with_sales().await;
    for (sale, told) in SALES {
        heat(&shop, sale).await;
        let token = shop.token("bob", Role::Buyer);
        let part = chunk(&" ".repeat(BODY_BYTES_MAX / 2 + 1));
        for (framing, sent) in [
            (CHUNKED.to_owned(), part.repeat(2) + LAST_CHUNK),
            (
                format!("Content-Length: {}", BODY_BYTES_MAX + 1),
                String::new(),
            ),
        ] {
            let mut wire = Wire::to(&shop).await;
            wire.write(&(head(&token, sale, &framing) + &sent)).await;
            let refused = wire.answer().await;
            check(&refused, (413, "body_too_large"), &framing);
        }
        check(&shop.reserve_one(0, sale, "bob", "k").await, told, sale);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_before_the_body_is_told_to_go_on_or_why_not() {
    let shop = with_sales().await;
    let framing = format!("Expect: 100-continue\r\n{}", sized(WISH));
    for (sale, told) in SALES {
        heat(&shop, sale).await;
        let mut wire = Wire::to(&shop).await;
        let token = shop.token("bob", Role::Buyer);
        wire.write(&head(&token, sale, &framing)).await;
        check(&wire.answer().await, (100, ""), sale);
        wire.write(WISH).await;
        check(&wire.answer().await, told, sale);
        wire.write(&whole(&shop, sale, "cat", WISH)).await;
        check(&wire.answer().await, told, sale);

        let mut wire = Wire::to(&shop).await;
        wire.write(&head("x.y.z", sale, &framing)).await;
        check(&wire.answer().await, (401, "unauthorized"), sale);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_body_that_is_cut_off_nothing_is_reserved_and_others_are_served() {
    let shop = with_sales().await;
    let begun = &WISH[..WISH.len() / 2];
    for (sale, told) in SALES {
        heat(&shop, sale).await;
        for (framing, sent) in [
            (sized(WISH), String::new()),
            (sized(WISH), begun.to_owned()),
            (CHUNKED.to_owned(), chunk(begun)),
            (CHUNKED.to_owned(), chunk(WISH)),
        ] {
            let mut wire = Wire::to(&shop).await;
            let token = shop.token("cut", Role::Buyer);
            wire.write(&(head(&token, sale, &framing) + &sent)).await;
            sleep(PAUSE).await;
            drop(wire);
        }
        for user in ["bob", "cut"] {
            check(&shop.reserve_one(0, sale, user, "k").await, told, user);
        }
    }
}

/// What is heard of every way to ask for a unit of `sale`, which ann has, and of another sale's receipt: status, names of headers, and the
/// body without what is one answer's alone.
async fn heard(shop: &Shop, sale: &str, foreign: &str) -> Vec<(u16, Vec<String>, Value)> {
    let path = format!("/v1/sales/{sale}/reservations");
    let bearer = |token: String| ("authorization", format!("Bearer {token}"));
    let (ann, bob) = (
        bearer(shop.token("ann", Role::Buyer)),
        bearer(shop.token("bob", Role::Buyer)),
    );
    let key = ("idempotency-key", "k".to_owned());
    let json = ("content-type", "application/json".to_owned());
    let text = ("content-type", "text/plain".to_owned());
    let receipt = ("receipt", foreign.to_owned());
    let all = |user: &(&'static str, String)| vec![user.clone(), key.clone(), json.clone()];
    let mut heard = Vec::new();
    for (headers, body) in [
        (vec![key.clone(), json.clone()], WISH),
        (all(&bearer("x.y.z".to_owned())), WISH),
        (vec![bob.clone(), json.clone()], WISH),
        (vec![bob.clone(), key.clone(), text], WISH),
        (all(&bob), r#"{"items":["#),
        (vec![ann.clone(), key.clone(), json.clone(), receipt], WISH),
        (all(&ann), WISH),
        (all(&bob), WISH),
    ] {
        let answer = send(&shop.engine(0), "POST", &path, &headers, body)
            .await
            .unwrap();
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        let mut told = answer.body;
        for own in [
            "request_id",
            "id",
            "sale",
            "hold_expires_at",
            "seq",
            "receipt",
        ] {
            if let Some(value) = told.get_mut(own) {
                *value = Value::Null;
            }
        }
        heard.push((answer.status.as_u16(), names, told));
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_sold_out_sale_that_all_ask_for_people_hear_what_they_hear_of_another() {
    let shop = Shop::with_engines(1).await;
    let mut receipts = Vec::new();
    for sale in ["hot", "other"] {
        let held = sold_out(&shop, sale).await;
        receipts.push(held.body["receipt"].as_str().unwrap().to_owned());
    }
    heat(&shop, "hot").await;
    let hot = heard(&shop, "hot", &receipts[1]).await;
    let other = heard(&shop, "other", &receipts[0]).await;
    let said: Vec<(u16, &str)> = hot
        .iter()
        .map(|(status, _, told)| (*status, told["code"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(
        said,
        [
            (401, "unauthorized"),
            (401, "unauthorized"),
            (400, "missing_idempotency_key"),
            (415, "unsupported_media_type"),
            (400, "invalid_request"),
            (400, "invalid_request"),
            (200, ""),
            SOLD_OUT,
        ]
    );
    for (hot, other) in hot.iter().zip(&other) {
        assert_eq!(hot, other);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_who_come_too_late_in_turn_read_each_their_own_problem() {
    let shop = with_sales().await;
    heat(&shop, "gone").await;
    let buyers = [
        ("kim", "ko-KR,ko;q=0.9", "품절되었습니다"),
        ("bob", "en", "Sold out"),
    ];
    // One connection, so that all is answered on one thread.
    let mut wire = Wire::to(&shop).await;
    let mut ids = HashSet::new();
    for _ in 0..10 {
        for (user, language, title) in buyers {
            let framing = format!("Accept-Language: {language}\r\n{}", sized(WISH));
            let token = shop.token(user, Role::Buyer);
            wire.write(&(head(&token, "gone", &framing) + WISH)).await;
            let late = wire.answer().await;
            check(&late, SOLD_OUT, user);
            assert_eq!(late.body["title"], title);
            let id = late.body["request_id"].as_str().unwrap();
            assert_eq!(late.headers["x-request-id"], id);
            assert!(ids.insert(id.to_owned()), "{id} is two requests'");
        }
    }
}
