//! The script call that gives numbers, behind the combiner.

use std::sync::Arc;
use std::time::Duration;

use doorbuster_core::gate::join::{Join, JoinBatch, Joined};
use metrics::counter;

use super::shared::Shared;
use crate::front::problem::Refusal;
use crate::load::Class;
use crate::metrics as names;
use crate::pressure::Pressure;
use crate::sale::combiner::{Decide, Undecided, Verdict};

#[derive(Debug)]
pub(super) struct Joins(pub(super) Arc<Shared>);

impl Decide for Joins {
    const DEPTH: &'static str = names::JOIN_QUEUE_DEPTH;
    const CLASS: Class = Class::Join;

    type Request = Join;
    type Outcome = Joined;

    fn lines(_: &Join) -> usize {
        1
    }

    fn pace(&self) -> Duration {
        Duration::ZERO
    }

    fn shed(&self) {}

    fn pressure(&self) -> &Pressure {
        self.0.pressure()
    }

    async fn decide(&self, joins: &[&Join]) -> Result<Verdict<Joined>, Undecided> {
        let line = &self.0;
        // Whoever joins is told whether the draw has him, which is to be known before the first is: another engine may have begun this line.
        if line.view.load().head.is_none() {
            line.advance().await;
        }
        // The line may have to be moved first: it is new, or lost, or the sale has just opened.
        for _ in 0..2 {
            let epoch = line.epoch();
            let called = line.gate.join(&line.live, epoch, joins).await;
            match called.map_err(|e| Undecided::Refused(Refusal::from(&e)))? {
                JoinBatch::Decided {
                    now_ms,
                    given,
                    given_invites,
                    outcomes,
                } => {
                    line.saw_given(given, given_invites);
                    let new = outcomes.iter().filter(|o| matches!(o, Joined::Joined(_)));
                    counter!(names::JOINED).increment(new.count() as u64);
                    return Ok(Verdict {
                        now_ms,
                        epoch,
                        seq: 0,
                        outcomes,
                    });
                }
                JoinBatch::Behind => line.advance().await,
                JoinBatch::Fenced(fenced) => return Err(Undecided::Fenced(fenced)),
            }
        }
        Err(Undecided::Refused(Refusal::Recovering))
    }
}
