//! Orders on real servers and a real payment sandbox, from a hold to money and back.

mod again;
mod buying;
mod cancelling;
mod deliveries;
mod failing;
mod killed;
mod late;
mod levels;
mod lost;
mod many;
mod parts;
mod refunding;

use std::sync::OnceLock;

use doorbuster_core::claims::Role;
use doorbuster_stage::{SandboxOptions, Server, Stage, StageOptions};
use serde_json::{Value, json};

use crate::http::{Answer, Call};
use crate::stage::{Desk, eventually, name};
use crate::till::state;

/// A stage whose back-offices have a payment provider.
pub(super) struct Shop {
    pub(super) stage: Stage,
}

impl Shop {
    pub(super) fn new(script: &str, backoffices: usize) -> Self {
        Self::set_up(script, backoffices, "fsync")
    }

    /// Of one back-office, at this ack level.
    pub(super) fn at_level(ack_level: &str) -> Self {
        Self::set_up("", 1, ack_level)
    }

    fn set_up(script: &str, backoffices: usize, ack_level: &str) -> Self {
        let sandbox = SandboxOptions {
            script: script.to_owned(),
            ..SandboxOptions::default()
        };
        let mut options = StageOptions::whole(1)
            .ack_level(ack_level)
            .with_mail()
            .with_sandbox(sandbox)
            .engine_env("RATE_PER_USER", "0")
            .backoffice_env("TRUSTED_PROXIES", "127.0.0.1");
        options.backoffices = backoffices;
        Self {
            stage: Stage::start(&options).unwrap(),
        }
    }

    pub(super) fn till(&self) -> &Server {
        self.stage.sandbox()
    }

    /// The one that most of these tests share.
    pub(super) fn shared() -> &'static Self {
        static SHOP: OnceLock<Shop> = OnceLock::new();
        SHOP.get_or_init(|| Self::new("", 2))
    }

    pub(super) async fn desk(&self) -> Desk<'_> {
        Desk::on(&self.stage).await
    }

    /// What the provider has of an order: captured, refunded.
    pub(super) async fn money(&self, order: &Value) -> (i64, i64) {
        let (id, mut sums, mut after) = (order["id"].as_str().unwrap(), (0, 0), 0);
        loop {
            let path = format!("/v1/charges?after={after}");
            let page = Call::new(self.till().url(), "GET", &path)
                .send()
                .await
                .ok(200);
            let charges = page["charges"].as_array().unwrap().iter();
            for charge in charges.filter(|charge| charge["order"] == id) {
                sums.0 += charge["captured"]["amount"].as_i64().unwrap_or(0);
                let refunds = charge["refunds"].as_array().unwrap().iter();
                sums.1 += refunds
                    .map(|refund| refund["amount"]["amount"].as_i64().unwrap())
                    .sum::<i64>();
            }
            match page["next_cursor"].as_u64() {
                Some(next) => after = next,
                None => return sums,
            }
        }
    }

    pub(super) async fn captures(&self) -> u64 {
        state(self.till()).await["captured"].as_u64().unwrap()
    }
}

/// What a buyer asks for.
pub(super) fn order(sale: &str, reservation: &str, token: &str) -> Value {
    json!({"sale": sale, "reservation": reservation, "payment": {"method": "card", "token": token}})
}

pub(super) fn as_buyer(desk: &Desk<'_>, user: &str, method: &str, path: &str) -> Call {
    desk.call(method, path)
        .token(&desk.token(user, Role::Buyer))
}

/// Under this key, at the first back-office.
pub(super) async fn place(desk: &Desk<'_>, user: &str, key: &str, body: &Value) -> Answer {
    let call = as_buyer(desk, user, "POST", "/v1/orders");
    call.header("idempotency-key", key).json(body).send().await
}

