//! Sales with a waiting room: how their line is written down, shown, pledged and told to Redis.

use doorbuster_core::draw::DrawKeys;
use doorbuster_core::ids::SaleId;
use doorbuster_core::line::{LineConfig, Mode, Pledge};
use fred::types::Value as Reply;
use serde_json::{Value, json};

use crate::stage::{Desk, name, sale};

/// What engines are told of the sale.
async fn config(desk: &Desk<'_>, id: &str) -> Value {
    let args = vec![format!("{{sale:{id}}}:sale").into(), b"config".to_vec()];
    let Reply::String(text) = desk.redis("HGET", args).await else {
        panic!("no config of {id}");
    };
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_line_is_kept_as_written_and_its_draw_is_pledged_once_when_the_sale_opens() {
    let desk = Desk::shared().await;
    let id = name("line");
    let mut draft = sale(&id);
    draft["waiting_room"] = true.into();
    draft["line"] =
        json!({"mode": "follow_capacity", "per_second": 50, "factor": 2.5, "invites": true});

    let created = desk.put("/admin/v1/sales", &draft).await.ok(201);

    let written = json!({"mode": "follow_capacity", "per_second": 50, "factor": 2.5, "place_seconds": 120, "draw": true,
        "invites": true, "pledge": null});
    assert_eq!(
        (&created["waiting_room"], &created["line"]),
        (&json!(true), &written)
    );
    let path = format!("/admin/v1/sales/{id}/open");
    let (one, other) = tokio::join!(desk.post(&path), desk.post(&path));
    let pledge = one.ok(200)["line"]["pledge"].clone();
    assert_eq!(other.ok(200)["line"]["pledge"], pledge);
    let again = desk.post(&path).await.ok(200);
    assert_eq!(again["line"]["pledge"], pledge);

    let told = config(&desk, &id).await;
    assert_eq!(told["waiting_room"], true);
    let line = LineConfig::of_sale(&told).unwrap().unwrap();
    assert_eq!((line.mode, line.factor), (Mode::FollowCapacity, 2.5));
    assert_eq!(json!(line.draw), pledge);
    let pledge: Pledge = serde_json::from_value(pledge).unwrap();
    let keys = DrawKeys::derive(desk.stage.token_secret().as_bytes(), None).unwrap();
    let sale = SaleId::parse(id).unwrap();
    assert!(keys.pledged(&sale, &pledge).is_some(), "nobody can draw");
}

#[tokio::test]
async fn a_line_without_a_draw_pledges_nothing_and_no_two_sales_pledge_the_same() {
    let desk = Desk::shared().await;
    let mut commitments = Vec::new();
    for line in [json!({}), json!({}), json!({"draw": false})] {
        let id = name("pledge");
        let mut draft = sale(&id);
        draft["waiting_room"] = true.into();
        draft["line"] = line;
        desk.put("/admin/v1/sales", &draft).await.ok(201);
        desk.post(&format!("/admin/v1/sales/{id}/open"))
            .await
            .ok(200);
        commitments.push(config(&desk, &id).await["line"]["draw"].clone());
    }
    assert_ne!(commitments[0], commitments[1]);
    assert_eq!(commitments[2], Value::Null);
}

#[tokio::test]
async fn a_line_that_cannot_be_kept_is_refused_with_every_problem() {
    let desk = Desk::shared().await;
    let mut draft = sale(&name("refused"));
    draft["waiting_room"] = true.into();
    draft["line"] = json!({"mode": "fixed", "place_seconds": 1});
    let answer = desk.put("/admin/v1/sales", &draft).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
    let mut pointers: Vec<&str> = answer.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/line/per_second", "/line/place_seconds"]);
    draft["line"] = json!({"speed": 1});
    let answer = desk.put("/admin/v1/sales", &draft).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
}
