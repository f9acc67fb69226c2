//! From events to rows: pure. What one batch does to reservations, lines and claims, folded so that each row is written once.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::draw::Drawn;
use doorbuster_core::ids::{ReservationId, SkuId};
use doorbuster_core::journal::{Entry, Event, JournalError, RawEvent};
use doorbuster_core::record::{Claim, Record, Status};
use doorbuster_core::returns::Return;

/// One event with what its entry says of it.
#[derive(Debug, Clone)]
pub(super) struct Numbered<'a> {
    pub(super) epoch: u32,
    pub(super) at: DateTime<Utc>,
    pub(super) raw: &'a RawEvent,
    pub(super) event: Result<Event, JournalError>,
}

/// The rows of some events.
#[derive(Debug, Default)]
pub(super) struct Projection<'a> {
    /// Reservations that came to be, as they stand after the last of the events.
    pub(super) held: Vec<HeldRow<'a>>,
    /// Of reservations in the books before: where they went.
    pub(super) moved: Vec<MovedRow>,
    pub(super) claimed: Vec<(&'a Numbered<'a>, ReservationId, &'a Claim)>,
    pub(super) drawn: Vec<(&'a Numbered<'a>, &'a Drawn)>,
    /// Of each sku of a reservation the last word on what has come back, in the order of keys.
    pub(super) returned: Vec<&'a Return>,
}

#[derive(Debug)]
pub(super) struct HeldRow<'a> {
    pub(super) id: ReservationId,
    pub(super) epoch: u32,
    pub(super) created_at: DateTime<Utc>,
    pub(super) record: &'a Record,
    pub(super) status: Status,
    pub(super) deadline_ms: u64,
    pub(super) ended_at: Option<DateTime<Utc>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct MovedRow {
    /// The seq under which the reservation came to be: its key in the books.
    pub(super) seq: u64,
    pub(super) status: Status,
    pub(super) deadline_ms: u64,
    pub(super) ended_at: Option<DateTime<Utc>>,
}

pub(super) fn number(entries: &[Entry]) -> Vec<Numbered<'_>> {
    entries.iter().flat_map(number_entry).collect()
}

fn number_entry(entry: &Entry) -> impl Iterator<Item = Numbered<'_>> {
    let (epoch, at) = (entry.epoch, clock::from_ms(entry.at_ms));
    entry.events.iter().map(move |raw| Numbered {
        epoch,
        at,
        raw,
        event: raw.decode(),
    })
}

