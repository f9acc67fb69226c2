//! Closing goes by the books: no month with sales is left out, none is closed over what is refused or unfinished, and what was cut off, is
//! repeated, or comes twice at once ends the same.

use std::time::Duration;

use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::http::Answer;
use crate::settlement::{bought, event, finance, ledger, of, order, posted, tee_back};
use crate::stage::Desk;

async fn close(desk: &Desk<'_>, period: &str) -> Answer {
    let body = json!({"period": period});
    finance(desk, "POST", "/admin/v1/settlements", Some(body)).await
}

async fn fee(desk: &Desk<'_>, valid_from: &str, basis_points: u32, fixed: i64) {
    let body = json!({"seller": "x", "currency": "KRW", "valid_from": valid_from, "basis_points": basis_points, "fixed": fixed});
    finance(desk, "POST", "/admin/v1/fees", Some(body))
        .await
        .ok(200);
}

#[tokio::test]
async fn months_with_sales_are_closed_in_their_order_and_what_was_cut_off_first() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    for at in ["2020-01-03", "2020-02-03", "2020-05-03", "2020-06-03"] {
        bought(&desk, at).await;
    }
    let skipping = close(&desk, "2020-02").await;
    assert_eq!(skipping.refusal(), (409, "earlier_open"));
    assert!(skipping.text.contains("2020-01"), "{skipping:?}");
    // A month whose days were closed one by one is not settled by that.
    close(&desk, "2020-01-31").await.ok(200);
    assert_eq!(
        close(&desk, "2020-02").await.refusal(),
        (409, "earlier_open")
    );
    let january = close(&desk, "2020-01").await.ok(200);
    let (one, other) = tokio::join!(close(&desk, "2020-02"), close(&desk, "2020-02"));
    assert_eq!(one.ok(200), other.ok(200), "two at once are one");
    assert_eq!(desk.audit("settlement:2020-02").await.len(), 1);
    // Nothing was sold in March and April.
    close(&desk, "2020-05").await.ok(200);

    // As a run is left that was cut off after its first statement.
    for table in ["statements", "payouts"] {
        let statement = match table {
            "statements" => "delete from statements where period = ? and seller_id = 'y'",
            _ => "delete from payouts where period = ? and seller_id = 'y'",
        };
        assert_eq!(desk.sql(statement, "2020-01").await, 1);
    }
    desk.sql(
        "update settlement_runs set digest = null where period = ?",
        "2020-01",
    )
    .await;
    let behind = close(&desk, "2020-06").await;
    assert_eq!(behind.refusal(), (409, "earlier_open"));
    let resumed = close(&desk, "2020-01").await.ok(200);
    assert_eq!(resumed["statements"], january["statements"]);
    assert_eq!(resumed["digest"], january["digest"]);
    close(&desk, "2020-06").await.ok(200);

    let altered = "update statements set carried_in = -1 where period = ? and seller_id = 'y'";
    assert_eq!(desk.sql(altered, "2020-05").await, 1);
    let altered = close(&desk, "2020-05").await;
    assert_eq!(altered.refusal(), (409, "settlement_altered"));
}

#[tokio::test]
async fn a_month_is_closed_while_orders_keep_coming() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    bought(&desk, "2020-01-03").await;
    let traffic = async {
        let id = order(&desk).await;
        for n in 1.. {
            event(&desk, id, n, ("shipped", "2999-01-01"), 0, json!({})).await;
        }
    };
    let closed = timeout(Duration::from_secs(15), close(&desk, "2020-01"));
    let closed = tokio::select! {
        closed = closed => closed.unwrap(),
        () = traffic => unreachable!("there is no end of it"),
    };
    assert_eq!(of(&closed.ok(200), "x")["sales"], 2_000);
}

#[tokio::test]
async fn a_month_with_a_refused_event_is_closed_once_it_is_posted() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    bought(&desk, "2020-01-03").await;
    // Units come back of an order that nobody paid, and money moves in a way that has no rule.
    let early = order(&desk).await;
    let lines = json!({"lines": [{"sku": "tee", "quantity": 1, "amount": 1, "points": 0}]});
    event(&desk, early, 2, ("returned", "2020-01-05"), 0, lines).await;
    event(&desk, early, 3, ("tipped", "2020-02-05"), 5, json!({})).await;
    posted(&desk).await;
    assert_eq!(ledger(&desk).await["refused"], 2);
    let refused = close(&desk, "2020-01").await;
    assert_eq!(refused.refusal(), (409, "event_refused"));
    let named = format!("event 2 of order {early}");
    assert!(refused.text.contains(&named), "{refused:?}");

    let repost = || {
        let args = ["settle", "--repost-refused", "--by", "fay", "--json"];
        let ran = stage.run_backoffice(&args).unwrap();
        let outcome: Value = serde_json::from_str(&ran.stdout).unwrap();
        (ran.status.code(), outcome["reposted"].clone())
    };
    assert_eq!(repost(), (Some(1), json!(0)), "nothing has changed");
    event(&desk, early, 1, ("paid", "2020-01-05"), 0, json!({})).await;
    posted(&desk).await;
    assert_eq!(repost(), (Some(1), json!(1)));
    assert_eq!(repost(), (Some(1), json!(0)), "posted once");
    let audited = desk.audit("ledger").await;
    assert_eq!((&*audited[1].0, &*audited[1].1), ("fay", "ledger.repost"));
    assert_eq!(
        (&audited[1].2, &audited[1].3),
        (&json!({"refused": 2}), &json!({"refused": 1}))
    );
    let january = close(&desk, "2020-01").await.ok(200);
    assert_eq!(of(&january, "x")["returned"], 1_000);
    let february = close(&desk, "2020-02").await;
    assert_eq!(february.refusal(), (409, "event_refused"));
}

