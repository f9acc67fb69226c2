//! Memory that one request leaves to the next on its thread: most answers need none for their headers, and none but their length for
//! their bodies.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use hyper::header::HeaderMap;
use serde::Serialize;

use crate::limits::SPARE_HEADERS_MAX;

/// Headers of nearly every answer, those for a browser's page on another origin among them.
const HEADERS_MOSTLY: usize = 8;
/// Room for a reservation of one line and its receipt, and for nearly every problem: more than that goes.
const BODY_BYTES_MOSTLY: usize = 512;

thread_local! {
    static HEADERS: Cell<Option<HeaderMap>> = const { Cell::new(None) };
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Takes the headers of a request that nobody reads any more, for an answer to come.
pub(super) fn leave(mut headers: HeaderMap) {
    let is_small = headers.capacity() <= SPARE_HEADERS_MAX;
    // Names sent twice are kept beside the map, where its capacity does not count them.
    if is_small && headers.len() == headers.keys_len() {
        headers.clear();
        HEADERS.set(Some(headers));
    }
}

/// An empty map for an answer's.
pub(super) fn headers() -> HeaderMap {
    HEADERS
        .take()
        .unwrap_or_else(|| HeaderMap::with_capacity(HEADERS_MOSTLY))
}

/// A body of exactly its length.
pub(super) fn json(body: &impl Serialize) -> Bytes {
    BODY.with_borrow_mut(|bytes| {
        bytes.clear();
        serde_json::to_writer(&mut *bytes, body).expect("our answers are plain data");
        let whole = Bytes::copy_from_slice(bytes);
        bytes.truncate(BODY_BYTES_MOSTLY);
        bytes.shrink_to(BODY_BYTES_MOSTLY);
        whole
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::{AUTHORIZATION, HeaderValue};

    use super::*;

    fn left(names: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(*name, HeaderValue::from_static("ann's"));
        }
        headers
    }

    #[test]
    fn nothing_of_a_request_is_in_the_next_answer() {
        let mut request = left(&["queue-ticket", "x-a"]);
        request.insert(AUTHORIZATION, HeaderValue::from_static("Bearer ann's"));
        leave(request);
        assert!(HEADERS.take().is_some_and(|kept| kept.is_empty()));
        leave(left(&["queue-ticket", "x-a"]));
        assert_eq!(headers(), HeaderMap::new());
        assert_eq!(json(&"a longer body"), "\"a longer body\"");
        assert_eq!(json(&1), "1");
    }

    #[test]
    fn what_is_unusually_large_is_not_kept() {
        leave(left(&["x-a", "x-a"]));
        assert!(HEADERS.take().is_none());
        leave(HeaderMap::with_capacity(SPARE_HEADERS_MAX + 1));
        assert!(HEADERS.take().is_none());
        let long = "x".repeat(100 * BODY_BYTES_MOSTLY);
        assert_eq!(json(&long).len(), long.len() + 2);
        assert_eq!(
            BODY.with_borrow(Vec::capacity),
            BODY_BYTES_MOSTLY,
            "and no more"
        );
    }
}
