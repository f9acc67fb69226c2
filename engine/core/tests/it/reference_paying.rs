//! The part of the reference that has deadlines and money in it: what is being paid, what is sold, what comes back, what ends by itself.

use doorbuster_core::gate::begin_payment::BegunPayment;
use doorbuster_core::gate::release::Released;
use doorbuster_core::gate::restock::Returned;
use doorbuster_core::gate::settle::Settled;
use doorbuster_core::gate::sweep::Sweep;
use doorbuster_core::ids::{ReservationId, SkuId, UserId};
use doorbuster_core::limits::SWEEP_HOLDS_MAX;
use doorbuster_core::record::{Line, Reason, Record, Status};
use doorbuster_core::returns::ReturnTo;

use crate::reference::Reference;

impl Reference {
    fn of(&self, id: ReservationId, user: &UserId) -> Option<Record> {
        let record = self.records.get(&id)?;
        (record.user == *user).then(|| record.clone())
    }

    fn turn(&mut self, id: ReservationId, status: Status) -> (u64, Box<Record>) {
        let seq = self.next_seq();
        let record = self.records.get_mut(&id).unwrap();
        record.status = status;
        (seq, Box::new(record.clone()))
    }

    pub(crate) fn begin_payment(
        &mut self,
        id: ReservationId,
        user: &UserId,
        now_ms: u64,
    ) -> BegunPayment {
        let Some(was) = self.of(id, user) else {
            return BegunPayment::UnknownReservation;
        };
        let (seq, record) = (self.seq, Box::new(was.clone()));
        match was.status {
            Status::Paid => BegunPayment::Paid(record),
            Status::Released(_) => BegunPayment::Ended { seq, record },
            _ if was.deadline_ms <= now_ms => {
                let record = Box::new(self.end(&[id], Reason::Expired));
                let seq = self.seq;
                BegunPayment::Ended { seq, record }
            }
            Status::Paying => BegunPayment::Paying { seq, record },
            Status::Held => {
                self.records.get_mut(&id).unwrap().deadline_ms = now_ms + self.payment_ms;
                let (seq, record) = self.turn(id, Status::Paying);
                BegunPayment::Paying { seq, record }
            }
        }
    }

    pub(crate) fn settle(
        &mut self,
        id: ReservationId,
        user: &UserId,
        reacquire: bool,
        now_ms: u64,
    ) -> Settled {
        let Some(was) = self.of(id, user) else {
            return Settled::UnknownReservation;
        };
        let (seq, record) = (self.seq, Box::new(was.clone()));
        match was.status {
            Status::Held => Settled::NotPaying(record),
            Status::Paid => Settled::Paid {
                seq,
                record,
                reacquired: false,
            },
            Status::Paying if was.deadline_ms <= now_ms && !reacquire => Settled::Gone {
                record: Box::new(self.end(&[id], Reason::Expired)),
            },
            Status::Paying => {
                for Line { sku, quantity } in &was.lines {
                    let (units, shelf) = (u64::from(*quantity), self.shelves.get_mut(sku).unwrap());
                    (shelf.held, shelf.sold) = (shelf.held - units, shelf.sold + units);
                }
                let (seq, record) = self.turn(id, Status::Paid);
                Settled::Paid {
                    seq,
                    record,
                    reacquired: false,
                }
            }
            Status::Released(Reason::Refunded) => Settled::Gone { record },
            Status::Released(_) => {
                let has = |line: &Line| self.shelves[&line.sku].left >= u64::from(line.quantity);
                if !reacquire || !was.lines.iter().all(has) {
                    return Settled::Gone { record };
                }
                for Line { sku, quantity } in &was.lines {
                    let (units, shelf) = (u64::from(*quantity), self.shelves.get_mut(sku).unwrap());
                    (shelf.left, shelf.sold) = (shelf.left - units, shelf.sold + units);
                    *self.counts.entry((user.clone(), sku.clone())).or_default() += units;
                }
                *self.ended.get_mut(user).unwrap() -= 1;
                self.ended.retain(|_, count| *count > 0);
                self.next_seq();
                let (seq, record) = self.turn(id, Status::Paid);
                Settled::Paid {
                    seq,
                    record,
                    reacquired: true,
                }
            }
        }
    }

    pub(crate) fn release(&mut self, id: ReservationId, user: &UserId, now_ms: u64) -> Released {
        let Some(was) = self.of(id, user) else {
            return Released::UnknownReservation;
        };
        match was.status {
            Status::Paid => Released::Paid(Box::new(was)),
            Status::Released(_) => Released::Ended {
                seq: self.seq,
                record: Box::new(was),
            },
            Status::Held | Status::Paying if was.deadline_ms <= now_ms => {
                let record = Box::new(self.end(&[id], Reason::Expired));
                let seq = self.seq;
                Released::Ended { seq, record }
            }
            Status::Held | Status::Paying => {
                let record = Box::new(self.end(&[id], Reason::PaymentFailed));
                let seq = self.seq;
                Released::Released { seq, record }
            }
        }
    }

