//! Writing sales down, looking at them, and changing their stock.

use serde_json::{Value, json};

use crate::stage::{Desk, name, sale};

#[tokio::test]
async fn a_sale_is_kept_as_written_and_shown_as_a_draft() {
    let desk = Desk::shared().await;
    let id = name("kept");
    let answer = desk.put("/admin/v1/sales", &sale(&id)).await;
    assert_eq!(answer.header("location"), format!("/admin/v1/sales/{id}"));
    let created = answer.ok(201);

    let shown = desk.get(&format!("/admin/v1/sales/{id}")).await.ok(200);

    assert_eq!(
        (&shown["state"], &shown["title"]),
        (&json!("draft"), &json!("한정판 티셔츠 🎟"))
    );
    assert_eq!(shown["opens_at"], "2020-01-01T00:00:00.000Z");
    assert_eq!(
        (
            &shown["hold_seconds"],
            &shown["payment_seconds"],
            &shown["waiting_room"]
        ),
        (&json!(300), &json!(300), &json!(false))
    );
    let skus: Vec<&Value> = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["sku"])
        .collect();
    assert_eq!(
        skus,
        ["tee", "cap"],
        "in the order in which they were written"
    );
    assert_eq!(
        shown["items"][0]["price"],
        json!({"amount": 19900, "currency": "KRW"})
    );
    assert_eq!(
        (
            &shown["items"][0]["limit_per_user"],
            &shown["items"][1]["limit_per_user"]
        ),
        (&json!(2), &json!(0))
    );
    assert_eq!(
        (
            &shown["items"][0]["live"],
            &shown["journal_lag"],
            &shown["published_at"]
        ),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&created["id"], &created["items"]),
        (&shown["id"], &shown["items"])
    );
    let audit = desk.audit(&format!("sale:{id}")).await;
    assert_eq!(
        audit
            .iter()
            .map(|row| (row.0.as_str(), row.1.as_str()))
            .collect::<Vec<_>>(),
        [("olga", "sale.create")]
    );
}

#[tokio::test]
async fn an_id_is_given_once() {
    let desk = Desk::shared().await;
    let id = desk.draft("once").await;
    let mut other = sale(&id);
    other["title"] = "another".into();
    assert_eq!(
        desk.put("/admin/v1/sales", &other).await.refusal(),
        (409, "sale_exists")
    );
    assert_eq!(
        desk.get(&format!("/admin/v1/sales/{id}")).await.ok(200)["title"],
        "한정판 티셔츠 🎟"
    );
    assert_eq!(desk.audit(&format!("sale:{id}")).await.len(), 1);

    let upper = id.to_uppercase();
    desk.put("/admin/v1/sales", &sale(&upper)).await.ok(201);
    assert_eq!(
        desk.get(&format!("/admin/v1/sales/{upper}")).await.ok(200)["id"],
        upper.as_str()
    );
}

#[tokio::test]
async fn a_sale_that_cannot_be_kept_is_refused_with_every_problem() {
    let desk = Desk::shared().await;
    let id = name("refused");
    let mut bad = sale(&id);
    bad["closes_at"] = "2020-01-01T00:00:00Z".into();
    bad["hold_seconds"] = 0.into();
    bad["line"] = json!({"mode": "fixed"});
    bad["items"][1]["sku"] = "tee".into();
    bad["items"][1]["price"]["amount"] = (-1).into();

    let answer = desk.put("/admin/v1/sales", &bad).await;

    assert_eq!(answer.refusal(), (400, "invalid_request"));
    let mut pointers: Vec<&str> = answer.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    let expected = [
        "/closes_at",
        "/hold_seconds",
        "/items/1/price/amount",
        "/items/1/sku",
        "/line",
        "/opens_at",
    ];
    assert_eq!(pointers, expected);
    assert_eq!(
        desk.get(&format!("/admin/v1/sales/{id}")).await.refusal(),
        (404, "unknown_sale")
    );
}

#[tokio::test]
async fn fields_that_do_not_fit_are_named() {
    let desk = Desk::shared().await;
    let id = name("misfit");
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 7] = [
        ("items[0].price.amount", |s| {
            s["items"][0]["price"]["amount"] = json!(1.5)
        }),
        ("items[1].stock", |s| s["items"][1]["stock"] = json!("5")),
        ("items[0].stock", |s| {
            s["items"][0]["stock"] = json!(9_223_372_036_854_775_808_u64)
        }),
        ("colour", |s| s["colour"] = json!("red")),
        ("items[0].seats", |s| s["items"][0]["seats"] = json!([])),
        ("opens_at", |s| s["opens_at"] = json!("tomorrow")),
        ("title", |s| {
            drop(s.as_object_mut().unwrap().remove("title"))
        }),
    ];
    for (field, change) in changes {
        let mut bad = sale(&id);
        change(&mut bad);
        let answer = desk.put("/admin/v1/sales", &bad).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{field}");
        let detail = answer.json["detail"].as_str().unwrap();
        assert!(detail.contains(field), "{field}: {detail}");
    }
    assert_eq!(desk.get(&format!("/admin/v1/sales/{id}")).await.status, 404);
}

#[tokio::test]
async fn unknown_and_impossible_sales_are_not_found() {
    let desk = Desk::shared().await;
    for id in ["nobody-wrote-this", "a%20b", "%ff", &"x".repeat(65)] {
        assert_eq!(
            desk.get(&format!("/admin/v1/sales/{id}")).await.refusal(),
            (404, "unknown_sale"),
            "{id}"
        );
        for verb in ["open", "pause", "resume", "close"] {
            assert_eq!(
                desk.post(&format!("/admin/v1/sales/{id}/{verb}"))
                    .await
                    .refusal(),
                (404, "unknown_sale"),
                "{id} {verb}"
            );
        }
        let body = json!({"sku": "tee", "by": 1, "reason": "x"});
        assert_eq!(
            desk.adjust(id, "k", &body).await.refusal(),
            (404, "unknown_sale"),
            "{id}"
        );
    }
}

