//! A token that is revoked is of no use on any engine within a second, wherever the engine has been meanwhile.

use std::time::Duration;

use doorbuster_core::claims::{Claims, Role, TokenKeys};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_stage::{Hop, Passing};
use hyper::StatusCode;
use serde_json::json;
use tokio::time::sleep;

use super::harness::{Answer, Shop, send, started, within};

/// What a purchase with a token of `generation` is answered, if it is.
async fn buy(shop: &Shop, engine: usize, user: &str, generation: u64) -> Option<Answer> {
    let keys = TokenKeys::new(shop.stage.token_secret().as_bytes(), None).unwrap();
    let user = UserId::parse(user).unwrap();
    let mut claims = Claims::access(user, Role::Buyer, clock::now_s(), 3_600);
    claims.generation = generation;
    let headers = [
        ("authorization", format!("Bearer {}", keys.sign(&claims))),
        ("idempotency-key", "k".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let body = json!({"items": [{"sku": "tee", "quantity": 1}]}).to_string();
    let path = "/v1/sales/s/reservations";
    send(&shop.engine(engine), "POST", path, &headers, body).await
}

/// Asks until the token is refused, and fails where it is ever let in.
async fn until_refused(shop: &Shop, engine: usize, user: &str) {
    within(Duration::from_secs(20), "the token is refused", || async {
        let answer = buy(shop, engine, user, 0).await?;
        assert!(!answer.status.is_success(), "{answer:?}");
        (answer.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}

async fn until_sold(shop: &Shop, engine: usize, user: &str) {
    within(Duration::from_secs(20), "the engine sells", || async {
        let answer = buy(shop, engine, user, 0).await?;
        answer.status.is_success().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_token_revoked_is_refused_by_every_engine_within_a_second_and_its_successor_is_not() {
    let shop = Shop::with_engines(3).await;
    shop.sale("s", &[("tee", 100, 0)], 300).await;
    for engine in 0..3 {
        until_sold(&shop, engine, "ann").await;
    }
    let ann = UserId::parse("ann").unwrap();
    shop.gate.revoke(&ann, 1).await.unwrap();
    let revoked = started();
    for engine in 0..3 {
        within(Duration::from_secs(5), "the token is refused", || async {
            let answer = buy(&shop, engine, "ann", 0).await.unwrap();
            (answer.code() == "unauthorized").then_some(())
        })
        .await;
    }
    let took = revoked.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    for engine in 0..3 {
        let next = buy(&shop, engine, "ann", 1).await.unwrap();
        assert_eq!(next.status, StatusCode::OK, "{next:?}");
        assert!(
            buy(&shop, engine, "bob", 0)
                .await
                .unwrap()
                .status
                .is_success()
        );
    }
}

#[tokio::test]
async fn an_engine_that_was_down_or_frozen_lets_no_revoked_token_in_when_it_is_back() {
    let shop = Shop::with_engines(1).await;
    shop.sale("s", &[("tee", 100, 0)], 300).await;
    for user in ["ann", "bob", "eve"] {
        until_sold(&shop, 0, user).await;
    }
    let engine = shop.stage.engine(0);

    engine.kill9().unwrap();
    let ann = UserId::parse("ann").unwrap();
    shop.gate.revoke(&ann, 1).await.unwrap();
    engine.start().unwrap();
    until_refused(&shop, 0, "ann").await;
    until_sold(&shop, 0, "bob").await;

    engine.freeze().unwrap();
    let bob = UserId::parse("bob").unwrap();
    shop.gate.revoke(&bob, 1).await.unwrap();
    let thaw = async {
        sleep(Duration::from_millis(2_500)).await;
        engine.thaw().unwrap();
    };
    let (waited, ()) = tokio::join!(buy(&shop, 0, "bob", 0), thaw);
    assert!(!waited.unwrap().status.is_success());
    until_refused(&shop, 0, "bob").await;
    until_sold(&shop, 0, "eve").await;
}

#[tokio::test]
async fn an_engine_that_was_cut_off_from_redis_lets_no_revoked_token_in_when_it_is_back() {
    let shop = Shop::with_engines(0).await;
    let port = shop.stage.redis().port();
    let hop = Hop::to(port).unwrap();
    let url = format!("redis://127.0.0.1:{}", hop.port());
    let env = [("REDIS_URL", url.as_str()), ("RATE_PER_USER", "0")];
    let engine = shop.stage.add_engine("all", &env).unwrap();
    shop.sale("s", &[("tee", 100, 0)], 300).await;
    until_sold(&shop, engine, "ann").await;
    until_sold(&shop, engine, "eve").await;

    hop.pass(Passing::NothingArrives);
    let ann = UserId::parse("ann").unwrap();
    shop.gate.revoke(&ann, 1).await.unwrap();
    // By then the engine knows that it knows nothing; then it connects anew.
    sleep(Duration::from_millis(2_100)).await;
    let alone = buy(&shop, engine, "eve", 0).await.unwrap();
    assert_eq!(alone.status, StatusCode::SERVICE_UNAVAILABLE, "{alone:?}");
    hop.cut();
    until_refused(&shop, engine, "ann").await;
    until_sold(&shop, engine, "eve").await;
}
