//! Sales that open by themselves, what is wrong with one before it does, and the list of all.

use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::http::Call;
use crate::stage::{Desk, eventually, name, sale};

/// A draft whose time comes in a thousand years, so that publishing it does not sell anything.
async fn later(desk: &Desk<'_>, stem: &str) -> String {
    let id = name(stem);
    let mut later = sale(&id);
    later["opens_at"] = "2998-01-01T00:00:00Z".into();
    desk.put("/admin/v1/sales", &later).await.ok(201);
    id
}

async fn schedule(desk: &Desk<'_>, id: &str, publish_at: &str) -> Value {
    let body = json!({"publish_at": publish_at});
    desk.put(&format!("/admin/v1/sales/{id}/schedule"), &body)
        .await
        .ok(200)
}

async fn in_state(desk: &Desk<'_>, id: &str, state: &str) -> Value {
    eventually(async || {
        let view = desk.get(&format!("/admin/v1/sales/{id}")).await.ok(200);
        Some(view).filter(|view| view["state"] == state && view["schedule"]["done_at"].is_string())
    })
    .await
}

#[tokio::test]
async fn a_scheduled_sale_is_published_once_however_many_back_offices_look() {
    let stage = Stage::start(&StageOptions {
        backoffices: 3,
        ..StageOptions::whole(1)
    })
    .unwrap();
    let desk = Desk::on(&stage).await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        let id = later(&desk, "by-itself").await;
        // Long ago: whoever should have done it then did not run.
        schedule(&desk, &id, "2020-01-01T00:00:00Z").await;
        ids.push(id);
    }
    for id in &ids {
        let view = in_state(&desk, id, "scheduled").await;
        assert_eq!(
            (&view["schedule"]["tries"], &view["schedule"]["problem"]),
            (&json!(1), &Value::Null)
        );
        let rows = desk.audit(&format!("sale:{id}")).await;
        let who: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| (row.0.as_str(), row.1.as_str()))
            .collect();
        assert_eq!(
            who,
            [
                ("olga", "sale.create"),
                ("olga", "sale.schedule"),
                ("scheduler", "sale.open")
            ]
        );
        // Buyers find it at the engine.
        let call = Call::new(stage.engine(0).url(), "GET", &format!("/v1/sales/{id}"));
        assert_eq!(call.send().await.ok(200)["state"], "scheduled");
    }
}

#[tokio::test]
async fn a_schedule_waits_for_its_time_and_can_be_moved_and_taken_back() {
    let desk = Desk::shared().await;
    let id = later(&desk, "moved").await;
    let usual = desk
        .put(&format!("/admin/v1/sales/{id}/schedule"), &json!({}))
        .await
        .ok(200);
    assert_eq!(usual["schedule"]["publish_at"], "2997-12-31T23:50:00.000Z");
    let path = format!("/admin/v1/sales/{id}/unschedule");
    for _ in 0..2 {
        assert_eq!(desk.post(&path).await.ok(200)["schedule"], Value::Null);
    }
    schedule(&desk, &id, "2900-01-01T00:00:00Z").await;
    // Another back-office that died while it was at it: left alone until its time is up.
    desk.sql(
        "update sale_schedules set publish_at = '2020-01-01', taken_until = '2900-01-01' where sale_id = ?",
        &id,
    )
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    let view = desk.get(&format!("/admin/v1/sales/{id}")).await.ok(200);
    assert_eq!(
        (&view["state"], &view["schedule"]["done_at"]),
        (&json!("draft"), &Value::Null)
    );
    desk.sql(
        "update sale_schedules set taken_until = '2020-01-01' where sale_id = ?",
        &id,
    )
    .await;
    in_state(&desk, &id, "scheduled").await;
    let actions: Vec<String> = desk
        .audit(&format!("sale:{id}"))
        .await
        .into_iter()
        .map(|row| row.1)
        .collect();
    assert_eq!(
        actions,
        [
            "sale.create",
            "sale.schedule",
            "sale.unschedule",
            "sale.schedule",
            "sale.open"
        ]
    );
}

