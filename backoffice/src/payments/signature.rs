//! Signatures of webhooks, as Standard Webhooks has them: HMAC-SHA256 over `id.timestamp.body`, the body as it came over the wire. The
//! sandbox signs, the back-office checks, in constant time.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::limits::{WEBHOOK_SIGNATURES_MAX, WEBHOOK_SKEW_MAX};

/// The headers.
pub(crate) const ID: &str = "webhook-id";
pub(crate) const TIMESTAMP: &str = "webhook-timestamp";
pub(crate) const SIGNATURE: &str = "webhook-signature";

const VERSION: &str = "v1,";

/// What a webhook says of itself in its headers.
pub(crate) struct Signed<'a> {
    pub(crate) id: &'a str,
    /// Seconds since the epoch, in decimal.
    pub(crate) timestamp: &'a str,
    /// One or more, parted by spaces: while a secret is replaced there are two.
    pub(crate) signatures: &'a str,
}

/// Why a webhook is not believed. The one who sent it is not told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotSigned {
    /// Too old, from the future, or no time at all.
    Time,
    Signature,
}

impl NotSigned {
    /// As metrics and logs have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Time => "bad_time",
            Self::Signature => "bad_signature",
        }
    }
}

/// The keys: the one in use and, while it is being replaced, the one before.
#[derive(Clone)]
pub struct Signer {
    keys: Vec<Hmac<Sha256>>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(redacted)")
    }
}

impl Signer {
    pub fn new(current: &[u8], previous: Option<&[u8]>) -> Self {
        let keys = [Some(current), previous].into_iter().flatten();
        let key = |secret| Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        Self {
            keys: keys.map(key).collect(),
        }
    }

    /// With the key in use.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let timestamp = timestamp.to_string();
        let mac = over(&self.keys[0], id, &timestamp, body).finalize();
        format!("{VERSION}{}", STANDARD.encode(mac.into_bytes()))
    }

    /// Whether one of its signatures is by one of the keys, and its time about now.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check(
        &self,
        signed: &Signed<'_>,
        body: &[u8],
        now_s: u64,
    ) -> Result<(), NotSigned> {
        let at: u64 = signed.timestamp.parse().map_err(|_| NotSigned::Time)?;
        if Duration::from_secs(now_s.abs_diff(at)) > WEBHOOK_SKEW_MAX {
            return Err(NotSigned::Time);
        }
        let given = signed.signatures.split(' ').take(WEBHOOK_SIGNATURES_MAX);
        let given = given.filter_map(|text| STANDARD.decode(text.strip_prefix(VERSION)?).ok());
        for signature in given {
            for key in &self.keys {
                let mac = over(key, signed.id, signed.timestamp, body);
                if mac.verify_slice(&signature).is_ok() {
                    return Ok(());
                }
            }
        }
        Err(NotSigned::Signature)
    }
}

fn over(key: &Hmac<Sha256>, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    key.clone()
        .chain_update(id)
        .chain_update(".")
        .chain_update(timestamp)
        .chain_update(".")
        .chain_update(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn check(signer: &Signer, signatures: &str, at: u64, body: &[u8]) -> Result<(), NotSigned> {
        let timestamp = at.to_string();
        let signed = Signed {
            id: "ev_1",
            timestamp: &timestamp,
            signatures,
        };
        signer.check(&signed, body, NOW)
    }

    #[test]
    fn a_webhook_is_believed_where_its_very_bytes_were_signed_with_a_key_of_ours() {
        let (old, new) = (
            Signer::new(&[1; 32], None),
            Signer::new(&[2; 32], Some(&[1; 32])),
        );
        let by_old = old.sign("ev_1", NOW, b"{}");
        assert_eq!(check(&new, &by_old, NOW, b"{}"), Ok(()));
        assert_eq!(
            check(&new, &format!("v1,AAAA v2,x {by_old}"), NOW, b"{}"),
            Ok(())
        );
        let by_new = new.sign("ev_1", NOW, b"{}");
        assert_eq!(check(&old, &by_new, NOW, b"{}"), Err(NotSigned::Signature));
        for (signatures, body) in [
            (by_old.as_str(), &b"{ }"[..]),
            ("", b"{}"),
            ("v1,", b"{}"),
            (&by_old[3..], b"{}"),
        ] {
            assert_eq!(
                check(&new, signatures, NOW, body),
                Err(NotSigned::Signature),
                "{signatures}"
            );
        }
    }

    #[test]
    fn an_old_signature_is_none_and_neither_is_one_of_the_future() {
        let signer = Signer::new(&[1; 32], None);
        for (at, expected) in [
            (NOW - 300, Ok(())),
            (NOW + 300, Ok(())),
            (NOW - 301, Err(NotSigned::Time)),
            (NOW + 301, Err(NotSigned::Time)),
        ] {
            assert_eq!(
                check(&signer, &signer.sign("ev_1", at, b"{}"), at, b"{}"),
                expected
            );
        }
        let signed = Signed {
            id: "ev_1",
            timestamp: "soon",
            signatures: "",
        };
        assert_eq!(signer.check(&signed, b"", NOW), Err(NotSigned::Time));
    }
}
