//! The moves of `model` that have money in them.

use doorbuster_core::ids::{ReservationId, SkuId, UserId};
use doorbuster_core::record::Status;
use doorbuster_core::returns::ReturnTo;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use crate::harness::{EPOCH, sku, user};
use crate::model::Game;

impl Game {
    pub(crate) async fn pay(&mut self) {
        let wanted = self.rng.random_range(0..100);
        match wanted {
            0..35 => self.begin_payment().await,
            35..65 => self.settle().await,
            65..75 => self.release().await,
            _ => self.bring_back().await,
        }
    }

    /// Mostly one in this state, by its own user, so that most moves lead somewhere.
    fn one(&mut self, wanted: impl Fn(Status) -> bool) -> (ReservationId, UserId) {
        let records = &self.reference.records;
        let fits = records.iter().filter(|(_, record)| wanted(record.status));
        let fits: Vec<ReservationId> = fits.map(|(id, _)| *id).collect();
        let any: Vec<ReservationId> = records.keys().copied().collect();
        let from = if self.rng.random_ratio(5, 6) {
            fits
        } else {
            any
        };
        let unknown = self.scene.id("ann", "never");
        let id = from.choose(&mut self.rng).copied().unwrap_or(unknown);
        let stranger = self.rng.random_ratio(1, 12);
        let owner = self.reference.records.get(&id).filter(|_| !stranger);
        (id, owner.map_or(user("gil"), |record| record.user.clone()))
    }

    /// The time of the last call: what it compared deadlines with, if it wrote; if it did not, nothing was near its deadline.
    async fn now_ms(&self) -> u64 {
        self.scene.state().await.number("last_now_ms")
    }

    async fn begin_payment(&mut self) {
        let (id, user) = self.one(|status| status == Status::Held);
        let (gate, live) = (&self.scene.gate, &self.scene.live);
        let outcome = gate.begin_payment(live, EPOCH, id, &user).await.unwrap();
        let now_ms = self.now_ms().await;
        assert_eq!(outcome, self.reference.begin_payment(id, &user, now_ms));
    }

    async fn settle(&mut self) {
        let ended_too = self.rng.random_ratio(1, 3);
        let (id, user) =
            self.one(|status| status == Status::Paying || ended_too && !status.is_live());
        let reacquire = self.rng.random_ratio(2, 3);
        let (gate, live) = (&self.scene.gate, &self.scene.live);
        let outcome = gate.settle(live, EPOCH, id, &user, reacquire).await;
        let now_ms = self.now_ms().await;
        let expected = self.reference.settle(id, &user, reacquire, now_ms);
        assert_eq!(outcome.unwrap(), expected);
    }

    async fn release(&mut self) {
        let (id, user) = self.one(|status| status == Status::Paying);
        let (gate, live) = (&self.scene.gate, &self.scene.live);
        let outcome = gate.release(live, EPOCH, id, &user).await.unwrap();
        let now_ms = self.now_ms().await;
        assert_eq!(outcome, self.reference.release(id, &user, now_ms));
    }

    async fn bring_back(&mut self) {
        let (id, user) = self.one(|status| status == Status::Paid);
        let (key, lines) = (self.key(3), self.some_of(id));
        let to = *[ReturnTo::Shelf, ReturnTo::WriteOff]
            .choose(&mut self.rng)
            .unwrap();
        let (gate, live) = (&self.scene.gate, &self.scene.live);
        let outcome = match to {
            ReturnTo::Shelf => gate.restock(live, EPOCH, id, &user, &key, &lines).await,
            ReturnTo::WriteOff => gate.write_off(live, EPOCH, id, &user, &key, &lines).await,
        };
        let expected = self.reference.bring_back(to, id, &user, &key, &lines);
        assert_eq!(outcome.unwrap(), expected);
    }

    /// Some lines of it with some units each, now and then more than it has.
    fn some_of(&mut self, id: ReservationId) -> Vec<(SkuId, u32)> {
        let bought = self.reference.records.get(&id);
        let bought = bought.map_or(Vec::new(), |record| record.lines.clone());
        let mut lines = Vec::new();
        for line in bought {
            if lines.is_empty() || self.rng.random_ratio(1, 2) {
                let more = u32::from(self.rng.random_ratio(1, 15));
                lines.push((line.sku, self.rng.random_range(1..=line.quantity) + more));
            }
        }
        if lines.is_empty() {
            lines.push((sku("tee"), 1));
        }
        lines
    }
}
