//! What we hand out and believe again later: `<payload>.<mac>`, both base64url, HMAC-SHA256 under a key derived from the token secret for
//! one purpose, so that nothing made for one purpose passes for another. Used by receipts, tickets and invites.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::claims::{SecretTooShort, keyed};

/// Bytes of a payload that is read without memory of its own.
pub const SMALL_PAYLOAD_BYTES_MAX: usize = 256;

/// A payload that we signed.
#[derive(Debug, Clone, Copy)]
pub struct SmallPayload {
    bytes: [u8; SMALL_PAYLOAD_BYTES_MAX],
    length: usize,
}

impl SmallPayload {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("text, as it was when verified")
    }
}

/// Signs and checks what is made for one purpose.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

impl SigningKey {
    /// # Errors
    /// [`SecretTooShort`] below 32 bytes.
    pub fn derive(secret: &[u8], purpose: &[u8]) -> Result<Self, SecretTooShort> {
        let key = keyed(secret)?.chain_update(purpose).finalize().into_bytes();
        Hmac::new_from_slice(&key)
            .map(Self)
            .map_err(|_| SecretTooShort)
    }

    pub fn sign(&self, payload: &str) -> String {
        let mac = self.mac(payload.as_bytes());
        let mut signed = URL_SAFE_NO_PAD.encode(payload);
        signed.push('.');
        URL_SAFE_NO_PAD.encode_string(mac, &mut signed);
        signed
    }

    /// The bare signature of `payload`, for what is never handed back.
    pub fn mac(&self, payload: &[u8]) -> [u8; 32] {
        self.0
            .clone()
            .chain_update(payload)
            .finalize()
            .into_bytes()
            .into()
    }

    /// The payload of `signed` if we signed it.
    pub fn verify(&self, signed: &str) -> Option<String> {
        let (payload, mac) = signed.split_once('.')?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        self.is_signed(&payload, mac)?;
        String::from_utf8(payload).ok()
    }

    /// The same of a payload of at most [`SMALL_PAYLOAD_BYTES_MAX`], without memory of its own.
    pub fn verify_small(&self, signed: &str) -> Option<SmallPayload> {
        let (payload, mac) = signed.split_once('.')?;
        let mut bytes = [0; SMALL_PAYLOAD_BYTES_MAX];
        let length = URL_SAFE_NO_PAD.decode_slice(payload, &mut bytes).ok()?;
        self.is_signed(&bytes[..length], mac)?;
        std::str::from_utf8(&bytes[..length]).ok()?;
        Some(SmallPayload { bytes, length })
    }

    fn is_signed(&self, payload: &[u8], mac: &str) -> Option<()> {
        // Room for what a decoder may estimate for 43 characters.
        let mut bytes = [0; 36];
        let length = URL_SAFE_NO_PAD.decode_slice(mac, &mut bytes).ok()?;
        let mac = &bytes[..length];
        self.0.clone().chain_update(payload).verify_slice(mac).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_read_back_under_its_own_key_and_purpose_only() {
        let key = SigningKey::derive(&[1; 32], b"a").unwrap();
        let signed = key.sign("x|y");
        assert_eq!(key.verify(&signed).as_deref(), Some("x|y"));
        assert_eq!(key.verify_small(&signed).unwrap().as_str(), "x|y");
        for other in [
            SigningKey::derive(&[2; 32], b"a").unwrap(),
            SigningKey::derive(&[1; 32], b"b").unwrap(),
        ] {
            assert_eq!(other.verify(&signed), None);
            assert!(other.verify_small(&signed).is_none());
        }
        let long = key.sign(&"x".repeat(SMALL_PAYLOAD_BYTES_MAX + 1));
        assert!(key.verify_small(&long).is_none());
        assert!(SigningKey::derive(&[1; 31], b"a").is_err());
    }

    #[test]
    fn no_flipped_bit_and_no_cut_passes() {
        let key = SigningKey::derive(&[1; 32], b"a").unwrap();
        let signed = key.sign("payload of some length");
        for at in 0..signed.len() {
            for bit in 0..7 {
                let mut bytes = signed.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let altered = String::from_utf8(bytes).unwrap();
                assert_eq!(key.verify(&altered), None, "{altered}");
                assert!(key.verify_small(&altered).is_none(), "{altered}");
            }
            assert_eq!(key.verify(&signed[..at]), None);
        }
    }
}
