//! The sold-out shield: when a sku has nothing left, the engine answers everybody from memory, except those who hold some.
//!
//! Nobody can come to hold a sku while nothing of it is left, so the ids of all reservations, loaded while that is so, are
//! all that a repeat could name; a request by any of them still goes to Redis. What ends the shield is a restock notice,
//! or the periodic check: something left, another `restocked` seq (units came back and went again), another epoch or
//! server process, a pause or a close. A shield that could not be checked in time is not used. It never refuses more
//! than a decision by Redis would have, within the age of its last check.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use doorbuster_core::clock;
use doorbuster_core::gate::snapshot::{Snapped, Snapshot, State};
use doorbuster_core::gate::{Gate, GateError};
use doorbuster_core::ids::{LiveId, ReservationId, SkuId};
use doorbuster_core::planted;
use metrics::{Counter, counter};

use crate::limits::{
    SHIELD_CHECK_EVERY, SHIELD_HOLDERS_MAX, SHIELD_IDLE, SHIELD_LIFE, SHIELD_SCAN_COUNT,
};
use crate::metrics as names;

/// A planted bug of two lines.
const UNCHECKED: &str = "shield-without-recheck";

/// The shield of one sale, over as many of its skus as are sold out.
#[derive(Debug)]
pub struct Shield {
    gate: Gate,
    live: LiveId,
    /// What requests are held against; absent while down.
    up: ArcSwapOption<Up>,
    /// Newest restock notice per sku. Locked while `up` is replaced, so that no notice falls between a look and its use.
    notices: Mutex<HashMap<SkuId, u64>>,
    /// Whether a task keeps this shield.
    kept: AtomicBool,
    answers: Counter,
}

#[derive(Debug)]
struct Up {
    /// Sold-out skus and the `restocked` seq that each was found with.
    skus: HashMap<SkuId, u64>,
    holders: Arc<HashSet<u64>>,
    checked: Instant,
    used: AtomicBool,
}

impl Shield {
    pub(super) fn new(gate: Gate, live: LiveId) -> Self {
        let (up, notices, kept) = (
            ArcSwapOption::empty(),
            Mutex::default(),
            AtomicBool::new(false),
        );
        Self {
            gate,
            live,
            up,
            notices,
            kept,
            answers: counter!(names::SHIELD_ANSWERS),
        }
    }

