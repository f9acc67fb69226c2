//! Reads a request strictly: head, key and body are what the contract says, or the client is told what to mend.

use std::fmt::Write as _;
use std::net::IpAddr;

use bytes::BytesMut;
use doorbuster_core::address::{FORWARDED, TrustedProxies, X_FORWARDED_FOR};
use doorbuster_core::ids::{BodyHash, IdempotencyKey, SkuId};
use doorbuster_core::limits::{
    ID_CHARS_MAX, INVITE_BYTES_MAX, LINES_PER_REQUEST_MAX, RECEIPT_BYTES_MAX, TICKET_BYTES_MAX,
    UNITS_MAX,
};
use doorbuster_core::record::Line;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Request, Version};
use serde::Deserialize;

use super::problem::Refusal;
use super::spare;
use crate::app::App;
use crate::limits::{BODY_BYTES_MAX, BODY_TIMEOUT, HEADER_BYTES_MAX};

// Read once: whoever looks for a header by its text has the text read each time.
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static RECEIPT: HeaderName = HeaderName::from_static("receipt");
static QUEUE_TICKET: HeaderName = HeaderName::from_static("queue-ticket");
static QUEUE_INVITE: HeaderName = HeaderName::from_static("queue-invite");

/// A reservation as the buyer asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub lines: Vec<Line>,
    pub body: BodyHash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReserveBody {
    items: Vec<ReserveItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReserveItem {
    sku: String,
    quantity: Option<u64>,
    #[serde(default)]
    seats: Option<serde_json::Value>,
}

/// What every request must have, whatever it asks for.
///
/// # Errors
/// [`Refusal::HeadersTooLarge`], or [`Refusal::Invalid`] for a missing or repeated Host.
pub(crate) fn check_head<B>(request: &Request<B>) -> Result<(), Refusal> {
    let bytes: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes + request.uri().path().len() > HEADER_BYTES_MAX {
        return Err(Refusal::HeadersTooLarge);
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() || (host.is_none() && request.version() == Version::HTTP_11) {
        return Err(Refusal::invalid("send exactly one Host header"));
    }
    Ok(())
}

/// Whose address the request comes from, as far as it can be believed.
pub(crate) fn client(proxies: &TrustedProxies, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let said = |name| {
        headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().ok())
    };
    proxies.client(peer, said(FORWARDED), said(X_FORWARDED_FOR))
}

/// Whether the request's Host is one that is served; health and metrics are asked by address and served under any.
///
/// # Errors
/// [`Refusal::Invalid`] where it is not in `ALLOWED_HOSTS`.
pub(crate) fn check_host<B>(app: &App, request: &Request<B>) -> Result<(), Refusal> {
    if app.allowed_hosts.is_empty() {
        return Ok(());
    }
    let host = request.headers().get(header::HOST);
    let name = host
        .and_then(|h| h.to_str().ok())
        .unwrap_or("")
        .to_ascii_lowercase();
    let bare = name
        .rsplit_once(':')
        .map_or(name.as_str(), |(bare, _)| bare);
    if app
        .allowed_hosts
        .iter()
        .any(|allowed| allowed == &name || allowed == bare)
    {
        return Ok(());
    }
    Err(Refusal::invalid("this Host is not served here"))
}

/// # Errors
/// [`Refusal::MissingIdempotencyKey`], or [`Refusal::Invalid`] where it is repeated, too long or not printable ASCII.
pub(crate) fn idempotency_key<B>(request: &Request<B>) -> Result<IdempotencyKey, Refusal> {
    let mut values = request.headers().get_all(&IDEMPOTENCY_KEY).iter();
    let first = values.next().ok_or(Refusal::MissingIdempotencyKey)?;
    if values.next().is_some() {
        return Err(Refusal::invalid("send exactly one Idempotency-Key"));
    }
    let text = first
        .to_str()
        .map_err(|_| Refusal::invalid("Idempotency-Key must be printable ASCII"))?;
    IdempotencyKey::parse(text).map_err(|e| Refusal::invalid(e.to_string()))
}

/// The receipt that a buyer presents, if there is one; most do not.
///
/// # Errors
/// [`Refusal::Invalid`] where it is repeated, or no text that could be one.
pub(crate) fn receipt<B>(request: &Request<B>) -> Result<Option<&str>, Refusal> {
    short(request, &RECEIPT, RECEIPT_BYTES_MAX)
        .map_err(|()| Refusal::invalid("send one Receipt as it was given"))
}

/// The ticket that a buyer shows, if there is one.
///
/// # Errors
/// [`Refusal::Invalid`] where it is repeated, or no text that could be one.
pub(crate) fn ticket<B>(request: &Request<B>) -> Result<Option<&str>, Refusal> {
    short(request, &QUEUE_TICKET, TICKET_BYTES_MAX)
        .map_err(|()| Refusal::invalid("send one Queue-Ticket as it was given"))
}

/// The invite that a buyer comes with, if there is one.
///
/// # Errors
/// As [`ticket`].
pub(crate) fn invite<B>(request: &Request<B>) -> Result<Option<&str>, Refusal> {
    short(request, &QUEUE_INVITE, INVITE_BYTES_MAX)
        .map_err(|()| Refusal::invalid("send one Queue-Invite as it was given"))
}

fn short<'a, B>(
    request: &'a Request<B>,
    name: &HeaderName,
    bytes_max: usize,
) -> Result<Option<&'a str>, ()> {
    let mut values = request.headers().get_all(name).iter();
    let (first, another) = (values.next(), values.next());
    let Some(first) = first else {
        return Ok(None);
    };
    let text = first
        .to_str()
        .ok()
        .filter(|text| another.is_none() && text.len() <= bytes_max);
    text.map(Some).ok_or(())
}