    pub(crate) fn bring_back(
        &mut self,
        to: ReturnTo,
        id: ReservationId,
        user: &UserId,
        key: &str,
        lines: &[(SkuId, u32)],
    ) -> Returned {
        let Some(was) = self.of(id, user) else {
            return Returned::UnknownReservation;
        };
        let done = (id, to.letter(), key.to_owned());
        if let Some(seq) = self.returned.get(&done) {
            return Returned::Already { seq: *seq };
        }
        if was.status != Status::Paid {
            return Returned::NotPaid(Box::new(was));
        }
        let total = |sku: &SkuId| self.returns.get(&(id, sku.clone())).copied().unwrap_or(0);
        let fits = |(sku, units): &(SkuId, u32)| {
            let bought = was.lines.iter().find(|line| line.sku == *sku);
            bought.is_some_and(|line| total(sku) + units <= line.quantity)
        };
        if !lines.iter().all(fits) {
            return Returned::TooMany;
        }
        self.seq += lines.len() as u64;
        let mut empty = Vec::new();
        for (sku, quantity) in lines {
            *self.returns.entry((id, sku.clone())).or_default() += quantity;
            let (units, shelf) = (u64::from(*quantity), self.shelves.get_mut(sku).unwrap());
            shelf.sold -= units;
            match to {
                ReturnTo::Shelf if shelf.left == 0 => empty.push(sku.clone()),
                _ => {}
            }
            match to {
                ReturnTo::Shelf => shelf.left += units,
                ReturnTo::WriteOff => shelf.stocked -= units,
            }
            *self.counts.get_mut(&(user.clone(), sku.clone())).unwrap() -= units;
        }
        self.counts.retain(|_, count| *count > 0);
        let is_back = |line: &Line| {
            let total = self.returns.get(&(id, line.sku.clone()));
            total == Some(&line.quantity)
        };
        if was.lines.iter().all(is_back) {
            *self.ended.entry(user.clone()).or_default() += 1;
            self.turn(id, Status::Released(Reason::Refunded));
        }
        for sku in empty {
            self.shelves.get_mut(&sku).unwrap().restocked = self.seq;
        }
        self.returned.insert(done, self.seq);
        Returned::Done { seq: self.seq }
    }

    /// Those being paid whose time is up, the earliest first; as many as one sweep takes.
    fn unpaid(&self, now_ms: u64) -> Vec<ReservationId> {
        let mut unpaid: Vec<(u64, ReservationId)> = self
            .records
            .iter()
            .filter(|(_, record)| record.status == Status::Paying && record.deadline_ms <= now_ms)
            .map(|(id, record)| (record.deadline_ms, *id))
            .collect();
        unpaid.sort_by_key(|(deadline_ms, id)| (*deadline_ms, *id.as_bytes()));
        unpaid.truncate(SWEEP_HOLDS_MAX / 2);
        unpaid.into_iter().map(|(_, id)| id).collect()
    }

    pub(crate) fn sweep(&mut self, now_ms: u64) -> Sweep {
        let unpaid = self.unpaid(now_ms);
        let order_max = SWEEP_HOLDS_MAX - unpaid.len();
        let looked_at: Vec<ReservationId> = self.order.iter().take(order_max).copied().collect();
        let ends_here = |id: &ReservationId| {
            self.records[id].status == Status::Held && self.records[id].deadline_ms > now_ms
        };
        let stop = looked_at.iter().position(ends_here);
        let taken = &looked_at[..stop.unwrap_or(looked_at.len())];
        let held = taken
            .iter()
            .filter(|id| self.records[id].status == Status::Held);
        let due: Vec<ReservationId> = held.copied().chain(unpaid.iter().copied()).collect();
        let of_order = match stop {
            Some(stop) => self.records[&looked_at[stop]].deadline_ms,
            None if looked_at.len() == order_max => now_ms,
            None => now_ms + self.hold_ms,
        };
        let paying = self
            .records
            .values()
            .filter(|record| record.status == Status::Paying && record.deadline_ms > now_ms);
        let next_payment = paying.map(|record| record.deadline_ms).min();
        let next_ms = if unpaid.len() == SWEEP_HOLDS_MAX / 2 {
            now_ms
        } else {
            let soonest = now_ms + self.payment_ms;
            of_order.min(next_payment.unwrap_or(soonest)).min(soonest)
        };
        let oldest_ms = due.iter().map(|id| self.records[id].deadline_ms).min();
        self.order.drain(..taken.len());
        if !due.is_empty() {
            self.end(&due, Reason::Expired);
        }
        Sweep {
            now_ms,
            released: due.len() as u64,
            oldest_ms: oldest_ms.unwrap_or(0),
            next_ms,
        }
    }
}
