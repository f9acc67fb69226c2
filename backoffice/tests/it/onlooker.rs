//! A new operator's first sale, by page and from README alone, in a real Chromium: signs in, writes a product and a sale down, opens it, watches a crowd
//! arrive, pauses, resumes, reads the audit log. What the page shows is held against what the crowd was told and what the books have.
//! `cargo bench -p doorbuster-backoffice --bench trials -- watch` sends ten thousand.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use doorbuster_core::claims::Role;
use doorbuster_core::clock;
use doorbuster_stage::{Stage, StageOptions};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::browser::{Script, make_admin, node};
use crate::stage::Desk;

/// Connections of a crowd.
const CONNECTIONS: u32 = 64;

/// The sale that the page writes down.
const SALE: &str = "first-sale";
const SKU: &str = "first-mug";

/// How many were told what.
type Told = BTreeMap<String, u64>;

/// Buyers who come in three parts of the same size: before the pause, during it, and after it. Half of the last find something.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) part: u32,
    /// In which a part comes.
    pub(crate) over: Duration,
}

impl Crowd {
    fn stock(self) -> u32 {
        self.part + self.part / 2
    }
}

#[tokio::test]
async fn a_new_operator_watches_a_sale_by_page() {
    let crowd = Crowd {
        part: 100,
        over: Duration::from_secs(1),
    };
    watch(crowd).await;
}

/// Panics where the page does not show what is so.
pub(crate) async fn watch(crowd: Crowd) {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    make_admin(&stage);
    let mut command = node("watch.mjs", &stage);
    command
        .env("SALE", SALE)
        .env("SKU", SKU)
        .env("STOCK", crowd.stock().to_string());
    let began = clock::instant();
    let mut script = Script::start(command);
    let (mut told, mut parts, mut page) = (Told::new(), 0, Value::Null);
    while let Some(said) = script.hear().await {
        if said["do"] == "part" {
            send(&desk, crowd, parts, &mut told).await;
            parts += 1;
            script.tell(&json!(told));
        } else {
            page = said;
        }
    }
    script.end();

    assert_eq!(parts, 3);
    let part = u64::from(crowd.part);
    let (ok, stock) = (told["ok"], u64::from(crowd.stock()));
    assert_eq!(told.values().sum::<u64>(), 3 * part, "{told:?}");
    assert_eq!((ok, told["paused"]), (stock, part), "{told:?}");
    // The page has what buyers were told, and so have Redis and the books.
    assert_eq!(page["answers"], json!(told));
    let stocks = json!({"left": 0, "held": stock, "sold": 0});
    assert_eq!(page["stock"], stocks);
    let path = format!("/admin/v1/sales/{SALE}");
    let view = desk.written_back(&path).await;
    for side in ["live", "books"] {
        for field in ["left", "held", "sold"] {
            assert_eq!(view["items"][0][side][field], stocks[field], "{side}");
        }
    }
    let written: (i64, i64) = sqlx::query_as(
        "select count(*), count(distinct user_id) from reservations where sale_id = ? and status = 'held'",
    )
    .bind(SALE)
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(written, (ok as i64, ok as i64));
    println!(
        "watched by page in {:.0} s: {} buyers were told {told:?}, and that is what the page showed ({} different looks), and the books have",
        began.elapsed().as_secs_f64(),
        3 * part,
        page["looks"],
    );
}

/// One part of the crowd: everybody asks once, at his own time.
async fn send(desk: &Desk<'_>, crowd: Crowd, part: u32, told: &mut Told) {
    let begin = clock::instant();
    let mut lanes = JoinSet::new();
    for lane in 0..CONNECTIONS.min(crowd.part) {
        let buyers: Vec<(Duration, String)> = (lane..crowd.part)
            .step_by(CONNECTIONS as usize)
            .map(|n| {
                let token = desk.token(&format!("onlooked-{part}-{n}"), Role::Buyer);
                (crowd.over * n / crowd.part, token)
            })
            .collect();
        lanes.spawn(walk(desk.stage.engine(0).url().to_owned(), begin, buyers));
    }
    for code in lanes.join_all().await.into_iter().flatten() {
        *told.entry(code).or_default() += 1;
    }
}

async fn walk(engine: String, begin: Instant, buyers: Vec<(Duration, String)>) -> Vec<String> {
    let host = engine.strip_prefix("http://").unwrap().to_owned();
    let stream = TcpStream::connect(&host).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut codes = Vec::with_capacity(buyers.len());
    for (due, token) in buyers {
        sleep_until((begin + due).into()).await;
        codes.push(ask(&mut sender, &host, &token).await);
    }
    codes
}

/// What one buyer is told, as the live screen counts it.
async fn ask(sender: &mut SendRequest<Full<Bytes>>, host: &str, token: &str) -> String {
    let body = json!({"items": [{"sku": SKU, "quantity": 1}]}).to_string();
    let request = Request::post(format!("/v1/sales/{SALE}/reservations"))
        .header("host", host)
        .header("authorization", format!("Bearer {token}"))
        .header("idempotency-key", "1")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    sender.ready().await.unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    match status {
        201 => "ok".to_owned(),
        _ => json["code"].as_str().unwrap().to_owned(),
    }
}
