//! What the scripts should do, said once more in plain Rust over plain maps. Used by `model`, which plays the same moves
//! on both sides. Written from the design, not from the Lua.

use std::collections::BTreeMap;

use doorbuster_core::gate::adjust::Adjusted;
use doorbuster_core::gate::cancel::Cancelled;
use doorbuster_core::gate::claim::{ClaimCoupon, Claimed};
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::gate::switch::{Switched, Verb};
use doorbuster_core::ids::{ReservationId, SkuId, UserId};
use doorbuster_core::limits::ENDED_PER_USER_MAX;
use doorbuster_core::record::{Claim, Line, Reason, Record, Status};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shelf {
    pub(crate) stocked: u64,
    pub(crate) left: u64,
    pub(crate) held: u64,
    pub(crate) sold: u64,
    pub(crate) limit: u64,
    pub(crate) restocked: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) verb: Option<Verb>,
    pub(crate) seq: u64,
    pub(crate) hold_ms: u64,
    pub(crate) payment_ms: u64,
    pub(crate) shelves: BTreeMap<SkuId, Shelf>,
    pub(crate) counts: BTreeMap<(UserId, SkuId), u64>,
    pub(crate) ended: BTreeMap<UserId, u64>,
    pub(crate) records: BTreeMap<ReservationId, Record>,
    pub(crate) claims: BTreeMap<ReservationId, Claim>,
    pub(crate) order: Vec<ReservationId>,
    pub(crate) adjusts: BTreeMap<String, (u64, u64, SkuId, i64)>,
    /// Units of each sku of a paid reservation that have come back.
    pub(crate) returns: BTreeMap<(ReservationId, SkuId), u32>,
    /// Returns by letter and key, and the event that ended each.
    pub(crate) returned: BTreeMap<(ReservationId, char, String), u64>,
}

