//! Looks at a line while it moves, breaks what shall be broken, and closes the sale once nothing is left to wait for. Called by
//! `run`, beside the crowd.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use doorbuster_core::clock;
use tokio::time::sleep;

use super::street::Street;
use super::{LinePlan, Trouble};
use crate::audit::line::Look;
use crate::audit::settle::Sources;
use crate::limits::{
    LINE_BOUND, LINE_GOING_HOME, LINE_HANG, LINE_LOOK_EVERY, LINE_QUIET, LINE_SAY_EVERY,
};
use crate::report::number::grouped;
use crate::rush::say;
use crate::setup;
use crate::target::Target;

/// What was seen of a line from outside.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// Looks with their times in µs since the start; those at which Redis could not be asked are missing.
    pub looks: Vec<(u64, Look)>,
    /// When things broke, in µs since the start.
    pub broke_us: Option<u64>,
    /// When the operator closed the sale.
    pub closed_us: u64,
    /// Looks that found no line where one had been.
    pub blind: u64,
    /// Commands that Redis was sent from the first guest until the sale was closed.
    pub commands: u64,
}

/// Where a line is watched from.
pub struct Watch<'a> {
    pub plan: &'a LinePlan,
    pub target: &'a Target,
    pub sources: &'a Sources,
    pub street: &'a Arc<Street>,
    pub opens_us: u64,
}

impl Watch<'_> {
    /// Watches until everyone is done, or was told that it is over.
    ///
    /// # Errors
    /// If what shall break cannot be broken, or the sale cannot be closed.
    pub async fn watch(&self) -> Result<Watched> {
        let mut watched = Watched::default();
        let (mut gone_since, mut said) = (None, clock::instant());
        let commands = self.sources.redis().commands().await?;
        let bound_us = self.opens_us + LINE_BOUND.as_micros() as u64;
        while self.street.inside() > 0 {
            let now_us = self.street.now_us();
            self.trouble(now_us, &mut watched).await?;
            let look = self.look(now_us, &mut watched).await;
            // Once nothing is left, what waits waits for nothing that comes in this run.
            let over = look.is_some_and(|look| now_us > self.opens_us && look.left == 0);
            gone_since = if over {
                gone_since.or(Some(now_us))
            } else {
                None
            };
            let quiet = LINE_QUIET.as_micros() as u64;
            if now_us > bound_us || gone_since.is_some_and(|since| now_us > since + quiet) {
                break;
            }
            if said.elapsed() >= LINE_SAY_EVERY {
                said = clock::instant();
                self.say(watched.looks.last().map(|(_, look)| look));
            }
            sleep(LINE_LOOK_EVERY).await;
        }
        watched.closed_us = self.street.now_us();
        let all = self.sources.redis().commands().await.unwrap_or(commands);
        watched.commands = all.saturating_sub(commands);
        setup::close(self.target, &self.plan.offer).await?;
        say("the sale is closed: everyone who still waits is told so");
        let deadline_us = watched.closed_us + LINE_GOING_HOME.as_micros() as u64;
        while self.street.inside() > 0 && self.street.now_us() < deadline_us {
            self.look(self.street.now_us(), &mut watched).await;
            sleep(LINE_LOOK_EVERY).await;
        }
        self.street.end();
        Ok(watched)
    }

    async fn look(&self, now_us: u64, watched: &mut Watched) -> Option<Look> {
        let offer = &self.plan.offer;
        match self
            .sources
            .redis()
            .line_look(&offer.live, &offer.sku)
            .await
        {
            Ok(look) => {
                watched.looks.push((now_us, look.clone()));
                Some(look)
            }
            Err(_) => {
                watched.blind += u64::from(!watched.looks.is_empty());
                None
            }
        }
    }

    async fn trouble(&self, now_us: u64, watched: &mut Watched) -> Result<()> {
        let at_us = self.opens_us + self.plan.arriving.as_micros() as u64 / 2;
        if self.plan.trouble == Trouble::None || watched.broke_us.is_some() || now_us < at_us {
            return Ok(());
        }
        watched.broke_us = Some(now_us);
        let inside = grouped(self.street.inside());
        match self.plan.trouble {
            Trouble::None => {}
            Trouble::RedisLost => {
                say(&format!("Redis is emptied while {inside} are in the line"));
                self.sources.redis().empty().await?;
            }
            Trouble::RedisHangs => {
                let stage = self
                    .target
                    .stage()
                    .context("only the Redis of a stage of our own can be stopped")?;
                let seconds = LINE_HANG.as_secs();
                say(&format!(
                    "Redis stands still for {seconds} s while {inside} are in the line"
                ));
                stage.redis().freeze()?;
                sleep(LINE_HANG).await;
                stage.redis().thaw()?;
            }
            Trouble::EngineKilled => {
                let stage = self
                    .target
                    .stage()
                    .context("only an engine of a stage of our own can be killed")?;
                say(&format!(
                    "an engine is killed while {inside} are in the line"
                ));
                stage.engine(0).kill9()?;
            }
        }
        Ok(())
    }

    fn say(&self, look: Option<&Look>) {
        let counts = &self.street.counts;
        let count =
            |counter: &std::sync::atomic::AtomicU64| grouped(counter.load(Ordering::Relaxed));
        let (watermark, left) = look.map_or((0, 0), |look| (look.watermark, look.left));
        say(&format!(
            "  {} joined · {} polls · {} admitted, up to place {} · {} reserved · {} left · {} done",
            count(&counts.joined),
            count(&counts.polls),
            count(&counts.admitted),
            grouped(watermark.into()),
            count(&counts.reserved),
            grouped(left),
            count(&counts.done),
        ));
    }
}