    /// The first of `skus` that is sold out as of `now`, unless `id` may be a reservation that exists: then Redis answers.
    pub fn refuses<'a>(
        &self,
        id: ReservationId,
        skus: impl IntoIterator<Item = &'a SkuId>,
        now: Instant,
    ) -> Option<SkuId> {
        let up = self.up.load();
        let up = up.as_ref().filter(|up| {
            now.saturating_duration_since(up.checked) < SHIELD_LIFE || planted::is(UNCHECKED)
        })?;
        let sku = skus.into_iter().find(|sku| up.skus.contains_key(*sku))?;
        if up.holders.contains(&fingerprint(id)) && !planted::is("shield-without-holders") {
            return None;
        }
        up.used.store(true, Ordering::Relaxed);
        self.answers.increment(1);
        Some(sku.clone())
    }

    /// A notice: units of `sku` came back with event `seq`.
    pub fn restocked(&self, sku: &SkuId, seq: u64) {
        let mut notices = self.lock();
        notices.insert(sku.clone(), seq);
        // All of it comes down: the next check puts it up again over what is still sold out.
        if self
            .up
            .load()
            .as_ref()
            .is_some_and(|up| up.skus.get(sku).is_some_and(|found| *found < seq))
        {
            self.up.store(None);
        }
    }

    /// Something ran out: put the shield up, unless somebody is at it.
    pub(super) fn raise(self: Arc<Self>) {
        if !self.kept.swap(true, Ordering::AcqRel) {
            tokio::spawn(async move {
                self.keep().await;
                self.put_up(None);
                self.kept.store(false, Ordering::Release);
            });
        }
    }

    /// Loads, then checks, until nothing is sold out, nobody asks, or Redis cannot be asked.
    async fn keep(&self) {
        let mut used = clock::instant();
        while used.elapsed() < SHIELD_IDLE {
            if planted::is(UNCHECKED) && self.up.load().is_some() {
                tokio::time::sleep(SHIELD_CHECK_EVERY).await;
                continue;
            }
            let Ok(found) = self.look().await else { return };
            let sold_out = found.as_ref().map(sold_out).unwrap_or_default();
            if sold_out.is_empty() {
                return;
            }
            let known = self.up.load_full();
            let complete = known.as_ref().filter(|up| {
                sold_out
                    .iter()
                    .all(|(sku, seq)| up.skus.get(sku) == Some(seq))
            });
            let holders = match complete {
                Some(up) => Arc::clone(&up.holders),
                None => match self.load_holders(&sold_out).await {
                    Some(holders) => holders,
                    None => return,
                },
            };
            if known.is_some_and(|up| up.used.load(Ordering::Relaxed)) {
                used = clock::instant();
            }
            let up = Up {
                skus: sold_out,
                holders,
                checked: clock::instant(),
                used: AtomicBool::new(false),
            };
            self.put_up(Some(up));
            tokio::time::sleep(SHIELD_CHECK_EVERY).await;
        }
    }

    /// The ids of all reservations there are, if `sold_out` still holds afterwards: then nobody joined meanwhile.
    async fn load_holders(&self, sold_out: &HashMap<SkuId, u64>) -> Option<Arc<HashSet<u64>>> {
        let (mut holders, mut cursor) = (HashSet::new(), 0);
        loop {
            let (next, records) = self
                .gate
                .scan_records(&self.live, cursor, SHIELD_SCAN_COUNT)
                .await
                .ok()?;
            holders.extend(records.into_iter().map(|(id, _)| fingerprint(id)));
            if holders.len() as u64 > SHIELD_HOLDERS_MAX {
                return None;
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        let after = self.look().await.ok()??;
        let still = self::sold_out(&after);
        sold_out
            .iter()
            .all(|(sku, seq)| still.get(sku) == Some(seq))
            .then(|| Arc::new(holders))
    }

    async fn look(&self) -> Result<Option<Box<Snapshot>>, GateError> {
        match self.gate.snapshot(&self.live).await? {
            Snapped::Snapshot(snapshot) => {
                Ok(Some(snapshot).filter(|s| s.is_vouched() && s.records <= SHIELD_HOLDERS_MAX))
            }
            Snapped::Fenced(_) => Ok(None),
        }
    }

    /// Puts it up, unless a notice has said meanwhile that what it was made from is over.
    fn put_up(&self, up: Option<Up>) {
        let notices = self.lock();
        let holds = |up: &Up| {
            up.skus
                .iter()
                .all(|(sku, found)| notices.get(sku).is_none_or(|seq| found >= seq))
        };
        self.up.store(up.filter(holds).map(Arc::new));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SkuId, u64>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Skus with nothing left, while the sale is one that answers `sold_out` at all.
fn sold_out(snapshot: impl AsRef<Snapshot>) -> HashMap<SkuId, u64> {
    let snapshot = snapshot.as_ref();
    let now_ms = snapshot.now_ms.max(snapshot.last_now_ms);
    if snapshot.state != State::Open || !(snapshot.opens_ms..snapshot.closes_ms).contains(&now_ms) {
        return HashMap::new();
    }
    let gone = snapshot.stock.iter().filter(|(_, stock)| stock.left == 0);
    gone.map(|(sku, stock)| (sku.clone(), stock.restocked_seq))
        .collect()
}

/// Ids are cut from SHA-256, so any eight bytes are as good as a hash of all. A clash sends one request more to Redis.
fn fingerprint(id: ReservationId) -> u64 {
    id.as_uuid().as_u64_pair().0
}
