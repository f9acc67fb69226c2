//! Plays seeded random moves on Redis and on the reference, and compares outcome and whole state after each.
//! A failure names its seed: run it again, or longer, with DOORBUSTER_MODEL_SEED and DOORBUSTER_MODEL_STEPS.

use std::str::FromStr;

use doorbuster_core::gate::adjust::Adjust;
use doorbuster_core::gate::claim::ClaimCoupon;
use doorbuster_core::gate::reserve::Reserve;
use doorbuster_core::gate::sweep::Swept;
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::gate::trim::Trimmed;
use doorbuster_core::ids::{IdempotencyKey, LiveId, ReservationId};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::harness::{EPOCH, HOUR_MS, Scene, sku, user};
use crate::reference::{Reference, Shelf};
use crate::render::render;
use crate::replay::Replay;
use crate::state::State;

/// Sales and coupons played, each of its own seed.
const GAMES: u64 = 6;
const STEPS: u64 = 4_500;
const SKUS: [(&str, u32, u32); 4] = [("tee", 12, 3), ("cap", 6, 0), ("mug", 1, 1), ("pin", 0, 2)];
const USERS: [&str; 5] = ["ann", "bob", "cat", "dan", "eve"];

#[expect(
    clippy::disallowed_methods,
    reason = "a developer's own settings of this one test; no program reads them"
)]
fn setting<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().map_or(default, |text| {
        text.parse()
            .ok()
            .unwrap_or_else(|| panic!("{name} is not a number"))
    })
}

/// Names the game if it is lost.
struct Banner(u64);

impl Drop for Banner {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat with DOORBUSTER_MODEL_SEED={}", self.0);
        }
    }
}

#[tokio::test]
async fn random_moves_leave_redis_and_the_reference_alike() {
    let first = setting("DOORBUSTER_MODEL_SEED", 1);
    let steps = setting("DOORBUSTER_MODEL_STEPS", STEPS).div_ceil(GAMES);
    for seed in first..first + GAMES {
        let _banner = Banner(seed);
        let scene = if seed % 3 == 0 {
            Scene::coupon(9, 2).await
        } else {
            Scene::selling(&SKUS).await
        };
        let mut game = Game::new(scene, seed).await;
        for _ in 0..steps {
            game.step().await;
        }
    }
}

pub(crate) struct Game {
    pub(crate) scene: Scene,
    pub(crate) rng: StdRng,
    pub(crate) reference: Reference,
    replay: Replay,
    /// Where the books stand.
    flushed: u64,
}

impl Game {
    async fn new(scene: Scene, seed: u64) -> Self {
        let opened = match &scene.live {
            LiveId::Sale(_) => SKUS.to_vec(),
            LiveId::Coupon(id) => vec![(id.as_str(), 9, 2)],
        };
        let shelf = |stock: u32, limit: u32| Shelf {
            stocked: stock.into(),
            left: stock.into(),
            limit: limit.into(),
            ..Shelf::default()
        };
        let reference = Reference {
            seq: 1,
            hold_ms: HOUR_MS,
            payment_ms: HOUR_MS,
            shelves: opened
                .iter()
                .map(|(name, stock, limit)| (sku(name), shelf(*stock, *limit)))
                .collect(),
            ..Reference::default()
        };
        let mut game = Self {
            scene,
            rng: StdRng::seed_from_u64(seed),
            reference,
            replay: Replay::new(),
            flushed: 0,
        };
        game.compare().await;
        game
    }

