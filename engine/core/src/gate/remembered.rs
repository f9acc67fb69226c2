//! The events of one call in the least room that tells them again: a hold is some fifty bytes, and text is made of it only when it is
//! asked for. Kept by `unflushed`.

use super::claim::{ClaimCoupon, Claimed};
use super::decided::Decided;
use super::reserve::{Reserve, Reserved};
use crate::ids::ReservationId;
use crate::journal::{Entry, RawEvent, StreamId};
use crate::record::{Claim, Line, Record, lines_text};

/// Bytes of a batch beside its events.
const BATCH_BYTES: usize = 96;
/// In the place of a length: the same lines as the hold before.
const SAME_LINES: u16 = u16::MAX;

/// The events of one call.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(super) epoch: u32,
    at_ms: u64,
    pub(super) first_seq: u64,
    pub(super) count: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Per hold: id, body, length and text of its user, length and text of its lines.
    Holds {
        deadline_ms: u64,
        packed: Box<[u8]>,
    },
    Events(Box<[RawEvent]>),
}

impl Remembered {
    pub(super) fn last_seq(&self) -> u64 {
        self.first_seq + self.count - 1
    }

    pub(super) fn bytes(&self) -> usize {
        let events = match &self.what {
            What::Holds { packed, .. } => packed.len(),
            What::Events(events) => events.iter().map(|e| 64 + e.value.len()).sum(),
        };
        BATCH_BYTES + events
    }

    pub(super) fn entry(&self) -> Entry {
        let events = match &self.what {
            What::Holds {
                deadline_ms,
                packed,
            } => unpack(self.first_seq, *deadline_ms, packed),
            What::Events(events) => events.to_vec(),
        };
        Entry {
            id: StreamId::start(),
            epoch: self.epoch,
            first_seq: self.first_seq,
            at_ms: self.at_ms,
            events,
        }
    }
}

/// The holds of one batch; they are numbered one after the other.
pub(super) fn holds(
    epoch: u32,
    requests: &[&Reserve],
    decided: &Decided<Reserved>,
) -> Option<Remembered> {
    let mut packed = Vec::with_capacity(64 * requests.len());
    let (mut first, mut count) = (None, 0);
    let mut before: Option<&[Line]> = None;
    for (request, outcome) in requests.iter().zip(&decided.outcomes) {
        let Reserved::Held { seq, deadline_ms } = outcome else {
            continue;
        };
        first.get_or_insert((*seq, *deadline_ms));
        count += 1;
        packed.extend_from_slice(request.id.as_bytes());
        packed.extend_from_slice(request.body.as_bytes());
        let user = request.user.as_str();
        packed.push(u8::try_from(user.len()).ok()?);
        packed.extend_from_slice(user.as_bytes());
        if before.replace(&request.lines) == Some(&request.lines) {
            packed.extend_from_slice(&SAME_LINES.to_le_bytes());
        } else {
            let lines = lines_text(&request.lines);
            packed.extend_from_slice(&u16::try_from(lines.len()).ok()?.to_le_bytes());
            packed.extend_from_slice(lines.as_bytes());
        }
    }
    let (first_seq, deadline_ms) = first?;
    Some(Remembered {
        epoch,
        at_ms: decided.now_ms,
        first_seq,
        count,
        what: What::Holds {
            deadline_ms,
            packed: packed.into(),
        },
    })
}

/// The holds that [`holds`] packed, as the script wrote them.
fn unpack(first_seq: u64, deadline_ms: u64, packed: &[u8]) -> Vec<RawEvent> {
    let (mut rest, mut events) = (packed, Vec::new());
    let mut lines: &[u8] = &[];
    for seq in first_seq.. {
        let Some((id, after)) = rest.split_first_chunk::<16>() else {
            break;
        };
        let Some((body, after)) = after.split_first_chunk::<16>() else {
            break;
        };
        let Some((user_bytes, after)) = after.split_first() else {
            break;
        };
        let Some((user, after)) = after.split_at_checked(usize::from(*user_bytes)) else {
            break;
        };
        let Some((lines_bytes, mut after)) = after.split_first_chunk::<2>() else {
            break;
        };
        let lines_bytes = u16::from_le_bytes(*lines_bytes);
        if lines_bytes != SAME_LINES {
            let Some(split) = after.split_at_checked(usize::from(lines_bytes)) else {
                break;
            };
            (lines, after) = split;
        }
        let head = format!("h{seq}|{deadline_ms}|");
        events.push(RawEvent {
            seq,
            field: id.to_vec(),
            value: [head.as_bytes(), user, b"|", lines, b"|", body].concat(),
        });
        rest = after;
    }
    events
}

