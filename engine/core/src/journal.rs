//! The journal: what happened to a sale, in the scripts' own words, numbered by `seq` without gaps.
//!
//! One stream entry is one script call: a head `e s n t b` and then one pair per event. The writer applies entries to
//! MySQL; reconcile and audit read them.

use crate::draw::Drawn;
use crate::ids::{ReservationId, SkuId};
use crate::record::{Claim, Line, Record, Status};
use crate::returns::{Return, ReturnTo};

/// Bytes of the field of an event that concerns a reservation or claim.
pub(crate) const ID_BYTES: usize = 16;

/// A stream id, `<ms>-<n>`, as the server gave it; compared as text only for equality.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamId(String);

impl StreamId {
    /// Before the first entry.
    pub const START: &'static str = "0-0";

    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn start() -> Self {
        Self::new(Self::START)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_start(&self) -> bool {
        self.0 == Self::START
    }
}

/// What one script call wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: StreamId,
    pub epoch: u32,
    pub first_seq: u64,
    /// Redis time of the call.
    pub at_ms: u64,
    pub events: Vec<RawEvent>,
}

/// One event as it stands in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    pub seq: u64,
    pub field: Vec<u8>,
    pub value: Vec<u8>,
}

/// One event, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Opened(Vec<Line>),
    Paused,
    Resumed,
    Closed,
    /// A rebuild began this generation.
    Rebuilt,
    /// Those who joined the line before the sale opened have been drawn.
    Drawn(Drawn),
    /// A number that a decision had which nobody can tell any more: it was lost with Redis.
    Lost,
    Adjusted {
        sku: SkuId,
        by: i64,
    },
    /// A reservation that had ended, as it was then, has its units again; it is paid by the next event.
    Reacquired {
        id: ReservationId,
        record: Box<Record>,
    },
    /// Units of a paid reservation came back.
    Returned(Box<Return>),
    /// A reservation came to be or changed its state.
    Reservation {
        id: ReservationId,
        record: Record,
    },
    Claimed {
        id: ReservationId,
        claim: Claim,
    },
}

/// The stream holds what none of our scripts wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    #[error("journal entry {0} has a malformed head")]
    Head(String),
    #[error("journal event {0}: {1}")]
    Event(u64, &'static str),
}

impl Entry {
    /// Takes a stream entry's pairs, in their order.
    ///
    /// # Errors
    /// [`JournalError::Head`] where the head is not `e s n t b`, or announces another number of events than there are.
    pub fn parse(id: String, pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Self, JournalError> {
        let head = |i: usize, name: &str| -> Option<u64> {
            let (field, value) = pairs.get(i)?;
            (field == name.as_bytes()).then_some(())?;
            std::str::from_utf8(value).ok()?.parse().ok()
        };
        let parsed = (|| {
            let (epoch, first_seq, count) = (head(0, "e")?, head(1, "s")?, head(2, "n")?);
            let at_ms = head(3, "t")?;
            head(4, "b")?;
            let whole = count > 0 && count == (pairs.len() - 5) as u64;
            whole.then_some((u32::try_from(epoch).ok()?, first_seq, at_ms))
        })();
        let Some((epoch, first_seq, at_ms)) = parsed else {
            return Err(JournalError::Head(id));
        };
        let events = pairs
            .into_iter()
            .skip(5)
            .zip(first_seq..)
            .map(|((field, value), seq)| RawEvent { seq, field, value })
            .collect();
        Ok(Self {
            id: StreamId(id),
            epoch,
            first_seq,
            at_ms,
            events,
        })
    }

    /// The number of its last event.
    pub fn last_seq(&self) -> u64 {
        self.first_seq + self.events.len() as u64 - 1
    }
}

impl RawEvent {
    /// In the place of an event that was lost.
    pub fn lost(seq: u64) -> Self {
        Self {
            seq,
            field: b"L".to_vec(),
            value: Vec::new(),
        }
    }