/// # Errors
/// The first event that could not be decoded.
pub(super) fn project<'a>(events: &'a [Numbered<'a>]) -> Result<Projection<'a>, JournalError> {
    let mut projection = Projection::default();
    let mut held_here: HashMap<u64, usize> = HashMap::new();
    let mut moved_here: HashMap<u64, usize> = HashMap::new();
    let mut last_word: BTreeMap<(u64, &SkuId), &Return> = BTreeMap::new();
    for numbered in events {
        match numbered.event.as_ref().map_err(Clone::clone)? {
            Event::Reservation { id, record } if record.status == Status::Held => {
                held_here.insert(record.seq, projection.held.len());
                let (epoch, created_at) = (numbered.epoch, numbered.at);
                projection.held.push(HeldRow {
                    id: *id,
                    epoch,
                    created_at,
                    record,
                    status: record.status,
                    deadline_ms: record.deadline_ms,
                    ended_at: None,
                });
            }
            Event::Reservation { record, .. } => {
                let ended_at = (!record.status.is_live()).then_some(numbered.at);
                if let Some(row) = held_here.get(&record.seq).map(|i| &mut projection.held[*i]) {
                    (row.status, row.ended_at) = (record.status, ended_at);
                    row.deadline_ms = record.deadline_ms;
                } else {
                    let row = MovedRow {
                        seq: record.seq,
                        status: record.status,
                        deadline_ms: record.deadline_ms,
                        ended_at,
                    };
                    match moved_here.get(&record.seq) {
                        Some(i) => projection.moved[*i] = row,
                        None => {
                            moved_here.insert(record.seq, projection.moved.len());
                            projection.moved.push(row);
                        }
                    }
                }
            }
            Event::Claimed { id, claim } => projection.claimed.push((numbered, *id, claim)),
            Event::Opened(_)
            | Event::Paused
            | Event::Resumed
            | Event::Closed
            | Event::Rebuilt
            | Event::Lost
            | Event::Adjusted { .. }
            // The event after it says what became of the reservation.
            | Event::Reacquired { .. } => {}
            Event::Returned(returned) => {
                last_word.insert((returned.began, &returned.sku), &**returned);
            }
            Event::Drawn(drawn) => projection.drawn.push((numbered, drawn)),
        }
    }
    // Rows of a table are locked in the order of their keys, by every writer, so that two never wait for each other.
    projection.moved.sort_by_key(|row| row.seq);
    projection.returned = last_word.into_values().collect();
    Ok(projection)
}

#[cfg(test)]
mod tests {
    use doorbuster_core::journal::StreamId;

    use super::*;

    fn event(seq: u64, letter: u8, held_seq: u64) -> RawEvent {
        let value = [
            format!("{}{held_seq}|9|ann|tee=1|", char::from(letter)).as_bytes(),
            &[0; 16],
        ]
        .concat();
        let field = vec![u8::try_from(held_seq).unwrap(); 16];
        RawEvent { seq, field, value }
    }

    fn entries(events: Vec<RawEvent>) -> Vec<Entry> {
        vec![Entry {
            id: StreamId::new("1-0"),
            epoch: 1,
            first_seq: events[0].seq,
            at_ms: 5,
            events,
        }]
    }

    #[test]
    fn a_hold_that_ends_in_its_own_batch_is_one_row_in_its_last_state() {
        let entries = entries(vec![event(5, b'h', 5), event(6, b'c', 5)]);
        let events = number(&entries);
        let projection = project(&events).unwrap();
        assert_eq!((projection.held.len(), projection.moved.len()), (1, 0));
        assert_eq!(projection.held[0].status.as_str(), "released");
        assert!(projection.held[0].ended_at.is_some());
    }

    #[test]
    fn ends_of_earlier_holds_are_one_row_each_in_the_order_of_their_keys() {
        let entries = entries(vec![
            event(7, b'e', 4),
            event(8, b'p', 2),
            event(9, b's', 2),
        ]);
        let events = number(&entries);
        let moved = project(&events).unwrap().moved;
        assert_eq!(
            moved
                .iter()
                .map(|row| (row.seq, row.status.as_str()))
                .collect::<Vec<_>>(),
            [(2, "paid"), (4, "released")]
        );
    }

    fn back(seq: u64, began: u64, sku: &str, total: u32) -> RawEvent {
        let text = format!("{began}|ann|{sku}|1|{total}|k{seq}");
        RawEvent {
            seq,
            field: b"B".to_vec(),
            value: [[9; 16].as_slice(), text.as_bytes()].concat(),
        }
    }

    #[test]
    fn a_payment_moves_the_deadline_and_of_what_came_back_the_last_word_stands() {
        let mut paying = event(6, b'p', 5);
        paying.value[3] = b'7';
        let mut later = event(7, b'p', 4);
        later.value[3] = b'8';
        let entries = entries(vec![
            event(5, b'h', 5),
            paying,
            later,
            back(8, 4, "tee", 1),
            back(9, 3, "tee", 1),
            back(10, 4, "cap", 1),
            back(11, 4, "tee", 2),
        ]);
        let events = number(&entries);
        let projection = project(&events).unwrap();
        assert_eq!(projection.held[0].deadline_ms, 7);
        assert_eq!(projection.moved[0].deadline_ms, 8);
        let returned = projection.returned.iter();
        assert_eq!(
            returned
                .map(|r| (r.began, r.sku.as_str(), r.total))
                .collect::<Vec<_>>(),
            [(3, "tee", 1), (4, "cap", 1), (4, "tee", 2)]
        );
    }

    #[test]
    fn an_event_that_cannot_be_read_stops_the_batch() {
        let entries = entries(vec![RawEvent {
            seq: 1,
            field: b"?".to_vec(),
            value: vec![],
        }]);
        assert!(project(&number(&entries)).is_err());
    }
}
