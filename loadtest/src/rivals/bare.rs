//! `bare`: the yardstick. Reads the body of whatever is sent, and answers with one and the same 201, of the size and with the
//! headers of ours: what HTTP alone costs. No token, no JSON, no timers, and nothing sold.

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
use hyper::{Request, StatusCode};

use super::refusal::Refusal;
use super::reply::{self, Reply};
use super::request;
use super::way::{Order, Placed};

/// The one answer.
pub(crate) struct Bare {
    headers: HeaderMap,
    body: Bytes,
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
        let mut reply = reply::created(&ReceiptKey::derive(secret)?, &order, placed);
        reply::name(&mut reply, "0123456789ab-3e8");
        let (parts, body) = reply.into_parts();
        let Ok(body) = body.collect().await;
        Ok(Self {
            headers: parts.headers,
            body: body.to_bytes(),
        })
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Result<Reply, Refusal> {
        request::read_untimed(request.into_body()).await?;
        let (headers, body) = (self.headers.clone(), self.body.clone());
        Ok(reply::whole(StatusCode::CREATED, headers, body))
    }
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
