//! One rate, held for some seconds: how much of it was accepted, how much shed, and how long answers took.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::args::KneeArgs;
use crate::bench::arena::Arena;
use crate::limits::{BENCH_STOCK, KNEE_CONNECTIONS_MAX, KNEE_REST};
use crate::load::volley::Fired;
use crate::load::{Buyers, Pace, fire};
use crate::plan::Offer;
use crate::rush::say;

/// What came of one rate; named as scripts expect of a row. Rates are a second's.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    /// What was asked for, as in `twice the knee`.
    pub(super) strategy: &'static str,
    pub(super) offered: f64,
    /// Accepted.
    pub(super) goodput: f64,
    /// Told to come again.
    pub(super) refusals_per_second: f64,
    /// The same, of all requests.
    pub(super) shed_share: f64,
    pub(super) broken: u64,
    pub(super) p50_ms: f64,
    /// Of all answers, from when each request was due.
    pub(super) p99_ms: f64,
    /// Both nil, or the run fails: all rates meet one sale, and it is audited at the end.
    pub(super) oversold: u64,
    pub(super) undersold: u64,
    pub(super) ack_level: String,
}

impl Step {
    /// Whether the rate was served: nearly all accepted, and soon.
    pub(super) fn is_held(&self, bound_ms: f64) -> bool {
        self.p99_ms <= bound_ms && self.goodput >= 0.97 * self.offered
    }

    fn of(strategy: &'static str, rate: f64, seconds: f64, fired: &Fired, ack: &str) -> Self {
        let latency = fired.latency(|_| true);
        let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1_000.0;
        let all = fired.shots.len().max(1) as f64;
        let lasted = seconds.max(fired.elapsed.as_secs_f64());
        let shed = (fired.answered() - fired.accepted()) as f64;
        Self {
            strategy,
            offered: rate,
            goodput: fired.accepted() as f64 / lasted,
            refusals_per_second: shed / lasted,
            shed_share: shed / all,
            broken: fired.broken(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            oversold: 0,
            undersold: 0,
            ack_level: ack.to_owned(),
        }
    }
}

/// One sale, asked at one rate after the other.
pub(super) struct Ground<'a> {
    arena: &'a Arena,
    buyers: &'a Arc<Buyers>,
    offer: Offer,
    seconds: u64,
    first: u64,
    fired: Vec<Fired>,
}

impl<'a> Ground<'a> {
    pub(super) async fn new(
        arena: &'a Arena,
        buyers: &'a Arc<Buyers>,
        args: &KneeArgs,
    ) -> Result<Self> {
        Ok(Self {
            arena,
            buyers,
            offer: arena.offer(BENCH_STOCK).await?,
            seconds: args.seconds,
            first: 0,
            fired: Vec::new(),
        })
    }

    pub(super) async fn step(&mut self, rate: f64) -> Result<Step> {
        self.step_for("a step", rate, self.seconds).await
    }

    /// A rate that shall be borne for longer.
    pub(super) async fn step_for(
        &mut self,
        strategy: &'static str,
        rate: f64,
        seconds: u64,
    ) -> Result<Step> {
        let lasting = Duration::from_secs(seconds);
        let mut volley = self.arena.volley(&self.offer, self.buyers, lasting);
        volley.pace = Pace::PerSecond(rate);
        // Enough that none who is due waits for one: half a second's worth, and some.
        volley.connections = (rate / 2.0) as usize + 64;
        volley.connections = volley.connections.min(KNEE_CONNECTIONS_MAX);
        volley.first = self.first;
        let fired = fire(volley).await?;
        self.first += fired.shots.len() as u64;
        let step = Step::of(
            strategy,
            rate,
            lasting.as_secs_f64(),
            &fired,
            &self.arena.target.ack_level,
        );
        say(&format!(
            "{rate:>8.0}/s offered: {:.0}/s accepted, {:.1} % shed, {} broken, p50 {:.0} ms, p99 {:.0} ms",
            step.goodput,
            100.0 * step.shed_share,
            step.broken,
            step.p50_ms,
            step.p99_ms
        ));
        self.fired.push(fired);
        // So that the next does not pay for this one.
        tokio::time::sleep(KNEE_REST).await;
        Ok(step)
    }

    pub(super) async fn audit(self) -> Result<()> {
        let live = &self.offer.live;
        if let Some(last) = self.fired.last() {
            self.arena.drained(live, last).await?;
        }
        self.arena.audit(&self.offer, self.fired, self.buyers).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_held_if_nearly_all_is_accepted_soon() {
        let step = Step {
            strategy: "a step",
            offered: 1_000.0,
            goodput: 980.0,
            refusals_per_second: 0.0,
            shed_share: 0.0,
            broken: 0,
            p50_ms: 1.0,
            p99_ms: 90.0,
            oversold: 0,
            undersold: 0,
            ack_level: "fsync".into(),
        };
        assert!(step.is_held(100.0) && !step.is_held(80.0));
        let shed = Step {
            goodput: 900.0,
            ..step
        };
        assert!(!shed.is_held(100.0));
    }
}