/// # Errors
/// Whatever is wrong with the body, said so that it can be mended.
pub(crate) async fn wanted(request: Request<Incoming>) -> Result<Wanted, Refusal> {
    check_media_type(&request)?;
    parse(&read(body(request)).await?)
}

/// The lines asked for, in an order of our own, so that the same wish has the same hash however it was written.
///
/// # Errors
/// As [`wanted`].
pub fn parse(body: &[u8]) -> Result<Wanted, Refusal> {
    let body: ReserveBody = serde_json::from_slice(body)
        .map_err(|e| Refusal::invalid(format!("the body is not the JSON expected: {e}")))?;
    lines(body)
}

/// A claim says nothing in its body: it is empty or `{}`.
///
/// # Errors
/// As [`wanted`].
pub(crate) async fn nothing(request: Request<Incoming>) -> Result<(), Refusal> {
    if !request.body().is_end_stream() {
        check_media_type(&request)?;
    }
    let bytes = read(body(request)).await?;
    let empty = bytes
        .iter()
        .filter(|b| !b.is_ascii_whitespace())
        .eq(b"{}".iter())
        || bytes.is_empty();
    if empty {
        Ok(())
    } else {
        Err(Refusal::invalid("the body must be empty or {}"))
    }
}

fn check_media_type<B>(request: &Request<B>) -> Result<(), Refusal> {
    let value = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    let media_type = value.split(';').next().unwrap_or("").trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::MediaType)
    }
}

/// The body of a request whose head nobody needs any more.
fn body(request: Request<Incoming>) -> Incoming {
    let (head, body) = request.into_parts();
    spare::leave(head.headers);
    body
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    let announced = body.size_hint().lower();
    if announced > BODY_BYTES_MAX as u64 {
        return Err(Refusal::BodyTooLarge);
    }
    let mut body = Limited::new(body, BODY_BYTES_MAX);
    let whole = async {
        // Nearly always it came together with the head, as one frame, and need not be put together.
        let Some(first) = body.frame().await.transpose()? else {
            return Ok(Bytes::new());
        };
        let first = first.into_data().unwrap_or_default();
        if first.len() as u64 == announced {
            return Ok(first);
        }
        let mut bytes = BytesMut::from(first);
        while let Some(frame) = body.frame().await.transpose()? {
            bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
        }
        Ok(bytes.freeze())
    };
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Err(_) => Err(Refusal::BodyTooSlow),
        Ok(Err(e)) => {
            let e: Box<dyn std::error::Error + Send + Sync> = e;
            Err(if e.is::<LengthLimitError>() {
                Refusal::BodyTooLarge
            } else {
                Refusal::invalid("the body could not be read")
            })
        }
        Ok(Ok(whole)) => Ok(whole),
    }
}

