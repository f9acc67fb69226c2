//! Reads a request strictly: head and key are what the contract says, and the body comes in time, or the client is told what to mend.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use doorbuster_core::address::{FORWARDED, TrustedProxies, X_FORWARDED_FOR};
use doorbuster_core::ids::IdempotencyKey;
use doorbuster_core::limits::{INVITE_BYTES_MAX, RECEIPT_BYTES_MAX, TICKET_BYTES_MAX};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Request, Version};

use super::problem::Refusal;
use super::spare;
use crate::app::App;
use crate::limits::{BODY_BYTES_MAX, BODY_TIMEOUT, HEADER_BYTES_MAX};

// Read once: whoever looks for a header by its text has the text read each time.
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static RECEIPT: HeaderName = HeaderName::from_static("receipt");
static QUEUE_TICKET: HeaderName = HeaderName::from_static("queue-ticket");
static QUEUE_INVITE: HeaderName = HeaderName::from_static("queue-invite");

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

/// A claim says nothing in its body: it is empty or `{}`.
///
/// # Errors
/// What is wrong with it, said so that it can be mended.
pub(crate) async fn nothing(request: Request<Incoming>) -> Result<(), Refusal> {
    if !request.body().is_end_stream() {
        check_media_type(&request)?;
    }
    let bytes = coming(request).read().await?;
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

/// # Errors
/// [`Refusal::MediaType`] where the body is not said to be JSON.
pub(crate) fn check_media_type<B>(request: &Request<B>) -> Result<(), Refusal> {
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
pub(crate) fn coming(request: Request<Incoming>) -> ComingBody {
    let (head, body) = request.into_parts();
    spare::leave(head.headers);
    ComingBody {
        announced: body.size_hint().lower(),
        first: Bytes::new(),
        rest: body,
    }
}

/// A body, of which a part may have come.
#[derive(Debug)]
pub(crate) struct ComingBody {
    announced: u64,
    first: Bytes,
    rest: Incoming,
}

impl ComingBody {
    /// The body, if it is there: nearly always it came together with the head, as one frame, and need not be put together. To be asked
    /// once, by whom hyper wakes when there is more.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn at_once(&mut self, cx: &mut Context<'_>) -> Option<Result<Bytes, Refusal>> {
        if self.announced > BODY_BYTES_MAX as u64 {
            return Some(Err(Refusal::BodyTooLarge));
        }
        match Pin::new(&mut self.rest).poll_frame(cx) {
            Poll::Pending => None,
            Poll::Ready(None) => Some(Ok(Bytes::new())),
            Poll::Ready(Some(Err(_))) => Some(Err(unreadable())),
            Poll::Ready(Some(Ok(frame))) => {
                self.first = frame.into_data().unwrap_or_default();
                let is_all = self.first.len() as u64 == self.announced;
                is_all.then(|| Ok(std::mem::take(&mut self.first)))
            }
        }
    }

    /// The whole body, once it is there.
    ///
    /// # Errors
    /// [`Refusal::BodyTooLarge`], [`Refusal::BodyTooSlow`], or [`Refusal::Invalid`] where the connection broke.
    pub(crate) async fn read(self) -> Result<Bytes, Refusal> {
        let room = BODY_BYTES_MAX.checked_sub(self.first.len());
        let room = room.filter(|_| self.announced <= BODY_BYTES_MAX as u64);
        let mut rest = Limited::new(self.rest, room.ok_or(Refusal::BodyTooLarge)?);
        let whole = async {
            let mut bytes = BytesMut::from(self.first);
            while let Some(frame) = rest.frame().await.transpose()? {
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
                    unreadable()
                })
            }
            Ok(Ok(whole)) => Ok(whole),
        }
    }
}

fn unreadable() -> Refusal {
    Refusal::invalid("the body could not be read")
}
