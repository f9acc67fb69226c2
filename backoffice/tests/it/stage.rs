//! The stage that most tests share, and who acts on it: operator, buyer, the books, Redis. Each test has sales of its own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use doorbuster_core::claims::{Claims, Role, TokenKeys};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_stage::{Stage, StageOptions};
use fred::clients::Client;
use fred::interfaces::ClientLike as _;
use fred::types::config::Config;
use fred::types::{Builder, ClusterHash, CustomCommand, Value as Reply};
use serde_json::{Value, json};
use sqlx::MySqlPool;
use tokio::time::{Instant, sleep};

use crate::http::{Answer, Call};

/// For things that take moments when all is well.
const BOUND: Duration = Duration::from_secs(15);

/// One engine, one back-office. Its guardian ends it with this process.
pub(crate) fn shared() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| {
        let options = StageOptions::whole(1)
            .with_mail()
            .engine_env("RATE_PER_USER", "0")
            // So that each person of a test may come from an address of his own.
            .backoffice_env("TRUSTED_PROXIES", "127.0.0.1");
        Stage::start(&options).expect("a stage")
    })
}

/// A name that no other test has.
pub(crate) fn name(stem: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{stem}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Everyone who acts on a stage.
pub(crate) struct Desk<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) books: MySqlPool,
}

impl Desk<'static> {
    pub(crate) async fn shared() -> Self {
        Desk::on(shared()).await
    }
}

impl<'a> Desk<'a> {
    pub(crate) async fn on(stage: &'a Stage) -> Self {
        Self {
            stage,
            books: MySqlPool::connect(&stage.database_url()).await.unwrap(),
        }
    }

    pub(crate) fn token(&self, user: &str, role: Role) -> String {
        self.token_of(user, role, 0)
    }

