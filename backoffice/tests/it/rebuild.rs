//! `rebuild --sale`: staff have a sale put together again, whether engines run or not, and read what came of it.

use doorbuster_core::claims::Role;
use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::http::Call;
use crate::stage::{Desk, eventually};

fn stage() -> Stage {
    Stage::start(&StageOptions::whole(1).engine_env("RATE_PER_USER", "0")).unwrap()
}

/// Exit status and the one JSON object that the command prints.
async fn rebuild(stage: &Stage, sale: &str) -> (Option<i32>, Value) {
    let done = tokio::task::block_in_place(|| {
        stage
            .run_backoffice(&["rebuild", "--sale", sale, "--json"])
            .unwrap()
    });
    let json = serde_json::from_str(&done.stdout)
        .unwrap_or_else(|_| panic!("{}{}", done.stdout, done.stderr));
    (done.status.code(), json)
}

/// An engine that was not told of the new generation says `recovering` once, and the same request resolves it.
async fn buys(desk: &Desk<'_>, sale: &str, user: &str) {
    let path = format!("/v1/sales/{sale}/reservations");
    let items = json!({"items": [{"sku": "tee", "quantity": 1}]});
    eventually(async || {
        let call = Call::new(desk.stage.engine(0).url(), "POST", &path)
            .token(&desk.token(user, Role::Buyer))
            .header("idempotency-key", "k");
        let answer = call.json(&items).send().await;
        assert!([201, 503].contains(&answer.status), "{answer:?}");
        (answer.status == 201).then_some(())
    })
    .await;
}

fn differences(stage: &Stage) -> Value {
    let done = stage.run_backoffice(&["reconcile", "--json"]).unwrap();
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["differences"], 0, "{report}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_is_well_is_the_same_in_a_new_generation() {
    let stage = stage();
    let desk = Desk::on(&stage).await;
    let sale = desk.selling("well").await;
    let path = format!("/admin/v1/sales/{sale}");
    desk.hold(&sale, "ann", json!([{"sku": "tee", "quantity": 2}]))
        .await;
    let bob = desk
        .hold(&sale, "bob", json!([{"sku": "cap", "quantity": 1}]))
        .await;
    desk.cancel(&sale, "bob", &bob).await;
    let adjust = json!({"sku": "cap", "by": -1, "reason": "one is torn"});
    let adjusted = desk.adjust(&sale, "torn", &adjust).await.ok(200);
    let before = desk.written_back(&path).await;
    assert_eq!(before["rebuild"], Value::Null);

    let (code, outcome) = rebuild(&stage, &sale).await;
    assert_eq!(
        (code, &outcome["state"]),
        (Some(0), &json!("done")),
        "{outcome}"
    );
    let report = &outcome["report"];
    assert_eq!(
        (&report["epoch"], &report["records"], &report["open_holds"]),
        (&json!(2), &json!(2), &json!(1))
    );
    assert_eq!(
        (&report["lost"], &report["taken_over"]),
        (&json!(0), &json!(0))
    );
    let after = desk.written_back(&path).await;
    assert_eq!(
        (&after["items"], &after["state"]),
        (&before["items"], &json!("open"))
    );
    assert_eq!(after["rebuild"]["report"], *report);
    let again = desk.adjust(&sale, "torn", &adjust).await.ok(200);
    assert_eq!(
        again, adjusted,
        "an adjustment is done once, also across generations"
    );
    buys(&desk, &sale, "cat").await;
    desk.written_back(&path).await;
    differences(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_engine_running_the_command_brings_a_writer_of_its_own() {
    let stage = stage();
    let desk = Desk::on(&stage).await;
    let sale = desk.selling("alone").await;
    let path = format!("/admin/v1/sales/{sale}");
    desk.hold(&sale, "ann", json!([{"sku": "tee", "quantity": 2}]))
        .await;
    let before = desk.written_back(&path).await;
    stage.engine(0).kill9().unwrap();
    desk.redis("FLUSHALL", vec![]).await;
    assert_eq!(desk.get(&path).await.ok(200)["state"], "recovering");

    let (code, outcome) = rebuild(&stage, &sale).await;
    assert_eq!(
        (code, &outcome["report"]["lost"]),
        (Some(0), &json!(0)),
        "{outcome}"
    );
    let after = desk.get(&path).await.ok(200);
    assert_eq!(
        (&after["items"], &after["state"]),
        (&before["items"], &json!("open"))
    );
    let opened = desk.post(&format!("{path}/open")).await.ok(200);
    assert_eq!(
        opened["items"], before["items"],
        "opening again doubles nothing"
    );
    stage.engine(0).start().unwrap();
    desk.written_back(&path).await;
    differences(&stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_a_person_while_dead_letters_are_open_and_fails_for_an_unknown_sale() {
    let stage = stage();
    let desk = Desk::on(&stage).await;
    let sale = desk.selling("dead").await;
    let path = format!("/admin/v1/sales/{sale}");
    let before = desk.written_back(&path).await;
    let plant = "insert into dead_letters (sale_id, seq, epoch, error, created_at) values (?, 1, 1, 'planted', utc_timestamp(6))";
    desk.sql(plant, &sale).await;
    let (code, outcome) = rebuild(&stage, &sale).await;
    assert_eq!((code, &outcome["state"]), (Some(2), &json!("waits")));
    assert!(
        outcome["why"].as_str().unwrap().contains("dead letters"),
        "{outcome}"
    );
    assert_eq!(
        desk.get(&path).await.ok(200)["items"],
        before["items"],
        "it sells on as it did"
    );
    let text = stage.run_backoffice(&["rebuild", "--sale", &sale]).unwrap();
    assert!(
        text.stdout.contains("it waits for a person"),
        "{}",
        text.stdout
    );

    let unknown = stage
        .run_backoffice(&["rebuild", "--sale", "nowhere"])
        .unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        unknown
            .stderr
            .contains("no sale nowhere has been published")
    );
    let nameless = stage.run_backoffice(&["rebuild"]).unwrap();
    assert_eq!(nameless.status.code(), Some(64));
    assert!(nameless.stderr.contains("--sale"));
}