    /// # Errors
    /// [`JournalError::Event`] naming what is malformed.
    pub fn decode(&self) -> Result<Event, JournalError> {
        let bad = |what| JournalError::Event(self.seq, what);
        if let [letter] = self.field[..] {
            return self
                .decode_state(letter)
                .ok_or_else(|| bad("unknown state event"));
        }
        let id = self.field.as_slice().try_into().map_err(|_| bad("id"))?;
        let id = ReservationId::from_bytes(id);
        if self.value.first() == Some(&b'k') {
            let claim = Claim::parse(&self.value).map_err(|e| bad(e.0))?;
            return Ok(Event::Claimed { id, claim });
        }
        let record = Record::parse(&self.value).map_err(|e| bad(e.0))?;
        Ok(Event::Reservation { id, record })
    }

    fn decode_state(&self, letter: u8) -> Option<Event> {
        if let Some(to) = ReturnTo::from_letter(letter) {
            let returned = Return::parse(to, &self.value)?;
            return Some(Event::Returned(Box::new(returned)));
        }
        if letter == b'Q' {
            let (id, record) = self.value.split_first_chunk::<ID_BYTES>()?;
            let record = Record::parse(record).ok().filter(|r| !r.status.is_live())?;
            return Some(Event::Reacquired {
                id: ReservationId::from_bytes(*id),
                record: Box::new(record),
            });
        }
        let text = std::str::from_utf8(&self.value).ok()?;
        Some(match letter {
            b'O' => Event::Opened(parse_opened(text)?),
            b'P' => Event::Paused,
            b'R' => Event::Resumed,
            b'C' => Event::Closed,
            b'N' => Event::Rebuilt,
            b'D' => Event::Drawn(Drawn::parse(text)?),
            b'L' => Event::Lost,
            b'A' => {
                let mut parts = text.splitn(3, '|');
                let (sku, by) = (parts.next()?, parts.next()?);
                Event::Adjusted {
                    sku: SkuId::parse(sku).ok()?,
                    by: by.parse().ok()?,
                }
            }
            _ => return None,
        })
    }

    /// Field and value as one, as the books keep them; before an id stands its record's letter, so that a capital letter
    /// always begins an event of the sale itself.
    pub fn raw(&self) -> Vec<u8> {
        let letter = match self.field.len() {
            ID_BYTES => self.value.get(..1).unwrap_or_default(),
            _ => &[],
        };
        [letter, &self.field, b" ", &self.value].concat()
    }

    /// What [`RawEvent::raw`] wrote.
    ///
    /// # Errors
    /// [`JournalError::Event`] where it did not.
    pub fn from_raw(seq: u64, raw: &[u8]) -> Result<Self, JournalError> {
        let of_the_sale = raw.first().is_some_and(u8::is_ascii_uppercase);
        let field = if of_the_sale { 0..1 } else { 1..1 + ID_BYTES };
        let parted = raw.get(field.clone()).zip(
            raw.get(field.end..)
                .and_then(|rest| rest.strip_prefix(b" ")),
        );
        let (field, value) = parted.ok_or(JournalError::Event(seq, "raw"))?;
        let event = Self {
            seq,
            field: field.to_vec(),
            value: value.to_vec(),
        };
        (event.raw() == raw)
            .then_some(event)
            .ok_or(JournalError::Event(seq, "letter"))
    }
}

/// Stock may be 0, unlike the quantity of a line.
fn parse_opened(text: &str) -> Option<Vec<Line>> {
    text.split(',')
        .map(|line| {
            let (sku, units) = line.split_once('=')?;
            Some(Line {
                sku: SkuId::parse(sku).ok()?,
                quantity: units.parse().ok()?,
            })
        })
        .collect()
}

impl Event {
    /// The word in the books.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Opened(_) => "opened",
            Event::Paused => "paused",
            Event::Resumed => "resumed",
            Event::Closed => "closed",
            Event::Rebuilt => "rebuilt",
            Event::Drawn(_) => "drawn",
            Event::Lost => "lost",
            Event::Adjusted { .. } => "adjusted",
            Event::Reacquired { .. } => "reacquired",
            Event::Returned(returned) => returned.to.as_str(),
            Event::Reservation { record, .. } => match record.status {
                Status::Released(reason) => reason.as_str(),
                status => status.as_str(),
            },
            Event::Claimed { .. } => "claimed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(field: &[u8], value: &[u8]) -> (Vec<u8>, Vec<u8>) {
        (field.to_vec(), value.to_vec())
    }