fn lines(body: ReserveBody) -> Result<Wanted, Refusal> {
    if body.items.is_empty() || body.items.len() > LINES_PER_REQUEST_MAX {
        return Err(Refusal::invalid(format!(
            "items must have 1 to {LINES_PER_REQUEST_MAX} lines"
        )));
    }
    let mut lines = body
        .items
        .into_iter()
        .map(line)
        .collect::<Result<Vec<_>, _>>()?;
    lines.sort_by(|a, b| a.sku.cmp(&b.sku));
    if let Some(twice) = lines.windows(2).find(|pair| pair[0].sku == pair[1].sku) {
        return Err(Refusal::invalid(format!(
            "items name {} twice; put its whole quantity in one line",
            twice[0].sku
        )));
    }
    let mut canonical = String::with_capacity(lines.len() * ID_CHARS_MAX);
    for line in &lines {
        write!(canonical, "{}={},", line.sku, line.quantity).expect("a String takes all");
    }
    Ok(Wanted {
        body: BodyHash::of(canonical.as_bytes()),
        lines,
    })
}

fn line(item: ReserveItem) -> Result<Line, Refusal> {
    if item.seats.is_some() {
        return Err(Refusal::invalid(
            "this sale is sold by quantity, not by seats",
        ));
    }
    let sku = SkuId::parse(item.sku).map_err(|e| Refusal::invalid(format!("items: {e}")))?;
    let quantity = item
        .quantity
        .ok_or_else(|| Refusal::invalid(format!("items: {sku} has no quantity")))?;
    match u32::try_from(quantity) {
        Ok(quantity @ 1..=UNITS_MAX) => Ok(Line { sku, quantity }),
        _ => Err(Refusal::invalid(format!(
            "items: the quantity of {sku} must be a whole number from 1 to {UNITS_MAX}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Wanted, Refusal> {
        serde_json::from_str::<ReserveBody>(json)
            .map_err(|e| Refusal::invalid(e.to_string()))
            .and_then(lines)
    }

    #[test]
    fn the_same_wish_has_the_same_hash_however_it_is_written() {
        let a = parse(r#"{"items":[{"sku":"a","quantity":1},{"sku":"b","quantity":2}]}"#).unwrap();
        let b =
            parse(r#" {"items": [{"quantity":2,"sku":"b"}, {"sku":"a","quantity":1}]} "#).unwrap();
        let c = parse(r#"{"items":[{"sku":"a","quantity":2},{"sku":"b","quantity":2}]}"#).unwrap();
        assert_eq!(a, b);
        assert_ne!(a.body, c.body);
    }

    #[test]
    fn bodies_that_are_not_a_wish_are_refused() {
        let many = format!(
            r#"{{"items":[{}]}}"#,
            (0..65)
                .map(|i| format!(r#"{{"sku":"s{i}","quantity":1}}"#))
                .collect::<Vec<_>>()
                .join(",")
        );
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"items":[]}"#,
            r#"{"items":[{"sku":"a"}]}"#,
            r#"{"items":[{"sku":"a","quantity":0}]}"#,
            r#"{"items":[{"sku":"a","quantity":-1}]}"#,
            r#"{"items":[{"sku":"a","quantity":1.5}]}"#,
            r#"{"items":[{"sku":"a","quantity":"1"}]}"#,
            r#"{"items":[{"sku":"a","quantity":9007199254740992}]}"#,
            r#"{"items":[{"sku":"a b","quantity":1}]}"#,
            r#"{"items":[{"sku":"a","quantity":1},{"sku":"a","quantity":1}]}"#,
            r#"{"items":[{"sku":"a","quantity":1,"price":0}]}"#,
            r#"{"items":[{"sku":"a","quantity":1}],"x":1}"#,
            r#"{"items":[{"sku":"a","seats":["A-1"]}]}"#,
            r#"{"items":[{"sku":"a","quantity":1}]} x"#,
            &many,
        ] {
            assert!(matches!(parse(bad), Err(Refusal::Invalid { .. })), "{bad}");
        }
    }
}
