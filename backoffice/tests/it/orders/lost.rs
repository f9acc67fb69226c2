//! Payments that Redis lost before they were booked: the rebuilt sale is told of them again, and no unit is sold twice.

use doorbuster_core::claims::Role;
use doorbuster_core::ids::ReservationId;
use serde_json::{Value, json};

use super::{
    Shop, as_buyer, buy, counts, finance, order, place, refunded, sale, timeline, units_of, until,
};
use crate::http::Call;
use crate::settlement::{ledger, posted};
use crate::stage::{Desk, eventually, name};

/// How the books have a reservation.
async fn status(desk: &Desk<'_>, reservation: &Value) -> Option<String> {
    let id = ReservationId::parse(reservation.as_str().unwrap()).unwrap();
    sqlx::query_scalar("select status from reservations where id = ?")
        .bind(id.as_bytes().to_vec())
        .fetch_optional(&desk.books)
        .await
        .unwrap()
}

pub(super) async fn booked(desk: &Desk<'_>, reservation: &Value, word: &str) {
    eventually(async || (status(desk, reservation).await.as_deref() == Some(word)).then_some(()))
        .await;
}

#[tokio::test]
async fn what_was_sold_and_what_came_back_is_so_again_after_redis_has_lost_it() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let sale = sale(&desk, 3, (300, 300)).await;
    let engine = desk.stage.engine(0);
    let tee = json!([{"sku": "tee", "quantity": 1}]);

    // One whose refund will be lost, one whose payment will be lost whole, one of whose payment the books know the beginning.
    let back = until(
        &desk,
        &buy(&desk, &sale, &name("back"), "tok_ok").await,
        "paid",
    )
    .await;
    booked(&desk, &back["reservation"], "paid").await;
    let (ann, bob) = (name("ann"), name("bob"));
    let slow = desk.hold(&sale, &bob, tee.clone()).await;
    let slow = place(&desk, &bob, "k", &order(&sale, &slow, "tok_slow_5000"))
        .await
        .ok(201);
    booked(&desk, &slow["reservation"], "paying").await;
    let whole = desk.hold(&sale, &ann, tee.clone()).await;
    booked(&desk, &json!(whole), "held").await;
    engine.freeze().unwrap();
    let whole = place(&desk, &ann, "k", &order(&sale, &whole, "tok_ok"))
        .await
        .ok(201);
    let path = format!("/v1/orders/{}/cancel", back["id"].as_str().unwrap());
    as_buyer(&desk, back["user"].as_str().unwrap(), "POST", &path)
        .send()
        .await
        .ok(200);
    until(&desk, &back, "refunded").await;
    until(&desk, &whole, "paid").await;
    until(&desk, &slow, "paid").await;
    assert_eq!(status(&desk, &whole["reservation"]).await.unwrap(), "held");
    desk.redis("FLUSHALL", vec![]).await;
    engine.thaw().unwrap();

    booked(&desk, &whole["reservation"], "paid").await;
    booked(&desk, &slow["reservation"], "paid").await;
    booked(&desk, &back["reservation"], "released").await;
    assert_eq!(counts(&desk, &sale, "tee").await, [3, 1, 0, 2]);
    for order in [&whole, &slow] {
        assert_eq!(super::look(&desk, order).await["state"], "paid");
        assert_eq!(shop.money(order).await, (10_000, 0));
    }
}

/// An order of two tees that is paid, of which a sale that was rebuilt knows no more than its hold; nobody goes along the sale's orders until
/// [`walk`].
async fn forgotten(desk: &Desk<'_>, seconds: (u32, u32)) -> (String, Value) {
    forgotten_of(desk, json!([{"sku": "tee", "quantity": 2}]), seconds).await
}

/// The same for an order of these items.
pub(super) async fn forgotten_of(
    desk: &Desk<'_>,
    items: Value,
    seconds: (u32, u32),
) -> (String, Value) {
    let sale = sale(desk, 3, seconds).await;
    let (engine, backoffice) = (desk.stage.engine(0), desk.stage.backoffice(0));
    let user = name("ann");
    let hold = desk.hold(&sale, &user, items).await;
    booked(desk, &json!(hold), "held").await;
    engine.freeze().unwrap();
    let placed = place(desk, &user, "k", &order(&sale, &hold, "tok_ok")).await;
    let paid = until(desk, &placed.ok(201), "paid").await;
    backoffice.freeze().unwrap();
    desk.redis("FLUSHALL", vec![]).await;
    engine.thaw().unwrap();
    super::eventually_within(30, async || {
        let epoch: u32 = sqlx::query_scalar("select epoch from journal_cursor where sale_id = ?")
            .bind(&sale)
            .fetch_one(&desk.books)
            .await
            .unwrap();
        (epoch > 1).then_some(())
    })
    .await;
    sqlx::query(
        "insert into order_epochs (sale_id, epoch, noted_at) values (?, 99, utc_timestamp(3))",
    )
    .bind(&sale)
    .execute(&desk.books)
    .await
    .unwrap();
    (sale, paid)
}