    fn head(first_seq: &str, count: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        vec![
            pair(b"e", b"1"),
            pair(b"s", first_seq.as_bytes()),
            pair(b"n", count.as_bytes()),
            pair(b"t", b"99"),
            pair(b"b", b"7"),
        ]
    }

    #[test]
    fn an_entry_numbers_its_events() {
        let mut pairs = head("5", "2");
        pairs.push(pair(b"P", b""));
        pairs.push(pair(b"A", b"tee|-3|key|with|bars"));
        let entry = Entry::parse("1-0".into(), pairs).unwrap();
        assert_eq!((entry.epoch, entry.last_seq(), entry.at_ms), (1, 6, 99));
        assert_eq!(entry.events[0].decode(), Ok(Event::Paused));
        assert_eq!(
            entry.events[1].decode(),
            Ok(Event::Adjusted {
                sku: SkuId::parse("tee").unwrap(),
                by: -3
            })
        );
    }

    #[test]
    fn an_entry_that_announces_another_number_of_events_is_refused() {
        for (count, events) in [("0", 0), ("1", 2), ("2", 1)] {
            let mut pairs = head("1", count);
            pairs.extend((0..events).map(|_| pair(b"P", b"")));
            assert!(
                Entry::parse("1-0".into(), pairs).is_err(),
                "{count} announced, {events} there"
            );
        }
    }

    #[test]
    fn a_draw_is_read_and_half_of_one_is_not() {
        let hex = "00".repeat(32);
        let value = format!("3|{hex}|{hex}|{hex}");
        let event = |value: &str| RawEvent {
            seq: 9,
            field: b"D".to_vec(),
            value: value.as_bytes().to_vec(),
        };
        let drawn = event(&value);
        assert_eq!(drawn.decode().unwrap().kind(), "drawn");
        assert_eq!(RawEvent::from_raw(9, &drawn.raw()), Ok(drawn));
        assert!(event(&value[..99]).decode().is_err());
    }

    fn held(id: u8, value: &[u8]) -> RawEvent {
        RawEvent {
            seq: 7,
            field: vec![id; ID_BYTES],
            value: value.to_vec(),
        }
    }

    #[test]
    fn an_event_of_a_reservation_is_what_its_record_says() {
        let value = [b"h1|2|ann|a=1|".as_slice(), &[0; 16]].concat();
        assert_eq!(held(1, &value).decode().unwrap().kind(), "held");
        let ended = [b"e", &value[1..]].concat();
        assert_eq!(held(1, &ended).decode().unwrap().kind(), "expired");
        assert!(held(1, b"O").decode().is_err());
    }

    #[test]
    fn what_is_reacquired_had_ended() {
        let value = |letter: u8| {
            let record = [&[letter], b"1|2|ann|a=1|".as_slice(), &[0; 16]].concat();
            [[b'|'; ID_BYTES].as_slice(), &record].concat()
        };
        let event = |value: Vec<u8>| RawEvent {
            seq: 7,
            field: b"Q".to_vec(),
            value,
        };
        let reacquired = event(value(b'e'));
        assert_eq!(reacquired.decode().unwrap().kind(), "reacquired");
        assert_eq!(RawEvent::from_raw(7, &reacquired.raw()), Ok(reacquired));
        for bad in [value(b'h'), value(b's'), value(b'e')[..20].to_vec()] {
            assert!(event(bad).decode().is_err());
        }
    }

    #[test]
    fn what_the_books_keep_is_read_back_whatever_bytes_its_id_has() {
        let value = [b"h7|99|ann|tee=2|".as_slice(), &[b' '; 16]].concat();
        for id in [b' ', b'O', 0] {
            let event = held(id, &value);
            assert_eq!(RawEvent::from_raw(7, &event.raw()), Ok(event));
        }
        let opened = RawEvent::from_raw(1, b"O tee=5").unwrap();
        assert_eq!(opened.decode().unwrap().kind(), "opened");
        let disagrees = [b"e", &held(1, &value).raw()[1..]].concat();
        for bad in [b"".as_slice(), b"O", b"h short", b"Otee=5", &disagrees] {
            assert!(RawEvent::from_raw(1, bad).is_err());
        }
    }
}
