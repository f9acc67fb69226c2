//! What the journal leaves of every reservation, in some sixty bytes each: enough to see which rows of the books are right. Pure.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::{DateTime, Utc};
use doorbuster_core::ids::{ReservationId, SkuId};
use doorbuster_core::journal::Event;
use doorbuster_core::record::Status;

use crate::projection::fold::{Folder, Projection, What};

/// The print of a reservation or claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    pub(super) seq: u64,
    /// All that never changes.
    begun: u64,
    status: Option<Status>,
    deadline_ms: u64,
    /// Of the units that have come back, sku by sku.
    returned: u64,
    ended_at: Option<DateTime<Utc>>,
}

impl Print {
    pub(super) fn of(projection: &Projection) -> Self {
        let mut hasher = DefaultHasher::new();
        (projection.epoch, projection.created_at, projection.seq()).hash(&mut hasher);
        let (status, deadline_ms) = match &projection.what {
            What::Reservation(record) => {
                (&record.user, record.body).hash(&mut hasher);
                for line in &record.lines {
                    (&line.sku, line.quantity).hash(&mut hasher);
                }
                (Some(record.status), record.deadline_ms)
            }
            What::Claim(claim) => {
                (&claim.user, claim.claimed_ms).hash(&mut hasher);
                (None, 0)
            }
        };
        let returned = projection.returned.iter();
        let returned = returned.map(|(sku, total)| of_return(sku, *total));
        Self {
            seq: projection.seq(),
            begun: hasher.finish(),
            status,
            deadline_ms,
            returned: returned.fold(0, u64::wrapping_add),
            ended_at: projection.ended_at,
        }
    }
}

/// Of so many units of one sku; nothing of none, so that prints of skus can be added up.
fn of_return(sku: &SkuId, total: u32) -> u64 {
    if total == 0 {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    (sku, total).hash(&mut hasher);
    hasher.finish()
}

/// Prints by id; takes events in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Prints(HashMap<ReservationId, Print>);

impl Prints {
    pub(super) fn take(&mut self, epoch: u32, at: DateTime<Utc>, event: &Event) {
        match event {
            Event::Reservation { id, record } if record.status != Status::Held => {
                if let Some(print) = self.0.get_mut(id) {
                    print.status = Some(record.status);
                    print.deadline_ms = record.deadline_ms;
                    print.ended_at = (!record.status.is_live()).then_some(at);
                }
            }
            Event::Returned(back) => {
                if let Some(print) = self.0.get_mut(&back.id) {
                    let before = back.total.saturating_sub(back.quantity);
                    let (was, now) = (
                        of_return(&back.sku, before),
                        of_return(&back.sku, back.total),
                    );
                    print.returned = print.returned.wrapping_sub(was).wrapping_add(now);
                }
            }
            Event::Reservation { id, .. } | Event::Claimed { id, .. } => {
                let mut folder = Folder::default();
                folder.take(epoch, at, event);
                if let Some(begun) = folder.projection(*id) {
                    self.0.insert(*id, Print::of(&begun));
                }
            }
            _ => {}
        }
    }

    /// Takes one out; what is left in the end, the books do not have.
    pub(super) fn remove(&mut self, id: ReservationId) -> Option<Print> {
        self.0.remove(&id)
    }

    pub(super) fn rest(&self) -> impl Iterator<Item = (ReservationId, u64)> {
        self.0.iter().map(|(id, print)| (*id, print.seq))
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::clock;
    use doorbuster_core::ids::{BodyHash, UserId};
    use doorbuster_core::record::{Line, Record};
    use doorbuster_core::returns::{Return, ReturnTo};

    use super::*;

    fn event(status: Status, user: &str) -> Event {
        let line = Line {
            sku: SkuId::parse("tee").unwrap(),
            quantity: 1,
        };
        let record = Record {
            status,
            seq: 2,
            deadline_ms: 9,
            user: UserId::parse(user).unwrap(),
            lines: vec![line],
            body: BodyHash::from_bytes([1; 16]),
        };
        Event::Reservation {
            id: ReservationId::from_bytes([7; 16]),
            record,
        }
    }

    /// By the prints, and by folding.
    fn both(events: &[(u64, Event)]) -> (Print, Print) {
        let id = ReservationId::from_bytes([7; 16]);
        let (mut prints, mut folder) = (Prints::default(), Folder::default());
        for (ms, event) in events {
            prints.take(1, clock::from_ms(*ms), event);
            folder.take(1, clock::from_ms(*ms), event);
        }
        let print = prints.remove(id).unwrap();
        (print, Print::of(&folder.projection(id).unwrap()))
    }

    #[test]
    fn a_print_is_that_of_the_folded_events_and_differs_where_they_do() {
        let held = event(Status::Held, "ann");
        let (alone, folded) = both(&[(5, held.clone())]);
        assert_eq!(alone, folded);
        let (paid, folded) = both(&[(5, held), (6, event(Status::Paid, "ann"))]);
        assert_eq!(paid, folded);
        let back = |sku: &str, quantity, total| {
            Event::Returned(Box::new(Return {
                id: ReservationId::from_bytes([7; 16]),
                began: 2,
                user: UserId::parse("ann").unwrap(),
                sku: SkuId::parse(sku).unwrap(),
                quantity,
                total,
                to: ReturnTo::Shelf,
                key: "k".into(),
            }))
        };
        let begun = || {
            vec![
                (5, event(Status::Held, "ann")),
                (6, event(Status::Paid, "ann")),
            ]
        };
        let (some, folded) = both(
            &[
                begun(),
                vec![(7, back("tee", 1, 1)), (8, back("cap", 2, 2))],
            ]
            .concat(),
        );
        assert_eq!(some, folded);
        let (more, folded) = both(
            &[
                begun(),
                vec![
                    (7, back("tee", 1, 1)),
                    (8, back("cap", 1, 1)),
                    (9, back("cap", 1, 2)),
                ],
            ]
            .concat(),
        );
        assert_eq!((some, more), (more, folded));
        assert_ne!(some, paid);
        let (eves, _) = both(&[(5, event(Status::Held, "eve"))]);
        let (later, _) = both(&[(6, event(Status::Held, "ann"))]);
        assert!(![paid, eves, later].contains(&alone));
    }
}
