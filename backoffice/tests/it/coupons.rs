//! First-come coupons, from draft to last claim.

use std::time::Duration;

use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::stage::{Desk, coupon, eventually, name};

#[tokio::test]
async fn a_coupon_is_written_opened_claimed_and_closed() {
    let desk = Desk::shared().await;
    let id = name("welcome");
    let path = format!("/admin/v1/coupons/{id}");
    let answer = desk.put("/admin/v1/coupons", &coupon(&id)).await;
    assert_eq!(answer.header("location"), path);
    let draft = answer.ok(201);
    assert_eq!(
        (&draft["state"], &draft["live"], &draft["discount"]),
        (&json!("draft"), &Value::Null, &coupon(&id)["discount"])
    );
    assert_eq!(
        desk.post(&format!("{path}/close")).await.refusal(),
        (409, "not_open")
    );

    assert_eq!(
        desk.post(&format!("{path}/open")).await.ok(200)["state"],
        "open"
    );
    assert_eq!(
        desk.post(&format!("{path}/open")).await.ok(200)["state"],
        "open"
    );
    desk.claim(&id, "ann").await;
    desk.claim(&id, "bob").await;

    let view = desk.written_back(&path).await;
    let counts = json!({"stocked": 10, "left": 8, "held": 0, "sold": 2});
    assert_eq!(
        (
            &view["live"],
            &view["books"],
            &view["conservation_difference"]
        ),
        (&counts, &counts, &json!(0))
    );
    for _ in 0..2 {
        assert_eq!(
            desk.post(&format!("{path}/close")).await.ok(200)["state"],
            "closed"
        );
    }
    assert_eq!(
        desk.post(&format!("{path}/open")).await.refusal(),
        (409, "closed")
    );
    let actions: Vec<String> = desk
        .audit(&format!("coupon:{id}"))
        .await
        .into_iter()
        .map(|row| row.1)
        .collect();
    assert_eq!(actions, ["coupon.create", "coupon.open", "coupon.close"]);
}

#[tokio::test]
async fn a_coupon_and_a_sale_of_one_name_do_not_meet() {
    let desk = Desk::shared().await;
    let id = desk.selling("namesake").await;
    desk.put("/admin/v1/coupons", &coupon(&id)).await.ok(201);
    desk.post(&format!("/admin/v1/coupons/{id}/open"))
        .await
        .ok(200);
    desk.post(&format!("/admin/v1/coupons/{id}/close"))
        .await
        .ok(200);
    assert_eq!(
        desk.get(&format!("/admin/v1/sales/{id}")).await.ok(200)["state"],
        "open"
    );
}

#[tokio::test]
async fn coupons_that_cannot_be_kept_are_refused() {
    let desk = Desk::shared().await;
    let id = name("bad-coupon");
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 7] = [
        ("/quantity", |c| c["quantity"] = 0.into()),
        ("/limit_per_user", |c| c["limit_per_user"] = 0.into()),
        ("/ends_at", |c| c["ends_at"] = "2020-01-02T00:00:00Z".into()),
        ("/starts_at", |c| {
            c["starts_at"] = "2999-01-02T00:00:00Z".into()
        }),
        ("/discount/percent", |c| {
            c["discount"] = json!({"kind": "percent", "percent": 101})
        }),
        ("/discount/amount/currency", |c| {
            c["discount"]["amount"]["currency"] = "won".into()
        }),
        ("/id", |c| c["id"] = "a:b".into()),
    ];
    for (pointer, change) in changes {
        let mut bad = coupon(&id);
        change(&mut bad);
        let answer = desk.put("/admin/v1/coupons", &bad).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{pointer}");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{answer:?}");
    }
    for discount in [
        json!({"kind": "free"}),
        json!({"kind": "percent", "percent": 5, "amount": {}}),
        json!(5),
    ] {
        let mut bad = coupon(&id);
        bad["discount"] = discount;
        assert_eq!(
            desk.put("/admin/v1/coupons", &bad).await.refusal(),
            (400, "invalid_request")
        );
    }
    for verb in ["", "/open", "/close"] {
        let method = if verb.is_empty() {
            desk.get(&format!("/admin/v1/coupons/{id}")).await
        } else {
            desk.post(&format!("/admin/v1/coupons/{id}{verb}")).await
        };
        assert_eq!(method.refusal(), (404, "unknown_coupon"), "{verb}");
    }
    desk.put("/admin/v1/coupons", &coupon(&id)).await.ok(201);
    assert_eq!(
        desk.put("/admin/v1/coupons", &coupon(&id)).await.refusal(),
        (409, "coupon_exists")
    );
}

#[tokio::test]
async fn a_policy_is_kept_and_one_that_cannot_be_is_told_field_by_field() {
    let desk = Desk::shared().await;
    let id = name("policy");
    let mut draft = coupon(&id);
    draft["discount"] = json!({"kind": "percent", "percent": 20});
    draft["policy"] = json!({"cap": {"amount": 3000, "currency": "KRW"}, "minimum": {"amount": 10000, "currency": "KRW"},
        "redeem_until": "2999-01-01T00:00:00Z"});
    let kept = desk.put("/admin/v1/coupons", &draft).await.ok(201);
    assert_eq!(
        kept["policy"],
        json!({"cap": {"amount": 3000, "currency": "KRW"}, "minimum": {"amount": 10000, "currency": "KRW"}, "categories": [],
            "redeem_from": null, "redeem_until": "2999-01-01T00:00:00Z"})
    );
    draft["id"] = json!(name("policy"));
    draft["policy"] = json!({"categories": ["nowhere"]});
    let answer = desk.put("/admin/v1/coupons", &draft).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
    assert_eq!(answer.json["errors"][0]["pointer"], "/policy/categories/0");
}

#[tokio::test]
async fn claims_that_nobody_used_in_time_are_noted_as_expired() {
    // Of its own, because its back-office is started again, and looks at once then.
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let (over, lasting) = (name("over"), name("lasting"));
    for id in [&over, &lasting] {
        let mut draft = coupon(id);
        draft["policy"] = json!({"redeem_until": "2999-01-01T00:00:00Z"});
        desk.put("/admin/v1/coupons", &draft).await.ok(201);
        desk.post(&format!("/admin/v1/coupons/{id}/open"))
            .await
            .ok(200);
        for user in ["ann", "bob"] {
            desk.claim(id, user).await;
        }
        desk.written_back(&format!("/admin/v1/coupons/{id}")).await;
    }
    desk.sql(
        "update coupon_policies set redeem_until = '2001-01-01' where coupon_id = ?",
        &over,
    )
    .await;
    let status = stage.backoffice(0).terminate(Duration::from_secs(10));
    assert!(status.unwrap().success());
    stage.backoffice(0).restart().unwrap();
    let expired: Vec<(String, i64)> = eventually(async || {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select coupon_id, count(*) from coupon_redemptions where state = 'expired' group by coupon_id",
        )
        .fetch_all(&desk.books)
        .await
        .unwrap();
        Some(rows).filter(|rows| !rows.is_empty())
    })
    .await;
    assert_eq!(expired, [(over, 2)]);
}