    async fn step(&mut self) {
        let is_sale = matches!(self.scene.live, LiveId::Sale(_));
        match self.rng.random_range(0..100) {
            0..33 if is_sale => self.reserve().await,
            33..50 if is_sale => self.pay().await,
            0..70 if !is_sale => self.claim().await,
            50..65 => self.cancel().await,
            65..75 => self.sweep().await,
            75..85 => self.adjust().await,
            85..93 => self.switch().await,
            93..96 => self.trim().await,
            // A hold, or a payment, of 0 ms is due at once, so that what is overdue does not depend on how fast this test runs.
            98.. => {
                self.reference.payment_ms = HOUR_MS - self.reference.payment_ms;
                let payment_ms = self.reference.payment_ms.to_string();
                self.scene.set("sale", "payment_ms", payment_ms).await;
            }
            _ => {
                self.reference.hold_ms = if self.reference.hold_ms == 0 {
                    HOUR_MS
                } else {
                    0
                };
                self.scene
                    .set("sale", "hold_ms", self.reference.hold_ms.to_string())
                    .await;
            }
        }
        self.compare().await;
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.choose(&mut self.rng).unwrap()
    }

    pub(crate) fn key(&mut self, count: u32) -> String {
        format!("k{}", self.rng.random_range(0..count))
    }

    /// Half of the time for the same as the one before, so that some stand in runs.
    fn ask(&mut self, before: Option<&Reserve>) -> Reserve {
        let (name, key) = (self.pick(&USERS), self.key(150));
        let is_alike = self.rng.random_ratio(1, 2);
        match before.filter(|_| is_alike) {
            Some(before) => Reserve {
                id: self.scene.id(name, &key),
                user: user(name),
                ..before.clone()
            },
            None => {
                let lines = self.lines();
                self.scene.ask(name, &key, &lines)
            }
        }
    }

    fn lines(&mut self) -> Vec<(&'static str, u32)> {
        let mut names = vec!["tee", "cap", "mug", "pin"];
        if self.rng.random_ratio(1, 25) {
            names.push("nil");
        }
        let lines_count = *[1, 1, 1, 2, 3].choose(&mut self.rng).unwrap();
        let names: Vec<&str> = names
            .choose_multiple(&mut self.rng, lines_count)
            .copied()
            .collect();
        names
            .into_iter()
            .map(|name| (name, self.rng.random_range(1..=3)))
            .collect()
    }

    async fn reserve(&mut self) {
        let mut asks: Vec<Reserve> = Vec::new();
        for _ in 0..self.rng.random_range(1..=6) {
            let ask = self.ask(asks.last());
            asks.push(ask);
        }
        if self.rng.random_ratio(1, 4) {
            asks.push(asks[0].clone());
        }
        let decided = self.scene.reserve(&asks.iter().collect::<Vec<_>>()).await;
        let expected: Vec<_> = asks
            .iter()
            .map(|ask| self.reference.reserve(ask, decided.now_ms))
            .collect();
        assert_eq!(decided.outcomes, expected);
        assert_eq!(decided.seq, self.reference.seq);
        for (sku, left) in decided.lefts {
            assert_eq!(left, self.reference.shelves[&sku].left);
        }
    }

    async fn claim(&mut self) {
        let asks: Vec<ClaimCoupon> = (0..self.rng.random_range(1..=4))
            .map(|_| {
                let (user, key) = (format!("u{}", self.rng.random_range(0..99)), self.key(3));
                self.scene.ask_claim(&user, &key)
            })
            .collect();
        let decided = self.scene.claim(&asks.iter().collect::<Vec<_>>()).await;
        let sku = sku(self.scene.coupon_id().as_str());
        let expected: Vec<_> = asks
            .iter()
            .map(|ask| self.reference.claim(ask, &sku, decided.now_ms))
            .collect();
        assert_eq!(decided.outcomes, expected);
    }

    /// Mostly of a hold that lives, so that users come to the bound of what may end.
    async fn cancel(&mut self) {
        let any: Vec<ReservationId> = self.reference.records.keys().copied().collect();
        let living = &self.reference.order;
        let from = if self.rng.random_ratio(3, 4) {
            living
        } else {
            &any
        };
        let unknown = self.scene.id("ann", "never");
        let id = from.choose(&mut self.rng).copied().unwrap_or(unknown);
        let stranger = self.rng.random_ratio(1, 10);
        let owner = self.reference.records.get(&id).filter(|_| !stranger);
        let owner = owner.map_or(user("gil"), |record| record.user.clone());
        let (gate, live) = (&self.scene.gate, &self.scene.live);
        let outcome = gate.cancel(live, EPOCH, id, &owner).await.unwrap();
        let now_ms = self.scene.state().await.number("last_now_ms");
        assert_eq!(outcome, self.reference.cancel(id, &owner, now_ms));
    }

