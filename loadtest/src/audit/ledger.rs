//! The sale told again from the journal alone: what each event did to stock, limits and reservations, and when.
//!
//! Called by `judge`, which then holds Redis, the tables and the clients against it, and by the report for its chart.

use std::collections::{BTreeMap, HashMap};

use doorbuster_core::ids::{ReservationId, SkuId, UserId};
use doorbuster_core::journal::Event;
use doorbuster_core::record::{Line, Reason, Record, Status};
use doorbuster_core::returns::{Return, ReturnTo};

use super::facts::{Books, Holding, JournalRow};
use super::{Verdict, Wrong};

/// What the journal amounts to.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub last_seq: u64,
    pub skus: BTreeMap<SkuId, Course>,
    pub holdings: HashMap<ReservationId, Holding>,
    /// Users who had too many units at some moment, and of what.
    pub breaches: Vec<(UserId, SkuId)>,
    /// Longest time from a deadline until its units were back; `None` if no hold ran out.
    pub sweep_lag_ms_max: Option<u64>,
    pub expired: u64,
    pub cancelled: u64,
    /// Units of paid reservations that have come back.
    pub returned: HashMap<(ReservationId, SkuId), u32>,
    /// Until when they were held, of those whose time was then extended for payment.
    pub extended: HashMap<ReservationId, u64>,
    counted: HashMap<(UserId, SkuId), u64>,
}

/// The course of one sku.
#[derive(Debug, Clone, Default)]
pub struct Course {
    pub stocked: i64,
    pub left: i64,
    /// Units in buyers' hands above stock, at the worst moment.
    pub oversold_max: i64,
    /// What was left after each event that changed it, by seq.
    pub steps: Vec<Step>,
}

/// What was left from an event on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub seq: u64,
    pub at_ms: u64,
    pub left: i64,
}

/// A stretch of the journal.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    pub from_ms: u64,
    pub to_ms: u64,
    pub before_seq: u64,
}

/// Replays `books.journal`, noting what cannot have happened.
pub(super) fn replay(books: &Books, verdict: &mut Verdict) -> Ledger {
    let mut ledger = Ledger::default();
    for row in &books.journal {
        ledger.number(row, verdict);
        match &row.event {
            Ok(event) => ledger.apply(row, event, books, verdict),
            Err(why) => verdict.note(Wrong::Differences, || {
                format!("journal event {} is malformed: {why}", row.seq)
            }),
        }
    }
    for (user, sku) in &ledger.breaches {
        verdict.note(Wrong::LimitBreaches, || {
            format!("{user} had more units of {sku} than one user may have")
        });
    }
    ledger
}

impl Ledger {
    /// Numbers go 1, 2, 3, …
    fn number(&mut self, row: &JournalRow, verdict: &mut Verdict) {
        let expected = self.last_seq + 1;
        if row.seq < expected {
            verdict.note(Wrong::Duplicated, || {
                format!("the journal has event {} twice", row.seq)
            });
        } else if row.seq > expected {
            let missing = row.seq - expected;
            verdict.note_many(Wrong::Duplicated, missing, || {
                format!("the journal jumps from {} to {}", self.last_seq, row.seq)
            });
        }
        self.last_seq = self.last_seq.max(row.seq);
    }

    fn apply(&mut self, row: &JournalRow, event: &Event, books: &Books, verdict: &mut Verdict) {
        if row.kind != event.kind() {
            verdict.note(Wrong::Differences, || {
                format!(
                    "journal event {}: kind {} of a {}",
                    row.seq,
                    row.kind,
                    event.kind()
                )
            });
        }
        match event {
            Event::Opened(lines) => lines
                .iter()
                .for_each(|line| self.restock(row, &line.sku, line.quantity.into())),
            Event::Adjusted { sku, by } => self.restock(row, sku, *by),
            Event::Paused
            | Event::Resumed
            | Event::Closed
            | Event::Rebuilt
            | Event::Lost
            | Event::Drawn(_) => {}
            Event::Reacquired { id, record } => self.reacquire(row, *id, record, verdict),
            Event::Returned(returned) => self.bring_back(row, returned, verdict),
            Event::Reservation { id, record } => {
                self.put(row, *id, record.clone().into(), books, verdict)
            }
            Event::Claimed { id, claim } => match books.offered.keys().next() {
                Some(sku) => self.put(
                    row,
                    *id,
                    Holding::of_claim(claim.clone(), sku.clone()),
                    books,
                    verdict,
                ),
                None => verdict.note(Wrong::Differences, || {
                    format!("event {} claims a coupon that was never published", row.seq)
                }),
            },
        }
    }

    fn restock(&mut self, row: &JournalRow, sku: &SkuId, by: i64) {
        let course = self.skus.entry(sku.clone()).or_default();
        course.stocked += by;
        course.move_by(row, by);
    }

    /// What had ended has its units again; the limit is not asked.
    fn reacquire(
        &mut self,
        row: &JournalRow,
        id: ReservationId,
        record: &Record,
        verdict: &mut Verdict,
    ) {
        let ended = Holding::from(record.clone());
        if self.holdings.get(&id) != Some(&ended) {
            verdict.note(Wrong::Duplicated, || {
                format!(
                    "event {}: {id} is reacquired, but was not {ended:?}",
                    row.seq
                )
            });
        }
        for line in &ended.lines {
            let course = self.skus.entry(line.sku.clone()).or_default();
            course.move_by(row, -i64::from(line.quantity));
            let whose = (ended.user.clone(), line.sku.clone());
            *self.counted.entry(whose).or_default() += u64::from(line.quantity);
        }
        let status = Status::Paying;
        self.holdings.insert(id, Holding { status, ..ended });
    }

