//! Reads a purchase as our engine does: token, key and body are what the contract says, or the client is told what to mend.

use doorbuster_core::claims::TokenKeys;
use doorbuster_core::clock;
use doorbuster_core::ids::{
    BodyHash, IdempotencyKey, LiveId, ReservationId, SaleId, SkuId, UserId,
};
use doorbuster_core::record::Line;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Request, header};
use serde::Deserialize;

use super::refusal::Refusal;
use super::way::Order;
use crate::limits::{RIVAL_BODY_BYTES_MAX, RIVAL_BODY_TIMEOUT, RIVAL_HOLD};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReserveBody {
    items: Vec<ReserveItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReserveItem {
    sku: String,
    quantity: u32,
}

/// The order that `request` asks for.
///
/// # Errors
/// What is wrong with it.
pub(crate) async fn order(
    tokens: &TokenKeys,
    sale: &str,
    request: Request<Incoming>,
) -> Result<Order, Refusal> {
    let user = user(tokens, &request)?;
    let sale = LiveId::Sale(SaleId::parse(sale)?);
    let key = idempotency_key(&request)?;
    check_media_type(&request)?;
    let line = line(&read(request.into_body()).await?)?;
    let canonical = format!("{}={},", line.sku, line.quantity);
    let hold_ms = u64::try_from(RIVAL_HOLD.as_millis()).unwrap_or(u64::MAX);
    Ok(Order {
        id: ReservationId::derive(&sale, &user, &key),
        sale,
        user,
        key,
        line,
        body: BodyHash::of(canonical.as_bytes()),
        deadline_ms: clock::now_ms() + hold_ms,
    })
}

fn user<B>(tokens: &TokenKeys, request: &Request<B>) -> Result<UserId, Refusal> {
    let value = only(request, header::AUTHORIZATION.as_str()).ok_or(Refusal::Unauthorized)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::Unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::Unauthorized);
    }
    let claims = tokens.verify(token.trim(), clock::now_s());
    claims
        .map(|claims| claims.sub)
        .map_err(|_| Refusal::Unauthorized)
}

fn idempotency_key<B>(request: &Request<B>) -> Result<IdempotencyKey, Refusal> {
    let name = "idempotency-key";
    if !request.headers().contains_key(name) {
        return Err(Refusal::MissingIdempotencyKey);
    }
    let text = only(request, name)
        .ok_or_else(|| Refusal::invalid("send exactly one Idempotency-Key of printable ASCII"))?;
    Ok(IdempotencyKey::parse(text)?)
}

fn check_media_type<B>(request: &Request<B>) -> Result<(), Refusal> {
    let value = only(request, header::CONTENT_TYPE.as_str()).unwrap_or("");
    let media_type = value.split(';').next().unwrap_or("").trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::MediaType)
    }
}

/// The value of a header that is there once.
fn only<'r, B>(request: &'r Request<B>, name: &str) -> Option<&'r str> {
    let mut values = request.headers().get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    tokio::time::timeout(RIVAL_BODY_TIMEOUT, read_untimed(body))
        .await
        .unwrap_or(Err(Refusal::BodyTooSlow))
}

/// A whole body, bounded in bytes alone.
///
/// # Errors
/// If it is larger, or broken.
pub(crate) async fn read_untimed(body: Incoming) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > RIVAL_BODY_BYTES_MAX as u64 {
        return Err(Refusal::BodyTooLarge);
    }
    match Limited::new(body, RIVAL_BODY_BYTES_MAX).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(e) if e.is::<LengthLimitError>() => Err(Refusal::BodyTooLarge),
        Err(_) => Err(Refusal::invalid("the body could not be read")),
    }
}

fn line(body: &[u8]) -> Result<Line, Refusal> {
    let body: ReserveBody = serde_json::from_slice(body)
        .map_err(|e| Refusal::invalid(format!("the body is not the JSON expected: {e}")))?;
    let [ReserveItem { sku, quantity: 1 }] = &body.items[..] else {
        return Err(Refusal::invalid("here an order is for one unit of one sku"));
    };
    let sku = SkuId::parse(sku.as_str())?;
    Ok(Line { sku, quantity: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_for_one_unit_of_one_sku() {
        let read = line(br#"{"items":[{"sku":"tee","quantity":1}]}"#).unwrap();
        assert_eq!((read.sku.as_str(), read.quantity), ("tee", 1));
        for bad in [
            "",
            "{}",
            r#"{"items":[]}"#,
            r#"{"items":[{"sku":"tee"}]}"#,
            r#"{"items":[{"sku":"tee","quantity":2}]}"#,
            r#"{"items":[{"sku":"a b","quantity":1}]}"#,
            r#"{"items":[{"sku":"tee","quantity":1,"price":0}]}"#,
            r#"{"items":[{"sku":"tee","quantity":1},{"sku":"hat","quantity":1}]}"#,
        ] {
            let refused = line(bad.as_bytes()).unwrap_err();
            assert_eq!(refused.code(), "invalid_request", "{bad}");
        }
    }
}
