//! The one table from outcome to HTTP status, and the shape of every answer (RFC 9457 for refusals).

use std::cell::RefCell;

use bytes::Bytes;
use doorbuster_core::clock;
use doorbuster_core::ids::{CouponId, LiveId, ReservationId, UserId};
use doorbuster_core::receipt::Accepted;
use doorbuster_core::record::{Claim, Line, Reason, Record, Status};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use tokio::sync::mpsc::Receiver;

use super::body::Body;
use super::problem::{Language, Refusal};
use super::request_id::RequestId;
use super::{problem_body, retry, spare};
use crate::app::App;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const EVENT_STREAM: &str = "text/event-stream";

/// What a handler says, before it is put into HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    /// The refusal's code, or `ok`: for metrics.
    pub(crate) code: &'static str,
    body: Body,
    headers: HeaderMap,
}

impl Answer {
    fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = spare::headers();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        let bytes: Bytes = body.into();
        Self {
            status,
            code: "ok",
            body: Body::from(bytes),
            headers,
        }
    }

    fn json(status: StatusCode, body: &impl Serialize) -> Self {
        Self::new(status, JSON, spare::json(body))
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// The problem body of a refusal, in the buyer's language.
pub(crate) fn refused(refusal: &Refusal, request_id: &RequestId, language: Language) -> Answer {
    let status = status(refusal);
    let code = refusal.code();
    let body = problem_body::of(refusal, status.as_u16(), request_id, language);
    let mut answer = Answer::new(status, PROBLEM, body);
    answer.code = code;
    match refusal {
        Refusal::RateLimited { wait, policy } => {
            retry::past_rate(&mut answer.headers, *wait, *policy);
        }
        Refusal::TooEarly { wait } => retry::too_early(&mut answer.headers, *wait),
        _ if status == StatusCode::SERVICE_UNAVAILABLE => {
            retry::overloaded(&mut answer.headers);
        }
        Refusal::Method { allowed } => {
            answer.headers.insert(header::ALLOW, methods(allowed));
        }
        Refusal::Unauthorized => {
            answer
                .headers
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    answer
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Invalid { .. } | Refusal::MissingIdempotencyKey => StatusCode::BAD_REQUEST,
        Refusal::Unauthorized => StatusCode::UNAUTHORIZED,
        Refusal::NotFound
        | Refusal::UnknownSale
        | Refusal::UnknownSku(_)
        | Refusal::UnknownCoupon
        | Refusal::UnknownReservation
        | Refusal::NoLine => StatusCode::NOT_FOUND,
        Refusal::NotAdmitted | Refusal::Forbidden { .. } => StatusCode::FORBIDDEN,
        Refusal::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
        Refusal::SoldOut { .. }
        | Refusal::LimitReached { .. }
        | Refusal::AlreadyClaimed { .. }
        | Refusal::NotOpen
        | Refusal::Paused
        | Refusal::Closed
        | Refusal::HoldEnded { .. }
        | Refusal::InFlight
        | Refusal::LineEnded => StatusCode::CONFLICT,
        Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::RateLimited { .. } | Refusal::TooEarly { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Refusal::Overloaded
        | Refusal::Recovering
        | Refusal::Unavailable { .. }
        | Refusal::Backlog => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn methods(allowed: &[Method]) -> HeaderValue {
    let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("GET"))
}

/// A browser asks before it sends.
pub(crate) fn preflight(allowed: &[Method]) -> Answer {
    let mut answer = Answer::new(StatusCode::NO_CONTENT, JSON, Bytes::new());
    answer.headers.remove(header::CONTENT_TYPE);
    answer.headers.insert(header::ALLOW, methods(allowed));
    answer
        .headers
        .insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods(allowed));
    let sent = HeaderValue::from_static(
        "authorization, content-type, idempotency-key, queue-invite, queue-ticket, receipt",
    );
    answer
        .headers
        .insert(header::ACCESS_CONTROL_ALLOW_HEADERS, sent);
    answer.headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
    answer
}

/// A reservation as its buyer sees it.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) id: ReservationId,
    pub(crate) live: &'a LiveId,
    pub(crate) user: &'a UserId,
    pub(crate) lines: &'a [Line],
    pub(crate) status: Status,
    pub(crate) deadline_ms: u64,
    pub(crate) seq: u64,
    pub(crate) epoch: u32,
}

impl<'a> Shown<'a> {
    /// `record` at `now_ms`: a hold, or a payment, past its deadline has ended, whether or not the sweeper has been there.
    pub(crate) fn of(
        id: ReservationId,
        live: &'a LiveId,
        epoch: u32,
        record: &'a Record,
        now_ms: u64,
    ) -> Self {
        let ends = matches!(record.status, Status::Held | Status::Paying);
        let overdue = ends && record.deadline_ms <= now_ms;
        Self {
            id,
            live,
            user: &record.user,
            lines: &record.lines,
            status: if overdue {
                Status::Released(Reason::Expired)
            } else {
                record.status
            },
            deadline_ms: record.deadline_ms,
            seq: record.seq,
            epoch,
        }
    }
}

#[derive(Serialize)]
struct ReservationBody<'a> {
    id: &'a str,
    sale: &'a LiveId,
    user: &'a UserId,
    items: &'a [Line],
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    hold_expires_at: &'a str,
    seq: u64,
    ack_level: &'static str,
    receipt: String,
}

/// 201: newly held, with where to find it.
pub(crate) fn created(app: &App, shown: &Shown<'_>) -> Answer {
    let mut answer = reservation(app, shown, StatusCode::CREATED);
    let location = [
        "/v1/sales/",
        shown.live.name(),
        "/reservations/",
        &shown.id.text(),
    ]
    .concat();
    if let Ok(location) = HeaderValue::try_from(location) {
        answer.headers.insert(header::LOCATION, location);
    }
    answer
}

/// 200: as it is now.
pub(crate) fn present(app: &App, shown: &Shown<'_>) -> Answer {
    reservation(app, shown, StatusCode::OK)
}

fn reservation(app: &App, shown: &Shown<'_>, status: StatusCode) -> Answer {
    let accepted = Accepted {
        id: shown.id,
        live: shown.live,
        user: shown.user,
        lines: shown.lines,
        epoch: shown.epoch,
        seq: shown.seq,
        deadline_ms: shown.deadline_ms,
        ack_level: app.ack.level.as_str(),
    };
    let receipt = app.receipts.sign(&accepted);
    with_date(shown.deadline_ms, |hold_expires_at| {
        let body = ReservationBody {
            id: &shown.id.text(),
            sale: shown.live,
            user: shown.user,
            items: shown.lines,
            status: shown.status.as_str(),
            reason: shown.status.reason().map(Reason::as_str),
            hold_expires_at,
            seq: shown.seq,
            ack_level: app.ack.level.as_str(),
            receipt,
        };
        Answer::json(status, &body)
    })
}

/// `ms` as a date. All holds of a batch end at the same moment, so the last date is kept.
fn with_date<T>(ms: u64, then: impl FnOnce(&str) -> T) -> T {
    thread_local! {
        static LAST: RefCell<(u64, String)> = RefCell::default();
    }
    LAST.with_borrow_mut(|(of, date)| {
        if *of != ms || date.is_empty() {
            (*of, *date) = (ms, clock::rfc3339(ms));
        }
        then(date)
    })
}

#[derive(Serialize)]
struct ClaimBody<'a> {
    id: String,
    coupon: &'a CouponId,
    user: &'a UserId,
    seq: u64,
    ack_level: &'static str,
}

