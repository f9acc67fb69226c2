//! Reconcile finds nothing where nothing is wrong, and each planted difference by its name.

use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::stage::{Desk, coupon, name};

/// Exit status and report of one sale.
pub(crate) fn reconcile(desk: &Desk<'_>, sale: &str) -> (Option<i32>, Value) {
    let finished = desk
        .stage
        .run_backoffice(&["reconcile", "--sale", sale, "--json"])
        .unwrap();
    let report: Value =
        serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"));
    assert_eq!(
        report["differences"].as_u64().unwrap() as usize,
        report["sales"][0]["differences"].as_array().unwrap().len()
    );
    (finished.status.code(), report["sales"][0].clone())
}

/// Kind, sku or field, of each difference.
pub(crate) fn found(desk: &Desk<'_>, sale: &str) -> Vec<String> {
    let (code, report) = reconcile(desk, sale);
    let differences = report["differences"].as_array().unwrap();
    assert_eq!(code, Some(i32::from(!differences.is_empty())), "{report}");
    let word = |difference: &Value, member: &str| {
        difference[member]
            .as_str()
            .map(|word| format!(" {word}"))
            .unwrap_or_default()
    };
    let mut words: Vec<String> = differences
        .iter()
        .map(|d| {
            format!(
                "{}{}{}",
                d["kind"].as_str().unwrap(),
                word(d, "sku"),
                word(d, "field")
            )
        })
        .collect();
    words.sort();
    words
}

/// A sale with a hold of ann's (tee × 2, cap × 1), and one of bob's, cancelled; ann's id.
pub(crate) async fn traded(desk: &Desk<'_>, stem: &str) -> (String, String) {
    let sale = desk.selling(stem).await;
    let ann = desk
        .hold(
            &sale,
            "ann",
            json!([{"sku": "tee", "quantity": 2}, {"sku": "cap", "quantity": 1}]),
        )
        .await;
    let bob = desk
        .hold(&sale, "bob", json!([{"sku": "tee", "quantity": 1}]))
        .await;
    desk.cancel(&sale, "bob", &bob).await;
    desk.adjust(&sale, "k", &json!({"sku": "cap", "by": 3, "reason": "x"}))
        .await
        .ok(200);
    desk.written_back(&format!("/admin/v1/sales/{sale}")).await;
    (sale, ann)
}

pub(crate) fn key(sale: &str, name: &str) -> Vec<u8> {
    format!("{{sale:{sale}}}:{name}").into_bytes()
}

fn raw_id(id: &str) -> Vec<u8> {
    doorbuster_core::ids::ReservationId::parse(id)
        .unwrap()
        .as_bytes()
        .to_vec()
}

#[tokio::test]
async fn a_sale_and_a_coupon_in_order_have_no_differences() {
    let desk = Desk::shared().await;
    let (sale, _) = traded(&desk, "clean").await;
    let (code, report) = reconcile(&desk, &sale);
    assert_eq!(
        (code, &report["differences"]),
        (Some(0), &json!([])),
        "{report}"
    );
    assert_eq!(
        (
            &report["records"],
            &report["books_seq"],
            &report["lag_events"],
            &report["vouched"]
        ),
        (&json!(2), &json!(5), &json!(0), &json!(true))
    );

    let welcome = name("clean-coupon");
    desk.put("/admin/v1/coupons", &coupon(&welcome))
        .await
        .ok(201);
    desk.post(&format!("/admin/v1/coupons/{welcome}/open"))
        .await
        .ok(200);
    desk.claim(&welcome, "ann").await;
    desk.written_back(&format!("/admin/v1/coupons/{welcome}"))
        .await;
    let (code, report) = reconcile(&desk, &format!("coupon:{welcome}"));
    assert_eq!(
        (code, &report["records"], &report["differences"]),
        (Some(0), &json!(1), &json!([])),
        "{report}"
    );

    let text = desk
        .stage
        .run_backoffice(&["reconcile", "--sale", &sale])
        .unwrap()
        .success()
        .unwrap();
    assert!(
        text.contains(&format!("{sale}: 2 records")) && text.ends_with("1 sales, 0 differences\n"),
        "{text}"
    );
}