    fn bring_back(&mut self, row: &JournalRow, returned: &Return, verdict: &mut Verdict) {
        let holding = self.holdings.get(&returned.id);
        let bought = holding
            .filter(|holding| holding.status == Status::Paid && holding.seq == returned.began)
            .and_then(|holding| holding.lines.iter().find(|line| line.sku == returned.sku))
            .map_or(0, |line| line.quantity);
        let at = (returned.id, returned.sku.clone());
        let total = self.returned.entry(at).or_default();
        *total += returned.quantity;
        if *total != returned.total || *total > bought {
            verdict.note(Wrong::Duplicated, || {
                format!("event {}: {returned:?} of {bought} bought", row.seq)
            });
        }
        let course = self.skus.entry(returned.sku.clone()).or_default();
        course.stocked += returned.stocked_by();
        if returned.to == ReturnTo::Shelf {
            course.move_by(row, returned.quantity.into());
        }
        let whose = (returned.user.clone(), returned.sku.clone());
        let counted = self.counted.entry(whose).or_default();
        *counted = counted.saturating_sub(returned.quantity.into());
    }

    fn put(
        &mut self,
        row: &JournalRow,
        id: ReservationId,
        new: Holding,
        books: &Books,
        verdict: &mut Verdict,
    ) {
        let old = self.holdings.get(&id).cloned();
        if !may_follow(old.as_ref(), &new, row.seq) {
            verdict.note(Wrong::Duplicated, || {
                format!("event {}: {id} goes from {old:?} to {new:?}", row.seq)
            });
        }
        if let Some(held) = old.as_ref().filter(|old| old.status == Status::Held)
            && new.status == Status::Paying
        {
            self.extended.insert(id, held.at_ms);
        }
        let was_live = old.is_some_and(|old| old.status.is_live());
        match (was_live, new.status.is_live()) {
            (false, true) => new
                .lines
                .iter()
                .for_each(|line| self.take(row, &new.user, line, books)),
            // Its units have come back before, each sku by an event of its own.
            (true, false) if new.status == Status::Released(Reason::Refunded) => {}
            (true, false) => new
                .lines
                .iter()
                .for_each(|line| self.give_back(row, &new.user, line)),
            (true, true) | (false, false) => {}
        }
        self.count_end(row, &new);
        self.holdings.insert(id, new);
    }

    fn take(&mut self, row: &JournalRow, user: &UserId, line: &Line, books: &Books) {
        let course = self.skus.entry(line.sku.clone()).or_default();
        course.move_by(row, -i64::from(line.quantity));
        let whose = (user.clone(), line.sku.clone());
        let counted = self.counted.entry(whose.clone()).or_default();
        *counted += u64::from(line.quantity);
        let breaks = books.limit(&line.sku).is_some_and(|limit| *counted > limit);
        if breaks && !self.breaches.contains(&whose) {
            self.breaches.push(whose);
        }
    }

    fn give_back(&mut self, row: &JournalRow, user: &UserId, line: &Line) {
        self.skus
            .entry(line.sku.clone())
            .or_default()
            .move_by(row, line.quantity.into());
        let counted = self
            .counted
            .entry((user.clone(), line.sku.clone()))
            .or_default();
        *counted = counted.saturating_sub(line.quantity.into());
    }

    fn count_end(&mut self, row: &JournalRow, new: &Holding) {
        match new.status {
            Status::Released(Reason::Expired) => {
                let lag_ms = row.at_ms.saturating_sub(new.at_ms);
                self.sweep_lag_ms_max =
                    Some(self.sweep_lag_ms_max.map_or(lag_ms, |max| max.max(lag_ms)));
                self.expired += 1;
            }
            Status::Released(Reason::Cancelled) => self.cancelled += 1,
            _ => {}
        }
    }
}

/// A reservation comes to be once, under the number of its event, keeps everything but its state, and never comes back
/// after its release.
fn may_follow(old: Option<&Holding>, new: &Holding, seq: u64) -> bool {
    let Some(old) = old else {
        return new.status.is_live() && new.seq == seq;
    };
    let same = Holding {
        status: old.status,
        at_ms: old.at_ms,
        ..new.clone()
    } == *old;
    same && old.status.is_live() && old.status != new.status
}

impl Course {
    fn move_by(&mut self, row: &JournalRow, by: i64) {
        self.left += by;
        self.oversold_max = self.oversold_max.max(-self.left);
        self.steps.push(Step {
            seq: row.seq,
            at_ms: row.at_ms,
            left: self.left,
        });
    }

    /// Whether fewer than `quantity` were left at some moment from `from_ms` to `to_ms`, looking only at events before
    /// `before_seq`. Looks from the end, because what is sold out mostly stays so.
    pub fn was_below(&self, quantity: u32, moments: Moments) -> bool {
        let Moments {
            from_ms,
            to_ms,
            before_seq,
        } = moments;
        let until = self
            .steps
            .partition_point(|step| step.at_ms <= to_ms && step.seq < before_seq);
        for step in self.steps[..until].iter().rev() {
            if step.left < i64::from(quantity) {
                return true;
            }
            // This step tells what was left when the time began; those before it are out of it.
            if step.at_ms < from_ms {
                return false;
            }
        }
        // Nothing was stocked yet.
        self.steps.first().is_none_or(|step| step.at_ms >= from_ms)
    }

    /// What was left at a moment; nothing before the first event.
    pub fn left_at(&self, at_ms: u64) -> i64 {
        let until = self.steps.partition_point(|step| step.at_ms <= at_ms);
        self.steps[..until].last().map_or(0, |step| step.left)
    }
}
