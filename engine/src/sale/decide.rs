//! The script calls behind the combiner: one for reservations, one for claims.

use std::sync::Arc;

use doorbuster_core::clock;
use doorbuster_core::gate::claim::{ClaimCoupon, Claimed};
use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::reserve::{InLine, Reserve, Reserved};
use doorbuster_core::gate::{Gate, GateError};
use doorbuster_core::ids::{CouponId, LiveId};
use doorbuster_core::planted;
use metrics::{counter, histogram};

use super::combiner::{Decide, Undecided, Verdict};
use super::full::{Full, Says};
use super::shield::Shield;
use super::view::Views;
use crate::front::problem::Refusal;
use crate::metrics as names;
use crate::pressure::Pressure;

/// What both calls need.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) gate: Gate,
    pub(super) live: LiveId,
    pub(super) views: Arc<Views>,
    pub(super) shield: Arc<Shield>,
    pub(super) full: Arc<Full>,
    pub(super) pressure: Arc<Pressure>,
}

impl Calls {
    /// Hands on what was decided, raises the shield over what ran out, and notes whether the backlog is full.
    fn judge<O>(
        &self,
        epoch: u32,
        started: std::time::Instant,
        called: Result<Batch<O>, GateError>,
        says: fn(&O) -> Says,
    ) -> Result<Verdict<O>, Undecided> {
        histogram!(names::GATE_SECONDS).record(started.elapsed().as_secs_f64());
        match called {
            Ok(Batch::Decided(decided)) => {
                self.pressure.batch(decided.outcomes.len());
                self.full
                    .told(&self.live, decided.outcomes.iter().map(says));
                if decided.lefts.iter().any(|(_, left)| *left == 0) {
                    Arc::clone(&self.shield).raise();
                }
                Ok(Verdict {
                    now_ms: decided.now_ms,
                    epoch,
                    seq: decided.seq,
                    outcomes: decided.outcomes,
                })
            }
            Ok(Batch::Fenced(fenced)) => Err(Undecided::Fenced(fenced)),
            Err(e) => {
                counter!(names::GATE_ERRORS, "kind" => kind(&e)).increment(1);
                if matches!(e, GateError::Unreplicated { .. }) {
                    counter!(names::ACK_MISSED).increment(1);
                }
                tracing::debug!(error = %e, sale = %self.live, "a batch was not decided");
                Err(Undecided::Refused(Refusal::from(&e)))
            }
        }
    }
}

/// Counts the outcomes of a batch, each word once.
fn count(words: impl Iterator<Item = &'static str>) {
    let mut counted: Vec<(&'static str, u64)> = Vec::new();
    for word in words {
        match counted.iter_mut().find(|(known, _)| *known == word) {
            Some((_, times)) => *times += 1,
            None => counted.push((word, 1)),
        }
    }
    for (word, times) in counted {
        counter!(names::OUTCOMES, "outcome" => word).increment(times);
    }
}

fn kind(error: &GateError) -> &'static str {
    match error {
        GateError::Unknown => "unknown",
        GateError::Unavailable(_) => "unavailable",
        GateError::Busy => "busy",
        GateError::Refused { .. } => "refused",
        GateError::Contract { .. } => "contract",
        GateError::Mismatched { .. } => "mismatched",
        GateError::Unreplicated { .. } => "unreplicated",
    }
}

#[derive(Debug)]
pub(super) struct Reservations(pub(super) Calls);

impl Decide for Reservations {
    type Request = Reserve;
    type Outcome = Reserved;

    fn lines(request: &Reserve) -> usize {
        request.lines.len()
    }

    fn pressure(&self) -> &Pressure {
        &self.0.pressure
    }

