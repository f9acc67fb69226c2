//! Ids that follow from what is asked: a repeat names the same thing by construction. Pure. Called by `orders` and `points`.

use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// The first 128 bits of SHA-256 over `kind` and `parts`, each ended by a zero byte, marked as a UUID of version 8 (RFC 9562 §5.8).
pub(crate) fn uuid(kind: &'static str, parts: &[&[u8]]) -> Uuid {
    Builder::from_custom_bytes(first_16(kind, parts)).into_uuid()
}

/// The same bits, unmarked: of a request, to tell whether another one is the same.
pub(crate) fn body_hash(kind: &'static str, canonical: &str) -> [u8; 16] {
    first_16(kind, &[canonical.as_bytes()])
}

fn first_16(kind: &'static str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in std::iter::once(kind.as_bytes()).chain(parts.iter().copied()) {
        hash.update(part);
        hash.update([0]);
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hash.finalize()[..16]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_by_another_or_under_another_key_has_another_id() {
        let id = |parts: &[&[u8]]| uuid("order", parts);
        assert_eq!(id(&[b"ann", b"key"]), id(&[b"ann", b"key"]));
        assert_ne!(id(&[b"ann", b"key"]), id(&[b"ann", b"key2"]));
        assert_ne!(id(&[b"an", b"nkey"]), id(&[b"ann", b"key"]));
        assert_ne!(id(&[b"ann"]), uuid("refund", &[b"ann"]));
        assert_eq!(id(&[b"ann"]).get_version_num(), 8);
    }
}
