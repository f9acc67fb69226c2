//! What the ledger owes in points is what buyers have, whoever gave or took them, and however they went.

use std::time::Duration;

use doorbuster_stage::{Stage, StageOptions};
use serde_json::json;

use crate::orders::give_points;
use crate::settlement::{event, finance, ledger, order, posted};
use crate::stage::{Desk, eventually, name};

/// What the ledger owes, and what buyers have.
async fn owed(desk: &Desk<'_>) -> (i64, i64) {
    posted(desk).await;
    let ledger = ledger(desk).await;
    assert_eq!(ledger["balanced"], true, "{ledger}");
    let accounts = ledger["accounts"].as_array().unwrap();
    let balance = |name: &str| {
        let found = accounts.iter().find(|one| one["account"] == name);
        found.map_or(0, |one| one["balance"].as_i64().unwrap())
    };
    assert_eq!(balance("points_cost"), -balance("points_liability"));
    let held =
        sqlx::query_scalar("select cast(coalesce(sum(balance), 0) as signed) from points_accounts")
            .fetch_one(&desk.books)
            .await
            .unwrap();
    (-balance("points_liability"), held)
}

#[tokio::test]
async fn points_given_taken_and_lost_are_owed_as_buyers_have_them() {
    let options = StageOptions::whole(1).backoffice_env("RECONCILE_SECONDS", "0");
    let stage = Stage::start(&options).unwrap();
    let desk = Desk::on(&stage).await;
    let ann = name("ann");
    give_points(&desk, &ann, 1_000).await;
    give_points(&desk, &ann, -300).await;
    assert_eq!(owed(&desk).await, (700, 700));

    // 400 that an order earned, as the books have it; 300 of them were taken, the rest ends.
    let id = order(&desk).await;
    let earned = ("points_earned", "2020-01-03");
    event(&desk, id, 1, earned, 400, json!({})).await;
    sqlx::query("insert into points_entries (user_id, currency, version, kind, amount, balance, cause, expires_at, at) values (?, 'KRW', 3, 'earn', 400, 1100, ?, '2001-01-01', '2001-01-01')")
        .bind(&ann).bind(format!("earn:{id}")).execute(&desk.books).await.unwrap();
    desk.sql("update points_accounts set balance = 1100, version = 3, next_expiry_at = '2001-01-01' where user_id = ?", &ann).await;
    let backoffice = stage.backoffice(0);
    assert!(
        backoffice
            .terminate(Duration::from_secs(10))
            .unwrap()
            .success()
    );
    backoffice.restart().unwrap();
    eventually(async || (owed(&desk).await == (1_000, 1_000)).then_some(())).await;

    // An older back-office gave some and left them out, on a day that is closed by now.
    let january = json!({"period": "2020-01"});
    finance(&desk, "POST", "/admin/v1/settlements", Some(january))
        .await
        .ok(200);
    sqlx::query("insert into points_entries (user_id, currency, version, kind, amount, balance, cause, at) values (?, 'KRW', 5, 'adjust', 50, 1050, ?, '2020-01-03 23:59:59.999')")
        .bind(&ann).bind(format!("adjust:{id}")).execute(&desk.books).await.unwrap();
    desk.sql(
        "update points_accounts set balance = 1050, version = 5 where user_id = ?",
        &ann,
    )
    .await;
    assert_eq!(owed(&desk).await, (1_000, 1_050));
    let told = "points_ledger all points of KRW: balances says 1050, ledger says 1000";
    for (args, is_told) in [
        (&["reconcile"][..], true),
        (&["reconcile", "--repair"], false),
        (&["reconcile", "--repair"], false),
    ] {
        let finished = stage.run_backoffice(args).unwrap();
        assert_eq!(finished.stdout.contains(told), is_told, "{finished:?}");
    }
    assert_eq!(owed(&desk).await, (1_050, 1_050));
    let legs: Vec<(String, i64, String)> = sqlx::query_as(
        "select cast(day as char), amount, cast(belongs_to as char) from ledger_postings where belongs_to is not null order by amount",
    )
    .fetch_all(&desk.books)
    .await
    .unwrap();
    let on = |amount| ("2020-02-01".to_owned(), amount, "2020-01-03".to_owned());
    assert_eq!(legs, [on(-50), on(50)]);
}