async fn walk(desk: &Desk<'_>, sale: &str) {
    sqlx::query("delete from order_epochs where sale_id = ?")
        .bind(sale)
        .execute(&desk.books)
        .await
        .unwrap();
}

/// One of its tees goes back, on sale again; the refund as it is `when`.
async fn one_back(desk: &Desk<'_>, order: &Value, when: &str) -> Value {
    one_back_to(desk, order, "restock", when).await
}

async fn one_back_to(desk: &Desk<'_>, order: &Value, units: &str, when: &str) -> Value {
    let one = json!([{"sku": "tee", "quantity": 1, "units": units}]);
    refunded(desk, order, one, when).await
}

fn tees(word: &str) -> Vec<(String, String)> {
    vec![("tee".to_owned(), word.to_owned())]
}

#[tokio::test]
async fn a_refund_waits_until_the_rebuilt_sale_knows_what_was_sold() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let (sale, order) = forgotten(&desk, (300, 300)).await;
    desk.stage.backoffice(0).thaw().unwrap();
    one_back(&desk, &order, "repaid").await;
    // It is tried several times.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(one_back(&desk, &order, "repaid").await["state"], "repaid");
    assert_eq!(counts(&desk, &sale, "tee").await[3], 0);
    walk(&desk, &sale).await;
    let done = one_back(&desk, &order, "done").await;
    assert_eq!(units_of(&desk, &done).await, tees("restock"), "{done}");
    assert_eq!(counts(&desk, &sale, "tee").await, [3, 2, 0, 1]);
    assert_eq!(shop.money(&order).await, (20_000, 10_000));
}

#[tokio::test]
async fn what_was_lost_of_a_refund_comes_back_when_the_sale_is_told_of_the_order_again() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let (sale, order) = forgotten(&desk, (6, 6)).await;
    booked(&desk, &order["reservation"], "released").await;
    desk.stage.backoffice(0).thaw().unwrap();
    let done = one_back(&desk, &order, "done").await;
    assert_eq!(units_of(&desk, &done).await, tees("lost"), "{done}");
    let one_sold = [3, 2, 0, 1];
    super::eventually_within(60, async || {
        (counts(&desk, &sale, "tee").await == one_sold).then_some(())
    })
    .await;
    booked(&desk, &order["reservation"], "paid").await;
    assert_eq!(super::look(&desk, &order).await["state"], "paid");
    assert_eq!(shop.money(&order).await, (20_000, 10_000));
}

#[tokio::test]
async fn what_a_sale_had_forgotten_is_written_off_when_it_is_told_of_the_order_again() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let (sale, order) = forgotten(&desk, (6, 6)).await;
    booked(&desk, &order["reservation"], "released").await;
    desk.stage.backoffice(0).thaw().unwrap();
    let done = one_back_to(&desk, &order, "write_off", "done").await;
    assert_eq!(units_of(&desk, &done).await, tees("write_off"), "{done}");
    let one_sold_and_one_gone = [2, 1, 0, 1];
    super::eventually_within(60, async || {
        (counts(&desk, &sale, "tee").await == one_sold_and_one_gone).then_some(())
    })
    .await;
    booked(&desk, &order["reservation"], "paid").await;
    assert_eq!(shop.money(&order).await, (20_000, 10_000));
}

/// Two orders that are paid, and whose units others have bought since Redis lost that: both wait for a person.
async fn lost(desk: &Desk<'_>, sale: &str) -> Vec<Value> {
    let (engine, backoffice) = (desk.stage.engine(0), desk.stage.backoffice(0));
    let tee = json!([{"sku": "tee", "quantity": 1}]);
    let mut holds = Vec::new();
    for user in [name("ann"), name("carl")] {
        let hold = desk.hold(sale, &user, tee.clone()).await;
        booked(desk, &json!(hold), "held").await;
        holds.push((user, hold));
    }
    engine.freeze().unwrap();
    let mut orders = Vec::new();
    for (user, hold) in &holds {
        let placed = place(desk, user, "k", &order(sale, hold, "tok_ok")).await;
        orders.push(until(desk, &placed.ok(201), "paid").await);
    }
    // Nobody tells the rebuilt sale of them until their holds have ended and somebody else has the units.
    backoffice.freeze().unwrap();
    desk.redis("FLUSHALL", vec![]).await;
    engine.thaw().unwrap();
    let bob = name("bob");
    let hold = eventually(async || {
        let path = format!("/v1/sales/{sale}/reservations");
        let call = Call::new(engine.url(), "POST", &path)
            .token(&desk.token(&bob, Role::Buyer))
            .header("idempotency-key", name("key"));
        let both = json!({"items": [{"sku": "tee", "quantity": 2}]});
        let answer = call.json(&both).send().await;
        (answer.status == 201).then(|| answer.json["id"].as_str().unwrap().to_owned())
    })
    .await;
    backoffice.thaw().unwrap();
    let bobs = place(desk, &bob, "k", &order(sale, &hold, "tok_ok")).await;
    until(desk, &bobs.ok(201), "paid").await;
    for order in &orders {
        assert_eq!(until(desk, order, "parked").await["reason"], "late");
    }
    orders
}