impl Reference {
    pub(crate) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    fn count(&self, user: &UserId, sku: &SkuId) -> u64 {
        self.counts
            .get(&(user.clone(), sku.clone()))
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn reserve(&mut self, ask: &Reserve, now_ms: u64) -> Reserved {
        if let Some(record) = self.records.get(&ask.id) {
            let same = record.body == ask.body;
            return if same {
                Reserved::Repeat(Box::new(record.clone()))
            } else {
                Reserved::Mismatch
            };
        }
        match self.verb {
            Some(Verb::Close) => return Reserved::Closed,
            Some(Verb::Pause) => return Reserved::Paused,
            Some(Verb::Resume) | None => {}
        }
        if let Some(refusal) = self.refusal(ask) {
            return refusal;
        }
        for Line { sku, quantity } in &ask.lines {
            let (units, shelf) = (u64::from(*quantity), self.shelves.get_mut(sku).unwrap());
            shelf.left -= units;
            shelf.held += units;
            *self
                .counts
                .entry((ask.user.clone(), sku.clone()))
                .or_default() += units;
        }
        let (seq, deadline_ms) = (self.next_seq(), now_ms + self.hold_ms);
        let Reserve {
            id,
            user,
            body,
            lines,
        } = ask.clone();
        self.records.insert(
            id,
            Record {
                status: Status::Held,
                seq,
                deadline_ms,
                user,
                lines,
                body,
            },
        );
        self.order.push(id);
        Reserved::Held { seq, deadline_ms }
    }

    fn refusal(&self, ask: &Reserve) -> Option<Reserved> {
        if let Some(line) = ask
            .lines
            .iter()
            .find(|line| !self.shelves.contains_key(&line.sku))
        {
            return Some(Reserved::UnknownSku(line.sku.clone()));
        }
        let ended_max = u64::from(ENDED_PER_USER_MAX);
        if self
            .ended
            .get(&ask.user)
            .is_some_and(|ended| *ended >= ended_max)
        {
            return Some(Reserved::LimitReached {
                sku: ask.lines[0].sku.clone(),
                limit: ended_max,
            });
        }
        let beyond = ask.lines.iter().find_map(|Line { sku, quantity }| {
            let (limit, wanted) = (
                self.shelves[sku].limit,
                self.count(&ask.user, sku) + u64::from(*quantity),
            );
            (limit > 0 && wanted > limit).then(|| Reserved::LimitReached {
                sku: sku.clone(),
                limit,
            })
        });
        let short = || {
            ask.lines.iter().find_map(|Line { sku, quantity }| {
                let left = self.shelves[sku].left;
                (left < u64::from(*quantity)).then(|| Reserved::SoldOut {
                    sku: sku.clone(),
                    left,
                })
            })
        };
        beyond.or_else(short)
    }

    pub(crate) fn claim(&mut self, ask: &ClaimCoupon, sku: &SkuId, now_ms: u64) -> Claimed {
        if let Some(claim) = self.claims.get(&ask.id) {
            return Claimed::Repeat(claim.clone());
        }
        let shelf = self.shelves[sku];
        match self.verb {
            Some(Verb::Close) => return Claimed::Closed,
            Some(Verb::Pause) => return Claimed::Paused,
            _ if shelf.limit > 0 && self.count(&ask.user, sku) >= shelf.limit => {
                return Claimed::AlreadyClaimed { limit: shelf.limit };
            }
            _ if shelf.left == 0 => return Claimed::SoldOut,
            _ => {}
        }
        self.shelves.insert(
            sku.clone(),
            Shelf {
                left: shelf.left - 1,
                sold: shelf.sold + 1,
                ..shelf
            },
        );
        *self
            .counts
            .entry((ask.user.clone(), sku.clone()))
            .or_default() += 1;
        let seq = self.next_seq();
        self.claims.insert(
            ask.id,
            Claim {
                seq,
                claimed_ms: now_ms,
                user: ask.user.clone(),
            },
        );
        Claimed::Claimed { seq }
    }

    pub(crate) fn cancel(&mut self, id: ReservationId, user: &UserId, now_ms: u64) -> Cancelled {
        let Some(record) = self.records.get(&id).filter(|record| record.user == *user) else {
            return Cancelled::UnknownReservation;
        };
        let is_paying = record.status == Status::Paying;
        if is_paying && record.deadline_ms > now_ms {
            return Cancelled::InFlight(Box::new(record.clone()));
        }
        if record.status != Status::Held && !is_paying {
            return Cancelled::Ended {
                seq: self.seq,
                record: Box::new(record.clone()),
            };
        }
        let overdue = record.deadline_ms <= now_ms;
        let record = Box::new(self.end(
            &[id],
            if overdue {
                Reason::Expired
            } else {
                Reason::Cancelled
            },
        ));
        let seq = self.seq;
        if overdue {
            Cancelled::Ended { seq, record }
        } else {
            Cancelled::Cancelled { seq, record }
        }
    }

    /// Ends these holds in one call; the last one's record.
    pub(crate) fn end(&mut self, ids: &[ReservationId], reason: Reason) -> Record {
        let last_seq = self.seq + ids.len() as u64;
        let empty: Vec<SkuId> = self
            .shelves
            .iter()
            .filter(|(_, shelf)| shelf.left == 0)
            .map(|(sku, _)| sku.clone())
            .collect();
        for id in ids {
            let record = self.records.get_mut(id).unwrap();
            record.status = Status::Released(reason);
            for Line { sku, quantity } in &record.lines {
                let (units, shelf) = (u64::from(*quantity), self.shelves.get_mut(sku).unwrap());
                shelf.left += units;
                shelf.held -= units;
                if empty.contains(sku) {
                    shelf.restocked = last_seq;
                }
                *self
                    .counts
                    .get_mut(&(record.user.clone(), sku.clone()))
                    .unwrap() -= units;
            }
            *self.ended.entry(record.user.clone()).or_default() += 1;
        }
        self.counts.retain(|_, count| *count > 0);
        self.seq = last_seq;
        self.records[ids.last().unwrap()].clone()
    }

    pub(crate) fn adjust(&mut self, key: &str, sku: &SkuId, by: i64) -> Adjusted {
        if let Some((seq, left, was_sku, was_by)) = self.adjusts.get(key) {
            let same = (was_sku, *was_by) == (sku, by);
            return if same {
                Adjusted::Repeat {
                    seq: *seq,
                    left: *left,
                }
            } else {
                Adjusted::Mismatch
            };
        }
        if self.verb == Some(Verb::Close) {
            return Adjusted::Closed;
        }
        let Some(shelf) = self.shelves.get(sku).copied() else {
            return Adjusted::UnknownSku;
        };
        let Some(left) = shelf.left.checked_add_signed(by) else {
            return Adjusted::Insufficient { left: shelf.left };
        };
        let seq = self.next_seq();
        let restocked = if shelf.left == 0 {
            seq
        } else {
            shelf.restocked
        };
        let stocked = shelf.stocked.checked_add_signed(by).unwrap();
        self.shelves.insert(
            sku.clone(),
            Shelf {
                stocked,
                left,
                restocked,
                ..shelf
            },
        );
        self.adjusts
            .insert(key.to_string(), (seq, left, sku.clone(), by));
        Adjusted::Adjusted { seq, left }
    }

    pub(crate) fn switch(&mut self, verb: Verb) -> Switched {
        match (self.verb.unwrap_or(Verb::Resume), verb) {
            (was, verb) if was == verb => Switched::Already,
            (Verb::Close, _) => Switched::Closed,
            (_, verb) => {
                self.verb = Some(verb);
                Switched::Switched {
                    seq: self.next_seq(),
                }
            }
        }
    }
}
