//! One reservation or claim, said in the same words whether Redis or the books say it. Called by `live` and `store`, compared by `compare`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use doorbuster_core::ids::{LiveId, ReservationId};
use doorbuster_core::record::{Claim, Record, RecordError, Status};

/// Units per sku, in the order of skus.
pub(super) type Lines = Vec<(String, u32)>;

/// Which counter a reservation's units are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holding {
    Held,
    Sold,
    /// Released: they are back in `left`.
    Nothing,
}

/// A reservation or claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) id: ReservationId,
    pub(super) seq: u64,
    pub(super) user: String,
    /// e.g. `held`, `released: expired`, `claimed`.
    pub(super) status: String,
    pub(super) holding: Holding,
    /// A hold's deadline, or the time of a claim.
    pub(super) at_ms: u64,
    pub(super) lines: Lines,
    /// Of them, what has come back.
    pub(super) returned: Lines,
    /// None of a claim.
    pub(super) body: Option<[u8; 16]>,
}

impl Fact {
    /// # Errors
    /// [`RecordError`] where the bytes are no record of ours.
    pub(super) fn parse(
        live: &LiveId,
        id: ReservationId,
        bytes: &[u8],
    ) -> Result<Self, RecordError> {
        match live {
            LiveId::Sale(_) => Record::parse(bytes).map(|record| Self::of_record(id, &record)),
            LiveId::Coupon(coupon) => Claim::parse(bytes).map(|claim| Self {
                id,
                seq: claim.seq,
                user: claim.user.to_string(),
                status: "claimed".to_owned(),
                holding: Holding::Sold,
                at_ms: claim.claimed_ms,
                lines: vec![(coupon.to_string(), 1)],
                returned: Lines::new(),
                body: None,
            }),
        }
    }

    fn of_record(id: ReservationId, record: &Record) -> Self {
        let mut lines: Lines = record
            .lines
            .iter()
            .map(|line| (line.sku.to_string(), line.quantity))
            .collect();
        lines.sort();
        Self {
            id,
            seq: record.seq,
            user: record.user.to_string(),
            status: status_text(
                record.status.as_str(),
                record.status.reason().map(|reason| reason.as_str()),
            ),
            holding: holding(record.status),
            at_ms: record.deadline_ms,
            lines,
            returned: Lines::new(),
            body: Some(*record.body.as_bytes()),
        }
    }
}

pub(super) fn status_text(status: &str, reason: Option<&str>) -> String {
    reason.map_or_else(|| status.to_owned(), |reason| format!("{status}: {reason}"))
}

pub(super) fn holding(status: Status) -> Holding {
    match status {
        Status::Held | Status::Paying => Holding::Held,
        Status::Paid => Holding::Sold,
        Status::Released(_) => Holding::Nothing,
    }
}

/// What a record holds, in one of the counters.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) holding: Holding,
    pub(super) lines: Arc<Lines>,
    pub(super) returned: Arc<Lines>,
}

/// What Redis holds of every record: enough to sum it up, with equal lines kept once. Some 60 bytes a record.
#[derive(Debug, Default)]
pub(super) struct Facts {
    by_id: HashMap<ReservationId, Scanned>,
    lines: HashSet<Arc<Lines>>,
}

impl Facts {
    /// Whether it is new: a walk over a growing hash may show a record twice.
    pub(super) fn insert(&mut self, fact: &Fact) -> bool {
        let scanned = Scanned {
            holding: fact.holding,
            lines: self.shared(&fact.lines),
            returned: self.shared(&fact.returned),
        };
        self.by_id.insert(fact.id, scanned).is_none()
    }

    fn shared(&mut self, lines: &Lines) -> Arc<Lines> {
        if let Some(known) = self.lines.get(lines) {
            return Arc::clone(known);
        }
        let lines = Arc::new(lines.clone());
        self.lines.insert(Arc::clone(&lines));
        lines
    }

    pub(super) fn contains(&self, id: ReservationId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn remove(&mut self, id: ReservationId) -> Option<Scanned> {
        self.by_id.remove(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Scanned> {
        self.by_id.values()
    }
}