    async fn sweep(&mut self) {
        let Swept::Swept(swept) = self
            .scene
            .gate
            .sweep(&self.scene.live, EPOCH)
            .await
            .unwrap()
        else {
            panic!("fenced")
        };
        assert_eq!(swept, self.reference.sweep(swept.now_ms));
    }

    async fn adjust(&mut self) {
        let mut names: Vec<String> = self
            .reference
            .shelves
            .keys()
            .map(ToString::to_string)
            .collect();
        names.push("nil".into());
        let (sku, key) = (sku(names.choose(&mut self.rng).unwrap()), self.key(60));
        let by = *[-3, -2, -1, 1, 2, 3, 4].choose(&mut self.rng).unwrap();
        let key = IdempotencyKey::parse(key).unwrap();
        let adjust = Adjust {
            key: &key,
            sku: &sku,
            by,
        };
        let outcome = self
            .scene
            .gate
            .adjust(&self.scene.live, EPOCH, &adjust)
            .await
            .unwrap();
        assert_eq!(outcome, self.reference.adjust(key.as_str(), &sku, by));
    }

    async fn switch(&mut self) {
        let verb = match self.rng.random_range(0..100) {
            0 => Verb::Close,
            1..20 => Verb::Pause,
            _ => Verb::Resume,
        };
        let outcome = self
            .scene
            .gate
            .switch(&self.scene.live, EPOCH, verb)
            .await
            .unwrap();
        assert_eq!(outcome, self.reference.switch(verb));
    }

    /// As a writer that has put everything into the books.
    async fn trim(&mut self) {
        let trimmed = self
            .scene
            .gate
            .trim(
                &self.scene.live,
                EPOCH,
                &self.replay.cursor,
                self.replay.seq,
            )
            .await
            .unwrap();
        let moved = self.replay.seq > self.flushed;
        assert_eq!(
            matches!(trimmed, Trimmed::Trimmed { .. }),
            moved,
            "{trimmed:?}"
        );
        self.flushed = self.replay.seq;
        let state = self.scene.state().await;
        assert_eq!(
            (state.journal.len(), &state.sale["flushed_bytes"]),
            (1, &state.sale["bytes"])
        );
    }

    async fn compare(&mut self) {
        let entries = self
            .scene
            .gate
            .journal(&self.scene.live, &self.replay.cursor, 100)
            .await
            .unwrap();
        self.replay.follow(&entries);
        self.replay.assert_tells(&self.reference);
        let seen = (self.scene.live.clone(), EPOCH, self.reference.seq);
        assert_eq!(
            self.scene.gate.settled_sightings().await,
            [seen],
            "what this gate has seen"
        );
        let state = self.scene.state().await;
        assert_eq!(
            (state.number("seq"), state.number("flushed_seq")),
            (self.reference.seq, self.flushed)
        );
        assert_eq!(state.number("last_now_ms"), self.replay.at_ms);
        for shelf in self.reference.shelves.values() {
            assert_eq!(
                shelf.stocked,
                shelf.left + shelf.held + shelf.sold,
                "conservation"
            );
        }
        let expected = State {
            sale: state.sale.clone(),
            journal: state.journal.clone(),
            ..render(&self.reference)
        };
        assert_eq!(state, expected);
        let position = match self.reference.verb.unwrap_or(Verb::Resume) {
            Verb::Resume => "open",
            Verb::Pause => "paused",
            Verb::Close => "closed",
        };
        assert_eq!(state.sale["state"], position);
    }
}
