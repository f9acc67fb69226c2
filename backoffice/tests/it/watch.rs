//! Watching a live sale: server-sent events, one look a second for all who watch.

use std::time::Duration;

use doorbuster_core::claims::Role;
use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http::Call;
use crate::stage::Desk;

/// Longer than any event takes to come.
const BOUND: Duration = Duration::from_secs(20);

/// A stream of events, read as it comes.
struct Stream {
    connection: TcpStream,
    text: String,
}

impl Stream {
    async fn open(desk: &Desk<'_>, sale: &str, headers: &str) -> Self {
        let address = desk.stage.backoffice(0).url().trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).await.unwrap();
        let token = desk.token("olga", Role::Operator);
        let request = format!(
            "GET /admin/v1/sales/{sale}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{headers}\r\n"
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        Self {
            connection,
            text: String::new(),
        }
    }

    /// Reads on until the text has an event that `fits`, which is returned.
    async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        timeout(BOUND, async {
            loop {
                if let Some(found) = self.looks().into_iter().find(|look| fits(look)) {
                    return found;
                }
                let mut buffer = [0; 8_192];
                let read = self.connection.read(&mut buffer).await.unwrap();
                assert!(read > 0, "the stream ended: {}", self.text);
                self.text += std::str::from_utf8(&buffer[..read]).unwrap();
            }
        })
        .await
        .unwrap_or_else(|_| panic!("no such event: {}", self.text))
    }

    fn looks(&self) -> Vec<Value> {
        let lines = self.text.lines();
        lines
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
            .collect()
    }

    fn ids(&self) -> Vec<u64> {
        let lines = self.text.lines();
        lines
            .filter_map(|line| line.strip_prefix("id: ")?.parse().ok())
            .collect()
    }
}

async fn buy(desk: &Desk<'_>, sale: &str, user: &str, sku: &str, quantity: u32) -> u16 {
    let path = format!("/v1/sales/{sale}/reservations");
    let call = Call::new(desk.stage.engine(0).url(), "POST", &path);
    let call = call.token(&desk.token(user, Role::Buyer));
    let body = json!({"items": [{"sku": sku, "quantity": quantity}]});
    let key = format!("{user}-{sku}");
    call.header("idempotency-key", &key)
        .json(&body)
        .send()
        .await
        .status
}

#[tokio::test]
async fn a_watched_sale_tells_its_stock_and_what_buyers_were_told() {
    let desk = Desk::shared().await;
    let sale = desk.selling("watched").await;
    let mut stream = Stream::open(&desk, &sale, "").await;
    let first = stream.until(|look| look["state"] == "open").await;
    assert!(stream.text.contains("content-type: text/event-stream"));
    assert_eq!(first["items"][1]["left"], 100, "{first}");
    assert_eq!(first["answers"], json!({}));
    for user in ["ann", "bob", "cyd", "dan", "eve"] {
        assert_eq!(buy(&desk, &sale, user, "cap", 1).await, 201);
    }
    // Told by the engine: from its script, and from memory.
    for user in ["fay", "gil", "hal"] {
        assert_eq!(buy(&desk, &sale, user, "cap", 1).await, 409);
    }
    assert_eq!(buy(&desk, &sale, "ivy", "tee", 3).await, 409);
    let told = stream
        .until(|look| look["answers"] == json!({"ok": 5, "sold_out": 3, "limit_reached": 1}))
        .await;
    let cap = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["sku"] == "cap");
    assert_eq!(
        cap.unwrap(),
        &json!({"sku": "cap", "stocked": 5, "left": 0, "held": 5, "sold": 0})
    );
    assert_eq!(told["conservation_difference"], 0);
    assert_eq!(
        (&told["line"], told["engines"].as_i64() >= Some(1)),
        (&Value::Null, true)
    );
    let rate = |look: &Value| look["rates"]["accepted_per_second"].as_f64().unwrap();
    assert!(
        stream.looks().iter().any(|look| rate(look) > 0.0),
        "{}",
        stream.text
    );
    desk.post(&format!("/admin/v1/sales/{sale}/pause"))
        .await
        .ok(200);
    stream.until(|look| look["state"] == "paused").await;
    stream
        .until(|look| look["journal_lag"]["events"] == 0)
        .await;
}

#[tokio::test]
async fn who_comes_back_is_told_what_came_meanwhile_and_nothing_twice() {
    let desk = Desk::shared().await;
    let sale = desk.selling("back").await;
    let mut stays = Stream::open(&desk, &sale, "").await;
    let first = stays.until(|_| true).await;
    let id = first["at_ms"].as_u64().unwrap();
    stays
        .until(|look| look["at_ms"].as_u64().unwrap() > id + 2_000)
        .await;

    let mut back = Stream::open(&desk, &sale, &format!("last-event-id: {id}\r\n")).await;
    back.until(|look| look["at_ms"].as_u64().unwrap() > id + 2_000)
        .await;
    stays
        .until(|look| look["at_ms"].as_u64().unwrap() > id + 3_000)
        .await;
    let ids = back.ids();
    assert!(ids.iter().all(|seen| *seen > id), "{ids:?}");
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    // One look for both: the same events.
    let all = stays.ids();
    assert!(
        ids.iter()
            .all(|seen| all.contains(seen) || *seen > all[all.len() - 1])
    );
    let pauses: Vec<u64> = all.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        pauses.iter().all(|pause| *pause > 500),
        "one a second: {pauses:?}"
    );
}

#[tokio::test]
async fn a_draft_can_be_watched_and_a_sale_that_is_not_there_cannot() {
    let desk = Desk::shared().await;
    let draft = desk.draft("early").await;
    let mut stream = Stream::open(&desk, &draft, "").await;
    let look = stream.until(|_| true).await;
    assert_eq!(
        (&look["state"], &look["items"]),
        (&json!("draft"), &json!([]))
    );
    desk.post(&format!("/admin/v1/sales/{draft}/open"))
        .await
        .ok(200);
    stream.until(|look| look["state"] == "open").await;
    let nowhere = desk.get("/admin/v1/sales/nowhere/events").await;
    assert_eq!(nowhere.refusal(), (404, "unknown_sale"));
}

#[tokio::test]
async fn watchers_are_told_of_trouble_and_no_stream_keeps_a_back_office_from_ending() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let sale = desk.selling("trouble").await;
    let mut stream = Stream::open(&desk, &sale, "").await;
    stream.until(|look| look["state"] == "open").await;
    stage.redis().kill9().unwrap();
    stream.until(|event| event["code"] == "unavailable").await;
    let began = doorbuster_core::clock::instant();
    stage
        .backoffice(0)
        .terminate(Duration::from_secs(9))
        .unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}