#[tokio::test]
async fn live_counts_and_the_books_agree_once_the_journal_is_written_back() {
    let desk = Desk::shared().await;
    let id = desk.selling("counts").await;
    desk.hold(
        &id,
        "ann",
        json!([{"sku": "tee", "quantity": 2}, {"sku": "cap", "quantity": 1}]),
    )
    .await;
    let bobs = desk
        .hold(&id, "bob", json!([{"sku": "tee", "quantity": 1}]))
        .await;
    desk.cancel(&id, "bob", &bobs).await;
    desk.adjust(&id, "k", &json!({"sku": "cap", "by": -1, "reason": "torn"}))
        .await
        .ok(200);

    let view = desk.written_back(&format!("/admin/v1/sales/{id}")).await;

    let tee = json!({"stocked": 100, "left": 98, "held": 2, "sold": 0});
    let cap = json!({"stocked": 4, "left": 3, "held": 1, "sold": 0});
    for (i, counts) in [tee, cap].iter().enumerate() {
        assert_eq!(
            (&view["items"][i]["live"], &view["items"][i]["books"]),
            (counts, counts)
        );
    }
    assert_eq!(
        (&view["state"], &view["conservation_difference"]),
        (&json!("open"), &json!(0))
    );
    assert_eq!(view["journal_lag"], json!({"events": 0, "seconds": 0.0}));
    assert!(view["published_at"].is_string());
}

#[tokio::test]
async fn stock_is_adjusted_once_per_key() {
    let desk = Desk::shared().await;
    let id = desk.selling("adjust").await;
    let less = json!({"sku": "tee", "by": -10, "reason": "ten came damaged"});
    let first = desk.adjust(&id, "k-1", &less).await.ok(200);
    assert_eq!((&first["sku"], &first["left"]), (&json!("tee"), &json!(90)));
    desk.adjust(
        &id,
        "k-2",
        &json!({"sku": "tee", "by": 1, "reason": "found one"}),
    )
    .await
    .ok(200);
    assert_eq!(
        desk.adjust(&id, "k-1", &less).await.ok(200),
        first,
        "a repeat tells the first result"
    );

    let other = json!({"sku": "tee", "by": -11, "reason": "ten came damaged"});
    assert_eq!(
        desk.adjust(&id, "k-1", &other).await.refusal(),
        (422, "idempotency_mismatch")
    );
    let too_many = json!({"sku": "tee", "by": -92, "reason": "x"});
    let answer = desk.adjust(&id, "k-3", &too_many).await;
    assert_eq!(answer.refusal(), (409, "insufficient_stock"));
    assert!(
        answer.json["detail"].as_str().unwrap().contains("91"),
        "{answer:?}"
    );
    let unknown = json!({"sku": "hat", "by": 1, "reason": "x"});
    assert_eq!(
        desk.adjust(&id, "k-4", &unknown).await.refusal(),
        (404, "unknown_sku")
    );

    let audit = desk.audit(&format!("sale:{id}")).await;
    let adjusts: Vec<_> = audit.iter().filter(|row| row.1 == "sale.adjust").collect();
    assert_eq!(adjusts.len(), 2, "one row per change: {adjusts:?}");
    assert_eq!(
        (&adjusts[0].2["left"], &adjusts[0].3["left"]),
        (&json!(100), &json!(90))
    );
    assert_eq!(adjusts[0].3["reason"], "ten came damaged");
    let view = desk.get(&format!("/admin/v1/sales/{id}")).await.ok(200);
    assert_eq!(view["items"][0]["live"]["stocked"], 91);

    desk.post(&format!("/admin/v1/sales/{id}/close"))
        .await
        .ok(200);
    let more = json!({"sku": "tee", "by": 1, "reason": "x"});
    assert_eq!(
        desk.adjust(&id, "k-5", &more).await.refusal(),
        (409, "closed")
    );
}

#[tokio::test]
async fn adjustments_need_a_key_a_sku_units_and_a_reason() {
    let desk = Desk::shared().await;
    let id = desk.draft("adjust-bad").await;
    let path = format!("/admin/v1/sales/{id}/adjust");
    let good = json!({"sku": "tee", "by": 1, "reason": "x"});
    assert_eq!(
        desk.put(&path, &good).await.refusal(),
        (400, "missing_idempotency_key")
    );
    for key in ["", &"k".repeat(256), "a\tb"] {
        assert_eq!(
            desk.adjust(&id, key, &good).await.refusal(),
            (400, "invalid_request"),
            "{key:?}"
        );
    }
    for (pointer, bad) in [
        ("/by", json!({"sku": "tee", "by": 0, "reason": "x"})),
        (
            "/by",
            json!({"sku": "tee", "by": -1_000_000_001_i64, "reason": "x"}),
        ),
        ("/sku", json!({"sku": "a/b", "by": 1, "reason": "x"})),
        ("/reason", json!({"sku": "tee", "by": 1, "reason": " "})),
        (
            "/reason",
            json!({"sku": "tee", "by": 1, "reason": "x".repeat(201)}),
        ),
    ] {
        let answer = desk.adjust(&id, "k", &bad).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{bad}");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{bad}");
    }
    assert_eq!(
        desk.adjust(&id, "k", &json!({"sku": "tee", "by": 1}))
            .await
            .refusal(),
        (400, "invalid_request")
    );
    assert_eq!(
        desk.adjust(&id, "k", &good).await.refusal(),
        (409, "not_open"),
        "a draft's stock is what was written"
    );
}
