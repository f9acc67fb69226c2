//! The bytes of requests: what all users share is built once, what is a user's own is put between at the moment of sending.

use std::io::Write;
use std::sync::Arc;

use doorbuster_core::ids::{IdempotencyKey, LiveId, ReservationId};
use doorbuster_core::record::Line;
use serde::Serialize;

use crate::client::endpoint::Endpoint;
use crate::client::in_line::InLine;

/// The requests of one run to one engine.
#[derive(Debug, Clone)]
pub struct Requests {
    take_head: Vec<u8>,
    take_tail: Vec<u8>,
    cancel_head: Vec<u8>,
    host: String,
    shot: Shot,
}

/// What the light client asks for.
#[derive(Debug, Clone)]
enum Shot {
    Take,
    /// A place in the line.
    Join(Box<InLine>),
    /// Where one stands: the tickets, by number of request.
    Poll(Box<InLine>, Arc<[String]>),
}

#[derive(Serialize)]
struct Body<'a> {
    items: &'a [Line],
}

impl Requests {
    /// Requests for `lines` of `live`.
    pub fn new(engine: &Endpoint, live: &LiveId, lines: &[Line]) -> Self {
        let (path, body) = match live {
            LiveId::Sale(id) => (format!("/v1/sales/{id}/reservations"), body(lines)),
            LiveId::Coupon(id) => (format!("/v1/coupons/{id}/claims"), Vec::new()),
        };
        let host = &engine.host;
        Self {
            take_head: format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer ")
                .into_bytes(),
            take_tail: tail(&body),
            cancel_head: format!("DELETE {path}/").into_bytes(),
            host: host.clone(),
            shot: Shot::Take,
        }
    }

    /// For the light client to join the line of `live`.
    pub fn joining(engine: &Endpoint, live: &LiveId) -> Self {
        let shot = Shot::Join(Box::new(InLine::new(engine, live, &[])));
        Self {
            shot,
            ..Self::new(engine, live, &[])
        }
    }

    /// For the light client to ask where these `tickets` stand, each once in turn.
    pub fn polling(engine: &Endpoint, live: &LiveId, tickets: Arc<[String]>) -> Self {
        let shot = Shot::Poll(Box::new(InLine::new(engine, live, &[])), tickets);
        Self {
            shot,
            ..Self::new(engine, live, &[])
        }
    }

    /// Request `number` of the light client.
    pub fn shot(&self, number: u64, token: &str, key: &IdempotencyKey) -> Vec<u8> {
        match &self.shot {
            Shot::Take => self.take(token, key),
            Shot::Join(line) => line.join(token, ""),
            Shot::Poll(line, tickets) => {
                line.poll(token, &tickets[(number % tickets.len() as u64) as usize])
            }
        }
    }

    /// In the place of those that take, requests that only look at `live`, which is a sale.
    pub fn looking(engine: &Endpoint, live: &LiveId) -> Self {
        let (host, id) = (&engine.host, live.name());
        Self {
            take_head: format!(
                "GET /v1/sales/{id} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer "
            )
            .into_bytes(),
            take_tail: b"\r\n\r\n".to_vec(),
            ..Self::new(engine, live, &[])
        }
    }

    /// Asks for a hold, or a claim.
    pub fn take(&self, token: &str, key: &IdempotencyKey) -> Vec<u8> {
        let parts: [&[u8]; 5] = [
            &self.take_head,
            token.as_bytes(),
            b"\r\nIdempotency-Key: ",
            key.as_str().as_bytes(),
            &self.take_tail,
        ];
        parts.concat()
    }

    /// The same request, with the receipt of what was acknowledged before.
    pub fn present(&self, token: &str, key: &IdempotencyKey, receipt: &str) -> Vec<u8> {
        let mut bytes = self.take(token, key);
        let at = bytes.len() - self.take_tail.len();
        bytes.splice(at..at, format!("\r\nReceipt: {receipt}").into_bytes());
        bytes
    }

