//! What shoppers read is kept near, and yet never older than a change.

use std::path::Path;
use std::time::Duration;

use doorbuster_core::claims::Role;
use doorbuster_core::clock;
use doorbuster_stage::{Program, Server, Stage, StageOptions};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::http::{Answer, Call};
use crate::stage::{Desk, eventually, name};

/// What is kept lives a third longer at least: whoever shows a change by then was told.
const UNTOLD_MIN: Duration = Duration::from_secs(9);

/// Statements that made a product's page, by the server's own log.
async fn page_statements(desk: &Desk<'_>, since: i64) -> i64 {
    sqlx::query_scalar::<_, i64>(
        "select count(*) from mysql.general_log where command_type = 'Execute' and argument like '%from products p%join sellers r%'
            and argument not like '%general_log%'",
    )
    .fetch_one(&desk.books)
    .await
    .unwrap()
        - since
}

async fn log_statements(desk: &Desk<'_>) {
    for statement in [
        "set global log_output = 'TABLE'",
        "set global general_log = 1",
    ] {
        sqlx::raw_sql(statement).execute(&desk.books).await.unwrap();
    }
}

async fn price(base: &str, id: &str) -> Answer {
    Call::new(base, "GET", &format!("/v1/products/{id}"))
        .send()
        .await
}

#[tokio::test]
async fn a_thousand_misses_at_once_are_one_statement_and_further_reads_none() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let shelf = desk.shelf().await;
    log_statements(&desk).await;
    let draft = crate::catalog::product(&shelf, "접시", "Plate", 2);
    let id = draft["id"].as_str().unwrap().to_owned();
    desk.put("/admin/v1/products", &draft).await.ok(201);
    desk.post(&format!("/admin/v1/products/{id}/publish"))
        .await
        .ok(200);
    // Written through, it is in Redis; from there on it is nowhere.
    desk.redis(
        "DEL",
        vec![format!("doorbuster:cache:product:{id}").into_bytes()],
    )
    .await;
    let before = page_statements(&desk, 0).await;

    let base = desk.stage.backoffice(0).url().to_owned();
    let reads: Vec<_> = (0..1_000)
        .map(|_| {
            let (base, id) = (base.clone(), id.clone());
            tokio::spawn(async move { price(&base, &id).await.ok(200)["title"]["en"].clone() })
        })
        .collect();
    for read in reads {
        assert_eq!(read.await.unwrap(), "Plate");
    }
    assert_eq!(page_statements(&desk, before).await, 1);
    for _ in 0..200 {
        price(&base, &id).await.ok(200);
    }
    assert!(
        page_statements(&desk, before).await <= 1,
        "kept in this process"
    );
    let metrics = desk.call("GET", "/metrics").send().await.text;
    assert!(
        metrics.contains("doorbuster_backoffice_cache_reads_total{kind=\"product\",from=\"near\"}"),
        "{metrics}"
    );
}

/// Another back-office on the same stage.
pub(crate) fn another(stage: &Stage) -> Server {
    stage
        .start_program(&Program {
            name: "other",
            path: Path::new(env!("CARGO_BIN_EXE_doorbuster-backoffice")),
            args: &["serve"],
            env: &[("BACKOFFICE_LISTEN", "127.0.0.1:{port}")],
            port: None,
        })
        .unwrap()
}

/// A product that both back-offices show, and what it was made of.
pub(crate) async fn published_on_both(desk: &Desk<'_>, other: &Server) -> (String, Value) {
    let shelf = desk.shelf().await;
    let draft = crate::catalog::product(&shelf, "머그", "Mug", 1_000);
    let id = draft["id"].as_str().unwrap().to_owned();
    desk.put("/admin/v1/products", &draft).await.ok(201);
    assert_eq!(
        price(other.url(), &id).await.refusal(),
        (404, "unknown_product")
    );
    desk.post(&format!("/admin/v1/products/{id}/publish"))
        .await
        .ok(200);
    eventually(async || (price(other.url(), &id).await.status == 200).then_some(())).await;
    (id, draft)
}

/// How long another back-office goes on showing the old price.
async fn until_seen(other: &Server, id: &str, amount: u64) -> Duration {
    let since = Instant::now();
    while price(other.url(), id).await.ok(200)["skus"][0]["price"]["amount"] != json!(amount) {
        assert!(since.elapsed() < UNTOLD_MIN, "told, not waited for");
        sleep(Duration::from_millis(5)).await;
    }
    since.elapsed()
}

/// So many changes, each seen where it is made when it is answered; the longest that any took to be seen elsewhere.
pub(crate) async fn changes(
    desk: &Desk<'_>,
    other: &Server,
    (id, mut draft): (&str, Value),
    count: u64,
) -> Duration {
    let mut slowest = Duration::ZERO;
    for version in 2..2 + count {
        draft["version"] = json!(version);
        draft["skus"][0]["price"]["amount"] = json!(1_000 * version);
        desk.edit(&format!("/admin/v1/products/{id}"), &draft)
            .await
            .ok(200);
        let here = price(desk.stage.backoffice(0).url(), id).await.ok(200);
        assert_eq!(here["skus"][0]["price"]["amount"], json!(1_000 * version));
        slowest = slowest.max(until_seen(other, id, 1_000 * version).await);
    }
    slowest
}

#[tokio::test]
async fn a_change_is_seen_at_once_where_it_is_made_and_within_a_moment_everywhere_else() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let other = another(&stage);
    let (id, draft) = published_on_both(&desk, &other).await;
    changes(&desk, &other, (&id, draft), 10).await;
    desk.post(&format!("/admin/v1/products/{id}/archive"))
        .await
        .ok(200);
    eventually(async || (price(other.url(), &id).await.status == 404).then_some(())).await;
}