#[tokio::test]
async fn counters_in_redis_are_held_against_records_journal_and_law() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let (sale, _) = traded(&desk, "counters").await;
    // Its writer looks at the law once a second, and would rebuild the sale.
    stage.engine(0).freeze().unwrap();
    desk.redis(
        "HINCRBY",
        vec![key(&sale, "stock"), b"tee/held".to_vec(), b"1".to_vec()],
    )
    .await;
    // Against the records, and against the journal.
    assert_eq!(
        found(&desk, &sale),
        ["conservation tee", "sum tee held", "sum tee held"]
    );
    desk.redis(
        "HINCRBY",
        vec![key(&sale, "stock"), b"tee/left".to_vec(), b"-1".to_vec()],
    )
    .await;
    assert_eq!(
        found(&desk, &sale),
        ["sum tee held", "sum tee held"],
        "a law that holds proves nothing alone"
    );
    desk.redis(
        "HINCRBY",
        vec![key(&sale, "stock"), b"tee/held".to_vec(), b"-1".to_vec()],
    )
    .await;
    desk.redis(
        "HINCRBY",
        vec![key(&sale, "stock"), b"tee/stocked".to_vec(), b"-1".to_vec()],
    )
    .await;
    assert_eq!(found(&desk, &sale), ["sum tee stocked"]);
}

#[tokio::test]
async fn records_are_compared_field_by_field() {
    let desk = Desk::shared().await;
    let (sale, ann) = traded(&desk, "fields").await;
    let record = desk
        .redis("HGET", vec![key(&sale, "records"), raw_id(&ann)])
        .await
        .into_bytes()
        .unwrap();
    let put = async |bytes: Vec<u8>| {
        drop(
            desk.redis("HSET", vec![key(&sale, "records"), raw_id(&ann), bytes])
                .await,
        )
    };
    let changed = |from: &str, to: &str| {
        let (text, body) = record.split_at(record.len() - 16);
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert!(text.contains(from), "{text}");
        [text.replacen(from, to, 1).as_bytes(), body].concat()
    };

    put(changed("|ann|", "|eve|")).await;
    assert_eq!(found(&desk, &sale), ["record_field user"]);
    put(changed("h2|", "h9|")).await;
    assert_eq!(found(&desk, &sale), ["record_field seq"]);
    put(changed("tee=2", "tee=3")).await;
    assert_eq!(found(&desk, &sale), ["record_field lines", "sum tee held"]);
    put(changed("h2|", "s2|")).await;
    let sums = [
        "record_field status",
        "sum cap held",
        "sum cap sold",
        "sum tee held",
        "sum tee sold",
    ];
    assert_eq!(found(&desk, &sale), sums);
    let mut body = record.to_vec();
    *body.last_mut().unwrap() ^= 1;
    put(body).await;
    assert_eq!(found(&desk, &sale), ["record_field body"]);
    put(b"garbage".to_vec()).await;
    assert_eq!(
        found(&desk, &sale),
        [
            "record_malformed",
            "record_missing",
            "sum cap held",
            "sum tee held"
        ]
    );
    put(record.to_vec()).await;
    assert_eq!(found(&desk, &sale), [""; 0]);

    let (_, report) = {
        put(changed("|ann|", "|eve|")).await;
        reconcile(&desk, &sale)
    };
    let difference = &report["differences"][0];
    assert_eq!(
        (&difference["id"], &difference["says"]),
        (&json!(ann), &json!({"redis": "eve", "books": "ann"}))
    );
}

#[tokio::test]
async fn records_that_only_one_side_has_are_found() {
    let desk = Desk::shared().await;
    let (sale, ann) = traded(&desk, "one-side").await;
    let phantom = [&b"h2|1700000000000|eve|cap=1|"[..], &[7; 16]].concat();
    desk.redis("HSET", vec![key(&sale, "records"), vec![9; 16], phantom])
        .await;
    assert_eq!(found(&desk, &sale), ["record_unknown", "sum cap held"]);
    desk.redis("HDEL", vec![key(&sale, "records"), vec![9; 16]])
        .await;

    desk.redis("HDEL", vec![key(&sale, "records"), raw_id(&ann)])
        .await;
    assert_eq!(
        found(&desk, &sale),
        ["record_missing", "sum cap held", "sum tee held"]
    );
}

