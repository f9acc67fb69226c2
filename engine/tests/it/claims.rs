//! First-come coupons: exactly as many as there are, at most one each, the same one when asked again.

use std::sync::Arc;

use doorbuster_core::claims::Role;
use doorbuster_core::clock;
use doorbuster_core::ids::{CouponId, LiveId};
use hyper::StatusCode;
use serde_json::json;

use super::harness::{Answer, Shop, send};

pub(crate) async fn coupon(shop: &Shop, id: &str, quantity: u32) -> LiveId {
    let (starts, ends) = (clock::now_ms() - 60_000, clock::now_ms() + 3_600_000);
    let body = json!({"id": id, "quantity": quantity, "limit_per_user": 1, "starts_at": clock::rfc3339(starts), "ends_at": clock::rfc3339(ends),
        "discount": {"kind": "percent", "percent": 10}});
    let created = shop.staff("POST", "/admin/v1/coupons", Some(body)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{:?}", created.body);
    let opened = shop
        .staff("POST", &format!("/admin/v1/coupons/{id}/open"), None)
        .await;
    assert_eq!(opened.status, StatusCode::OK, "{:?}", opened.body);
    let live = LiveId::Coupon(CouponId::parse(id).unwrap());
    shop.until_vouched(&live).await;
    live
}

pub(crate) async fn claim(shop: &Shop, engine: usize, user: &str, key: &str) -> Answer {
    let headers = [
        (
            "authorization",
            format!("Bearer {}", shop.token(user, Role::Buyer)),
        ),
        ("idempotency-key", key.to_string()),
    ];
    send(
        &shop.engine(engine),
        "POST",
        "/v1/coupons/welcome/claims",
        &headers,
        "",
    )
    .await
    .expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_users_get_exactly_the_hundred_coupons_there_are() {
    let shop = Arc::new(Shop::with_engines(3).await);
    let live = coupon(&shop, "welcome", 100).await;
    let mut claims = tokio::task::JoinSet::new();
    for i in 0..1_000 {
        let shop = Arc::clone(&shop);
        claims.spawn(async move { (i, claim(&shop, i % 3, &format!("u{i}"), "k").await) });
    }
    let answers = claims.join_all().await;
    let won: Vec<&(usize, Answer)> = answers
        .iter()
        .filter(|(_, a)| a.status == StatusCode::CREATED)
        .collect();
    assert_eq!(won.len(), 100);
    assert!(
        answers
            .iter()
            .all(|(_, a)| a.status == StatusCode::CREATED || a.code() == "sold_out")
    );
    assert_eq!(shop.counts(&live).await, (0, 0, 100));
    for (user, first) in won {
        let repeat = claim(&shop, (user + 1) % 3, &format!("u{user}"), "k").await;
        assert_eq!((repeat.status, &repeat.body), (StatusCode::OK, &first.body));
    }
    shop.until_booked(&live).await;
    let (rows, users): (i64, i64) = sqlx::query_as(
        "select count(*), count(distinct user_id) from coupon_claims where coupon_id = 'welcome'",
    )
    .fetch_one(&shop.books)
    .await
    .unwrap();
    assert_eq!((rows, users), (100, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_claim_of_the_same_user_is_refused() {
    let shop = Shop::with_engines(1).await;
    coupon(&shop, "welcome", 10).await;
    assert_eq!(
        claim(&shop, 0, "ann", "k1").await.status,
        StatusCode::CREATED
    );
    let again = claim(&shop, 0, "ann", "k2").await;
    assert_eq!(
        (again.status, again.code()),
        (StatusCode::CONFLICT, "already_claimed")
    );
}
