//! Puts something on offer through the back-office, as an operator would, and waits until every engine sells it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use doorbuster_core::claims::Role;
use doorbuster_core::clock;
use doorbuster_core::ids::{LiveId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::audit::redis::Reader;
use crate::client::connection::Connection;
use crate::client::endpoint::Endpoint;
use crate::limits::{ADMIN_TIMEOUT, OPENING_BOUND, POLL_STEP};
use crate::plan::Offer;
use crate::target::Target;

/// The sale opened a minute ago, so that no clock difference keeps it shut, and stays open for a day.
const OPENED_AGO: Duration = Duration::from_secs(60);
const OPEN_FOR: Duration = Duration::from_secs(24 * 3_600);
const PAYMENT_SECONDS: u32 = 300;

/// One request outside the rush.
#[derive(Debug)]
pub struct Call<'a> {
    method: &'static str,
    path: String,
    token: &'a str,
    /// Idempotency-Key, where the call needs one.
    key: &'a str,
    body: Option<Value>,
}

/// Its answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
struct SaleView {
    state: String,
}

impl Call<'_> {
    /// A request that needs no token.
    pub fn get(path: &str) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            token: "",
            key: "",
            body: None,
        }
    }

    /// A change that needs none either.
    pub fn post(path: &str) -> Self {
        Self {
            method: "POST",
            ..Self::get(path)
        }
    }

    /// The same with a token.
    #[must_use]
    pub fn by<'a>(self, token: &'a str) -> Call<'a>
    where
        Self: 'a,
    {
        Call { token, ..self }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The same with a body.
    #[must_use]
    pub fn saying(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    fn bytes(&self, host: &str) -> Vec<u8> {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let Call {
            method,
            path,
            token,
            key,
            ..
        } = self;
        let key = if key.is_empty() {
            String::new()
        } else {
            format!("Idempotency-Key: {key}\r\n")
        };
        let token = if token.is_empty() {
            String::new()
        } else {
            format!("Authorization: Bearer {token}\r\n")
        };
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/json\r\n"
        };
        let length = body.len();
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{token}{key}{kind}Content-Length: {length}\r\n\r\n{body}").into_bytes()
    }
}

/// One exchange on a connection of its own.
///
/// # Errors
/// If no whole answer comes in time.
pub async fn call(endpoint: &Endpoint, call: &Call<'_>) -> Result<Reply> {
    let exchange = async {
        let mut connection = Connection::open(endpoint.address).await?;
        connection.send(&call.bytes(&endpoint.host)).await?;
        let response = connection.receive().await?;
        anyhow::Ok(Reply {
            status: response.status,
            body: response.body.to_vec(),
        })
    };
    let what = || format!("{} {} at {}", call.method, call.path, endpoint.host);
    timeout(ADMIN_TIMEOUT, exchange)
        .await
        .with_context(what)?
        .with_context(what)
}

/// Creates and opens what is on offer, and returns once every engine sells it.
///
/// # Errors
/// If the back-office refuses, or the sale does not open in time.
pub async fn open(target: &Target, offer: &Offer, reader: &Reader) -> Result<()> {
    let token = operator(target)?;
    let (collection, id, body) = match &offer.live {
        LiveId::Sale(id) => ("sales", id.as_str(), sale(offer)),
        LiveId::Coupon(id) => ("coupons", id.as_str(), coupon(offer)),
    };
    for (path, body) in [
        (format!("/admin/v1/{collection}"), Some(body)),
        (format!("/admin/v1/{collection}/{id}/open"), None),
    ] {
        order(
            target,
            &Call {
                path,
                token: &token,
                body,
                ..Call::post("")
            },
        )
        .await?;
    }
    wait_selling(target, offer, reader).await
}

/// Returns once every engine sells what has been opened.
///
/// # Errors
/// If that is not in time.
pub async fn wait_selling(target: &Target, offer: &Offer, reader: &Reader) -> Result<()> {
    let waiting = async {
        wait_vouched(reader, &offer.live).await;
        for engine in &target.engines {
            wait_open(engine, offer).await?;
        }
        anyhow::Ok(())
    };
    timeout(OPENING_BOUND, waiting)
        .await
        .with_context(|| format!("{} does not open within {OPENING_BOUND:?}", offer.live))?
}

/// Closes a sale, as an operator would; repeatable.
///
/// # Errors
/// If the back-office refuses.
pub async fn close(target: &Target, offer: &Offer) -> Result<()> {
    let token = operator(target)?;
    let call = Call {
        token: &token,
        ..Call::post(&format!("/admin/v1/sales/{}/close", offer.live.book_id()))
    };
    order(target, &call).await
}

