//! Follows a journal as the writer and an audit do, and rebuilds from its events alone what the sale should hold.
//! Used by `model` after each move.

use std::collections::BTreeMap;

use doorbuster_core::gate::switch::Verb;
use doorbuster_core::ids::{ReservationId, SkuId};
use doorbuster_core::journal::{Entry, Event, StreamId};
use doorbuster_core::record::{Claim, Reason, Record, Status};
use doorbuster_core::returns::{Return, ReturnTo};

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
    returns: BTreeMap<(ReservationId, SkuId), u32>,
    /// The event before said so of this one.
    reacquired: Option<ReservationId>,
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
            returns: BTreeMap::new(),
            reacquired: None,
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
            Event::Reacquired { id, record } => {
                assert_eq!(self.records[&id], *record);
                for line in &record.lines {
                    let shelf = self.shelves.get_mut(&line.sku).unwrap();
                    let units = u64::from(line.quantity);
                    (shelf.left, shelf.held) = (shelf.left - units, shelf.held + units);
                }
                self.reacquired = Some(id);
            }
            Event::Returned(returned) => self.returned(&returned),
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
                (Some(Status::Held | Status::Paying), Status::Released(_)) => {
                    (shelf.left, shelf.held) = (shelf.left + units, shelf.held - units)
                }
                (Some(Status::Held), Status::Paying) => {}
                (Some(Status::Paying | Status::Released(_)), Status::Paid) => {
                    let is_again = was != Some(Status::Paying);
                    assert_eq!(self.reacquired == Some(id), is_again);
                    (shelf.held, shelf.sold) = (shelf.held - units, shelf.sold + units)
                }
                // Its units have come back one by one, each told by an event of its own.
                (Some(Status::Paid), Status::Released(Reason::Refunded)) => {
                    assert_eq!(self.returns[&(id, line.sku.clone())], line.quantity);
                }
                (was, now) => panic!("{was:?} became {now:?}"),
            }
        }
        self.reacquired = None;
        self.records.insert(id, record);
    }

    fn returned(&mut self, returned: &Return) {
        let record = &self.records[&returned.id];
        assert_eq!(
            (record.status, record.seq, &record.user),
            (Status::Paid, returned.began, &returned.user)
        );
        let at = (returned.id, returned.sku.clone());
        let total = self.returns.entry(at).or_default();
        *total += returned.quantity;
        assert_eq!(*total, returned.total);
        let units = u64::from(returned.quantity);
        let shelf = self.shelves.get_mut(&returned.sku).unwrap();
        shelf.sold -= units;
        match returned.to {
            ReturnTo::Shelf => shelf.left += units,
            ReturnTo::WriteOff => shelf.stocked -= units,
        }
    }

    /// The journal alone tells what the reference knows.
    pub(crate) fn assert_tells(&self, reference: &Reference) {
        assert_eq!(
            (self.seq, self.verb),
            (reference.seq, reference.verb.unwrap_or(Verb::Resume))
        );
        assert_eq!(self.records, reference.records);
        assert_eq!(self.claims, reference.claims);
        assert_eq!(self.returns, reference.returns);
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
