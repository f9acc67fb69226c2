//! `bare`: the yardstick. Reads the body of whatever is sent, and answers a POST with one and the same 201, a GET with one and the same
//! 200, of the size and with the headers of ours: what HTTP alone costs. No token, no JSON, no timers, and nothing sold.

use bytes::Bytes;
use doorbuster_core::claims::SecretTooShort;
use doorbuster_core::ids::{
    BodyHash, IdError, IdempotencyKey, LiveId, ReservationId, SaleId, SkuId, UserId,
};
use doorbuster_core::receipt::ReceiptKey;
use doorbuster_core::record::Line;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode};
use serde_json::json;

use super::refusal::Refusal;
use super::reply::{self, Reply};
use super::request;
use super::way::{Order, Placed};

/// The two answers.
pub(crate) struct Bare {
    created: Same,
    polled: Same,
}

/// What is the same in each answer.
struct Same {
    headers: HeaderMap,
    body: Bytes,
}

impl Same {
    async fn of(mut reply: Reply) -> Self {
        reply::name(&mut reply, "0123456789ab-3e8");
        let (parts, body) = reply.into_parts();
        let Ok(body) = body.collect().await;
        Self {
            headers: parts.headers,
            body: body.to_bytes(),
        }
    }

    fn reply(&self, status: StatusCode) -> Reply {
        reply::whole(status, self.headers.clone(), self.body.clone())
    }
}

/// A sample that could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSample {
    #[error(transparent)]
    Secret(#[from] SecretTooShort),
    #[error(transparent)]
    Id(#[from] IdError),
}

impl Bare {
    pub(crate) async fn new(secret: &[u8]) -> Result<Self, NoSample> {
        let order = sample()?;
        let placed = Placed {
            number: 1_000,
            deadline_ms: order.deadline_ms,
        };
        let created = reply::created(&ReceiptKey::derive(secret)?, &order, placed);
        Ok(Self {
            created: Same::of(created).await,
            polled: Same::of(reply::ok(&polled())).await,
        })
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Result<Reply, Refusal> {
        let is_get = request.method() == Method::GET;
        request::read_untimed(request.into_body()).await?;
        Ok(if is_get {
            self.polled.reply(StatusCode::OK)
        } else {
            self.created.reply(StatusCode::CREATED)
        })
    }
}

/// What one far behind in a line of a million is told.
fn polled() -> serde_json::Value {
    json!({
        "lane": "general", "number": 1_000_000, "place": null, "state": "waiting", "position": null, "eta_seconds": null,
        "odds": null, "estimate": 0, "units_may_come_back": false, "poll_after_ms": 30_000,
    })
}

/// As one of a run of the harness, by its lengths.
fn sample() -> Result<Order, IdError> {
    let sale = LiveId::Sale(SaleId::parse("rush-0123456789abcdef")?);
    let user = UserId::parse("buyer-0000000")?;
    let key = IdempotencyKey::parse("key-1")?;
    Ok(Order {
        id: ReservationId::derive(&sale, &user, &key),
        sale,
        user,
        key,
        line: Line {
            sku: SkuId::parse("doorbuster")?,
            quantity: 1,
        },
        body: BodyHash::of(b"doorbuster=1,"),
        deadline_ms: 1_900_000_000_000,
    })
}
