//! A reservation's record, as Redis keeps it and as the journal carries it: one text, written by the scripts, read here.
//!
//! `<letter><seq>|<deadline_ms>|<user>|<sku>=<quantity>,…|<16 raw bytes of body hash>`, and of a coupon's claim
//! `k<seq>|<claimed_ms>|<user>`. The letter is the state. It changes, and with the begin of a payment the deadline, once; nothing else does.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::ids::{BodyHash, SkuId, UserId};

/// Where a reservation is in its life: held → paying → paid, or released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    Held,
    Paying,
    Paid,
    Released(Reason),
}

/// Why a reservation was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Expired,
    Cancelled,
    PaymentFailed,
    Refunded,
}

impl Status {
    /// The word in the books and in HTTP.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Held => "held",
            Status::Paying => "paying",
            Status::Paid => "paid",
            Status::Released(_) => "released",
        }
    }

    /// Why it was released, if it was.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Status::Released(reason) => Some(reason),
            Status::Held | Status::Paying | Status::Paid => None,
        }
    }

    /// Whether its units count against the user's limit and are off the shelf, but for what has come back of a paid one.
    pub fn is_live(self) -> bool {
        !matches!(self, Status::Released(_))
    }

    /// The letter that a record begins with.
    pub(crate) fn letter(self) -> char {
        match self {
            Status::Held => 'h',
            Status::Paying => 'p',
            Status::Paid => 's',
            Status::Released(Reason::Expired) => 'e',
            Status::Released(Reason::Cancelled) => 'c',
            Status::Released(Reason::PaymentFailed) => 'f',
            Status::Released(Reason::Refunded) => 'r',
        }
    }

    /// Of the books' two words.
    pub fn from_words(status: &str, reason: Option<&str>) -> Option<Self> {
        let all = [
            Status::Held,
            Status::Paying,
            Status::Paid,
            Status::Released(Reason::Expired),
            Status::Released(Reason::Cancelled),
            Status::Released(Reason::PaymentFailed),
            Status::Released(Reason::Refunded),
        ];
        all.into_iter()
            .find(|s| s.as_str() == status && s.reason().map(Reason::as_str) == reason)
    }

    pub(crate) fn from_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'h' => Status::Held,
            b'p' => Status::Paying,
            b's' => Status::Paid,
            b'e' => Status::Released(Reason::Expired),
            b'c' => Status::Released(Reason::Cancelled),
            b'f' => Status::Released(Reason::PaymentFailed),
            b'r' => Status::Released(Reason::Refunded),
            _ => return None,
        })
    }
}

impl Reason {
    /// The word in the books and in HTTP.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Expired => "expired",
            Reason::Cancelled => "cancelled",
            Reason::PaymentFailed => "payment_failed",
            Reason::Refunded => "refunded",
        }
    }
}

/// So many units of one sku.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub sku: SkuId,
    pub quantity: u32,
}

/// One reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub status: Status,
    /// Number of the event that created it; it keeps it for life.
    pub seq: u64,
    pub deadline_ms: u64,
    pub user: UserId,
    pub lines: Vec<Line>,
    pub body: BodyHash,
}

/// One claim of a coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub seq: u64,
    pub claimed_ms: u64,
    pub user: UserId,
}

/// The bytes are no record that any of our scripts wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed record: {0}")]
pub struct RecordError(pub &'static str);

impl Record {
    /// # Errors
    /// [`RecordError`] naming the part that is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let (text, body) = bytes
            .split_last_chunk::<16>()
            .ok_or(RecordError("too short"))?;
        let mut parts = Parts::new(text)?;
        let status = Status::from_letter(parts.letter).ok_or(RecordError("unknown letter"))?;
        let (seq, deadline_ms, user) = (parts.seq, parts.number()?, parts.user()?);
        let lines = parse_lines(parts.next()?)?;
        if !parts.next()?.is_empty() {
            return Err(RecordError("text after lines"));
        }
        Ok(Self {
            status,
            seq,
            deadline_ms,
            user,
            lines,
            body: BodyHash::from_bytes(*body),
        })
    }

    /// As the scripts write it: what [`Record::parse`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self {
            seq,
            deadline_ms,
            user,
            ..
        } = self;
        let lines = lines_text(&self.lines);
        let head = format!(
            "{}{seq}|{deadline_ms}|{user}|{lines}|",
            self.status.letter()
        );
        [head.as_bytes(), self.body.as_bytes()].concat()
    }
}

/// Lines as records have them: `sku=quantity,sku=quantity`.
pub(crate) fn lines_text(lines: &[Line]) -> String {
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        write!(text, "{comma}{}={}", line.sku, line.quantity).expect("a String takes all");
    }
    text
}

