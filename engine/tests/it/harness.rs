//! A shop on a stage: its operator opens sales through the back-office, its buyers call the engines.

use std::time::{Duration, Instant};

use doorbuster_core::claims::{Claims, Role, TokenKeys};
use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::snapshot::{Snapped, Snapshot};
use doorbuster_core::ids::{LiveId, SaleId, UserId};
use doorbuster_stage::{Stage, StageOptions};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sqlx::MySqlPool;

pub(crate) struct Shop {
    pub(crate) stage: Stage,
    pub(crate) gate: Gate,
    pub(crate) books: MySqlPool,
    keys: TokenKeys,
}

/// One HTTP answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or("")
    }
}

/// Waits until `found` yields something, within `bound`.
pub(crate) async fn within<T, F: Future<Output = Option<T>>>(
    bound: Duration,
    what: &str,
    mut found: impl FnMut() -> F,
) -> T {
    let started = clock::instant();
    loop {
        if let Some(value) = found().await {
            return value;
        }
        assert!(started.elapsed() < bound, "not within {bound:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Shop {
    pub(crate) async fn open(options: StageOptions) -> Self {
        let stage = Stage::start(&options).expect("the stage starts");
        let gate = Gate::connect(stage.redis_url()).await.expect("a gate");
        let books = MySqlPool::connect(&stage.database_url())
            .await
            .expect("the books");
        let keys = TokenKeys::new(stage.token_secret().as_bytes(), None).expect("a secret");
        Self {
            stage,
            gate,
            books,
            keys,
        }
    }

    /// With `engines` engines and no rate limit.
    pub(crate) async fn with_engines(engines: usize) -> Self {
        Self::open(StageOptions::whole(engines).engine_env("RATE_PER_USER", "0")).await
    }

    pub(crate) fn token(&self, user: &str, role: Role) -> String {
        self.keys.sign(&Claims::access(
            UserId::parse(user).expect("a user"),
            role,
            clock::now_s(),
            3_600,
        ))
    }

    pub(crate) fn engine(&self, index: usize) -> String {
        self.stage.engine(index).url().to_string()
    }

    /// Opens a sale: per item sku, stock, limit (0: none).
    pub(crate) async fn sale(
        &self,
        id: &str,
        items: &[(&str, u32, u32)],
        hold_seconds: u32,
    ) -> LiveId {
        let items: Vec<Value> = items
            .iter()
            .map(|(sku, stock, limit)| {
                let mut item = json!({"sku": sku, "title": format!("{sku} 티셔츠"), "price": {"amount": 19900, "currency": "KRW"}, "stock": stock});
                if *limit > 0 {
                    item["limit_per_user"] = json!(limit);
                }
                item
            })
            .collect();
        let (opens, closes) = (clock::now_ms() - 60_000, clock::now_ms() + 3_600_000);
        let body = json!({"id": id, "title": "Friday drop", "opens_at": clock::rfc3339(opens), "closes_at": clock::rfc3339(closes),
            "hold_seconds": hold_seconds, "payment_seconds": 300, "items": items, "waiting_room": false});
        let created = self.staff("POST", "/admin/v1/sales", Some(body)).await;
        assert_eq!(created.status, StatusCode::CREATED, "{:?}", created.body);
        let opened = self
            .staff("POST", &format!("/admin/v1/sales/{id}/open"), None)
            .await;
        assert_eq!(opened.status, StatusCode::OK, "{:?}", opened.body);
        let live = LiveId::Sale(SaleId::parse(id).expect("an id"));
        self.until_vouched(&live).await;
        live
    }

    pub(crate) async fn until_vouched(&self, live: &LiveId) {
        within(
            Duration::from_secs(10),
            "the sale is vouched for",
            || async { self.try_snapshot(live).await.filter(Snapshot::is_vouched) },
        )
        .await;
    }

    pub(crate) async fn try_snapshot(&self, live: &LiveId) -> Option<Snapshot> {
        match self.gate.snapshot(live).await {
            Ok(Snapped::Snapshot(snapshot)) => Some(*snapshot),
            _ => None,
        }
    }

    pub(crate) async fn snapshot(&self, live: &LiveId) -> Snapshot {
        self.try_snapshot(live).await.expect("a snapshot")
    }

    /// left, held, sold of the only sku.
    pub(crate) async fn counts(&self, live: &LiveId) -> (u64, u64, u64) {
        let snapshot = self.snapshot(live).await;
        let stock = snapshot.stock.values().next().expect("one sku");
        assert_eq!(stock.difference(), 0, "the conservation law");
        (stock.left, stock.held, stock.sold)
    }

    /// An operator's request to the back-office.
    pub(crate) async fn staff(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let token = self.token("olga", Role::Operator);
        let url = self.stage.backoffice(0).url().to_string();
        let mut headers = vec![
            ("authorization", format!("Bearer {token}")),
            ("idempotency-key", format!("k-{}", uuid::Uuid::new_v4())),
        ];
        if body.is_some() {
            headers.push(("content-type", "application/json".into()));
        }
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        send(&url, method, path, &headers, body)
            .await
            .expect("the back-office answers")
    }

    pub(crate) async fn reserve(
        &self,
        engine: usize,
        sale: &str,
        user: &str,
        key: &str,
        items: Value,
    ) -> Answer {
        self.try_reserve(engine, sale, user, key, items)
            .await
            .expect("the engine answers")
    }

    pub(crate) async fn try_reserve(
        &self,
        engine: usize,
        sale: &str,
        user: &str,
        key: &str,
        items: Value,
    ) -> Option<Answer> {
        let headers = [
            (
                "authorization",
                format!("Bearer {}", self.token(user, Role::Buyer)),
            ),
            ("idempotency-key", key.to_string()),
            ("content-type", "application/json".into()),
        ];
        let path = format!("/v1/sales/{sale}/reservations");
        send(
            &self.engine(engine),
            "POST",
            &path,
            &headers,
            json!({"items": items}).to_string(),
        )
        .await
    }

    /// One unit of `tee`.
    pub(crate) async fn reserve_one(
        &self,
        engine: usize,
        sale: &str,
        user: &str,
        key: &str,
    ) -> Answer {
        self.reserve(
            engine,
            sale,
            user,
            key,
            json!([{"sku": "tee", "quantity": 1}]),
        )
        .await
    }

    pub(crate) async fn buyer(
        &self,
        engine: usize,
        method: &str,
        path: &str,
        user: &str,
    ) -> Answer {
        let headers = [(
            "authorization",
            format!("Bearer {}", self.token(user, Role::Buyer)),
        )];
        send(&self.engine(engine), method, path, &headers, String::new())
            .await
            .expect("the engine answers")
    }

    /// Waits until the books have all events of the sale, and checks that they are gapless and whole.
    pub(crate) async fn until_booked(&self, live: &LiveId) {
        within(
            Duration::from_secs(30),
            "the books are complete",
            || async { self.try_snapshot(live).await.filter(|s| s.backlog() == 0) },
        )
        .await;
        let seq = self.snapshot(live).await.seq;
        let (count, newest): (i64, Option<u64>) =
            sqlx::query_as("select count(*), max(seq) from journal where sale_id = ?")
                .bind(live.book_id())
                .fetch_one(&self.books)
                .await
                .expect("the journal");
        assert_eq!(
            (count.cast_unsigned(), newest),
            (seq, Some(seq)),
            "the journal is gapless"
        );
        let dead: i64 = sqlx::query_scalar("select count(*) from dead_letters")
            .fetch_one(&self.books)
            .await
            .expect("dead letters");
        assert_eq!(dead, 0);
    }

    /// Units of live reservations in the books.
    pub(crate) async fn booked_units(&self, live: &LiveId) -> u64 {
        let sql = "select cast(coalesce(sum(l.quantity), 0) as unsigned) from reservations r
            join reservation_lines l on l.sale_id = r.sale_id and l.seq = r.seq where r.sale_id = ? and r.status <> 'released'";
        sqlx::query_scalar(sql)
            .bind(live.book_id())
            .fetch_one(&self.books)
            .await
            .expect("booked units")
    }
}

/// One request on a connection of its own; `None` where no answer came.
pub(crate) async fn send(
    url: &str,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: impl Into<Bytes>,
) -> Option<Answer> {
    let address = url.strip_prefix("http://").expect("an http url");
    let stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    let driver = tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(body.into())).expect("a request");
    let response = tokio::time::timeout(Duration::from_secs(15), sender.send_request(request))
        .await
        .expect("no client hangs")
        .ok()?;
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.ok()?.to_bytes();
    driver.abort();
    Some(Answer {
        status: head.status,
        headers: head.headers,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    })
}

/// A stopwatch for bounds that the issue sets.
pub(crate) fn started() -> Instant {
    clock::instant()
}
