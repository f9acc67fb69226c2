//! Rounds in which Redis loses what it has acknowledged: the loss must be noticed, and nothing of that generation sold after it.
//!
//! Each has a ground of its own, because every sale on it is lost. Where the sale stays shut, what was acknowledged and never
//! reached the books is listed, and the books are audited alone; where it sells again in a new generation, all of it is audited.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use doorbuster_core::clock;
use tokio::time::sleep;

use super::ground::{Ground, blocking};
use super::round::{Outcome, Sale, Task, plan};
use super::scene::{Company, Goal, Scene};
use super::talk;
use crate::audit;
use crate::history::{Client, History, Verb};
use crate::limits::{
    DRILL_FENCED, DRILL_LAST_BUYERS, DRILL_NOTICE_BOUND, DRILL_WARM_UP, POLL_STEP,
};
use crate::plan::Offer;
use crate::rush;
use crate::setup;

/// What was seen after the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// A writer raised the alarm, and nothing was sold.
    Fenced,
    /// A writer raised the alarm, and it sells on in a new generation.
    Rebuilt,
    /// It sells on: right only if nothing was lost.
    Sells,
}

/// # Errors
/// If the round cannot be held at all.
pub(super) async fn round(task: &Task, name: &str) -> Result<Outcome> {
    let level = if task.fault.id == "F7" {
        "memory"
    } else {
        "fsync"
    };
    let ground = Ground::start(level).await?;
    let plan = plan(task, name);
    setup::open(&ground.target, &plan.offer, ground.sources.redis()).await?;
    let mut crowd = rush::crowd(&plan, &ground.target);
    let (market, header) = rush::market(&plan, &ground.target).await?;
    let turn = (task.outage, task.turn());
    let scene = Scene::new(&ground, &plan.offer.live, &market, Company::Alone, turn);
    let stop = AtomicBool::new(false);
    let (clients, seen) = tokio::join!(rush::walk_all(&market, crowd.by_ref(), &stop), async {
        let seen = lose(&scene, task.fault.id).await;
        stop.store(true, Ordering::Relaxed);
        // Nobody waits for a sale that stays shut.
        let shut = !matches!(seen, Ok(Seen::Rebuilt | Seen::Sells));
        market.over.store(shut, Ordering::Relaxed);
        seen
    });
    let (clients, mut outcome) = (clients?, Outcome::default());
    outcome.clients(&clients, true);
    if let Err(error) = &seen {
        scene.broken(format!("{error:#}"));
    }
    scene.note(|notes| notes.cycles += 1);
    outcome.take(scene.into_notes());
    if let Ok(Seen::Rebuilt | Seen::Sells) = seen {
        let (told, now) = (told_seq(&clients), redis_seq(&ground, &plan.offer).await);
        if told > now {
            outcome.broken.push(format!(
                "acknowledged up to event {told}, Redis is at {now}, and it sells on"
            ));
        }
        let sale = Sale {
            ground: &ground,
            offer: &plan.offer,
            market: &market,
            header,
        };
        let last = crowd.take(DRILL_LAST_BUYERS).collect();
        sale.finish(clients, last, task.seed, &mut outcome).await?;
        return Ok(outcome);
    }
    let books = ground.sources.books(&plan.offer.live).await?;
    let history = History { header, clients };
    let (verdict, listed) = audit::judge_books(&history, &books)?;
    outcome.judged(verdict.numbers, &verdict.findings);
    outcome.listed = listed.len() as u64;
    outcome.broken.extend(ground.panics()?);
    Ok(outcome)
}

async fn lose(scene: &Scene<'_>, fault: &str) -> Result<Seen> {
    let ground = scene.ground;
    sleep(DRILL_WARM_UP).await;
    scene.sells().await.context("before the loss")?;
    let epoch = ground.sources.redis().snapshot(scene.live).await?.epoch;
    let dir = ground.stage.dir().join("redis");
    let port = ground.stage.redis().port();
    match fault {
        "F7" => {
            ground.redis(|redis| redis.kill9()).await?;
            ground.shim.cut_power()?;
            ground.redis(|redis| redis.start()).await?;
        }
        "F8" => {
            ground.redis(|redis| redis.kill9()).await?;
            blocking(move || Ok(fs::remove_dir_all(dir.join("appendonlydir"))?)).await?;
            ground.redis(|redis| redis.start()).await?;
        }
        _ if scene.turn().is_multiple_of(2) => {
            talk::redis(port, &["FLUSHALL"]).await?;
        }
        _ => restore_what_was(scene, &dir).await?,
    }
    watch(scene, clock::instant(), epoch).await
}

/// A copy of the file is taken, units are sold, and the copy is put back: yesterday's backup.
async fn restore_what_was(scene: &Scene<'_>, dir: &Path) -> Result<()> {
    let ground = scene.ground;
    let (live, copy) = (dir.join("appendonlydir"), dir.join("yesterday"));
    let (from, to) = (live.clone(), copy.clone());
    // Whole up to the last write, whose tail Redis cuts off.
    blocking(move || copy_dir(&from, &to)).await?;
    scene.sells().await?;
    sleep(DRILL_WARM_UP).await;
    ground.redis(|redis| redis.kill9()).await?;
    blocking(move || {
        fs::remove_dir_all(&live)?;
        Ok(fs::rename(&copy, &live)?)
    })
    .await?;
    ground.redis(|redis| redis.start()).await
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Waits for the alarm or the next sale, whatever comes first; after an alarm nothing is sold.
async fn watch(scene: &Scene<'_>, since: Instant, epoch: u32) -> Result<Seen> {
    let before = scene.accepted();
    // Answers that were on their way count for nothing yet.
    while since.elapsed() < DRILL_NOTICE_BOUND {
        if scene.ground.alarms("rewind")? > 0 {
            scene.recovered(Goal::Noticed, since.elapsed());
            return Ok(after_the_alarm(scene, epoch).await);
        }
        if scene.accepted() > before + 100 {
            return Ok(Seen::Sells);
        }
        sleep(POLL_STEP).await;
    }
    anyhow::bail!("neither an alarm nor a sale within {DRILL_NOTICE_BOUND:?}")
}

/// Whether anything is sold while an engine's word is out that Redis has lost it: only in a new generation.
async fn after_the_alarm(scene: &Scene<'_>, epoch: u32) -> Seen {
    let since = clock::instant();
    while since.elapsed() < DRILL_FENCED {
        if scene.sells_nothing(POLL_STEP).await {
            continue;
        }
        let snapshot = scene.ground.sources.redis().snapshot(scene.live).await;
        if snapshot.is_ok_and(|now| now.epoch > epoch) {
            return Seen::Rebuilt;
        }
        scene.broken("units were sold after the loss was noticed".into());
        return Seen::Sells;
    }
    Seen::Fenced
}

/// The last event that Redis has; 0 where the sale is gone.
async fn redis_seq(ground: &Ground, offer: &Offer) -> u64 {
    let snapshot = ground.sources.redis().snapshot(&offer.live).await;
    snapshot.map_or(0, |snapshot| snapshot.seq)
}

/// The last event that a client was told of.
fn told_seq(clients: &[Client]) -> u64 {
    let told = clients.iter().flat_map(|client| client.answers(Verb::Take));
    let seqs = told.filter_map(|(_, answer)| answer.told.as_ref().map(|told| told.seq));
    seqs.max().unwrap_or(0)
}
