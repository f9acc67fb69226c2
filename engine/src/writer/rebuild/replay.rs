//! From what is known of the time after the books to what is written into them: pure.
//!
//! Events are taken in the order of their numbers. A number that nobody knows is lost, and marked so; what comes after it still
//! counts, as far as it fits: a hold for which no unit is left any more, or the end of a hold that is lost itself, is lost
//! too. So no unit is sold twice, and no promise is broken that can be kept.

use std::collections::{BTreeMap, HashMap};

use doorbuster_core::ids::{ReservationId, SkuId};
use doorbuster_core::journal::{Entry, Event, RawEvent, StreamId};
use doorbuster_core::record::{Line, Reason, Record, Status};
use doorbuster_core::returns::ReturnTo;

use super::report::NotHonoured;
use super::seen::Seen;

/// An event that someone could tell, and when it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) at_ms: u64,
    pub(super) event: RawEvent,
}

/// By number.
pub(super) type Knowns = BTreeMap<u64, Known>;

/// What the books get.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) entries: Vec<Entry>,
    /// Events that were told by someone; that a rebuild began the generation need not be.
    pub(super) taken: u64,
    /// Numbers that are marked lost, in order.
    pub(super) lost: Vec<u64>,
    pub(super) not_honoured: Vec<NotHonoured>,
}

/// Where the books stand before.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) epoch: u32,
    pub(super) seq: u64,
    /// Time of their last event.
    pub(super) at_ms: u64,
    /// Units of each sku that are neither held nor sold.
    pub(super) left: HashMap<SkuId, i64>,
}

/// All numbers up to `proven`, or the last one known if that is later.
pub(super) fn replay(before: Before, mut knowns: Knowns, proven: u64) -> Replayed {
    let Before {
        epoch,
        seq,
        mut at_ms,
        mut left,
    } = before;
    knowns.retain(|number, _| *number > seq);
    let last = knowns.keys().next_back().copied().unwrap_or(0).max(proven);
    let (mut replayed, mut seen) = (Replayed::default(), Seen::default());
    for number in seq + 1..=last {
        let known = knowns.remove(&number);
        at_ms = known.as_ref().map_or(at_ms, |known| known.at_ms);
        let event = match known.map(|known| known.event) {
            Some(event) if fits(&event, seq, &mut seen, &mut left) => {
                replayed.taken += u64::from(event.field != b"N");
                event
            }
            other => {
                seen.has_gap = true;
                replayed.lost.push(number);
                replayed.not_honoured.extend(other.map(not_honoured));
                RawEvent::lost(number)
            }
        };
        push(&mut replayed.entries, epoch, at_ms, event);
    }
    replayed
}

/// Whether the event can be taken; if so its effect is in `begun` and `left`.
fn fits(event: &RawEvent, books_seq: u64, seen: &mut Seen, left: &mut HashMap<SkuId, i64>) -> bool {
    match event.decode() {
        Ok(Event::Reservation { record, .. }) => {
            reservation(event.seq, &record, books_seq, seen, left)
        }
        Ok(Event::Reacquired { record, .. }) => {
            let fits = seen.has(record.seq, books_seq) && has_all(&record, left);
            if fits {
                move_by(&record, -1, left);
                seen.last.insert(record.seq, Status::Paying);
            } else {
                seen.without_units.insert(record.seq);
            }
            fits
        }
        Ok(Event::Returned(returned)) => {
            let fits = seen.is_paid(returned.began, books_seq);
            if let (true, ReturnTo::Shelf, Some(units)) =
                (fits, returned.to, left.get_mut(&returned.sku))
            {
                *units += i64::from(returned.quantity);
            }
            fits
        }
        // A coupon is one sku.
        Ok(Event::Claimed { claim, .. }) => match left.values_mut().next() {
            Some(units) if *units > 0 && claim.seq == event.seq => {
                *units -= 1;
                true
            }
            _ => false,
        },
        Ok(Event::Adjusted { sku, by }) => match left.get_mut(&sku) {
            Some(units) if *units + by >= 0 => {
                *units += by;
                true
            }
            _ => false,
        },
        Ok(Event::Paused | Event::Resumed | Event::Closed | Event::Rebuilt | Event::Drawn(_)) => {
            true
        }
        Ok(Event::Opened(_) | Event::Lost) | Err(_) => false,
    }
}

