//! Bad input gets the right status and a problem that says what to do; nothing changes; nothing is a 500.

use doorbuster_core::claims::{Claims, Role, TokenKeys};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;

use super::harness::{Answer, Shop, send};

const PATH: &str = "/v1/sales/s/reservations";
const GOOD: &str = r#"{"items":[{"sku":"tee","quantity":1}]}"#;

struct Tried<'a> {
    name: &'a str,
    method: &'a str,
    path: &'a str,
    headers: Vec<(&'a str, String)>,
    body: String,
    expect: (u16, &'a str),
}

fn tried<'a>(
    token: &str,
    name: &'a str,
    body: impl Into<String>,
    expect: (u16, &'a str),
) -> Tried<'a> {
    let headers = vec![
        ("authorization", format!("Bearer {token}")),
        ("idempotency-key", "k".to_string()),
        ("content-type", "application/json".to_string()),
    ];
    Tried {
        name,
        method: "POST",
        path: PATH,
        headers,
        body: body.into(),
        expect,
    }
}

fn without<'a>(mut tried: Tried<'a>, header: &str) -> Tried<'a> {
    tried.headers.retain(|(name, _)| *name != header);
    tried
}

fn with<'a>(tried: Tried<'a>, header: &'a str, value: impl Into<String>) -> Tried<'a> {
    let mut tried = without(tried, header);
    tried.headers.push((header, value.into()));
    tried
}

fn at<'a>(mut tried: Tried<'a>, method: &'a str, path: &'a str) -> Tried<'a> {
    (tried.method, tried.path) = (method, path);
    tried
}

fn forged(secret: &str, change: impl Fn(&mut Claims)) -> String {
    let mut claims = Claims::access(
        UserId::parse("ann").unwrap(),
        Role::Buyer,
        clock::now_s(),
        600,
    );
    change(&mut claims);
    TokenKeys::new(secret.as_bytes(), None)
        .unwrap()
        .sign(&claims)
}

fn tokens<'a>(secret: &str, token: &str) -> Vec<Tried<'a>> {
    let refused = (401, "unauthorized");
    let parts: Vec<&str> = token.split('.').collect();
    let none = "eyJhbGciOiJub25lIn0";
    let hs512 = "eyJhbGciOiJIUzUxMiJ9";
    vec![
        without(tried(token, "no token", GOOD, refused), "authorization"),
        with(
            tried(token, "not a bearer", GOOD, refused),
            "authorization",
            "Basic abc",
        ),
        tried("", "empty token", GOOD, refused),
        tried("a.b.c", "no token at all", GOOD, refused),
        tried(
            &forged(secret, |c| c.exp = c.iat - 1),
            "expired",
            GOOD,
            refused,
        ),
        tried(
            &forged(secret, |c| c.exp = c.iat + 90_000),
            "too long a life",
            GOOD,
            refused,
        ),
        tried(
            &forged(secret, |c| c.typ = "refresh".into()),
            "a refresh token",
            GOOD,
            refused,
        ),
        tried(
            &forged(secret, |c| c.aud = "x".into()),
            "for others",
            GOOD,
            refused,
        ),
        tried(
            &forged(&"x".repeat(32), |_| {}),
            "signed by someone else",
            GOOD,
            refused,
        ),
        tried(
            &format!("{hs512}.{}.{}", parts[1], parts[2]),
            "wrong algorithm",
            GOOD,
            refused,
        ),
        tried(
            &format!("{none}.{}.", parts[1]),
            "none algorithm",
            GOOD,
            refused,
        ),
        tried(
            &format!("{none}.{}.{}", parts[1], parts[2]),
            "none algorithm with a signature",
            GOOD,
            refused,
        ),
    ]
}

