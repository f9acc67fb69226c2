//! From orders to settled books: every event is posted once, a closed month never changes, what comes late counts in a later one, and
//! whatever was altered shows.

use doorbuster_core::claims::Role;
use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::Answer;
use crate::stage::{Desk, eventually};

pub(crate) async fn finance(
    desk: &Desk<'_>,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let call = desk
        .call(method, path)
        .token(&desk.token("fay", Role::Finance));
    match body {
        Some(body) => call.json(&body).send().await,
        None => call.send().await,
    }
}

/// An order of two tees of seller x and a cap of seller y, without its events; its id.
pub(crate) async fn order(desk: &Desk<'_>) -> Uuid {
    let id = Uuid::new_v4();
    sqlx::query(
        "insert into orders (order_id, user_id, sale_id, reservation_id, body_hash, state, currency, lines_amount, shipping_amount, coupon_amount,
            points_amount, total_amount, captured_amount, refunded_amount, points_returned, points_earned, earn_per_mille, late_payment, method,
            events, version, tries, created_at)
        values (?, 'ann', 's', ?, ?, 'paid', 'KRW', 2500, 300, 400, 200, 2200, 2200, 0, 0, 0, 0, 'reacquire', 'card', 0, 0, 0, utc_timestamp(3))",
    )
    .bind(id)
    .bind(id)
    .bind(id)
    .execute(&desk.books)
    .await
    .unwrap();
    for (position, sku, seller, quantity, unit) in
        [(1, "tee", "x", 2, 1_000), (2, "cap", "y", 1, 500)]
    {
        sqlx::query(
            "insert into order_lines (order_id, position, sku, title, seller_id, quantity, unit_amount, coupon_amount, points_amount)
            values (?, ?, ?, 't', ?, ?, ?, 0, 0)",
        )
        .bind(id)
        .bind(position)
        .bind(sku)
        .bind(seller)
        .bind(quantity)
        .bind(unit)
        .execute(&desk.books)
        .await
        .unwrap();
    }
    id
}

pub(crate) async fn event(
    desk: &Desk<'_>,
    order: Uuid,
    n: u32,
    (kind, at): (&str, &str),
    amount: i64,
    data: Value,
) {
    sqlx::query(
        "insert into order_events (order_id, n, kind, at, amount, currency, data, cause) values (?, ?, ?, ?, ?, 'KRW', ?, ?)",
    )
    .bind(order)
    .bind(n)
    .bind(kind)
    .bind(at)
    .bind(amount)
    .bind(data.to_string())
    .bind(format!("{kind}:{n}"))
    .execute(&desk.books)
    .await
    .unwrap();
}

pub(crate) async fn bought(desk: &Desk<'_>, at: &str) -> Uuid {
    let id = order(desk).await;
    for (n, (kind, amount)) in (1..).zip([
        ("points_spent", 200),
        ("coupon_used", 400),
        ("charged", 2_200),
        ("paid", 2_200),
    ]) {
        event(desk, id, n, (kind, at), amount, json!({})).await;
    }
    id
}

/// A tee comes back, with 760 in money and 80 in points.
pub(crate) async fn tee_back(desk: &Desk<'_>, id: Uuid, at: &str) {
    let data = json!({"refund": Uuid::new_v4(), "shipping": 0,
        "lines": [{"sku": "tee", "quantity": 1, "amount": 760, "points": 80, "units": "restock"}]});
    event(desk, id, 5, ("refunded", at), 760, data.clone()).await;
    event(desk, id, 6, ("returned", at), 0, data).await;
    event(desk, id, 7, ("points_returned", at), 80, json!({})).await;
}

pub(crate) async fn ledger(desk: &Desk<'_>) -> Value {
    finance(desk, "GET", "/admin/v1/ledger", None).await.ok(200)
}

/// Once nothing waits to be posted.
pub(crate) async fn posted(desk: &Desk<'_>) {
    eventually(async || {
        let waiting: i64 = sqlx::query_scalar("select count(*) from order_events where posted = 0")
            .fetch_one(&desk.books)
            .await
            .unwrap();
        (waiting == 0).then_some(())
    })
    .await;
}

