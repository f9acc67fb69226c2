//! A sale with a line, for `join`, `advance` and `reserve_in_line`: one engine's view of it, and time that is moved by hand.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use doorbuster_core::gate::advance::{Advance, Advanced, LineHead, MoveId, Seen, Standing};
use doorbuster_core::gate::join::{Instead, Join, JoinBatch, Joined};
use doorbuster_core::line::{LineConfig, LineDraft, Mode, Pledge};
use doorbuster_core::ticket::Place;

use crate::harness::{EPOCH, HOUR_MS, Scene, user};

pub(crate) struct InLine {
    pub(crate) scene: Scene,
    pub(crate) config: LineConfig,
    now_ms: AtomicU64,
    after: Mutex<MoveId>,
}

/// As many as units are left, first come, first served.
pub(crate) fn follow_stock() -> LineConfig {
    LineConfig::new(&LineDraft::default(), None)
}

pub(crate) fn fixed(per_second: u32) -> LineConfig {
    LineConfig {
        mode: Mode::Fixed,
        per_second: Some(per_second),
        ..follow_stock()
    }
}

pub(crate) fn drawing() -> LineConfig {
    let pledge = Pledge {
        salt: "00".into(),
        commitment: "00".into(),
    };
    LineConfig::new(&LineDraft::default(), Some(pledge))
}

pub(crate) fn general<const N: usize>(numbers: [u32; N]) -> [Place; N] {
    numbers.map(Place::general)
}

impl InLine {
    /// Open since an hour; time stands still, and nobody has moved the line yet.
    pub(crate) async fn unmoved(stock: u32, config: LineConfig) -> Self {
        let scene = Scene::selling(&[("tee", stock, 0)]).await;
        let now_ms = scene.stop_time().await;
        Self {
            scene,
            config,
            now_ms: AtomicU64::new(now_ms),
            after: Mutex::default(),
        }
    }

    /// The same, with a line that has begun.
    pub(crate) async fn begun(stock: u32, config: LineConfig) -> Self {
        let line = Self::unmoved(stock, config).await;
        line.advance(&[]).await;
        line
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    pub(crate) async fn pass(&self, ms: u64) {
        let now_ms = self.now_ms.fetch_add(ms, Ordering::Relaxed) + ms;
        self.scene
            .set("sale", "last_now_ms", now_ms.to_string())
            .await;
    }

    /// All numbers given so far are as old as they would be after a while.
    pub(crate) async fn ripen(&self) {
        for lane in ["", "_invites"] {
            let given = vec![self.scene.key("line"), format!("given{lane}")];
            let given = self.scene.raw("HGET", given).await.unwrap();
            let given = given.into_string().unwrap();
            for old in ["ripe", "ripening"] {
                self.scene.set("line", format!("{old}{lane}"), &given).await;
            }
        }
    }

    /// Opens in an hour of the sale's time.
    pub(crate) async fn opens_later(&self) {
        let opens_ms = self.now_ms() + HOUR_MS;
        self.scene
            .set("sale", "opens_ms", opens_ms.to_string())
            .await;
    }

    pub(crate) async fn join_batch(&self, joins: &[Join]) -> JoinBatch {
        let joins: Vec<&Join> = joins.iter().collect();
        let (gate, live) = (&self.scene.gate, &self.scene.live);
        gate.join(live, EPOCH, &joins).await.unwrap()
    }

    pub(crate) async fn joins(&self, joins: &[Join]) -> Vec<Joined> {
        match self.join_batch(joins).await {
            JoinBatch::Decided { outcomes, .. } => outcomes,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn join(&self, users: &[&str]) -> Vec<Joined> {
        let joins: Vec<Join> = users
            .iter()
            .map(|name| coming(name, Instead::Nothing))
            .collect();
        self.joins(&joins).await
    }

    /// As the engine of that name, which knows all moves so far.
    pub(crate) async fn advance_as(
        &self,
        engine: &str,
        alive: &[Place],
        more: impl FnOnce(&mut Advance<'_>),
    ) -> (LineHead, Vec<(Place, Standing)>) {
        let after = self.after.lock().unwrap().clone();
        let mut advance = Advance {
            engine,
            after: &after,
            alive,
            is_cut_off: false,
            is_pressed: false,
            told: &[],
            seen: Seen::default(),
            line: &self.config,
        };
        more(&mut advance);
        let (gate, live) = (&self.scene.gate, &self.scene.live);
        let (head, moves) = match gate.advance(live, EPOCH, &advance).await.unwrap() {
            Advanced::Advanced { head, moves } => (*head, moves),
            fenced => panic!("{fenced:?}"),
        };
        if let Some(last) = moves.last() {
            assert_eq!(last.number, head.moves);
            *self.after.lock().unwrap() = last.id.clone();
        }
        let places = moves.into_iter().flat_map(|moves| moves.places).collect();
        (head, places)
    }

    /// Reports who is there; returns what has moved.
    pub(crate) async fn advance(&self, alive: &[Place]) -> Vec<(Place, Standing)> {
        self.advance_as("a", alive, |_| {}).await.1
    }

    pub(crate) async fn tell(&self, told: &[Place]) -> Vec<(Place, Standing)> {
        let told = told.to_vec();
        let after = self.after.lock().unwrap().clone();
        let advance = Advance {
            engine: "a",
            after: &after,
            alive: &[],
            is_cut_off: false,
            is_pressed: false,
            told: &told,
            seen: Seen::default(),
            line: &self.config,
        };
        let (gate, live) = (&self.scene.gate, &self.scene.live);
        let Advanced::Advanced { moves, .. } = gate.advance(live, EPOCH, &advance).await.unwrap()
        else {
            panic!("fenced");
        };
        if let Some(last) = moves.last() {
            *self.after.lock().unwrap() = last.id.clone();
        }
        moves.into_iter().flat_map(|moves| moves.places).collect()
    }

    /// Offers as they come back from a call.
    pub(crate) fn offered(&self, places: &[Place]) -> Vec<(Place, Standing)> {
        let until_ms = self.now_ms() + clock_ms(doorbuster_core::limits::OFFER_LIFE);
        let offered = Standing::Offered { until_ms };
        places.iter().map(|place| (*place, offered)).collect()
    }

    /// Takes the line away and leaves the sale.
    pub(crate) async fn lose(&self) {
        let keys = [
            "line", "places", "offered", "admitted", "served", "over", "alive", "moves",
        ];
        let keys = keys.map(|name| self.scene.key(name));
        self.scene.raw("DEL", keys.to_vec()).await.unwrap();
        *self.after.lock().unwrap() = MoveId::default();
    }

    /// Units of the one sku.
    pub(crate) async fn set_left(&self, left: u32, sold: u32) {
        self.scene.set("stock", "tee/left", left.to_string()).await;
        self.scene.set("stock", "tee/sold", sold.to_string()).await;
    }

    pub(crate) async fn size(&self, command: &'static str, key: &str) -> i64 {
        let size = self.scene.raw(command, vec![self.scene.key(key)]).await;
        size.unwrap().as_i64().unwrap()
    }
}

pub(crate) fn coming(name: &str, instead: Instead) -> Join {
    Join {
        user: user(name),
        invite: None,
        instead,
    }
}

pub(crate) fn invited(name: &str, invite: &str) -> Join {
    Join {
        invite: Some(invite.into()),
        ..coming(name, Instead::Nothing)
    }
}

pub(crate) fn clock_ms(wait: std::time::Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap()
}

pub(crate) fn joined(numbers: &[u32]) -> Vec<Joined> {
    let places = numbers.iter().map(|number| Place::general(*number));
    places.map(Joined::Joined).collect()
}
