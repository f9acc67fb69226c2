//! Puts answers into HTTP: the same fields, headers and sizes as our engine's, so that no way wins by saying less.

use bytes::Bytes;
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_core::receipt::{Accepted, ReceiptKey};
use doorbuster_core::record::Line;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::refusal::Refusal;
use super::way::{Order, Placed};

pub(crate) type Reply = Response<Full<Bytes>>;

/// The rivals' sale never restarts, and all of them answer once the order is on disk.
const EPOCH: u32 = 1;
const ACK_LEVEL: &str = "fsync";
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

#[derive(Serialize)]
struct ReservationBody<'a> {
    id: String,
    sale: String,
    user: &'a UserId,
    items: [&'a Line; 1],
    status: &'static str,
    hold_expires_at: String,
    seq: u64,
    receipt: String,
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    request_id: &'a str,
}

/// 201: placed now.
pub(crate) fn created(receipts: &ReceiptKey, order: &Order, placed: Placed) -> Reply {
    let mut reply = reservation(StatusCode::CREATED, receipts, order, placed);
    let location = format!("/v1/sales/{}/reservations/{}", order.sale, order.id);
    if let Ok(location) = HeaderValue::from_str(&location) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    reply
}

/// 200: placed before.
pub(crate) fn present(receipts: &ReceiptKey, order: &Order, placed: Placed) -> Reply {
    reservation(StatusCode::OK, receipts, order, placed)
}

fn reservation(status: StatusCode, receipts: &ReceiptKey, order: &Order, placed: Placed) -> Reply {
    let accepted = Accepted {
        id: order.id,
        live: &order.sale,
        user: &order.user,
        lines: std::slice::from_ref(&order.line),
        epoch: EPOCH,
        seq: placed.number,
        deadline_ms: placed.deadline_ms,
        ack_level: ACK_LEVEL,
    };
    let body = ReservationBody {
        id: order.id.to_string(),
        sale: order.sale.book_id(),
        user: &order.user,
        items: [&order.line],
        status: "held",
        hold_expires_at: clock::rfc3339(placed.deadline_ms),
        seq: placed.number,
        receipt: receipts.sign(&accepted),
    };
    json(status, &body)
}

pub(crate) fn refused(refusal: &Refusal, request_id: &str) -> Reply {
    let (status, code) = (refusal.status(), refusal.code());
    let problem = Problem {
        r#type: format!("urn:doorbuster:problem:{code}"),
        title: refusal.title(),
        status: status.as_u16(),
        code,
        detail: &refusal.detail(),
        request_id,
    };
    let mut reply = json(status, &problem);
    let headers = reply.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER_S);
    }
    reply
}

/// 200 with any JSON.
pub(crate) fn ok(body: &impl Serialize) -> Reply {
    json(StatusCode::OK, body)
}

fn json(status: StatusCode, body: &impl Serialize) -> Reply {
    let bytes = serde_json::to_vec(body).expect("our answers are plain data");
    let mut headers = HeaderMap::with_capacity(8);
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    whole(status, headers, bytes.into())
}

pub(crate) fn whole(status: StatusCode, headers: HeaderMap, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    reply
}

/// Gives the answer its request's name.
pub(crate) fn name(reply: &mut Reply, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        reply.headers_mut().insert("x-request-id", id);
    }
}