/// Changes what is on offer by so many units, as an operator would; repeatable under its key.
///
/// # Errors
/// If the back-office refuses.
pub async fn adjust(target: &Target, offer: &Offer, by: i64, key: &str) -> Result<()> {
    let token = operator(target)?;
    let call = Call {
        token: &token,
        key,
        body: Some(json!({"sku": offer.sku, "by": by, "reason": "load test"})),
        ..Call::post(&format!("/admin/v1/sales/{}/adjust", offer.live.book_id()))
    };
    order(target, &call).await
}

/// What the back-office says of a sale's last rebuild; null where there was none.
///
/// # Errors
/// If it does not answer, or does not know the sale.
pub async fn rebuild(target: &Target, offer: &Offer) -> Result<Value> {
    let token = operator(target)?;
    let request = Call {
        token: &token,
        ..Call::get(&format!("/admin/v1/sales/{}", offer.live.book_id()))
    };
    let reply = call(&target.backoffice, &request).await?;
    if reply.status != 200 {
        bail!(
            "the back-office shows no {}: {}",
            offer.live,
            text(&reply.body)
        );
    }
    let mut sale: Value = serde_json::from_slice(&reply.body).context("the sale")?;
    Ok(sale["rebuild"].take())
}

fn operator(target: &Target) -> Result<String> {
    let operator = UserId::parse("loadtest-operator").context("a user id")?;
    Ok(target.token(operator, Role::Operator))
}

/// A call that the back-office must follow.
async fn order(target: &Target, request: &Call<'_>) -> Result<()> {
    let reply = call(&target.backoffice, request).await?;
    if !(200..300).contains(&reply.status) {
        bail!(
            "the back-office answers {} {} with {}: {}",
            request.method,
            request.path,
            reply.status,
            text(&reply.body)
        );
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn window() -> (String, String) {
    window_from(clock::now_ms() - OPENED_AGO.as_millis() as u64)
}

fn window_from(opens_ms: u64) -> (String, String) {
    let closes_ms = opens_ms + OPEN_FOR.as_millis() as u64;
    (clock::rfc3339(opens_ms), clock::rfc3339(closes_ms))
}

/// A sale of it, as staff writes it down.
pub(crate) fn sale(offer: &Offer) -> Value {
    let (opens_at, closes_at) = match &offer.room {
        Some(room) => window_from(room.opens_ms),
        None => window(),
    };
    let mut sale = json!({
        "id": offer.live.book_id(),
        "title": "Doorbuster load test",
        "opens_at": opens_at,
        "closes_at": closes_at,
        "hold_seconds": offer.hold_seconds,
        "payment_seconds": PAYMENT_SECONDS,
        "items": [{
            "sku": offer.sku,
            "title": "The item that everybody wants",
            "price": {"amount": 19_900, "currency": "KRW"},
            "stock": offer.stock,
            "limit_per_user": offer.per_user,
        }],
        "waiting_room": offer.room.is_some(),
    });
    if let Some(room) = &offer.room {
        sale["line"] = json!(room.line);
    }
    sale
}

fn coupon(offer: &Offer) -> Value {
    let (starts_at, ends_at) = window();
    json!({
        "id": offer.sku,
        "quantity": offer.stock,
        "limit_per_user": offer.per_user,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "discount": {"kind": "percent", "percent": 10},
    })
}

/// A writer has vouched for it; before that, nobody may sell it.
async fn wait_vouched(reader: &Reader, live: &LiveId) {
    while !reader
        .snapshot(live)
        .await
        .is_ok_and(|snapshot| snapshot.is_vouched())
    {
        sleep(POLL_STEP).await;
    }
}

/// This engine says so itself. Coupons have no such page; their engines ask Redis.
async fn wait_open(engine: &Endpoint, offer: &Offer) -> Result<()> {
    let LiveId::Sale(id) = &offer.live else {
        return Ok(());
    };
    loop {
        let reply = call(engine, &Call::get(&format!("/v1/sales/{id}"))).await?;
        let view: Option<SaleView> = serde_json::from_slice(&reply.body).ok();
        let is_there = |view: SaleView| {
            // The waiting room is there before its sale opens.
            view.state == "open" || (view.state == "scheduled" && offer.room.is_some())
        };
        if reply.status == 200 && view.is_some_and(is_there) {
            return Ok(());
        }
        sleep(POLL_STEP).await;
    }
}
