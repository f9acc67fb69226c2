//! A buyer's own reservations.

use doorbuster_core::claims::Role;
use serde_json::{Value, json};

use crate::http::Answer;
use crate::stage::{Desk, eventually, name};

async fn mine(desk: &Desk<'_>, user: &str, query: &str) -> Answer {
    desk.call("GET", &format!("/v1/me/reservations{query}"))
        .token(&desk.token(user, Role::Buyer))
        .send()
        .await
}

fn ids(page: &Value) -> Vec<String> {
    page["reservations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_buyer_who_lost_the_page_finds_his_reservations_newest_first() {
    let desk = Desk::shared().await;
    let (ann, bob) = (name("ann"), name("bob"));
    let mut held = Vec::new();
    for _ in 0..3 {
        let sale = desk.selling("mine").await;
        held.push((
            desk.hold(
                &sale,
                &ann,
                json!([{"sku": "tee", "quantity": 2}, {"sku": "cap", "quantity": 1}]),
            )
            .await,
            sale,
        ));
    }
    let (other_id, other_sale) = held[0].clone();
    desk.hold(&other_sale, &bob, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    desk.cancel(&other_sale, &ann, &other_id).await;

    let page = eventually(async || {
        let page = mine(&desk, &ann, "").await.ok(200);
        let cancelled = page["reservations"]
            .as_array()?
            .iter()
            .any(|r| r["reason"] == "cancelled");
        (cancelled && ids(&page).len() == 3).then_some(page)
    })
    .await;

    let newest_first: Vec<String> = held.iter().rev().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids(&page), newest_first);
    assert_eq!(page["next_cursor"], Value::Null);
    let newest = &page["reservations"][0];
    assert_eq!(
        (&newest["sale"], &newest["user"], &newest["status"]),
        (&json!(held[2].1), &json!(ann), &json!("held"))
    );
    assert_eq!(
        newest["items"],
        json!([{"sku": "cap", "quantity": 1}, {"sku": "tee", "quantity": 2}])
    );
    assert!(
        newest["hold_expires_at"].as_str() > newest["created_at"].as_str(),
        "{newest}"
    );
    assert_eq!(
        (&newest["reason"], &newest["ended_at"]),
        (&Value::Null, &Value::Null)
    );
    let oldest = &page["reservations"][2];
    assert_eq!(
        (
            &oldest["status"],
            &oldest["reason"],
            oldest["ended_at"].is_string()
        ),
        (&json!("released"), &json!("cancelled"), true)
    );

    let first = mine(&desk, &ann, "?limit=2").await.ok(200);
    assert_eq!(ids(&first), newest_first[..2]);
    let second = mine(
        &desk,
        &ann,
        &format!("?limit=2&cursor={}", first["next_cursor"].as_str().unwrap()),
    )
    .await
    .ok(200);
    assert_eq!(
        (ids(&second), &second["next_cursor"]),
        (newest_first[2..].to_vec(), &Value::Null)
    );
}

#[tokio::test]
async fn reservations_of_one_millisecond_are_each_on_one_page() {
    let desk = Desk::shared().await;
    let user = name("twin");
    for i in 1..=5_u8 {
        sqlx::query("insert into reservations (sale_id, seq, id, user_id, status, epoch, deadline, body_hash, created_at) values (?, ?, ?, ?, 'held', 1, '2030-01-01', repeat('b', 16), '2029-01-01')")
            .bind(&user).bind(i).bind(vec![i; 16]).bind(&user).execute(&desk.books).await.unwrap();
    }
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    for _ in 0..3 {
        let page = mine(&desk, &user, &query).await.ok(200);
        seen.extend(ids(&page));
        query = format!(
            "?limit=2&cursor={}",
            page["next_cursor"].as_str().unwrap_or("end")
        );
    }
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), query.as_str()), (5, "?limit=2&cursor=end"));
}

#[tokio::test]
async fn a_stranger_has_none_and_bad_pages_are_refused() {
    let desk = Desk::shared().await;
    let page = mine(&desk, &name("stranger"), "?limit=100").await.ok(200);
    assert_eq!(page, json!({"reservations": [], "next_cursor": null}));
    for query in [
        "?limit=0",
        "?limit=101",
        "?limit=-1",
        "?limit=x",
        "?cursor=x",
        "?cursor=1.x",
        "?page=2",
    ] {
        assert_eq!(
            mine(&desk, "ann", query).await.refusal(),
            (400, "invalid_request"),
            "{query}"
        );
    }
}