    /// Of a generation that the user's tokens must have.
    pub(crate) fn token_of(&self, user: &str, role: Role, generation: u64) -> String {
        let keys = TokenKeys::new(self.stage.token_secret().as_bytes(), None).unwrap();
        let user = UserId::parse(user).unwrap();
        let mut claims = Claims::access(user, role, clock::now_s(), 600);
        claims.generation = generation;
        keys.sign(&claims)
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.stage.backoffice(0).url(), method, path)
    }

    /// As an operator.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path)
            .token(&self.token("olga", Role::Operator))
            .send()
            .await
    }

    /// As an operator, without a body.
    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.call("POST", path)
            .token(&self.token("olga", Role::Operator))
            .send()
            .await
    }

    /// As an operator, with a JSON body.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path)
            .token(&self.token("olga", Role::Operator))
            .json(body)
            .send()
            .await
    }

    pub(crate) async fn adjust(&self, sale: &str, key: &str, body: &Value) -> Answer {
        let call = self
            .call("POST", &format!("/admin/v1/sales/{sale}/adjust"))
            .token(&self.token("olga", Role::Operator));
        call.header("idempotency-key", key).json(body).send().await
    }

    /// A draft of two skus, `tee` and `cap`.
    pub(crate) async fn draft(&self, stem: &str) -> String {
        let id = name(stem);
        self.put("/admin/v1/sales", &sale(&id)).await.ok(201);
        id
    }

    /// A sale that sells.
    pub(crate) async fn selling(&self, stem: &str) -> String {
        let id = self.draft(stem).await;
        assert_eq!(
            self.post(&format!("/admin/v1/sales/{id}/open"))
                .await
                .ok(200)["state"],
            "open"
        );
        id
    }

    /// A buyer's hold; his reservation's id.
    pub(crate) async fn hold(&self, sale: &str, user: &str, items: Value) -> String {
        let call = Call::new(
            self.stage.engine(0).url(),
            "POST",
            &format!("/v1/sales/{sale}/reservations"),
        );
        let call = call
            .token(&self.token(user, Role::Buyer))
            .header("idempotency-key", name("key"));
        let held = call.json(&json!({"items": items})).send().await.ok(201);
        held["id"].as_str().unwrap().to_owned()
    }

    /// A buyer ends his hold.
    pub(crate) async fn cancel(&self, sale: &str, user: &str, id: &str) {
        let call = Call::new(
            self.stage.engine(0).url(),
            "DELETE",
            &format!("/v1/sales/{sale}/reservations/{id}"),
        );
        call.token(&self.token(user, Role::Buyer))
            .send()
            .await
            .ok(200);
    }

    /// A claim of a coupon.
    pub(crate) async fn claim(&self, coupon: &str, user: &str) {
        let call = Call::new(
            self.stage.engine(0).url(),
            "POST",
            &format!("/v1/coupons/{coupon}/claims"),
        );
        call.token(&self.token(user, Role::Buyer))
            .header("idempotency-key", "claim")
            .send()
            .await
            .ok(201);
    }

    /// Waits until MySQL has every event of the sale or coupon at this path.
    pub(crate) async fn written_back(&self, path: &str) -> Value {
        eventually(async || {
            Some(self.get(path).await.ok(200)).filter(|view| view["journal_lag"]["events"] == 0)
        })
        .await
    }

    /// Rows of the audit log: actor, action, before, after.
    pub(crate) async fn audit(&self, subject: &str) -> Vec<(String, String, Value, Value)> {
        let rows: Vec<(String, String, Option<String>, Option<String>)> = sqlx::query_as(
            "select actor, action, cast(before_state as char), cast(after_state as char) from audit_log where subject = ? order by id",
        )
        .bind(subject)
        .fetch_all(&self.books)
        .await
        .unwrap();
        let json = |text: Option<String>| {
            text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
        };
        rows.into_iter()
            .map(|(actor, action, before, after)| (actor, action, json(before), json(after)))
            .collect()
    }

    pub(crate) async fn sql(&self, statement: &'static str, id: &str) -> u64 {
        sqlx::query(statement)
            .bind(id)
            .execute(&self.books)
            .await
            .unwrap()
            .rows_affected()
    }

    /// A command to Redis, past all scripts.
    pub(crate) async fn redis(&self, name: &'static str, args: Vec<Vec<u8>>) -> Reply {
        let client: Client =
            Builder::from_config(Config::from_url(self.stage.redis_url()).unwrap())
                .build()
                .unwrap();
        client.init().await.unwrap();
        let args: Vec<Reply> = args
            .into_iter()
            .map(|arg| Reply::Bytes(arg.into()))
            .collect();
        let reply = client
            .custom(
                CustomCommand::new_static(name, ClusterHash::Random, false),
                args,
            )
            .await
            .unwrap();
        client.quit().await.unwrap();
        reply
    }
}

/// Looks until there is something, and fails when the bound has passed.
pub(crate) async fn eventually<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + BOUND;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "nothing after {BOUND:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A sale on sale now, of 100 tees, at most two a buyer, and 5 caps.
pub(crate) fn sale(id: &str) -> Value {
    json!({
        "id": id, "title": "한정판 티셔츠 🎟", "opens_at": "2020-01-01T00:00:00Z", "closes_at": "2999-01-01T00:00:00Z",
        "hold_seconds": 300, "payment_seconds": 300, "waiting_room": false,
        "items": [
            {"sku": "tee", "title": "Tee", "price": {"amount": 19900, "currency": "KRW"}, "stock": 100, "limit_per_user": 2},
            {"sku": "cap", "title": "Cap", "price": {"amount": 9900, "currency": "KRW"}, "stock": 5}
        ]
    })
}

/// 10 coupons, one a buyer.
pub(crate) fn coupon(id: &str) -> Value {
    json!({
        "id": id, "quantity": 10, "limit_per_user": 1, "starts_at": "2020-01-01T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z",
        "discount": {"kind": "fixed", "amount": {"amount": 5000, "currency": "KRW"}}
    })
}
