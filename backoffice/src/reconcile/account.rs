//! Units per sku, summed up from events, from reservations, or from Redis's own counters. Pure.

use std::collections::BTreeMap;

use doorbuster_core::gate::snapshot::Snapshot;
use doorbuster_core::ids::LiveId;
use doorbuster_core::journal::Event;
use doorbuster_core::record::{Line, Reason, Status};

use super::fact::{Holding, Lines};

/// Units of one sku. What is left follows: stocked − held − sold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Units {
    pub(super) stocked: i64,
    pub(super) held: i64,
    pub(super) sold: i64,
}

/// Units of all skus of one sale or coupon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// The one sku of a coupon has the coupon's name.
    coupon: Option<String>,
    pub(super) skus: BTreeMap<String, Units>,
}

impl Account {
    pub(super) fn new(live: &LiveId) -> Self {
        let coupon = match live {
            LiveId::Sale(_) => None,
            LiveId::Coupon(id) => Some(id.to_string()),
        };
        Self {
            coupon,
            skus: BTreeMap::new(),
        }
    }

    /// Redis's own counters.
    pub(super) fn of_counters(snapshot: &Snapshot) -> Self {
        let units = |stock: &doorbuster_core::gate::snapshot::Stock| Units {
            stocked: stock.stocked.cast_signed(),
            held: stock.held.cast_signed(),
            sold: stock.sold.cast_signed(),
        };
        Self {
            coupon: None,
            skus: snapshot
                .stock
                .iter()
                .map(|(sku, stock)| (sku.to_string(), units(stock)))
                .collect(),
        }
    }

