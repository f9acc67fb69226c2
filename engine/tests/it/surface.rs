//! What can be seen from outside: the sale's page, health, metrics, CORS, languages.

use hyper::StatusCode;
use serde_json::json;

use doorbuster_stage::StageOptions;

use super::harness::{Shop, send, within};

pub(crate) async fn metrics(shop: &Shop, engine: usize) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = shop.engine(engine).replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_shows_what_is_sold_when_and_how_much_is_left() {
    let shop = Shop::with_engines(1).await;
    shop.sale("s", &[("tee", 5, 2), ("cap", 1, 0)], 300).await;
    let shown = shop.buyer(0, "GET", "/v1/sales/s", "ann").await;
    assert_eq!(shown.status, StatusCode::OK);
    assert_eq!(
        (
            &shown.body["state"],
            &shown.body["title"],
            &shown.body["hold_seconds"]
        ),
        (&json!("open"), &json!("Friday drop"), &json!(300))
    );
    let tee = shown.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["sku"] == "tee")
        .unwrap();
    assert_eq!(
        (&tee["left"], &tee["limit_per_user"], &tee["price"]),
        (
            &json!(5),
            &json!(2),
            &json!({"amount": 19900, "currency": "KRW"})
        )
    );
    shop.reserve_one(0, "s", "ann", "k").await;
    within(
        std::time::Duration::from_secs(1),
        "left follows within a second",
        || async {
            let shown = shop.buyer(0, "GET", "/v1/sales/s", "ann").await;
            shown.body["items"]
                .as_array()
                .unwrap()
                .iter()
                .any(|i| i["sku"] == "tee" && i["left"] == 4)
                .then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_pauses_resumes_and_closes_as_often_as_needed() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 5, 2)], 300).await;
    assert_eq!(
        shop.reserve_one(0, "s", "ann", "k").await.status,
        StatusCode::CREATED
    );
    for (verb, state, code) in [
        ("pause", "paused", "paused"),
        ("resume", "open", ""),
        ("close", "closed", "closed"),
    ] {
        for _ in 0..2 {
            assert_eq!(
                shop.staff("POST", &format!("/admin/v1/sales/s/{verb}"), None)
                    .await
                    .status,
                StatusCode::OK,
                "{verb}"
            );
        }
        assert_eq!(
            shop.reserve_one(0, "s", "bob", &format!("k-{verb}"))
                .await
                .code(),
            code,
            "{verb}"
        );
        within(std::time::Duration::from_secs(1), state, || async {
            (shop.buyer(0, "GET", "/v1/sales/s", "ann").await.body["state"] == state).then_some(())
        })
        .await;
    }
    assert_eq!(
        shop.reserve_one(0, "s", "ann", "k").await.status,
        StatusCode::OK,
        "a repeat is answered after the close"
    );
    shop.until_booked(&live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_and_a_sale_before_its_window_are_not_open() {
    let shop = Shop::with_engines(1).await;
    let (opens, closes) = ("2099-01-01T00:00:00.000Z", "2099-01-02T00:00:00.000Z");
    let body = json!({"id": "later", "title": "Later", "opens_at": opens, "closes_at": closes, "hold_seconds": 300, "payment_seconds": 300,
        "items": [{"sku": "tee", "title": "Tee", "price": {"amount": 1, "currency": "KRW"}, "stock": 1}], "waiting_room": false});
    assert_eq!(
        shop.staff("POST", "/admin/v1/sales", Some(body))
            .await
            .status,
        StatusCode::CREATED
    );
    assert_eq!(
        shop.buyer(0, "GET", "/v1/sales/later", "ann").await.body["state"],
        "draft"
    );
    assert_eq!(
        shop.reserve_one(0, "later", "ann", "k").await.code(),
        "not_open"
    );
    assert_eq!(
        shop.staff("POST", "/admin/v1/sales/later/open", None)
            .await
            .status,
        StatusCode::OK
    );
    within(std::time::Duration::from_secs(5), "scheduled", || async {
        (shop.buyer(0, "GET", "/v1/sales/later", "ann").await.body["state"] == "scheduled")
            .then_some(())
    })
    .await;
    let early = shop.reserve_one(0, "later", "ann", "k").await;
    assert_eq!(
        (early.status, early.code()),
        (StatusCode::CONFLICT, "not_open")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_on_listed_origins_may_call_and_others_may_not() {
    let shop =
        Shop::open(StageOptions::whole(1).engine_env("CORS_ORIGINS", "https://shop.example")).await;
    let path = "/v1/sales/s/reservations";
    let preflight = |origin: &str| {
        let headers = [
            ("origin", origin.to_string()),
            ("access-control-request-method", "POST".into()),
        ];
        let url = shop.engine(0);
        async move { send(&url, "OPTIONS", path, &headers, "").await.unwrap() }
    };
    let listed = preflight("https://shop.example").await;
    assert_eq!(listed.status, StatusCode::NO_CONTENT);
    assert_eq!(
        listed.headers["access-control-allow-origin"],
        "https://shop.example"
    );
    assert!(
        listed.headers["access-control-allow-headers"]
            .to_str()
            .unwrap()
            .contains("idempotency-key")
    );
    assert!(
        !preflight("https://evil.example")
            .await
            .headers
            .contains_key("access-control-allow-origin")
    );
    assert!(
        !preflight("https://shop.example.evil.example")
            .await
            .headers
            .contains_key("access-control-allow-origin")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_titled_in_the_buyers_language() {
    let shop = Shop::with_engines(1).await;
    for (language, title) in [
        ("ko-KR,ko;q=0.9", "없는 판매입니다"),
        ("en", "There is no such sale"),
    ] {
        let headers = [("accept-language", language.to_string())];
        let answer = send(&shop.engine(0), "GET", "/v1/sales/nope", &headers, "")
            .await
            .unwrap();
        assert_eq!(
            (answer.code(), &answer.body["title"]),
            ("unknown_sale", &json!(title))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_what_an_operator_asks_and_name_no_user() {
    let shop = Shop::with_engines(1).await;
    let live = shop.sale("s", &[("tee", 1, 0)], 300).await;
    for user in ["ann-canary", "bob-canary"] {
        shop.reserve_one(0, "s", user, "key-canary").await;
    }
    shop.until_booked(&live).await;
    let text = within(
        std::time::Duration::from_secs(5),
        "the gauges have looked",
        || async {
            Some(metrics(&shop, 0).await).filter(|text| {
                text.contains("doorbuster_conservation_difference_units{sale=\"s\"} 0")
            })
        },
    )
    .await;
    for name in [
        "doorbuster_batch_requests_bucket",
        "doorbuster_queue_depth{sale=\"s\"}",
        "doorbuster_writer_lag_events{sale=\"s\"} 0",
        "doorbuster_writer_events_total",
        "doorbuster_outcomes_total{outcome=\"held\"} 1",
        "doorbuster_http_answer_seconds_bucket",
        "doorbuster_ack_level_met 1",
        "doorbuster_sale_recovering{sale=\"s\"} 0",
        "doorbuster_connections",
    ] {
        assert!(text.contains(name), "{name} is missing:\n{text}");
    }
    assert!(!text.contains("canary"));
    assert_eq!(
        shop.buyer(0, "GET", "/openapi.json", "ann").await.body["openapi"],
        "3.1.0"
    );
    let log = shop.stage.engine(0).log_tail(10_000);
    assert!(
        !log.contains("canary") && !log.contains(shop.stage.token_secret()),
        "{log}"
    );
}