impl Claim {
    /// # Errors
    /// [`RecordError`] naming the part that is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut parts = Parts::new(bytes)?;
        if parts.letter != b'k' {
            return Err(RecordError("unknown letter"));
        }
        Ok(Self {
            seq: parts.seq,
            claimed_ms: parts.number()?,
            user: parts.user()?,
        })
    }

    /// As the scripts write it: what [`Claim::parse`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        format!("k{}|{}|{}", self.seq, self.claimed_ms, self.user).into_bytes()
    }
}

/// `sku=quantity,sku=quantity`, at least one, each quantity at least 1.
pub(crate) fn parse_lines(text: &str) -> Result<Vec<Line>, RecordError> {
    text.split(',')
        .map(|line| {
            let (sku, quantity) = line.split_once('=').ok_or(RecordError("line"))?;
            let sku = SkuId::parse(sku).map_err(|_| RecordError("sku"))?;
            let quantity = quantity
                .parse()
                .ok()
                .filter(|n| *n > 0)
                .ok_or(RecordError("quantity"))?;
            Ok(Line { sku, quantity })
        })
        .collect()
}

struct Parts<'a> {
    letter: u8,
    seq: u64,
    rest: std::str::Split<'a, char>,
}

impl<'a> Parts<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let text = std::str::from_utf8(bytes).map_err(|_| RecordError("not text"))?;
        let letter = *bytes.first().ok_or(RecordError("empty"))?;
        let mut rest = text.get(1..).ok_or(RecordError("letter"))?.split('|');
        let seq = rest
            .next()
            .and_then(|seq| seq.parse().ok())
            .ok_or(RecordError("seq"))?;
        Ok(Self { letter, seq, rest })
    }

    fn next(&mut self) -> Result<&'a str, RecordError> {
        self.rest.next().ok_or(RecordError("a part is missing"))
    }

    fn number(&mut self) -> Result<u64, RecordError> {
        self.next()?.parse().map_err(|_| RecordError("number"))
    }

    fn user(&mut self) -> Result<UserId, RecordError> {
        UserId::parse(self.next()?).map_err(|_| RecordError("user"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8; 16] = b"|\0|h1|2|x|=,16|b";

    fn bytes(text: &str) -> Vec<u8> {
        [text.as_bytes(), BODY].concat()
    }

    #[test]
    fn a_record_is_read_whatever_bytes_its_body_hash_has() {
        let record = Record::parse(&bytes("h12|1700000000000|ann|tee-m=2,cap=1|")).unwrap();
        assert_eq!(
            (record.status, record.seq, record.deadline_ms),
            (Status::Held, 12, 1_700_000_000_000)
        );
        assert_eq!(
            record
                .lines
                .iter()
                .map(|l| (l.sku.as_str(), l.quantity))
                .collect::<Vec<_>>(),
            [("tee-m", 2), ("cap", 1)]
        );
        assert_eq!(record.body.as_bytes(), BODY);
        let text = bytes("h12|1700000000000|ann|tee-m=2,cap=1|");
        assert_eq!(record.to_bytes(), text);
    }

    #[test]
    fn every_letter_is_a_state() {
        for (letter, word, reason) in [
            ('h', "held", None),
            ('p', "paying", None),
            ('s', "paid", None),
            ('e', "released", Some("expired")),
            ('c', "released", Some("cancelled")),
            ('f', "released", Some("payment_failed")),
            ('r', "released", Some("refunded")),
        ] {
            let status = Record::parse(&bytes(&format!("{letter}1|2|ann|a=1|")))
                .unwrap()
                .status;
            assert_eq!(
                (status.as_str(), status.reason().map(Reason::as_str)),
                (word, reason)
            );
            assert_eq!(Status::from_words(word, reason), Some(status));
            assert_eq!(status.letter(), letter);
        }
    }

    #[test]
    fn a_malformed_record_is_refused_with_the_part_named() {
        for bad in [
            "",
            "z1|2|ann|a=1|",
            "hx|2|ann|a=1|",
            "h1|x|ann|a=1|",
            "h1|2|a b|a=1|",
            "h1|2|ann|a=0|",
            "h1|2|ann|a|",
            "h1|2|ann|a=1",
            "h1|2|ann|a=1|x",
        ] {
            assert!(Record::parse(&bytes(bad)).is_err(), "{bad}");
        }
        assert_eq!(Record::parse(b"h1").unwrap_err(), RecordError("too short"));
    }

    #[test]
    fn a_claim_has_no_lines() {
        let claim = Claim::parse(b"k7|1700000000000|bob").unwrap();
        assert_eq!(
            (claim.seq, claim.claimed_ms, claim.user.as_str()),
            (7, 1_700_000_000_000, "bob")
        );
        assert_eq!(claim.to_bytes(), b"k7|1700000000000|bob");
        assert!(Claim::parse(b"h7|1|bob").is_err());
    }
}
