//! Receipts: our signature under what was accepted, so that a buyer can prove it after a loss (design §5).
//!
//! `<payload>.<mac>`, both base64url; the payload is `id|sale|user|lines|epoch|seq|deadline_ms|ack level`. The key is
//! derived from the token secret, so that no token can pass for a receipt.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::claims::{SecretTooShort, keyed};
use crate::ids::{LiveId, ReservationId, UserId};
use crate::record::{Line, parse_lines};

const PURPOSE: &[u8] = b"doorbuster receipt v1";

/// Room for a payload of one line.
const PAYLOAD_BYTES_MOSTLY: usize = 160;

/// What a receipt vouches for.
#[derive(Debug, Clone, Copy)]
pub struct Accepted<'a> {
    pub id: ReservationId,
    pub live: &'a LiveId,
    pub user: &'a UserId,
    pub lines: &'a [Line],
    pub epoch: u32,
    pub seq: u64,
    pub deadline_ms: u64,
    /// The ack level's word, e.g. `fsync`.
    pub ack_level: &'a str,
}

/// What a receipt of ours says, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    pub id: ReservationId,
    pub live: LiveId,
    pub user: UserId,
    pub lines: Vec<Line>,
    pub epoch: u32,
    pub seq: u64,
}

/// Signs and checks receipts.
#[derive(Clone)]
pub struct ReceiptKey(Hmac<Sha256>);

impl std::fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReceiptKey(redacted)")
    }
}

impl ReceiptKey {
    /// # Errors
    /// [`SecretTooShort`] below 32 bytes.
    pub fn derive(secret: &[u8]) -> Result<Self, SecretTooShort> {
        let key = keyed(secret)?.chain_update(PURPOSE).finalize().into_bytes();
        Ok(Self(
            Hmac::new_from_slice(&key).map_err(|_| SecretTooShort)?,
        ))
    }

    pub fn sign(&self, accepted: &Accepted<'_>) -> String {
        let payload = payload(accepted);
        let mac = self
            .0
            .clone()
            .chain_update(&payload)
            .finalize()
            .into_bytes();
        let mut receipt = URL_SAFE_NO_PAD.encode(payload);
        receipt.push('.');
        URL_SAFE_NO_PAD.encode_string(mac, &mut receipt);
        receipt
    }

    /// What `receipt` says, if we signed it.
    pub fn read(&self, receipt: &str) -> Option<Proven> {
        let payload = self.verify(receipt)?;
        let mut parts = payload.split('|');
        let mut next = || parts.next();
        Some(Proven {
            id: ReservationId::parse(next()?).ok()?,
            live: LiveId::from_book_id(next()?).ok()?,
            user: UserId::parse(next()?).ok()?,
            lines: parse_lines(next()?).ok()?,
            epoch: next()?.parse().ok()?,
            seq: next()?.parse().ok()?,
        })
    }

    /// The payload of `receipt` if we signed it.
    pub fn verify(&self, receipt: &str) -> Option<String> {
        let (payload, mac) = receipt.split_once('.')?;
        let (payload, mac) = (
            URL_SAFE_NO_PAD.decode(payload).ok()?,
            URL_SAFE_NO_PAD.decode(mac).ok()?,
        );
        self.0
            .clone()
            .chain_update(&payload)
            .verify_slice(&mac)
            .ok()?;
        String::from_utf8(payload).ok()
    }
}

fn payload(accepted: &Accepted<'_>) -> String {
    let mut text = String::with_capacity(PAYLOAD_BYTES_MOSTLY);
    // Every accepted request comes by here, and the formatting machinery costs more than the signature.
    for part in [&accepted.id.text(), "|"] {
        text.push_str(part);
    }
    write!(text, "{}", accepted.live).expect("a String takes all");
    for part in ["|", accepted.user.as_str(), "|"] {
        text.push_str(part);
    }
    for (i, line) in accepted.lines.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        write!(text, "{comma}{}={}", line.sku, line.quantity).expect("a String takes all");
    }
    let Accepted {
        epoch,
        seq,
        deadline_ms,
        ack_level,
        ..
    } = accepted;
    write!(text, "|{epoch}|{seq}|{deadline_ms}|{ack_level}").expect("a String takes all");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{SaleId, SkuId};

    #[test]
    fn a_receipt_says_all_that_was_accepted_and_only_under_our_key() {
        let live = LiveId::Sale(SaleId::parse("drop-1").unwrap());
        let user = UserId::parse("ann").unwrap();
        let lines = [("a", 1), ("b", 2)].map(|(sku, quantity)| Line {
            sku: SkuId::parse(sku).unwrap(),
            quantity,
        });
        let accepted = Accepted {
            id: ReservationId::from_bytes([7; 16]),
            live: &live,
            user: &user,
            lines: &lines,
            epoch: 1,
            seq: 9,
            deadline_ms: 5,
            ack_level: "fsync",
        };
        let key = ReceiptKey::derive(&[1; 32]).unwrap();
        let receipt = key.sign(&accepted);
        assert_eq!(
            key.verify(&receipt).unwrap(),
            "07070707-0707-0707-0707-070707070707|drop-1|ann|a=1,b=2|1|9|5|fsync"
        );
        assert_eq!(ReceiptKey::derive(&[2; 32]).unwrap().verify(&receipt), None);
        let proven = key.read(&receipt).unwrap();
        assert_eq!((proven.id, &proven.live), (accepted.id, accepted.live));
        assert_eq!((&proven.user, proven.lines.as_slice()), (&user, &lines[..]));
        assert_eq!((proven.epoch, proven.seq), (1, 9));
        assert_eq!(key.verify(&receipt.replacen('M', "N", 1)), None);
    }
}
