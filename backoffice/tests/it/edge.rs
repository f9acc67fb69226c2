//! What every request meets on its way in: paths, methods, hosts, bodies, heads, time; and how the program ends.

use std::time::Duration;

use doorbuster_core::claims::Role;
use doorbuster_stage::{Stage, StageOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http::Call;
use crate::stage::{Desk, name, sale};

#[tokio::test]
async fn unknown_paths_and_wrong_methods_say_what_to_do() {
    let desk = Desk::shared().await;
    for path in [
        "/nothing",
        "/admin",
        "/admin/v1/sales/x/y/z",
        "/admin/v1/sales/",
        "/v1/nobody",
        "/docs/x",
    ] {
        assert_eq!(desk.get(path).await.refusal(), (404, "not_found"), "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/admin/v1/coupons", "POST"),
        ("DELETE", "/admin/v1/sales/x", "GET,HEAD,PUT"),
        ("PUT", "/livez", "GET,HEAD"),
        ("BREW", "/admin/v1/coupons/x/open", "POST"),
    ] {
        let answer = desk.call(method, path).send().await;
        assert_eq!(
            answer.refusal(),
            (405, "method_not_allowed"),
            "{method} {path}"
        );
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn bodies_are_json_and_not_too_long() {
    let desk = Desk::shared().await;
    let id = name("body");
    let post = |content_type: &'static str, body: Vec<u8>| {
        let call = desk
            .call("POST", "/admin/v1/sales")
            .token(&desk.token("olga", Role::Admin));
        if content_type.is_empty() {
            call.body(body)
        } else {
            call.header("content-type", content_type).body(body)
        }
    };
    let good = sale(&id).to_string().into_bytes();
    for content_type in [
        "",
        "text/plain",
        "application/jsonp",
        "application/x-www-form-urlencoded",
    ] {
        assert_eq!(
            post(content_type, good.clone()).send().await.refusal(),
            (415, "unsupported_media_type"),
            "{content_type}"
        );
    }
    for bad in [
        &b""[..],
        b"{",
        b"[]",
        b"null",
        b"{} {}",
        b"\xff",
        b"{\"id\":\"a\",\"id\":\"a\"}",
    ] {
        assert_eq!(
            post("application/json", bad.to_vec())
                .send()
                .await
                .refusal(),
            (400, "invalid_request"),
            "{bad:?}"
        );
    }
    let mut long = good.clone();
    long.resize(64 * 1024 + 1, b' ');
    assert_eq!(
        post("application/json", long.clone())
            .send()
            .await
            .refusal(),
        (413, "body_too_large")
    );
    long.resize(1024 * 1024, b' ');
    assert_eq!(
        post("application/json", long.clone())
            .send()
            .await
            .refusal(),
        (413, "body_too_large")
    );
    long.truncate(64 * 1024);
    assert_eq!(
        post("application/json; charset=utf-8", long)
            .send()
            .await
            .status,
        201,
        "just not too long"
    );
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_security_headers() {
    let desk = Desk::shared().await;
    for path in ["/livez", "/docs", "/nowhere", "/admin/v1/sales/x"] {
        let answer = desk
            .call("GET", path)
            .header("x-request-id", "trace-1")
            .send()
            .await;
        assert_eq!(answer.header("x-request-id"), "trace-1", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'"),
            "{path}"
        );
    }
    let made = [
        desk.call("GET", "/livez").send().await,
        desk.call("GET", "/livez")
            .header("x-request-id", "a b")
            .send()
            .await,
    ];
    assert!(
        made.iter()
            .all(|answer| answer.header("x-request-id").len() == 36),
        "{made:?}"
    );
    assert_ne!(
        made[0].header("x-request-id"),
        made[1].header("x-request-id")
    );
}

#[tokio::test]
async fn documents_and_metrics_are_served() {
    let desk = Desk::shared().await;
    let document = desk.call("GET", "/openapi.json").send().await.ok(200);
    assert!(
        document["openapi"].as_str().unwrap().starts_with("3."),
        "{}",
        document["openapi"]
    );
    assert!(document["components"]["schemas"]["SaleDraft"]["example"].is_object());
    let docs = desk.call("GET", "/docs").send().await;
    assert!(
        docs.status == 200
            && docs.header("content-type").starts_with("text/html")
            && docs.text.contains("/admin/v1/sales/{id}/adjust")
    );
    assert_eq!(
        desk.call("GET", "/readyz").send().await.ok(200)["status"],
        "ready"
    );
    desk.get("/admin/v1/sales/nobody").await;
    let metrics = desk.call("GET", "/metrics").send().await;
    assert_eq!(
        metrics.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let counted = r#"doorbuster_backoffice_requests_total{method="GET",route="/admin/v1/sales/{id}",status="404"}"#;
    assert!(metrics.text.contains(counted), "{}", metrics.text);
    assert!(
        !metrics.text.contains("nobody"),
        "labels do not grow with what clients send"
    );
}

#[tokio::test]
async fn slow_heads_are_hung_up_on_and_slow_bodies_answered() {
    let desk = Desk::shared().await;
    let address = desk
        .stage
        .backoffice(0)
        .url()
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    let read_to_end = async |head: String| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(12), stream.read_to_end(&mut answer))
            .await
            .expect("an end in time")
            .unwrap();
        String::from_utf8(answer).unwrap()
    };
    let token = desk.token("olga", Role::Operator);
    let slow_head = format!("POST /admin/v1/sales HTTP/1.1\r\nhost: {address}\r\nauthor");
    let slow_body = format!(
        "POST /admin/v1/sales HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{{"
    );
    let (head, body) = tokio::join!(read_to_end(slow_head), read_to_end(slow_body));
    assert!(!head.contains("201") && !head.contains("200"), "{head}");
    assert!(
        body.starts_with("HTTP/1.1 408 ") && body.contains(r#""code":"request_timeout""#),
        "{body}"
    );
    let long_head = format!(
        "GET /livez HTTP/1.1\r\nhost: {address}\r\nx: {}\r\n\r\n",
        "x".repeat(64 * 1024)
    );
    let refused = read_to_end(long_head).await;
    assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
}

#[tokio::test]
async fn only_listed_hosts_are_served_and_sigterm_ends_the_program_in_time() {
    let options =
        StageOptions::whole(0).backoffice_env("ALLOWED_HOSTS", "shop.example, admin.example:8443");
    let stage = Stage::start(&options).unwrap();
    let call = |host: &str, path: &str| {
        Call::new(stage.backoffice(0).url(), "GET", path).header("host", host)
    };
    assert_eq!(
        call("shop.example:1", "/openapi.json").send().await.status,
        200
    );
    assert_eq!(
        call("ADMIN.example:8443", "/openapi.json")
            .send()
            .await
            .status,
        200
    );
    for host in ["evil.example", "admin.example", "127.0.0.1"] {
        assert_eq!(
            call(host, "/openapi.json").send().await.refusal(),
            (400, "invalid_request"),
            "{host}"
        );
        assert_eq!(
            call(host, "/livez").send().await.status,
            200,
            "probes come by address"
        );
    }

    // A connection that is idle, and one whose head never ends, keep nobody waiting.
    let address = stage.backoffice(0).url().strip_prefix("http://").unwrap();
    let _idle = TcpStream::connect(address).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    let status = stage
        .backoffice(0)
        .terminate(Duration::from_secs(10))
        .unwrap();
    assert_eq!(status.code(), Some(0));
}