/// The claims of one batch.
pub(super) fn claims(
    epoch: u32,
    requests: &[&ClaimCoupon],
    decided: &Decided<Claimed>,
) -> Option<Remembered> {
    let made = requests.iter().zip(&decided.outcomes);
    let events = made.filter_map(|(request, outcome)| match outcome {
        Claimed::Claimed { seq } => {
            let claim = Claim {
                seq: *seq,
                claimed_ms: decided.now_ms,
                user: request.user.clone(),
            };
            Some((request.id.as_bytes().to_vec(), claim.to_bytes()))
        }
        _ => None,
    });
    self::events(epoch, decided.now_ms, decided.seq, events.collect())
}

/// A reservation's present record, which event `seq` wrote.
pub(super) fn one(
    epoch: u32,
    at_ms: u64,
    seq: u64,
    id: ReservationId,
    record: &Record,
) -> Option<Remembered> {
    let event = (id.as_bytes().to_vec(), record.to_bytes());
    events(epoch, at_ms, seq, vec![event])
}

/// Ids and records of one call's events, of which the last is numbered `last_seq`.
pub(super) fn events(
    epoch: u32,
    at_ms: u64,
    last_seq: u64,
    events: Vec<(Vec<u8>, Vec<u8>)>,
) -> Option<Remembered> {
    let count = events.len() as u64;
    let first_seq = (last_seq + 1).checked_sub(count).filter(|_| count > 0)?;
    let events = (first_seq..)
        .zip(events)
        .map(|(seq, (field, value))| RawEvent { seq, field, value });
    Some(Remembered {
        epoch,
        at_ms,
        first_seq,
        count,
        what: What::Events(events.collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BodyHash, SkuId, UserId};

    #[test]
    fn holds_are_told_again_as_the_script_wrote_them() {
        let line = |sku: &str, quantity| Line {
            sku: SkuId::parse(sku).unwrap(),
            quantity,
        };
        let ask = |n: u8, user: &str, lines: Vec<Line>| Reserve {
            id: ReservationId::from_bytes([n; 16]),
            user: UserId::parse(user).unwrap(),
            body: BodyHash::of(&[n]),
            lines,
        };
        let asks = [
            ask(1, "ann", vec![line("a", 2), line("b", 1)]),
            ask(2, "bob", vec![line("c", 1)]),
            ask(3, "cat", vec![line("c", 1)]),
        ];
        let held = |seq| Reserved::Held {
            seq,
            deadline_ms: 99,
        };
        let decided = Decided {
            now_ms: 5,
            seq: 8,
            lefts: vec![],
            outcomes: vec![held(7), Reserved::Paused, held(8)],
        };
        let asks: Vec<&Reserve> = asks.iter().collect();
        let entry = holds(4, &asks, &decided).unwrap().entry();
        assert_eq!((entry.epoch, entry.first_seq, entry.at_ms), (4, 7, 5));
        let records: Vec<Record> = entry
            .events
            .iter()
            .map(|event| Record::parse(&event.value).unwrap())
            .collect();
        for (record, (ask, seq)) in records.iter().zip([(asks[0], 7), (asks[2], 8)]) {
            assert_eq!((record.seq, record.deadline_ms), (seq, 99));
            assert_eq!((&record.user, record.body), (&ask.user, ask.body));
            assert_eq!(record.lines, ask.lines);
        }
    }
}