fn bodies<'a>(token: &str) -> Vec<Tried<'a>> {
    let bad = (400, "invalid_request");
    let lines: Vec<String> = (0..65)
        .map(|i| format!(r#"{{"sku":"s{i}","quantity":1}}"#))
        .collect();
    vec![
        tried(token, "no body", "", bad),
        tried(token, "not json", "items=tee", bad),
        tried(token, "half json", r#"{"items":["#, bad),
        tried(token, "an array", "[]", bad),
        tried(
            token,
            "unknown field",
            r#"{"items":[{"sku":"tee","quantity":1}],"price":0}"#,
            bad,
        ),
        tried(
            token,
            "unknown field in a line",
            r#"{"items":[{"sku":"tee","quantity":1,"price":0}]}"#,
            bad,
        ),
        tried(token, "no lines", r#"{"items":[]}"#, bad),
        tried(
            token,
            "65 lines",
            format!(r#"{{"items":[{}]}}"#, lines.join(",")),
            bad,
        ),
        tried(
            token,
            "a sku twice",
            r#"{"items":[{"sku":"tee","quantity":1},{"sku":"tee","quantity":1}]}"#,
            bad,
        ),
        tried(
            token,
            "a bad sku",
            r#"{"items":[{"sku":"te e","quantity":1}]}"#,
            bad,
        ),
        tried(
            token,
            "seats",
            r#"{"items":[{"sku":"tee","seats":["A-1"]}]}"#,
            bad,
        ),
        tried(
            token,
            "deep nesting",
            format!("{}{}", "[".repeat(4_000), "]".repeat(4_000)),
            bad,
        ),
    ]
}

fn quantities<'a>(token: &str) -> Vec<Tried<'a>> {
    let bad = (400, "invalid_request");
    let quantity = |name: &'a str, q: &str| {
        let body = format!(r#"{{"items":[{{"sku":"tee","quantity":{q}}}]}}"#);
        tried(token, name, body, bad)
    };
    vec![
        quantity("quantity 0", "0"),
        quantity("quantity -1", "-1"),
        quantity("quantity 1.5", "1.5"),
        quantity("quantity 2^53", "9007199254740992"),
        quantity("quantity 2^64", "18446744073709551616"),
        quantity("quantity as text", "\"1\""),
        quantity("quantity null", "null"),
        tried(
            token,
            "unknown sku",
            r#"{"items":[{"sku":"hat","quantity":1}]}"#,
            (404, "unknown_sku"),
        ),
        tried(
            token,
            "1 MB",
            "x".repeat(1_000_000),
            (413, "body_too_large"),
        ),
        with(
            tried(
                token,
                "not json by its type",
                GOOD,
                (415, "unsupported_media_type"),
            ),
            "content-type",
            "text/plain",
        ),
        without(
            tried(token, "no type", GOOD, (415, "unsupported_media_type")),
            "content-type",
        ),
    ]
}

fn heads<'a>(token: &str) -> Vec<Tried<'a>> {
    let bad = (400, "invalid_request");
    let good = |name: &'a str, expect: (u16, &'a str)| tried(token, name, GOOD, expect);
    vec![
        without(
            good("no key", (400, "missing_idempotency_key")),
            "idempotency-key",
        ),
        with(good("empty key", bad), "idempotency-key", ""),
        with(
            good("300-byte key", bad),
            "idempotency-key",
            "k".repeat(300),
        ),
        with(good("a key with a tab", bad), "idempotency-key", "a\tb"),
        with(
            good("20 KiB of headers", (431, "headers_too_large")),
            "x-long",
            "x".repeat(20_000),
        ),
    ]
}

fn paths<'a>(token: &str) -> Vec<Tried<'a>> {
    let bad = (400, "invalid_request");
    let good = |name: &'a str, expect: (u16, &'a str)| tried(token, name, GOOD, expect);
    vec![
        at(
            good("a claim with a body", bad),
            "POST",
            "/v1/coupons/nope/claims",
        ),
        at(
            good("unknown sale", (404, "unknown_sale")),
            "POST",
            "/v1/sales/nope/reservations",
        ),
        at(
            good("a bad sale id", bad),
            "POST",
            "/v1/sales/no%20pe/reservations",
        ),
        at(
            good("a long sale id", bad),
            "POST",
            "/v1/sales/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/reservations",
        ),
        at(
            good("unknown path", (404, "not_found")),
            "GET",
            "/v1/nothing",
        ),
        at(good("the root", (404, "not_found")), "GET", "/"),
        at(
            good("wrong method", (405, "method_not_allowed")),
            "PUT",
            PATH,
        ),
        at(
            good("GET of reservations", (405, "method_not_allowed")),
            "GET",
            PATH,
        ),
        at(
            good("a bad reservation id", bad),
            "GET",
            "/v1/sales/s/reservations/nope",
        ),
        at(
            good("someone's reservation", (404, "unknown_reservation")),
            "GET",
            "/v1/sales/s/reservations/00000000-0000-8000-8000-000000000000",
        ),
        at(
            good("nobody's hold", (404, "unknown_reservation")),
            "DELETE",
            "/v1/sales/s/reservations/00000000-0000-8000-8000-000000000000",
        ),
        at(
            tried(token, "unknown coupon", "{}", (404, "unknown_coupon")),
            "POST",
            "/v1/coupons/nope/claims",
        ),
    ]
}

fn check(tried: &Tried<'_>, answer: &Answer) {
    let (status, code) = tried.expect;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (status, code),
        "{}: {:?}",
        tried.name,
        answer.body
    );
    assert_eq!(
        answer.headers["content-type"], "application/problem+json",
        "{}",
        tried.name
    );
    assert_eq!(answer.body["status"], status, "{}", tried.name);
    for field in ["type", "title", "detail", "request_id"] {
        assert!(
            answer.body[field]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{}: {field}",
            tried.name
        );
    }
    assert_eq!(
        answer.headers["x-request-id"],
        answer.body["request_id"].as_str().unwrap(),
        "{}",
        tried.name
    );
    if status == 405 {
        assert!(answer.headers.contains_key("allow"), "{}", tried.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_reason_and_changes_nothing() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 5, 0)], 300).await;
    let before = shop.snapshot(&live).await;
    let token = shop.token("ann", Role::Buyer);
    let all = tokens(shop.stage.token_secret(), &token)
        .into_iter()
        .chain(bodies(&token))
        .chain(quantities(&token))
        .chain(heads(&token))
        .chain(paths(&token));
    for tried in all {
        // With a 1 MB body the engine may close before all is sent; it must have answered all the same.
        let sent = send(
            &shop.engine(0),
            tried.method,
            tried.path,
            &tried.headers,
            tried.body.clone(),
        )
        .await;
        check(
            &tried,
            &sent.unwrap_or_else(|| panic!("{}: no answer", tried.name)),
        );
    }
    let after = shop.snapshot(&live).await;
    assert_eq!(
        (before.seq, before.stock, before.records),
        (after.seq, after.stock, after.records)
    );
}
