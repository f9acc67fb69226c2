//! Below the asked ack level the engine is not ready, admits nobody, and names the setting; bad configuration exits 64.

use std::process::Command;
use std::time::Duration;

use fred::interfaces::ClientLike;
use fred::prelude::{Builder, Config};
use fred::types::{ClusterHash, CustomCommand, Value};
use hyper::StatusCode;

use super::harness::{Shop, within};

async fn config_set(shop: &Shop, name: &str, value: &str) {
    let client = Builder::from_config(Config::from_url(shop.stage.redis_url()).unwrap())
        .build()
        .unwrap();
    client.init().await.unwrap();
    let command = CustomCommand::new_static("CONFIG", ClusterHash::Random, false);
    let _: Value = client
        .custom(command, vec!["SET".to_string(), name.into(), value.into()])
        .await
        .unwrap();
    client.quit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_fsyncing_is_not_sold_on() {
    let shop = Shop::with_engines(1).await;
    shop.sale("s", &[("tee", 5, 0)], 300).await;
    assert_eq!(
        shop.reserve_one(0, "s", "ann", "k1").await.status,
        StatusCode::CREATED
    );
    config_set(&shop, "appendfsync", "everysec").await;
    let ready = within(Duration::from_secs(5), "not ready", || async {
        Some(shop.buyer(0, "GET", "/readyz", "ann").await)
            .filter(|a| a.status == StatusCode::SERVICE_UNAVAILABLE)
    })
    .await;
    assert!(
        ready.body["problems"][0]
            .as_str()
            .unwrap()
            .contains("appendfsync is everysec, must be always")
    );
    let refused = shop.reserve_one(0, "s", "ann", "k2").await;
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    );
    assert!(refused.headers.contains_key("retry-after"));
    config_set(&shop, "appendfsync", "always").await;
    within(Duration::from_secs(5), "ready again", || async {
        Some(shop.buyer(0, "GET", "/readyz", "ann").await).filter(|a| a.status == StatusCode::OK)
    })
    .await;
    assert_eq!(
        shop.reserve_one(0, "s", "ann", "k2").await.status,
        StatusCode::CREATED
    );
}

#[test]
fn bad_configuration_exits_64_and_names_the_variable() {
    let good = "x".repeat(32);
    for (variable, value) in [
        ("TOKEN_SECRET", ""),
        ("TOKEN_SECRET", "short"),
        ("TOKEN_SECRET", "change-me-change-me-change-me-change-me"),
        ("TOKEN_SECRET_PREVIOUS", "short"),
        ("REDIS_URL", "http://x"),
        ("DATABASE_URL", "postgres://x"),
        ("ENGINE_LISTEN", "nowhere"),
        ("ACK_LEVEL", "hope"),
        ("RATE_PER_USER", "-1"),
        ("RATE_PER_ADDRESS", "few"),
        ("RATE_PER_SALE", "-1"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "127.0.0.1,proxy.example"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "-1"),
        ("MAX_CONNECTIONS", "0"),
        ("BACKLOG_MAX", "0"),
        ("BACKLOG_BYTES_MAX", "much"),
    ] {
        let mut engine = Command::new(env!("CARGO_BIN_EXE_doorbuster-engine"));
        engine
            .env_clear()
            .env("TOKEN_SECRET", &good)
            .env(variable, value)
            .arg("serve");
        let done = engine.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr)
            .to_ascii_uppercase()
            .replace('-', "_");
        assert_eq!(done.status.code(), Some(64), "{variable}={value}: {said}");
        assert!(said.contains(variable), "{variable}={value}: {said}");
        assert!(done.stdout.is_empty());
    }
}

#[test]
fn help_shows_examples_first_and_every_variable() {
    for args in [vec!["--help"], vec!["serve", "--help"], vec!["--version"]] {
        let done = Command::new(env!("CARGO_BIN_EXE_doorbuster-engine"))
            .args(&args)
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(0), "{args:?}");
        assert!(
            !done.stdout.is_empty() && done.stderr.is_empty(),
            "{args:?}"
        );
    }
    let help = Command::new(env!("CARGO_BIN_EXE_doorbuster-engine"))
        .args(["serve", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.starts_with("Examples:"), "{help}");
    for variable in [
        "REDIS_URL",
        "DATABASE_URL",
        "ENGINE_LISTEN",
        "TOKEN_SECRET",
        "ACK_LEVEL",
        "RATE_PER_USER",
        "RATE_TOTAL",
        "RATE_PER_ADDRESS",
        "RATE_PER_SALE",
        "TRUSTED_PROXIES",
        "MAX_CONNECTIONS_PER_ADDRESS",
        "MAX_CONNECTIONS",
        "BACKLOG_MAX",
        "BACKLOG_BYTES_MAX",
        "ALLOWED_HOSTS",
        "CORS_ORIGINS",
        "TOKEN_SECRET_PREVIOUS",
    ] {
        assert!(help.contains(variable), "{variable}");
    }
}