fn reservation(
    number: u64,
    record: &Record,
    books_seq: u64,
    seen: &mut Seen,
    left: &mut HashMap<SkuId, i64>,
) -> bool {
    if record.seq == number {
        if !record.status.is_live() || !has_all(record, left) {
            return false;
        }
        seen.begun.insert(number);
        seen.last.insert(number, record.status);
        move_by(record, -1, left);
        return true;
    }
    if !seen.has(record.seq, books_seq) || !seen.has_units(record.seq) {
        return false;
    }
    match record.status {
        Status::Held | Status::Paying | Status::Paid => {}
        // Its units have come back before, each sku by an event of its own; where those are lost, they are not on sale.
        Status::Released(Reason::Refunded) if !seen.is_paid(record.seq, books_seq) => return false,
        Status::Released(Reason::Refunded) => {}
        Status::Released(_) => move_by(record, 1, left),
    }
    seen.last.insert(record.seq, record.status);
    true
}

fn has_all(record: &Record, left: &HashMap<SkuId, i64>) -> bool {
    let has = |line: &Line| {
        left.get(&line.sku)
            .is_some_and(|units| *units >= line.quantity.into())
    };
    record.lines.iter().all(has)
}

fn move_by(record: &Record, by: i64, left: &mut HashMap<SkuId, i64>) {
    for line in &record.lines {
        if let Some(units) = left.get_mut(&line.sku) {
            *units += by * i64::from(line.quantity);
        }
    }
}

fn not_honoured(event: RawEvent) -> NotHonoured {
    let id: Option<[u8; 16]> = event.field.as_slice().try_into().ok();
    let user = match event.decode() {
        Ok(Event::Reservation { record, .. }) => Some(record.user.to_string()),
        Ok(Event::Claimed { claim, .. }) => Some(claim.user.to_string()),
        _ => None,
    };
    NotHonoured {
        seq: event.seq,
        id: id.map(|id| ReservationId::from_bytes(id).to_string()),
        user,
    }
}

/// Events of one moment are one entry.
fn push(entries: &mut Vec<Entry>, epoch: u32, at_ms: u64, event: RawEvent) {
    match entries.last_mut() {
        Some(last) if last.at_ms == at_ms && last.events.len() < 1_000 => last.events.push(event),
        _ => entries.push(Entry {
            id: StreamId::start(),
            epoch,
            first_seq: event.seq,
            at_ms,
            events: vec![event],
        }),
    }
}

