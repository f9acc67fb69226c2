//! From events to what they come to: pure. Called by `projection` and by repairs.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{ReservationId, SkuId};
use doorbuster_core::journal::Event;
use doorbuster_core::record::{Claim, Record, Status};
use serde_json::{Value, json};

/// A reservation or claim as its events leave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Projection {
    pub(crate) id: ReservationId,
    /// Of the event that began it.
    pub(crate) epoch: u32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) what: What,
    /// Units of a paid reservation that have come back.
    pub(crate) returned: BTreeMap<SkuId, u32>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

/// Which of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// With the last status, and its lines in the order of skus.
    Reservation(Record),
    Claim(Claim),
}

impl Projection {
    /// The event that began it: its key in the books.
    pub(crate) fn seq(&self) -> u64 {
        match &self.what {
            What::Reservation(record) => record.seq,
            What::Claim(claim) => claim.seq,
        }
    }

    /// All of it, for people and the audit log.
    pub(crate) fn to_json(&self) -> Value {
        let written = |at| clock::rfc3339(clock::to_ms(at));
        match &self.what {
            What::Reservation(record) => {
                let lines: Vec<String> = record
                    .lines
                    .iter()
                    .map(|line| format!("{}={}", line.sku, line.quantity))
                    .collect();
                let returned = self.returned.iter();
                let returned: Vec<String> = returned
                    .map(|(sku, units)| format!("{sku}={units}"))
                    .collect();
                json!({
                    "seq": record.seq, "epoch": self.epoch, "user": record.user.as_str(), "lines": lines.join(","),
                    "returned": returned.join(","),
                    "status": record.status.as_str(), "reason": record.status.reason(),
                    "deadline": clock::rfc3339(record.deadline_ms),
                    "body": format!("{:032x}", u128::from_be_bytes(*record.body.as_bytes())),
                    "created_at": written(self.created_at), "ended_at": self.ended_at.map(written)
                })
            }
            What::Claim(claim) => json!({
                "seq": claim.seq, "epoch": self.epoch, "user": claim.user.as_str(), "status": "claimed",
                "claimed_at": written(self.created_at)
            }),
        }
    }
}

/// Takes events in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Folder(HashMap<ReservationId, Projection>);

impl Folder {
    pub(crate) fn take(&mut self, epoch: u32, at: DateTime<Utc>, event: &Event) {
        match event {
            Event::Reservation { id, record } if record.status == Status::Held => {
                let mut record = record.clone();
                record.lines.sort_by(|a, b| a.sku.cmp(&b.sku));
                self.begin(*id, epoch, at, What::Reservation(record));
            }
            Event::Reservation { id, record } => {
                let Some(known) = self.0.get_mut(id) else {
                    return;
                };
                if let What::Reservation(held) = &mut known.what {
                    (held.status, held.deadline_ms) = (record.status, record.deadline_ms);
                    known.ended_at = (!record.status.is_live()).then_some(at);
                }
            }
            Event::Returned(returned) => {
                if let Some(known) = self.0.get_mut(&returned.id) {
                    known.returned.insert(returned.sku.clone(), returned.total);
                }
            }
            Event::Claimed { id, claim } => {
                let claimed_at = clock::from_ms(claim.claimed_ms);
                self.begin(*id, epoch, claimed_at, What::Claim(claim.clone()));
            }
            _ => {}
        }
    }

    fn begin(&mut self, id: ReservationId, epoch: u32, created_at: DateTime<Utc>, what: What) {
        let begun = Projection {
            id,
            epoch,
            created_at,
            what,
            returned: BTreeMap::new(),
            ended_at: None,
        };
        self.0.insert(id, begun);
    }

    /// `None` where the event that began it was not among those taken.
    pub(crate) fn projection(&self, id: ReservationId) -> Option<Projection> {
        self.0.get(&id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::{BodyHash, UserId};
    use doorbuster_core::record::{Line, Reason};

    use super::*;

    fn turned(status: Status) -> Event {
        let line = |sku: &str| Line {
            sku: SkuId::parse(sku).unwrap(),
            quantity: 1,
        };
        let record = Record {
            status,
            seq: 7,
            deadline_ms: 99,
            user: UserId::parse("ann").unwrap(),
            lines: vec![line("tee"), line("cap")],
            body: BodyHash::from_bytes([1; 16]),
        };
        Event::Reservation {
            id: ReservationId::from_bytes([7; 16]),
            record,
        }
    }

    #[test]
    fn the_last_word_stands_and_the_first_says_when_it_began() {
        let (id, at) = (ReservationId::from_bytes([7; 16]), clock::from_ms);
        let mut folder = Folder::default();
        folder.take(1, at(5), &turned(Status::Held));
        folder.take(1, at(6), &turned(Status::Paying));
        assert_eq!(folder.projection(id).unwrap().ended_at, None);
        folder.take(2, at(8), &turned(Status::Released(Reason::Expired)));
        let projection = folder.projection(id).unwrap();
        assert_eq!(
            (projection.epoch, projection.created_at, projection.ended_at),
            (1, at(5), Some(at(8)))
        );
        let shown = projection.to_json();
        assert_eq!(
            (&shown["status"], &shown["reason"], &shown["lines"]),
            (&json!("released"), &json!("expired"), &json!("cap=1,tee=1"))
        );
    }

    #[test]
    fn an_end_without_a_beginning_is_nothing() {
        let mut folder = Folder::default();
        folder.take(1, clock::from_ms(5), &turned(Status::Paid));
        assert_eq!(folder.projection(ReservationId::from_bytes([7; 16])), None);
    }
}
