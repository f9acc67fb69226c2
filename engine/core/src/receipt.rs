//! Receipts: our signature under what was accepted, so that a buyer can prove it after a loss (design §5).
//!
//! The payload is `id|sale|user|lines|epoch|seq|deadline_ms|ack level`, signed as `signed` says.

use std::fmt::Write as _;

use crate::claims::SecretTooShort;
use crate::ids::{LiveId, ReservationId, UserId};
use crate::record::{Line, parse_lines};
use crate::signed::SigningKey;

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
#[derive(Debug, Clone)]
pub struct ReceiptKey(SigningKey);

impl ReceiptKey {
    /// # Errors
    /// [`SecretTooShort`] below 32 bytes.
    pub fn derive(secret: &[u8]) -> Result<Self, SecretTooShort> {
        SigningKey::derive(secret, PURPOSE).map(Self)
    }

    pub fn sign(&self, accepted: &Accepted<'_>) -> String {
        self.0.sign(&payload(accepted))
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
        self.0.verify(receipt)
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