#[tokio::test]
async fn a_change_that_redis_was_too_slow_for_is_told_all_the_same() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let other = another(&stage);
    let (id, draft) = published_on_both(&desk, &other).await;
    let paused = vec![b"500".to_vec(), b"ALL".to_vec()];
    desk.redis("CLIENT", [vec![b"PAUSE".to_vec()], paused].concat())
        .await;
    changes(&desk, &other, (&id, draft), 1).await;
}

#[tokio::test]
async fn a_change_is_told_to_whoever_had_no_connection_when_it_was_made() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let other = another(&stage);
    let (id, mut draft) = published_on_both(&desk, &other).await;
    // As when Redis was away: who tells is back before who listens.
    other.freeze().unwrap();
    let kill = [b"KILL".to_vec(), b"TYPE".to_vec(), b"pubsub".to_vec()];
    desk.redis("CLIENT", kill.to_vec()).await;
    draft["version"] = json!(2);
    draft["skus"][0]["price"]["amount"] = json!(2_000);
    desk.edit(&format!("/admin/v1/products/{id}"), &draft)
        .await
        .ok(200);
    other.thaw().unwrap();
    until_seen(&other, &id, 2_000).await;
}

#[tokio::test]
async fn readers_and_writers_at_once_never_leave_an_old_page_behind() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let mut draft = crate::catalog::product(&shelf, "머그", "Mug", 1);
    let id = draft["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/v1/products/{id}");
    desk.put("/admin/v1/products", &draft).await.ok(201);
    desk.post(&format!("{path}/publish")).await.ok(200);
    let base = desk.stage.backoffice(0).url().to_owned();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (base, id) = (base.clone(), id.clone());
            tokio::spawn(async move {
                let mut last = 0;
                for _ in 0..300 {
                    let page: Value = price(&base, &id).await.ok(200);
                    let version = page["version"].as_u64().unwrap();
                    assert!(version >= last, "{version} after {last}");
                    last = version;
                }
            })
        })
        .collect();
    for version in 2..42 {
        draft["version"] = json!(version);
        desk.edit(&path, &draft).await.ok(200);
        assert_eq!(
            price(&base, &id).await.ok(200)["version"],
            json!(version + 1)
        );
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn without_redis_shoppers_still_read_and_staff_still_edit() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let shelf = desk.shelf().await;
    let mut draft = crate::catalog::product(&shelf, "머그", "Mug", 1);
    let id = draft["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/v1/products/{id}");
    desk.put("/admin/v1/products", &draft).await.ok(201);
    desk.post(&format!("{path}/publish")).await.ok(200);
    stage.redis().kill9().unwrap();
    draft["version"] = json!(2);
    draft["skus"][0]["price"]["amount"] = json!(7);
    let token = desk.token("olga", Role::Operator);
    desk.call("PUT", &path)
        .token(&token)
        .json(&draft)
        .send()
        .await
        .ok(200);
    let page = price(desk.stage.backoffice(0).url(), &id).await.ok(200);
    assert_eq!(page["skus"][0]["price"]["amount"], 7);
    assert_eq!(desk.call("GET", "/v1/categories").send().await.status, 200);
}

#[tokio::test]
async fn an_opened_sale_is_on_the_page_at_once() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let id = desk.product(&shelf, "머그", "Mug", 1).await;
    let base = desk.stage.backoffice(0).url().to_owned();
    assert_eq!(price(&base, &id).await.ok(200)["sales"], json!([]));
    let sale = name("sale");
    let mut body = crate::stage::sale(&sale);
    body["items"][0]["sku"] = json!(id);
    desk.put("/admin/v1/sales", &body).await.ok(201);
    desk.post(&format!("/admin/v1/sales/{sale}/open"))
        .await
        .ok(200);
    assert_eq!(
        price(&base, &id).await.ok(200)["sales"][0]["id"],
        json!(sale)
    );
}

#[tokio::test]
async fn what_ends_with_time_alone_is_gone_when_its_time_is_over() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let product = desk.product(&shelf, "머그", "Mug", 1).await;
    let (sale, notice) = (name("ending"), name("ending"));
    let ends = clock::now_ms() + 4_000;
    let mut body = crate::stage::sale(&sale);
    body["items"][0]["sku"] = json!(product);
    body["closes_at"] = json!(clock::rfc3339(ends));
    desk.put("/admin/v1/sales", &body).await.ok(201);
    let open = format!("/admin/v1/sales/{sale}/open");
    desk.post(&open).await.ok(200);
    let title = json!({"ko": "곧 끝나요", "en": "Over soon"});
    let draft = json!({"id": notice, "title": title, "body": title, "starts_at": "2020-01-01T00:00:00Z", "ends_at": clock::rfc3339(ends)});
    desk.put("/admin/v1/notices", &draft).await.ok(201);
    let shown = async || {
        let page = price(desk.stage.backoffice(0).url(), &product)
            .await
            .ok(200);
        let notices = desk.call("GET", "/v1/notices").send().await.ok(200);
        let is_there = notices["notices"]
            .as_array()
            .unwrap()
            .iter()
            .any(|n| n["id"] == notice);
        (page["sales"].as_array().unwrap().len(), is_there)
    };
    assert_eq!(shown().await, (1, true));
    while clock::now_ms() <= ends + 50 {
        shown().await;
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(shown().await, (0, false));
}
