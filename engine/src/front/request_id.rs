//! Names each request, so that a buyer's complaint, a log line and a problem body can be laid side by side.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// Hands out ids that no other request, here or on another engine, has.
#[derive(Debug)]
pub struct RequestIds {
    prefix: String,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(engine_id: Uuid) -> Self {
        let prefix = engine_id.simple().to_string()[..12].to_string();
        Self {
            prefix,
            next: AtomicU64::new(1),
        }
    }

    pub(crate) fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let digits = (u64::BITS - number.leading_zeros()).div_ceil(4) as usize;
        // As long as it is: it becomes a header without being copied.
        let mut id = String::with_capacity(self.prefix.len() + 1 + digits);
        let _ = write!(id, "{}-{number:x}", self.prefix);
        RequestId(id)
    }
}

/// One request's name.
#[derive(Debug, Clone)]
pub struct RequestId(String);

impl RequestId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}