    /// Takes in one event, as the scripts do.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Opened(lines) => lines
                .iter()
                .for_each(|line| self.sku(line.sku.as_str()).stocked += i64::from(line.quantity)),
            Event::Adjusted { sku, by } => self.sku(sku.as_str()).stocked += by,
            Event::Reservation { record, .. } => record
                .lines
                .iter()
                .for_each(|line| self.turn(record.status, line)),
            Event::Reacquired { record, .. } => record
                .lines
                .iter()
                .for_each(|line| self.turn(Status::Held, line)),
            Event::Returned(returned) => {
                let units = self.sku(returned.sku.as_str());
                units.stocked += returned.stocked_by();
                units.sold -= i64::from(returned.quantity);
            }
            Event::Claimed { .. } => {
                if let Some(coupon) = self.coupon.clone() {
                    self.sku(&coupon).sold += 1;
                }
            }
            Event::Paused
            | Event::Resumed
            | Event::Closed
            | Event::Rebuilt
            | Event::Lost
            | Event::Drawn(_) => {}
        }
    }

    /// A line's units move as its reservation reaches `status`.
    fn turn(&mut self, status: Status, line: &Line) {
        let (units, quantity) = (self.sku(line.sku.as_str()), i64::from(line.quantity));
        match status {
            Status::Held => units.held += quantity,
            // What was sold has come back before, each sku by an event of its own.
            Status::Paying | Status::Released(Reason::Refunded) => {}
            Status::Paid => {
                units.held -= quantity;
                units.sold += quantity;
            }
            Status::Released(Reason::Expired | Reason::Cancelled | Reason::PaymentFailed) => {
                units.held -= quantity
            }
        }
    }

    /// Adds what one reservation holds: of one that is sold, what has not come back.
    pub(super) fn hold(&mut self, holding: Holding, lines: &Lines, returned: &Lines) {
        for (sku, quantity) in lines {
            match holding {
                Holding::Held => self.sku(sku).held += i64::from(*quantity),
                Holding::Sold => self.sku(sku).sold += i64::from(*quantity),
                Holding::Nothing => {}
            }
        }
        if holding == Holding::Sold {
            for (sku, quantity) in returned {
                self.sku(sku).sold -= i64::from(*quantity);
            }
        }
    }

    fn sku(&mut self, sku: &str) -> &mut Units {
        self.skus.entry(sku.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::{BodyHash, CouponId, ReservationId, SaleId, SkuId, UserId};
    use doorbuster_core::record::{Claim, Record};
    use doorbuster_core::returns::{Return, ReturnTo};

    use super::*;

    fn line(sku: &str, quantity: u32) -> Line {
        Line {
            sku: SkuId::parse(sku).unwrap(),
            quantity,
        }
    }

    fn turned(status: Status) -> Event {
        let (user, body) = (UserId::parse("ann").unwrap(), BodyHash::from_bytes([0; 16]));
        let record = Record {
            status,
            seq: 2,
            deadline_ms: 0,
            user,
            lines: vec![line("a", 2), line("b", 1)],
            body,
        };
        Event::Reservation {
            id: ReservationId::from_bytes([0; 16]),
            record,
        }
    }

    #[test]
    fn units_move_as_the_scripts_move_them() {
        let mut account = Account::new(&LiveId::Sale(SaleId::parse("s").unwrap()));
        let mut after = |event: &Event| {
            account.apply(event);
            let a = account.skus["a"];
            (a.stocked, a.held, a.sold)
        };
        assert_eq!(
            after(&Event::Opened(vec![line("a", 10), line("b", 5)])),
            (10, 0, 0)
        );
        assert_eq!(
            after(&Event::Adjusted {
                sku: SkuId::parse("a").unwrap(),
                by: -3
            }),
            (7, 0, 0)
        );
        assert_eq!(after(&turned(Status::Held)), (7, 2, 0));
        assert_eq!(after(&turned(Status::Paying)), (7, 2, 0));
        assert_eq!(after(&turned(Status::Paid)), (7, 0, 2));
        let back = |to, sku: &str, quantity| {
            Event::Returned(Box::new(Return {
                id: ReservationId::from_bytes([0; 16]),
                began: 2,
                user: UserId::parse("ann").unwrap(),
                sku: SkuId::parse(sku).unwrap(),
                quantity,
                total: quantity,
                to,
                key: "k".into(),
            }))
        };
        assert_eq!(after(&back(ReturnTo::Shelf, "a", 1)), (7, 0, 1));
        assert_eq!(after(&back(ReturnTo::WriteOff, "a", 1)), (6, 0, 0));
        assert_eq!(after(&back(ReturnTo::Shelf, "b", 1)), (6, 0, 0));
        let refunded = turned(Status::Released(Reason::Refunded));
        assert_eq!(after(&refunded), (6, 0, 0));
        let Event::Reservation { id, record } = turned(Status::Released(Reason::Expired)) else {
            panic!()
        };
        let record = Box::new(record);
        assert_eq!(after(&Event::Reacquired { id, record }), (6, 2, 0));
        assert_eq!(after(&turned(Status::Paid)), (6, 0, 2));
        for to in [ReturnTo::Shelf, ReturnTo::Shelf] {
            after(&back(to, "a", 1));
        }
        assert_eq!(after(&back(ReturnTo::Shelf, "b", 1)), (6, 0, 0));
        after(&Event::Adjusted {
            sku: SkuId::parse("a").unwrap(),
            by: 1,
        });
        for reason in [Reason::Expired, Reason::Cancelled, Reason::PaymentFailed] {
            after(&turned(Status::Held));
            assert_eq!(after(&turned(Status::Released(reason))), (7, 0, 0));
        }
        assert_eq!(
            account.skus["b"],
            Units {
                stocked: 5,
                held: 0,
                sold: 0
            }
        );
    }

    #[test]
    fn a_claim_sells_a_unit_of_the_coupons_own_name() {
        let mut account = Account::new(&LiveId::Coupon(CouponId::parse("welcome").unwrap()));
        let claim = Claim {
            seq: 2,
            claimed_ms: 0,
            user: UserId::parse("ann").unwrap(),
        };
        account.apply(&Event::Claimed {
            id: ReservationId::from_bytes([0; 16]),
            claim,
        });
        assert_eq!(account.skus["welcome"].sold, 1);
    }
}