pub(crate) fn of<'a>(settlement: &'a Value, seller: &str) -> &'a Value {
    let all = settlement["statements"].as_array().unwrap();
    all.iter().find(|one| one["seller"] == seller).unwrap()
}

#[tokio::test]
async fn months_are_closed_once_and_what_comes_late_counts_in_the_next() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let fee = json!({"seller": "x", "currency": "KRW", "valid_from": "2020-01-01", "basis_points": 333, "fixed": 50});
    finance(&desk, "POST", "/admin/v1/fees", Some(fee.clone()))
        .await
        .ok(200);
    let (first, second) = (
        bought(&desk, "2020-01-03 10:00:00").await,
        bought(&desk, "2020-01-31 23:59:59.999").await,
    );
    bought(&desk, "2020-02-01").await;

    let january = json!({"period": "2020-01"});
    let settled = finance(
        &desk,
        "POST",
        "/admin/v1/settlements",
        Some(january.clone()),
    )
    .await
    .ok(200);
    // 3.33 % of 2,000 is 66.6, and 50, for each of two orders.
    let x = of(&settled, "x");
    let figures = |one: &Value| {
        ["entries", "sales", "returned", "fee", "net"].map(|f| one[f].as_i64().unwrap())
    };
    assert_eq!(figures(x), [2, 4_000, 0, 234, 3_766]);
    assert_eq!(x["payout"]["amount"], 3_766);
    assert_eq!(figures(of(&settled, "y")), [2, 1_000, 0, 0, 1_000]);
    let again = finance(
        &desk,
        "POST",
        "/admin/v1/settlements",
        Some(january.clone()),
    )
    .await
    .ok(200);
    assert_eq!(again, settled);
    assert_eq!(desk.audit("settlement:2020-01").await.len(), 1);
    let closed = finance(&desk, "POST", "/admin/v1/fees", Some(fee)).await;
    assert_eq!(closed.refusal(), (400, "invalid_request"));

    // It happened in January and is heard of now.
    tee_back(&desk, first, "2020-01-31 12:00:00").await;
    posted(&desk).await;
    let again = finance(&desk, "POST", "/admin/v1/settlements", Some(january))
        .await
        .ok(200);
    assert_eq!(again, settled, "a closed month does not change");
    let february = json!({"period": "2020-02"});
    let next = finance(&desk, "POST", "/admin/v1/settlements", Some(february))
        .await
        .ok(200);
    let x = of(&next, "x");
    // Of 1,000 that come back, 33 of the fee do.
    assert_eq!(figures(x), [2, 2_000, 1_000, 117 - 33, 916]);
    assert_eq!(x["late_entries"], 1);
    let path = "/admin/v1/settlements/2020-02/statement?seller=x&currency=KRW&format=";
    let csv = finance(&desk, "GET", &format!("{path}csv"), None)
        .await
        .text;
    let late = format!("2020-02-01,2020-01-31,{first},6,return,-1000,-33,-967,KRW\r\n");
    assert!(csv.contains(&late) && csv.lines().count() == 4, "{csv}");
    assert!(!csv.contains(&second.to_string()));
    let nowhere = finance(&desk, "GET", "/admin/v1/settlements/%ff", None).await;
    assert_eq!(nowhere.refusal(), (404, "unknown_settlement"));
    let html = finance(&desk, "GET", &format!("{path}html"), None)
        .await
        .text;
    assert!(html.contains("916") && html.contains(x["digest"].as_str().unwrap()));

    is_balanced(&desk).await;
}

/// After three orders, of one of which a tee came back.
async fn is_balanced(desk: &Desk<'_>) {
    let ledger = ledger(desk).await;
    assert_eq!(ledger["balanced"], true, "{ledger}");
    let balance = |account: &str| {
        let all = ledger["accounts"].as_array().unwrap();
        let found = all.iter().find(|one| one["account"] == account);
        found.map_or(0, |one| one["balance"].as_i64().unwrap())
    };
    assert_eq!([balance("refunds"), balance("buyer_receivable")], [0, 0]);
    assert_eq!(balance("provider_clearing"), 3 * 2_200 - 760);
    assert_eq!(balance("points_liability"), 3 * 200 - 80);
    assert_eq!(balance("coupon_cost"), 3 * 400 - 160);
    assert_eq!(balance("fee"), -(234 + 84));
    assert_eq!(balance("seller_payable"), -(3 * 2_500 - 1_000 - 234 - 84));
}

