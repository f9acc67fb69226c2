//! Whether an acknowledgement is worth what the ack level promises (design §3, Ack levels).
//!
//! Checked at start and every few seconds, against what the level rests on: Redis, a replica, MySQL. Below the asked level
//! the front admits nobody and `/readyz` names the setting.

mod books;

use std::sync::Arc;

use arc_swap::ArcSwap;
use doorbuster_core::ack::AckLevel;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::durability::AckState;
use tokio_util::sync::CancellationToken;

use crate::books::Books;
use crate::limits::SELF_CHECK_EVERY;
use crate::metrics;

/// The asked level and the last finding.
#[derive(Debug)]
pub struct AckWatch {
    pub level: AckLevel,
    state: ArcSwap<AckState>,
}

impl AckWatch {
    pub(crate) fn new(level: AckLevel) -> Self {
        let unknown = AckState::unverified("redis has not been checked yet".into());
        Self {
            level,
            state: ArcSwap::from_pointee(unknown),
        }
    }

    pub fn state(&self) -> Arc<AckState> {
        self.state.load_full()
    }

    /// Whether an acknowledgement would be worth what it says.
    pub fn is_met(&self) -> bool {
        self.state.load().is_met()
    }

    /// Where an accepted request is by the time its buyer is told.
    pub fn means(&self, gate: &Gate) -> &'static str {
        self.level.means(gate.replica_has())
    }

    /// Checks until told to stop.
    pub(crate) async fn watch(&self, gate: &Gate, books: &Books, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let found = self.look(gate, books).await;
            let is_met = found.is_met();
            ::metrics::gauge!(metrics::ACK_OK).set(f64::from(u8::from(is_met)));
            if *self.state.load_full() != found {
                tracing::info!(ack_level = self.level.as_str(), verified = found.verified, problems = ?found.problems, advice = ?found.advice, "ack level checked");
                self.state.store(Arc::new(found));
            }
            let pause = if is_met {
                SELF_CHECK_EVERY
            } else {
                SELF_CHECK_EVERY / 10
            };
            let _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    async fn look(&self, gate: &Gate, books: &Books) -> AckState {
        let mut found = gate.look_at_durability(self.level).await;
        if self.level == AckLevel::Mysql {
            found.problems.extend(books::problems(books).await);
        }
        found
    }
}
