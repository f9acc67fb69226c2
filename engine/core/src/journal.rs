//! The journal: what happened to a sale, in the scripts' own words, numbered by `seq` without gaps.
//!
//! One stream entry is one script call: a head `e s n t b` and then one pair per event. The writer applies entries to
//! MySQL; reconcile and audit read them.

use crate::ids::{ReservationId, SkuId};
use crate::record::{Claim, Line, Record, Status};

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
    Adjusted {
        sku: SkuId,
        by: i64,
    },
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
    /// # Errors
    /// [`JournalError::Event`] naming what is malformed.
    pub fn decode(&self) -> Result<Event, JournalError> {
        let bad = |what| JournalError::Event(self.seq, what);
        let (letter, id) = self.field.split_first().ok_or_else(|| bad("no kind"))?;
        if id.is_empty() {
            return self
                .decode_state(*letter)
                .ok_or_else(|| bad("unknown state event"));
        }
        let id = ReservationId::from_bytes(id.try_into().map_err(|_| bad("id"))?);
        if *letter == b'k' {
            let claim = Claim::parse(&self.value).map_err(|e| bad(e.0))?;
            return Ok(Event::Claimed { id, claim });
        }
        let record = Record::parse(&self.value).map_err(|e| bad(e.0))?;
        if Status::from_letter(*letter) != Some(record.status) {
            return Err(bad("kind and record disagree"));
        }
        Ok(Event::Reservation { id, record })
    }

    fn decode_state(&self, letter: u8) -> Option<Event> {
        let text = std::str::from_utf8(&self.value).ok()?;
        Some(match letter {
            b'O' => Event::Opened(parse_opened(text)?),
            b'P' => Event::Paused,
            b'R' => Event::Resumed,
            b'C' => Event::Closed,
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

    /// Field and value as one, as the books keep them.
    pub fn raw(&self) -> Vec<u8> {
        [self.field.as_slice(), b" ", self.value.as_slice()].concat()
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
            Event::Adjusted { .. } => "adjusted",
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
    fn an_event_whose_kind_and_record_disagree_is_refused() {
        let value = [b"h1|2|ann|a=1|".as_slice(), &[0; 16]].concat();
        let event = |kind: u8| RawEvent {
            seq: 1,
            field: [&[kind], [1_u8; 16].as_slice()].concat(),
            value: value.clone(),
        };
        assert_eq!(event(b'h').decode().unwrap().kind(), "held");
        assert!(event(b'e').decode().is_err());
    }
}
