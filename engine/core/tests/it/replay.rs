//! Follows a journal as the writer and an audit do, and rebuilds from its events alone what the sale should hold.
//! Used by `model` after each move.

use std::collections::BTreeMap;

use doorbuster_core::gate::switch::Verb;
use doorbuster_core::ids::{ReservationId, SkuId};
use doorbuster_core::journal::{Entry, Event, StreamId};
use doorbuster_core::record::{Claim, Record, Status};

use crate::reference::{Reference, Shelf};

#[derive(Debug)]
pub(crate) struct Replay {
    /// The last entry that was followed.
    pub(crate) cursor: StreamId,
    pub(crate) seq: u64,
    pub(crate) at_ms: u64,
    verb: Verb,
    shelves: BTreeMap<SkuId, Shelf>,
    records: BTreeMap<ReservationId, Record>,
    claims: BTreeMap<ReservationId, Claim>,
}

impl Replay {
    pub(crate) fn new() -> Self {
        Self {
            cursor: StreamId::start(),
            seq: 0,
            at_ms: 0,
            verb: Verb::Resume,
            shelves: BTreeMap::new(),
            records: BTreeMap::new(),
            claims: BTreeMap::new(),
        }
    }

    /// Takes what follows the cursor; the cursor's own entry comes first, and must still be there.
    pub(crate) fn follow(&mut self, entries: &[Entry]) {
        let new = match entries {
            [own, new @ ..] if !self.cursor.is_start() => {
                assert_eq!(
                    (&own.id, own.last_seq()),
                    (&self.cursor, self.seq),
                    "the cursor's entry"
                );
                new
            }
            all => all,
        };
        for entry in new {
            assert_eq!(entry.first_seq, self.seq + 1, "the journal has a gap");
            assert!(entry.at_ms >= self.at_ms, "time went back");
            for event in &entry.events {
                self.apply(event.decode().unwrap());
            }
            (self.cursor, self.seq, self.at_ms) = (entry.id.clone(), entry.last_seq(), entry.at_ms);
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Opened(lines) => {
                for line in lines {
                    let units = u64::from(line.quantity);
                    self.shelves.insert(
                        line.sku,
                        Shelf {
                            stocked: units,
                            left: units,
                            ..Shelf::default()
                        },
                    );
                }
            }
            Event::Paused => self.verb = Verb::Pause,
            Event::Resumed => self.verb = Verb::Resume,
            Event::Closed => self.verb = Verb::Close,
            Event::Rebuilt | Event::Lost | Event::Drawn(_) => {}
            Event::Adjusted { sku, by } => {
                let shelf = self.shelves.get_mut(&sku).unwrap();
                shelf.stocked = shelf.stocked.checked_add_signed(by).unwrap();
                shelf.left = shelf.left.checked_add_signed(by).unwrap();
            }
            Event::Reservation { id, record } => self.reservation(id, record),
            Event::Claimed { id, claim } => {
                assert_eq!(self.shelves.len(), 1, "a coupon is one sku");
                let shelf = self.shelves.values_mut().next().unwrap();
                (shelf.left, shelf.sold) = (shelf.left - 1, shelf.sold + 1);
                assert_eq!(self.claims.insert(id, claim), None, "claimed twice");
            }
        }
    }

    fn reservation(&mut self, id: ReservationId, record: Record) {
        let was = self.records.get(&id).map(|record| record.status);
        for line in &record.lines {
            let (units, shelf) = (
                u64::from(line.quantity),
                self.shelves.get_mut(&line.sku).unwrap(),
            );
            match (was, record.status) {
                (None, Status::Held) => {
                    (shelf.left, shelf.held) = (shelf.left - units, shelf.held + units)
                }
                (Some(Status::Held), Status::Released(_)) => {
                    (shelf.left, shelf.held) = (shelf.left + units, shelf.held - units)
                }
                (was, now) => panic!("{was:?} became {now:?}"),
            }
        }
        self.records.insert(id, record);
    }

    /// The journal alone tells what the reference knows.
    pub(crate) fn assert_tells(&self, reference: &Reference) {
        assert_eq!(
            (self.seq, self.verb),
            (reference.seq, reference.verb.unwrap_or(Verb::Resume))
        );
        assert_eq!(self.records, reference.records);
        assert_eq!(self.claims, reference.claims);
        let counters = |shelf: &Shelf| [shelf.stocked, shelf.left, shelf.held, shelf.sold];
        let told: Vec<_> = self
            .shelves
            .iter()
            .map(|(sku, shelf)| (sku, counters(shelf)))
            .collect();
        assert_eq!(
            told,
            reference
                .shelves
                .iter()
                .map(|(sku, shelf)| (sku, counters(shelf)))
                .collect::<Vec<_>>()
        );
    }
}