/// 201: newly claimed.
pub(crate) fn claimed(
    app: &App,
    id: ReservationId,
    coupon: &CouponId,
    user: &UserId,
    seq: u64,
) -> Answer {
    Answer::json(
        StatusCode::CREATED,
        &ClaimBody {
            id: id.to_string(),
            coupon,
            user,
            seq,
            ack_level: app.ack.level.as_str(),
        },
    )
}

/// 200: claimed before.
pub(crate) fn claimed_before(
    app: &App,
    id: ReservationId,
    coupon: &CouponId,
    claim: &Claim,
) -> Answer {
    Answer::json(
        StatusCode::OK,
        &ClaimBody {
            id: id.to_string(),
            coupon,
            user: &claim.user,
            seq: claim.seq,
            ack_level: app.ack.level.as_str(),
        },
    )
}

/// 201 for a new place in a line, 200 for one that its user had.
pub(crate) fn joined(is_new: bool, body: &impl Serialize) -> Answer {
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Answer::json(status, body)
}

/// 200 with what is told as it happens. No proxy is to keep it back.
pub(crate) fn events(pieces: Receiver<Bytes>) -> Answer {
    let mut answer = Answer::new(StatusCode::OK, EVENT_STREAM, Bytes::new());
    answer.body = Body::from(pieces);
    let unbuffered = HeaderValue::from_static("no");
    answer.headers.insert("x-accel-buffering", unbuffered);
    answer
}

/// 200 with any JSON.
pub(crate) fn ok(body: &impl Serialize) -> Answer {
    Answer::json(StatusCode::OK, body)
}

/// 200 or 503 with the same body: for readiness.
pub(crate) fn ready(is_ready: bool, body: &impl Serialize) -> Answer {
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Answer::json(status, body)
}

/// 200 with text of another kind.
pub(crate) fn text(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    Answer::new(StatusCode::OK, content_type, body)
}
