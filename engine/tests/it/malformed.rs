//! What is hardly HTTP is answered with a 4xx or closed, and slow senders are given up; the engine lives.

use doorbuster_core::claims::Role;
use doorbuster_stage::StageOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::harness::{Shop, send};

const PATH: &str = "/v1/sales/s/reservations";

#[tokio::test(flavor = "multi_thread")]
async fn raw_nonsense_is_answered_or_closed_and_the_engine_lives() {
    let shop = Shop::open(StageOptions::whole(1).engine_env("ALLOWED_HOSTS", "shop.example")).await;
    let address = shop.engine(0).replace("http://", "");
    for raw in [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /livez HTTP/1.1\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /v1/sales/s HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: gzip\r\n\r\n",
        "\u{0}\u{1}\u{2}",
    ] {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(raw.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{raw:?} got {answer:?}"
        );
    }
    let alive = send(
        &shop.engine(0),
        "GET",
        "/livez",
        &[("host", "shop.example".into())],
        "",
    )
    .await;
    assert!(alive.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_given_up() {
    let shop = Shop::with_engines(1).await;
    shop.sale("s", &[("tee", 5, 0)], 300).await;
    let address = shop.engine(0).replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let token = shop.token("ann", Role::Buyer);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64];
    let read = tokio::time::timeout(std::time::Duration::from_secs(8), stream.read(&mut answer))
        .await
        .expect("within 8 s")
        .unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 408"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_body_too_large_reaches_a_client_that_is_still_sending_it() {
    let shop = Shop::with_engines(1).await;
    shop.sale("s", &[("tee", 5, 0)], 300).await;
    let address = shop.engine(0).replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let token = shop.token("ann", Role::Buyer);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..16 {
        stream.write_all(&[b' '; 64 * 1024]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}