#[tokio::test]
async fn the_books_are_held_against_themselves() {
    let desk = Desk::shared().await;
    let (sale, ann) = traded(&desk, "books").await;
    desk.sql("update reservation_lines set quantity = 5 where sku = 'tee' and quantity = 2 and sale_id = ?", &sale).await;
    assert_eq!(found(&desk, &sale), ["record_field lines", "sum tee held"]);
    desk.sql("update reservation_lines set quantity = 2 where sku = 'tee' and quantity = 5 and sale_id = ?", &sale).await;

    desk.sql("insert into dead_letters (sale_id, seq, epoch, error, created_at) values (?, 3, 1, 'bad data', utc_timestamp(6))", &sale).await;
    let (_, report) = reconcile(&desk, &sale);
    assert_eq!(
        report["differences"],
        json!([{"kind": "dead_letter", "seq": 3, "says": {"error": "bad data"}}])
    );
    desk.sql("delete from dead_letters where sale_id = ?", &sale)
        .await;

    desk.sql(
        "update journal set raw = 'x' where seq = 4 and sale_id = ?",
        &sale,
    )
    .await;
    let unreadable = found(&desk, &sale);
    assert!(
        unreadable.contains(&"journal_unreadable".to_owned())
            && unreadable.contains(&"sum tee held".to_owned()),
        "{unreadable:?}"
    );
    desk.sql("delete from journal where seq = 4 and sale_id = ?", &sale)
        .await;
    assert!(found(&desk, &sale).contains(&"journal_gap".to_owned()));
    desk.sql("delete from journal where seq >= 3 and sale_id = ?", &sale)
        .await;
    assert!(found(&desk, &sale).contains(&"cursor".to_owned()));

    desk.sql(
        "delete from reservations where user_id = 'ann' and sale_id = ?",
        &sale,
    )
    .await;
    let (_, report) = reconcile(&desk, &sale);
    let lost = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .any(|d| d["kind"] == "record_unknown" && d["id"] == json!(ann));
    assert!(lost, "{report}");
}

#[tokio::test]
async fn coupons_are_compared_too() {
    let desk = Desk::shared().await;
    let id = name("coupon-differs");
    let book_id = format!("coupon:{id}");
    desk.put("/admin/v1/coupons", &coupon(&id)).await.ok(201);
    desk.post(&format!("/admin/v1/coupons/{id}/open"))
        .await
        .ok(200);
    for user in ["ann", "bob"] {
        desk.claim(&id, user).await;
    }
    desk.written_back(&format!("/admin/v1/coupons/{id}")).await;
    assert_eq!(found(&desk, &book_id), [""; 0]);
    desk.sql(
        "update coupon_claims set user_id = 'eve' where user_id = 'ann' and coupon_id = ?",
        &id,
    )
    .await;
    assert_eq!(found(&desk, &book_id), ["record_field user"]);
    desk.sql(
        "delete from coupon_claims where user_id = 'eve' and coupon_id = ?",
        &id,
    )
    .await;
    assert_eq!(
        found(&desk, &book_id),
        ["record_unknown".to_owned(), format!("sum {id} sold")]
    );
}

#[tokio::test]
async fn a_redis_that_is_behind_or_of_another_epoch_or_empty_is_said_to_be() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let (sale, _) = traded(&desk, "behind").await;
    // Or its writer would rebuild the sale before anybody has looked.
    stage.engine(0).freeze().unwrap();
    desk.redis(
        "HSET",
        vec![
            key(&sale, "sale"),
            b"seq".to_vec(),
            b"2".to_vec(),
            b"epoch".to_vec(),
            b"2".to_vec(),
        ],
    )
    .await;
    assert_eq!(found(&desk, &sale), ["epoch", "rewound"]);
    for part in ["sale", "stock", "records", "users", "order", "journal"] {
        desk.redis("DEL", vec![key(&sale, part)]).await;
    }
    assert_eq!(found(&desk, &sale), ["sale_missing"]);
}

#[tokio::test]
async fn a_sale_that_was_never_published_cannot_be_reconciled() {
    let desk = Desk::shared().await;
    let draft = desk.draft("unpublished").await;
    let finished = desk
        .stage
        .run_backoffice(&["reconcile", "--sale", &draft])
        .unwrap();
    assert_eq!(finished.status.code(), Some(2));
    assert!(finished.stderr.contains(&draft), "{}", finished.stderr);
}