    async fn decide(&self, requests: &[&Reserve]) -> Result<Verdict<Reserved>, Undecided> {
        let (calls, epoch, started) = (&self.0, self.0.views.epoch(), clock::instant());
        let called = calls.gate.reserve(&calls.live, epoch, requests).await;
        if planted::is("swallowed-script-error") && matches!(called, Err(GateError::Refused { .. }))
        {
            let sku = requests[0].lines[0].sku.clone();
            return Err(Undecided::Refused(Refusal::SoldOut { sku, left: 0 }));
        }
        let verdict = calls.judge(epoch, started, called, reserve_says)?;
        count(verdict.outcomes.iter().map(reserved));
        Ok(verdict)
    }
}

/// The same of a sale with a line.
#[derive(Debug)]
pub(super) struct ReservationsInLine(pub(super) Calls);

impl Decide for ReservationsInLine {
    type Request = InLine;
    type Outcome = Reserved;

    fn lines(request: &InLine) -> usize {
        request.reserve.lines.len()
    }

    fn pressure(&self) -> &Pressure {
        &self.0.pressure
    }

    async fn decide(&self, requests: &[&InLine]) -> Result<Verdict<Reserved>, Undecided> {
        let (calls, epoch, started) = (&self.0, self.0.views.epoch(), clock::instant());
        let called = calls.gate.reserve_in_line(&calls.live, epoch, requests);
        let verdict = calls.judge(epoch, started, called.await, reserve_says)?;
        count(verdict.outcomes.iter().map(reserved));
        Ok(verdict)
    }
}

fn reserved(outcome: &Reserved) -> &'static str {
    match outcome {
        Reserved::Held { .. } => "held",
        Reserved::Repeat(_) => "repeat",
        Reserved::Mismatch => "mismatch",
        Reserved::SoldOut { .. } => "sold_out",
        Reserved::LimitReached { .. } => "limit_reached",
        Reserved::UnknownSku(_) => "unknown_sku",
        Reserved::NotOpen => "not_open",
        Reserved::Paused => "paused",
        Reserved::Closed => "closed",
        Reserved::Backlog => "backlog",
        Reserved::NotAdmitted => "not_admitted",
    }
}

fn reserve_says(outcome: &Reserved) -> Says {
    match outcome {
        Reserved::Backlog => Says::Full,
        Reserved::Held { .. }
        | Reserved::SoldOut { .. }
        | Reserved::LimitReached { .. }
        | Reserved::UnknownSku(_) => Says::Room,
        _ => Says::Nothing,
    }
}

#[derive(Debug)]
pub(super) struct Claims(pub(super) Calls, pub(super) CouponId);

impl Decide for Claims {
    type Request = ClaimCoupon;
    type Outcome = Claimed;

    fn lines(_: &ClaimCoupon) -> usize {
        1
    }

    fn pressure(&self) -> &Pressure {
        &self.0.pressure
    }

    async fn decide(&self, requests: &[&ClaimCoupon]) -> Result<Verdict<Claimed>, Undecided> {
        let (calls, epoch, started) = (&self.0, self.0.views.epoch(), clock::instant());
        let verdict = calls.judge(
            epoch,
            started,
            calls.gate.claim(&self.1, epoch, requests).await,
            claim_says,
        )?;
        count(verdict.outcomes.iter().map(claimed));
        Ok(verdict)
    }
}

fn claim_says(outcome: &Claimed) -> Says {
    match outcome {
        Claimed::Backlog => Says::Full,
        Claimed::Claimed { .. } | Claimed::AlreadyClaimed { .. } | Claimed::SoldOut => Says::Room,
        _ => Says::Nothing,
    }
}

fn claimed(outcome: &Claimed) -> &'static str {
    match outcome {
        Claimed::Claimed { .. } => "claimed",
        Claimed::Repeat(_) => "repeat",
        Claimed::AlreadyClaimed { .. } => "already_claimed",
        Claimed::SoldOut => "sold_out",
        Claimed::NotOpen => "not_open",
        Claimed::Paused => "paused",
        Claimed::Closed => "closed",
        Claimed::Backlog => "backlog",
    }
}