#[tokio::test]
async fn a_person_decides_what_becomes_of_a_paid_order_whose_units_others_have() {
    let shop = Shop::new("", 1);
    let desk = shop.desk().await;
    let sale = sale(&desk, 2, (6, 6)).await;
    let orders = lost(&desk, &sale).await;
    let [ann, carl] = [&orders[0], &orders[1]];
    let decide = async |order: &Value, decision: &str| {
        let path = format!("/admin/v1/orders/{}/decide", order["id"].as_str().unwrap());
        let body = json!({"decision": decision, "reason": "a test"});
        finance(&desk, &path, "k", &body).await
    };
    // All of it goes back, and nothing comes back.
    decide(carl, "refund").await.ok(200);
    let carl = until(&desk, carl, "refunded").await;
    assert_eq!(shop.money(&carl).await, (10_000, 10_000));
    let told = timeline(&carl);
    assert!(
        told.ends_with(&["decided", "refunded", "returned", "cancelled"].map(str::to_owned)),
        "{told:?}"
    );
    assert_eq!(counts(&desk, &sale, "tee").await, [2, 0, 0, 2]);

    // There is nothing to be taken, until there is.
    let refused = decide(ann, "reacquire").await;
    assert_eq!(refused.refusal(), (409, "units_gone"));
    let waiting = super::look(&desk, ann).await;
    assert_eq!(
        (&waiting["state"], &waiting["reason"]),
        (&json!("parked"), &json!("late"))
    );
    assert_eq!(timeline(&waiting).last().unwrap(), "parked");
    let more = json!({"sku": "tee", "by": 1, "reason": "one more"});
    desk.adjust(&sale, "more", &more).await.ok(200);
    let again = decide(ann, "reacquire").await.ok(200);
    assert_eq!(
        (&again["state"], &again["reason"]),
        (&json!("paid"), &Value::Null),
        "{again:#}"
    );
    // No sooner than its units are sold.
    assert_eq!(counts(&desk, &sale, "tee").await, [3, 0, 0, 3]);
    let ann = super::look(&desk, ann).await;
    assert_eq!(ann["reason"], Value::Null, "{ann:#}");
    assert_eq!(shop.money(&ann).await, (10_000, 0));

    // The books agree, and the ledger owes the seller of three sales two.
    posted(&desk).await;
    let ledger = ledger(&desk).await;
    let accounts = ledger["accounts"].as_array().unwrap();
    let balance = |name: &str| {
        let found = accounts.iter().find(|one| one["account"] == name);
        found.map_or(0, |one| one["balance"].as_i64().unwrap())
    };
    assert_eq!(ledger["balanced"], true, "{ledger}");
    assert_eq!(
        [
            "provider_clearing",
            "seller_payable",
            "refunds",
            "buyer_receivable"
        ]
        .map(balance),
        [30_000, -30_000, 0, 0]
    );
    booked(&desk, &ann["reservation"], "paid").await;
    // As it is seen when all of it has been at rest for a while.
    sqlx::query("update order_events set at = at - interval 1 day")
        .execute(&desk.books)
        .await
        .unwrap();
    let finished = shop.stage.run_backoffice(&["reconcile", "--json"]).unwrap();
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["money"]["differences"], json!([]), "{report}");
}

#[tokio::test]
async fn a_doubt_that_comes_while_a_sale_is_gone_along_is_not_forgotten() {
    let desk = Shop::shared().desk().await;
    let sale = sale(&desk, 1, (300, 300)).await;
    let set = async |tx: &mut sqlx::MySqlConnection| {
        sqlx::query(
            "insert into order_epochs (sale_id, epoch, noted_at) values (?, 0, utc_timestamp(3))
            on duplicate key update epoch = 0, noted_at = noted_at + interval 1000 microsecond",
        )
        .bind(&sale)
        .execute(tx)
        .await
        .unwrap();
    };
    let epoch = async || -> u32 {
        let found = sqlx::query_scalar("select epoch from order_epochs where sale_id = ?");
        found.bind(&sale).fetch_one(&desk.books).await.unwrap()
    };
    set(&mut desk.books.acquire().await.unwrap()).await;
    // Another doubt is being written while whoever has gone along writes that down.
    let mut doubt = desk.books.begin().await.unwrap();
    set(&mut doubt).await;
    let noting = async || -> i64 {
        sqlx::query_scalar(
            "select count(*) from information_schema.processlist where info like concat('%note', '%insert into order_epochs%')",
        )
        .fetch_one(&desk.books)
        .await
        .unwrap()
    };
    super::eventually_within(60, async || (noting().await > 1).then_some(())).await;
    doubt.commit().await.unwrap();
    super::eventually_within(10, async || (noting().await == 1).then_some(())).await;
    assert_eq!(epoch().await, 0, "the doubt stands");
    super::eventually_within(60, async || (epoch().await == 1).then_some(())).await;
}
