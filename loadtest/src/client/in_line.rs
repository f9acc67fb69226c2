//! The bytes of requests in a waiting room: joining, asking where one stands, and reserving with a ticket.

use doorbuster_core::ids::{IdempotencyKey, LiveId};
use doorbuster_core::record::Line;

use crate::client::endpoint::Endpoint;
use crate::client::request::Requests;

/// The requests of one waiting room to one engine.
#[derive(Debug, Clone)]
pub struct InLine {
    join_head: Vec<u8>,
    poll_head: Vec<u8>,
    reserve: Requests,
}

impl InLine {
    /// Of the line in front of `lines` of `live`.
    pub fn new(engine: &Endpoint, live: &LiveId, lines: &[Line]) -> Self {
        let host = &engine.host;
        let path = format!("/v1/sales/{}/tickets", live.book_id());
        let head = |method: &str, path: &str| {
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer ")
                .into_bytes()
        };
        Self {
            join_head: head("POST", &path),
            poll_head: head("GET", &format!("{path}/current")),
            reserve: Requests::new(engine, live, lines),
        }
    }

    /// With the ticket that one has already, if any.
    pub fn join(&self, token: &str, ticket: &str) -> Vec<u8> {
        let tail = b"\r\nContent-Length: 0\r\n\r\n";
        let shown = if ticket.is_empty() {
            String::new()
        } else {
            format!("\r\nQueue-Ticket: {ticket}")
        };
        [&self.join_head, token.as_bytes(), shown.as_bytes(), tail].concat()
    }

    pub fn poll(&self, token: &str, ticket: &str) -> Vec<u8> {
        let (between, tail) = (b"\r\nQueue-Ticket: ", b"\r\n\r\n");
        let parts: [&[u8]; 5] = [
            &self.poll_head,
            token.as_bytes(),
            between,
            ticket.as_bytes(),
            tail,
        ];
        parts.concat()
    }

    pub fn reserve(&self, token: &str, key: &IdempotencyKey, ticket: &str) -> Vec<u8> {
        // The token ends its line, so that another header may follow it.
        let with_ticket = format!("{token}\r\nQueue-Ticket: {ticket}");
        self.reserve.take(&with_ticket, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Offer;

    #[test]
    fn a_place_is_asked_for_as_the_contract_says() {
        let engine = Endpoint {
            address: ([127, 0, 0, 1], 80).into(),
            host: "shop:80".into(),
        };
        let offer = Offer::sale("drop-1");
        let requests = InLine::new(&engine, &offer.live, &offer.lines());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(
            text(requests.join("tok", "")),
            "POST /v1/sales/drop-1/tickets HTTP/1.1\r\nHost: shop:80\r\nAuthorization: Bearer tok\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(
            text(requests.poll("tok", "tick")),
            "GET /v1/sales/drop-1/tickets/current HTTP/1.1\r\nHost: shop:80\r\nAuthorization: Bearer tok\r\nQueue-Ticket: tick\r\n\r\n"
        );
        let key = IdempotencyKey::parse("k-1").unwrap();
        let reserve = text(requests.reserve("tok", &key, "tick"));
        assert!(
            reserve.contains("Bearer tok\r\nQueue-Ticket: tick\r\nIdempotency-Key: k-1\r\n"),
            "{reserve}"
        );
    }
}