/// A hold of one tee, ordered; the order as it is answered.
pub(super) async fn buy(desk: &Desk<'_>, sale: &str, user: &str, token: &str) -> Value {
    let hold = desk
        .hold(sale, user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    place(desk, user, &name("key"), &order(sale, &hold, token))
        .await
        .ok(201)
}

/// The order as its buyer sees it.
pub(super) async fn look(desk: &Desk<'_>, order: &Value) -> Value {
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    let user = order["user"].as_str().unwrap();
    as_buyer(desk, user, "GET", &path).send().await.ok(200)
}

/// As [`eventually`], for what takes longer than most things.
pub(super) async fn eventually_within<T>(seconds: u64, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(seconds);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "nothing after {seconds} s"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Waits until the order is in this state.
pub(super) async fn until(desk: &Desk<'_>, order: &Value, state: &str) -> Value {
    let (mut seen, mut last) = (None, Value::Null);
    for _ in 0..4 {
        let found = tokio::time::timeout(
            std::time::Duration::from_secs(14),
            eventually(async || {
                let order = look(desk, order).await;
                Some(order.clone()).filter(|order| order["state"] == state)
            }),
        );
        match found.await {
            Ok(found) => {
                seen = Some(found);
                break;
            }
            Err(_) => last = look(desk, order).await,
        }
    }
    seen.unwrap_or_else(|| panic!("not {state}: {last:#}"))
}

/// Kinds of what happened, in its order.
pub(super) fn timeline(order: &Value) -> Vec<String> {
    let events = order["timeline"].as_array().unwrap().iter();
    events
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// stocked, left, held and sold of a sku, in Redis.
pub(super) async fn counts(desk: &Desk<'_>, sale: &str, sku: &str) -> [i64; 4] {
    let view = desk.get(&format!("/admin/v1/sales/{sale}")).await.ok(200);
    let items = view["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["sku"] == sku).unwrap();
    ["stocked", "left", "held", "sold"].map(|count| item["live"][count].as_i64().unwrap())
}

/// A sale with these times, of `stock` tees at 10,000 won, that sells.
pub(super) async fn sale(desk: &Desk<'_>, stock: u32, seconds: (u32, u32)) -> String {
    let id = name("orders");
    let draft = json!({
        "id": id, "title": "Orders", "opens_at": "2020-01-01T00:00:00Z", "closes_at": "2999-01-01T00:00:00Z",
        "hold_seconds": seconds.0, "payment_seconds": seconds.1,
        "items": [
            {"sku": "tee", "title": "Tee", "price": {"amount": 10_000, "currency": "KRW"}, "stock": stock},
            {"sku": "cap", "title": "Cap", "price": {"amount": 3_333, "currency": "KRW"}, "stock": stock}
        ]
    });
    desk.put("/admin/v1/sales", &draft).await.ok(201);
    desk.post(&format!("/admin/v1/sales/{id}/open"))
        .await
        .ok(200);
    id
}

pub(super) async fn policy(desk: &Desk<'_>, sale: &str, policy: Value) {
    let call = desk.call("PUT", &format!("/admin/v1/sales/{sale}/policy"));
    let call = call
        .token(&desk.token("olga", Role::Operator))
        .json(&policy);
    assert_eq!(call.send().await.ok(200), policy);
}

/// As finance.
pub(super) async fn finance(desk: &Desk<'_>, path: &str, key: &str, body: &Value) -> Answer {
    let call = desk
        .call("POST", path)
        .token(&desk.token("fay", Role::Finance));
    call.header("idempotency-key", key).json(body).send().await
}

/// These lines go back; the refund as it is `when`.
pub(super) async fn refunded(desk: &Desk<'_>, order: &Value, lines: Value, when: &str) -> Value {
    let path = format!("/admin/v1/orders/{}", order["id"].as_str().unwrap());
    let body = json!({"lines": lines, "reason": "a test"});
    finance(desk, &format!("{path}/refunds"), "refund", &body)
        .await
        .ok(200);
    eventually_within(60, async || {
        let refund = desk.get(&path).await.ok(200)["refunds"][0].clone();
        (refund["state"] == when).then_some(refund)
    })
    .await
}

/// A refund's skus in their order, and what became of the units of each.
pub(super) async fn units_of(desk: &Desk<'_>, refund: &Value) -> Vec<(String, String)> {
    let id = uuid::Uuid::parse_str(refund["id"].as_str().unwrap()).unwrap();
    sqlx::query_as("select sku, units from refund_lines where refund_id = ? order by sku")
        .bind(id)
        .fetch_all(&desk.books)
        .await
        .unwrap()
}

pub(super) async fn give_points(desk: &Desk<'_>, user: &str, by: i64) {
    let path = format!("/admin/v1/users/{user}/points/adjust");
    let body = json!({"currency": "KRW", "by": by, "reason": "a test"});
    finance(desk, &path, &name("gift"), &body).await.ok(200);
}

pub(super) async fn points(desk: &Desk<'_>, user: &str) -> i64 {
    let call = as_buyer(desk, user, "GET", "/v1/me/points?currency=KRW");
    call.send().await.ok(200)["balance"].as_i64().unwrap()
}

/// A coupon of 2,000 won that this user has claimed, and the books know it.
pub(super) async fn coupon_of(desk: &Desk<'_>, user: &str, policy: Value) -> String {
    let id = name("coupon");
    let mut draft = crate::stage::coupon(&id);
    draft["discount"]["amount"]["amount"] = json!(2_000);
    draft["policy"] = policy;
    desk.put("/admin/v1/coupons", &draft).await.ok(201);
    desk.post(&format!("/admin/v1/coupons/{id}/open"))
        .await
        .ok(200);
    desk.claim(&id, user).await;
    desk.written_back(&format!("/admin/v1/coupons/{id}")).await;
    id
}