impl Replayed {
    /// The books do not take event `number`.
    pub(super) fn lose(&mut self, number: u64) {
        let events = self.entries.iter().flat_map(|entry| &entry.events);
        let event = events.into_iter().find(|event| event.seq == number);
        self.not_honoured.extend(event.cloned().map(not_honoured));
        self.taken = self.taken.saturating_sub(1);
        self.lost.push(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tee() -> SkuId {
        SkuId::parse("tee").unwrap()
    }

    fn before(left: i64) -> Before {
        Before {
            epoch: 1,
            seq: 10,
            at_ms: 5,
            left: [(tee(), left)].into(),
        }
    }

    /// Event `seq` of the reservation that began with `of`.
    fn event(seq: u64, letter: char, of: u64, units: u32) -> (u64, Known) {
        let value = [
            format!("{letter}{of}|9|ann|tee={units}|").as_bytes(),
            &[0; 16],
        ]
        .concat();
        let event = RawEvent {
            seq,
            field: vec![u8::try_from(of).unwrap(); 16],
            value,
        };
        (seq, Known { at_ms: seq, event })
    }

    fn kinds(replayed: &Replayed) -> Vec<&'static str> {
        let events = replayed.entries.iter().flat_map(|entry| &entry.events);
        events.map(|event| event.decode().unwrap().kind()).collect()
    }

    #[test]
    fn what_is_known_is_taken_and_what_is_only_proven_is_marked_lost() {
        let knowns = [
            event(9, 'h', 9, 1),
            event(11, 'h', 11, 1),
            event(14, 'h', 14, 1),
        ]
        .into();
        let replayed = replay(before(5), knowns, 15);
        assert_eq!(kinds(&replayed), ["held", "lost", "lost", "held", "lost"]);
        let numbers: Vec<u64> = replayed
            .entries
            .iter()
            .flat_map(|entry| entry.events.iter().map(|event| event.seq))
            .collect();
        assert_eq!(numbers, [11, 12, 13, 14, 15]);
        assert_eq!((replayed.taken, replayed.lost), (2, vec![12, 13, 15]));
        assert!(replayed.not_honoured.is_empty());
    }

    #[test]
    fn nothing_is_known_and_nothing_proven() {
        let replayed = replay(before(5), Knowns::new(), 10);
        assert!(replayed.entries.is_empty() && replayed.lost.is_empty());
    }

    #[test]
    fn a_hold_for_which_nothing_is_left_is_lost_and_named_and_so_is_its_end() {
        let knowns = [
            event(11, 'h', 11, 2),
            event(13, 'h', 13, 2),
            event(14, 'c', 13, 2),
            event(15, 'h', 15, 1),
        ];
        let replayed = replay(before(3), knowns.into(), 0);
        assert_eq!(kinds(&replayed), ["held", "lost", "lost", "lost", "held"]);
        let named: Vec<u64> = replayed.not_honoured.iter().map(|one| one.seq).collect();
        assert_eq!(named, [13, 14]);
        assert_eq!(replayed.not_honoured[0].user.as_deref(), Some("ann"));
    }

    #[test]
    fn units_that_came_back_are_there_for_those_after() {
        let knowns = [
            event(11, 'e', 3, 1),
            event(12, 'h', 12, 1),
            event(13, 'h', 13, 1),
        ];
        let replayed = replay(before(0), knowns.into(), 0);
        assert_eq!(kinds(&replayed), ["expired", "held", "lost"]);
    }

    /// Event `seq`: of a reservation that began with `of`, told by its own letter (`Q`, `B`, `W`).
    fn told(seq: u64, letter: char, of: u64, units: u32) -> (u64, Known) {
        let id = [u8::try_from(of).unwrap(); 16];
        let rest = if letter == 'Q' {
            let record = format!("e{of}|9|ann|tee={units}|");
            [record.as_bytes(), &[0; 16]].concat()
        } else {
            format!("{of}|ann|tee|{units}|{units}|k").into_bytes()
        };
        let event = RawEvent {
            seq,
            field: vec![u8::try_from(letter).unwrap()],
            value: [&id[..], &rest].concat(),
        };
        (seq, Known { at_ms: seq, event })
    }

    #[test]
    fn units_come_back_of_what_was_paid_for() {
        let all = [
            told(11, 'Q', 3, 1),
            event(12, 's', 3, 1),
            told(13, 'B', 3, 1),
            event(14, 'r', 3, 1),
            event(15, 'h', 15, 1),
            event(16, 'h', 16, 1),
        ];
        let replayed = replay(before(1), all.into(), 0);
        let expected = [
            "reacquired",
            "paid",
            "restocked",
            "refunded",
            "held",
            "lost",
        ];
        assert_eq!(kinds(&replayed), expected);
        let of_the_books = [told(11, 'W', 3, 1), event(12, 'r', 3, 1)];
        let replayed = replay(before(0), of_the_books.into(), 0);
        assert_eq!(kinds(&replayed), ["written_off", "refunded"]);
    }

    #[test]
    fn units_of_what_may_not_have_been_paid_for_do_not_come_back() {
        // Its payment is lost.
        for letter in ['B', 'W'] {
            let unpaid = [
                event(11, 'h', 11, 1),
                told(13, letter, 11, 1),
                event(14, 'r', 11, 1),
                event(15, 'h', 15, 1),
            ];
            let replayed = replay(before(1), unpaid.into(), 0);
            assert_eq!(
                kinds(&replayed),
                ["held", "lost", "lost", "lost", "lost"],
                "{letter}"
            );
        }
        // That it had units again is lost, or there were none.
        let without = [
            event(11, 'e', 3, 1),
            event(12, 'h', 12, 1),
            event(14, 's', 3, 1),
            told(15, 'B', 3, 1),
        ];
        let replayed = replay(before(0), without.into(), 0);
        assert_eq!(
            kinds(&replayed),
            ["expired", "held", "lost", "lost", "lost"]
        );
        let refused = [
            told(11, 'Q', 3, 1),
            event(12, 's', 3, 1),
            told(13, 'B', 3, 1),
        ];
        let replayed = replay(before(0), refused.into(), 0);
        assert_eq!(kinds(&replayed), ["lost", "lost", "lost"]);
    }

    #[test]
    fn a_coupon_is_claimed_no_more_often_than_there_are() {
        let claim = |seq: u64| {
            let value = format!("k{seq}|5|ann").into_bytes();
            let field = vec![1; 16];
            (
                seq,
                Known {
                    at_ms: 1,
                    event: RawEvent { seq, field, value },
                },
            )
        };
        let replayed = replay(before(1), [claim(11), claim(12)].into(), 0);
        assert_eq!(kinds(&replayed), ["claimed", "lost"]);
    }
}