#[tokio::test]
async fn a_sale_whose_whole_time_was_missed_is_not_opened() {
    let desk = Desk::shared().await;
    let id = later(&desk, "missed").await;
    for bad in ["2999-01-01T00:00:00Z", "never"] {
        let body = json!({"publish_at": bad});
        let answer = desk
            .put(&format!("/admin/v1/sales/{id}/schedule"), &body)
            .await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{bad}");
    }
    desk.sql(
        "update sales set opens_at = '2020-01-01', closes_at = '2020-01-02' where sale_id = ?",
        &id,
    )
    .await;
    let answer = desk
        .put(&format!("/admin/v1/sales/{id}/schedule"), &json!({}))
        .await;
    assert_eq!(answer.refusal(), (409, "closed"));
    desk.sql(
        "insert into sale_schedules (sale_id, publish_at, tries) values (?, '2020-01-01', 0)",
        &id,
    )
    .await;
    let view = in_state(&desk, &id, "draft").await;
    assert_eq!(view["schedule"]["problem"], "closed");
}

#[tokio::test]
async fn what_is_wrong_with_a_sale_is_told_in_both_languages() {
    let desk = Desk::shared().await;
    let codes = async |id: &str| {
        let found = desk
            .get(&format!("/admin/v1/sales/{id}/problems"))
            .await
            .ok(200);
        let problems = found["problems"].as_array().unwrap().clone();
        for problem in &problems {
            let (en, ko) = (&problem["text"]["en"], &problem["text"]["ko"]);
            assert!(en.as_str().unwrap().is_ascii(), "{problem}");
            assert!(!ko.as_str().unwrap().is_ascii(), "{problem}");
        }
        let codes: Vec<String> = problems
            .iter()
            .map(|p| p["code"].as_str().unwrap().to_owned())
            .collect();
        (found["sells"].as_bool().unwrap(), codes)
    };
    // The stage's usual sale has no limit for caps, and opened long ago.
    let id = desk.draft("odd").await;
    let expected = ["opens_at_once", "no_limit", "not_scheduled"].map(String::from);
    assert_eq!(codes(&id).await, (true, expected.into()));
    desk.post(&format!("/admin/v1/sales/{id}/open"))
        .await
        .ok(200);
    assert_eq!(codes(&id).await, (true, vec!["no_limit".to_owned()]));

    let empty = desk.draft("empty").await;
    desk.sql("update sale_items set stock = 0 where sale_id = ?", &empty)
        .await;
    assert!(!codes(&empty).await.0);
    assert!(codes(&empty).await.1.contains(&"no_stock".to_owned()));
    let answer = desk.get("/admin/v1/sales/nowhere/problems").await;
    assert_eq!(answer.refusal(), (404, "unknown_sale"));
}

#[tokio::test]
async fn the_list_has_every_sale_once_newest_first_with_its_state() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let mut expected = Vec::new();
    for verb in ["draft", "open", "pause", "close", "draft"] {
        let id = desk.draft("listed").await;
        if verb != "draft" {
            desk.post(&format!("/admin/v1/sales/{id}/open"))
                .await
                .ok(200);
            desk.post(&format!("/admin/v1/sales/{id}/{verb}"))
                .await
                .ok(200);
        }
        let state = match verb {
            "pause" => "paused",
            "close" => "closed",
            same => same,
        };
        expected.insert(0, (id, state.to_owned()));
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = desk
            .get(&format!("/admin/v1/sales?limit=2{cursor}"))
            .await
            .ok(200);
        for row in page["sales"].as_array().unwrap() {
            let word = |field: &str| row[field].as_str().unwrap().to_owned();
            found.push((word("id"), word("state")));
            let left = if row["state"] == "draft" {
                Value::Null
            } else {
                json!(105)
            };
            assert_eq!(row["left"], left, "{row}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, expected);
    let answer = desk.get("/admin/v1/sales?cursor=1.a.b").await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
}