    /// Cancels a hold.
    pub fn cancel(&self, token: &str, id: ReservationId) -> Vec<u8> {
        let mut bytes = self.cancel_head.clone();
        write!(
            bytes,
            "{id} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
            self.host
        )
        .expect("a Vec takes all");
        bytes
    }
}

fn body(lines: &[Line]) -> Vec<u8> {
    serde_json::to_vec(&Body { items: lines }).expect("names and numbers")
}

/// From the end of the key to the end of the request.
fn tail(body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n".to_vec();
    if !body.is_empty() {
        bytes.extend_from_slice(b"Content-Type: application/json\r\n");
    }
    write!(bytes, "Content-Length: {}\r\n\r\n", body.len()).expect("a Vec takes all");
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Offer;

    fn requests(offer: &Offer) -> Requests {
        let engine = Endpoint {
            address: ([127, 0, 0, 1], 80).into(),
            host: "shop:80".into(),
        };
        Requests::new(&engine, &offer.live, &offer.lines())
    }

    #[test]
    fn a_hold_is_asked_for_as_the_contract_says() {
        let key = IdempotencyKey::parse("k-1").unwrap();
        let sent = String::from_utf8(requests(&Offer::sale("drop-1")).take("tok", &key)).unwrap();
        let (head, body) = sent.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, r#"{"items":[{"sku":"doorbuster","quantity":1}]}"#);
        assert_eq!(
            head.split("\r\n").collect::<Vec<_>>(),
            [
                "POST /v1/sales/drop-1/reservations HTTP/1.1",
                "Host: shop:80",
                "Authorization: Bearer tok",
                "Idempotency-Key: k-1",
                "Content-Type: application/json",
                &format!("Content-Length: {}", body.len()),
            ]
        );
    }

    #[test]
    fn a_receipt_goes_with_the_same_request() {
        let key = IdempotencyKey::parse("k-1").unwrap();
        let requests = requests(&Offer::sale("drop-1"));
        let plain = String::from_utf8(requests.take("tok", &key)).unwrap();
        let sent = String::from_utf8(requests.present("tok", &key, "abc.def")).unwrap();
        assert_eq!(sent.replace("Receipt: abc.def\r\n", ""), plain);
        assert!(sent.contains("\r\nIdempotency-Key: k-1\r\nReceipt: abc.def\r\n"));
    }

    #[test]
    fn who_looks_sends_no_body() {
        let engine = Endpoint {
            address: ([127, 0, 0, 1], 80).into(),
            host: "shop:80".into(),
        };
        let key = IdempotencyKey::parse("k-1").unwrap();
        let looks = Requests::looking(&engine, &Offer::sale("drop-1").live);
        let sent = String::from_utf8(looks.take("tok", &key)).unwrap();
        assert!(sent.starts_with("GET /v1/sales/drop-1 HTTP/1.1\r\nHost: shop:80\r\n"));
        assert!(sent.ends_with("\r\nIdempotency-Key: k-1\r\n\r\n"));
    }

    #[test]
    fn a_claim_has_no_body_and_a_cancellation_names_the_hold() {
        let key = IdempotencyKey::parse("k-1").unwrap();
        let claim =
            String::from_utf8(requests(&Offer::coupon("welcome")).take("tok", &key)).unwrap();
        assert!(claim.starts_with("POST /v1/coupons/welcome/claims HTTP/1.1\r\n"));
        assert!(claim.ends_with("Idempotency-Key: k-1\r\nContent-Length: 0\r\n\r\n"));
        let id = ReservationId::from_bytes([1; 16]);
        let cancel = String::from_utf8(requests(&Offer::sale("drop-1")).cancel("tok", id)).unwrap();
        assert!(cancel.starts_with(&format!(
            "DELETE /v1/sales/drop-1/reservations/{id} HTTP/1.1\r\nHost: shop:80\r\n"
        )));
    }
}
