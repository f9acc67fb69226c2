//! Names each request, so that a buyer's complaint, a log line and a problem body can be laid side by side.

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
        id.push_str(&self.prefix);
        id.push('-');
        // Without the formatting machinery, which costs more than the rest of it.
        for at in (0..digits).rev() {
            let digit = number >> (4 * at) & 15;
            id.push(char::from(b"0123456789abcdef"[digit as usize]));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_numbered_in_hex() {
        let ids = RequestIds::new(Uuid::from_u128(0x0123_4567_89ab_cdef << 64));
        assert_eq!(ids.next().as_str(), "0123456789ab-1");
        for number in [0xf, 0x10, 0x1f0, u64::MAX] {
            ids.next.store(number, Ordering::Relaxed);
            assert_eq!(ids.next().as_str(), format!("0123456789ab-{number:x}"));
        }
    }
}