#[tokio::test]
async fn what_comes_back_is_given_back_by_the_fee_of_its_sale() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    fee(&desk, "2020-01-01", 333, 50).await;
    fee(&desk, "2020-01-01", 334, 50).await;
    fee(&desk, "2020-01-01", 333, 50).await;
    fee(&desk, "2020-02-01", 1_000, 0).await;
    let audited = desk.audit("fee:x:KRW").await;
    assert_eq!(audited[0].2, Value::Null);
    let before = json!({"valid_from": "2020-01-01", "basis_points": 334, "fixed": 50});
    assert_eq!(audited[2].2, before, "what it was");
    let id = bought(&desk, "2020-01-03").await;
    let postings = format!("/admin/v1/orders/{id}/postings");
    let postings = async || finance(&desk, "GET", &postings, None).await.ok(200);
    posted(&desk).await;
    let open = postings().await;
    assert_eq!(open["postings"].as_array().unwrap().len(), 10, "{open}");
    assert!(open["postings"][9]["period"].is_null(), "{open}");
    let january = close(&desk, "2020-01").await.ok(200);
    assert_eq!(of(&january, "x")["fee"], 67 + 50);
    let settled = postings().await;
    let legs = settled["postings"].as_array().unwrap();
    let mut of_x = legs.iter().filter(|leg| leg["seller"] == "x");
    let sold = of_x.next().unwrap();
    assert_eq!(
        (&sold["kind"], &sold["amount"]),
        (&json!("paid"), &json!(-2_000))
    );
    assert_eq!(
        (&sold["period"], &sold["payout"]["state"]),
        (&json!("2020-01"), &json!("due"))
    );
    assert_eq!(sold["statement"], of(&january, "x")["digest"]);
    let unknown = format!("/admin/v1/orders/{}/postings", Uuid::new_v4());
    let unknown = finance(&desk, "GET", &unknown, None).await;
    assert_eq!(unknown.refusal(), (404, "unknown_order"));
    tee_back(&desk, id, "2020-02-03").await;
    let data = json!({"lines": [{"sku": "tee", "quantity": 1, "amount": 760, "points": 80}]});
    event(&desk, id, 8, ("refunded", "2020-03-03"), 760, data.clone()).await;
    event(&desk, id, 9, ("returned", "2020-03-03"), 0, data).await;
    // 33.3 of the first thousand, 66.6 of both.
    for (month, given_back) in [("2020-02", -33), ("2020-03", -34)] {
        let settled = close(&desk, month).await.ok(200);
        assert_eq!(of(&settled, "x")["fee"], given_back, "{month}");
    }
}

#[tokio::test]
async fn nothing_is_exported_that_differs_from_what_was_closed_and_the_closer_is_named() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let id: Uuid = bought(&desk, "2020-01-03").await;
    let out = stage.dir().join("exported");
    let settle = |by: &[&str]| {
        let folder = out.to_str().unwrap();
        let args = [
            ["settle", "--month", "2020-01", "--out", folder].as_slice(),
            by,
        ]
        .concat();
        stage.run_backoffice(&args).unwrap().status.code()
    };
    assert_eq!(settle(&[]), Some(2), "nobody is named who closes it");
    assert_eq!(settle(&["--by", "fay"]), Some(0));
    let audited = desk.audit("settlement:2020-01").await;
    assert_eq!((audited.len(), &*audited[0].0), (1, "fay"));
    assert_eq!(settle(&[]), Some(0), "what is closed may be exported again");
    let files = || {
        let all = std::fs::read_dir(&out).unwrap().flatten();
        let mut all: Vec<_> = all
            .map(|file| (file.file_name(), std::fs::read(file.path()).unwrap()))
            .collect();
        all.sort();
        all
    };
    let exported = files();
    assert_eq!(exported.len(), 4, "of two sellers, with no file besides");
    let path = "/admin/v1/settlements/2020-01/statement?seller=x&currency=KRW&format=csv";
    let csv = finance(&desk, "GET", path, None).await;
    assert!(
        exported
            .iter()
            .any(|(_, file)| *file == csv.text.as_bytes())
    );

    // A sale of the seller becomes another day's, as root can make it: all of it still sums to 0.
    sqlx::query("drop trigger ledger_postings_no_update")
        .execute(&desk.books)
        .await
        .unwrap();
    let moved = sqlx::query("update ledger_postings set day = '2020-01-04' where source_id = ?")
        .bind(id)
        .execute(&desk.books)
        .await
        .unwrap();
    assert!(moved.rows_affected() > 0);
    let read = finance(&desk, "GET", path, None).await;
    assert_eq!(read.refusal(), (409, "settlement_altered"));
    assert_eq!(settle(&[]), Some(2));
    assert_eq!(files(), exported, "what was right is still there");
}