#[tokio::test]
async fn payouts_are_paid_once_and_a_month_below_zero_is_carried_on() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let settle = async |period: &str| {
        let body = json!({"period": period});
        finance(&desk, "POST", "/admin/v1/settlements", Some(body)).await
    };
    let early = settle("2999-01").await;
    assert_eq!(early.refusal(), (409, "not_over"));
    let first = bought(&desk, "2020-01-03").await;
    settle("2020-01").await.ok(200);
    tee_back(&desk, first, "2020-02-03").await;
    let february = settle("2020-02").await.ok(200);
    let x = of(&february, "x");
    assert_eq!((&x["net"], &x["payout"]), (&json!(-1_000), &Value::Null));
    bought(&desk, "2020-03-03").await;
    let march = settle("2020-03").await.ok(200);
    let x = of(&march, "x");
    assert_eq!(
        (&x["carried_in"], &x["payout"]["amount"]),
        (&json!(-1_000), &json!(1_000))
    );
    let late = settle("2019-12").await;
    assert_eq!(late.refusal(), (409, "later_closed"));

    let pay = async |reference: &str| {
        let body = json!({"seller": "x", "currency": "KRW", "reference": reference});
        finance(
            &desk,
            "POST",
            "/admin/v1/settlements/2020-03/payout",
            Some(body),
        )
        .await
    };
    let paid = pay("SEB/7").await.ok(200);
    assert_eq!(of(&paid, "x")["payout"]["paid_by"], "fay");
    assert_eq!(pay("SEB/7").await.ok(200), paid);
    assert_eq!(pay("SEB/8").await.refusal(), (409, "nothing_due"));
    let audited = desk.audit("settlement:2020-03").await;
    let actions: Vec<&str> = audited.iter().map(|row| row.1.as_str()).collect();
    assert_eq!(actions, ["settlement.close", "settlement.payout"]);
    let ledger = ledger(&desk).await;
    assert_eq!(ledger["balanced"], true);
    let bank: i64 = sqlx::query_scalar(
        "select cast(sum(amount) as signed) from ledger_postings where account = 'bank'",
    )
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(bank, -1_000);
}

#[tokio::test]
async fn what_was_altered_or_contradicts_the_books_shows() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let first = bought(&desk, "2020-01-03").await;
    let january = json!({"period": "2020-01"});
    finance(
        &desk,
        "POST",
        "/admin/v1/settlements",
        Some(january.clone()),
    )
    .await
    .ok(200);
    let check = || stage.run_backoffice(&["settle", "--check"]).unwrap();
    let balanced = check();
    assert_eq!(balanced.status.code(), Some(0), "{balanced:?}");

    // Units come back of an order that nobody paid.
    let unpaid = order(&desk).await;
    let lines = json!({"lines": [{"sku": "tee", "quantity": 1, "amount": 1, "points": 0}]});
    event(&desk, unpaid, 1, ("returned", "2020-02-01"), 0, lines).await;
    posted(&desk).await;
    let contradicted = ledger(&desk).await;
    assert_eq!(
        (&contradicted["balanced"], &contradicted["refused"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(contradicted["refused_order"], unpaid.to_string());

    sqlx::query("drop trigger ledger_postings_no_update")
        .execute(&desk.books)
        .await
        .unwrap();
    let altered = sqlx::query("update ledger_postings set amount = amount - 1 where account = 'seller_payable' and source_id = ? and seller_id = 'x'")
        .bind(first)
        .execute(&desk.books)
        .await
        .unwrap();
    assert_eq!(altered.rows_affected(), 1);
    let unbalanced = check();
    assert_eq!(unbalanced.status.code(), Some(1));
    let named = format!("{first} event 4: its legs sum to -1 KRW, not to 0");
    assert!(unbalanced.stdout.contains(&named), "{unbalanced:?}");
    let again = finance(&desk, "POST", "/admin/v1/settlements", Some(january)).await;
    assert_eq!(again.refusal(), (409, "settlement_altered"));
}
