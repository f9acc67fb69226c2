//! Rounds in which Redis loses what it has acknowledged: the loss must be noticed, nothing of that generation sold after it, and the sale
//! rebuilt by itself.
//!
//! Each has a ground of its own. While an engine lives that caused it, nothing acknowledged may be gone afterwards. In every other
//! turn all fronts die with Redis, and the writers are held up just before: what is gone then must be listed as lost, and given
//! again to the buyers who present their receipts.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use doorbuster_core::clock;
use doorbuster_core::keys::Keys;
use doorbuster_core::limits::RECEIPT_GRACE;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::ending::Sale;
use super::ground::{Ground, Redises, blocking};
use super::lost::{self, Loss};
use super::processes;
use super::round::{Outcome, Task, plan};
use super::scene::{Company, Goal, Scene, some_ms};
use super::talk;
use crate::limits::{DRILL_WARM_UP, POLL_STEP};
use crate::plan::Offer;
use crate::rush;
use crate::setup;

/// How Redis loses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A power cut; only what was fsynced is left.
    Cut,
    /// Its directory is emptied.
    Wiped,
    /// FLUSHALL.
    Flushed,
    /// An older append-only file is restored.
    Restored,
    /// The key that counts the units is deleted; the journal is still there.
    StockDeleted,
    /// It is killed, and its replica, which has all that was acknowledged, is promoted.
    Promoted,
    /// The same with a replica that was not there of late.
    PromotedStale,
}

/// What a round does.
#[derive(Debug, Clone, Copy)]
struct Act {
    way: Way,
    /// Whether the fronts die with Redis.
    fronts_die: bool,
}

impl Act {
    fn of(task: &Task) -> Self {
        let (ways, turn): (&[Way], _) = (ways(task.fault.id), task.turn() as usize);
        Self {
            way: ways[turn % ways.len()],
            fronts_die: (turn / ways.len()) % 2 == 1,
        }
    }

    /// Whether something acknowledged may be gone afterwards.
    fn may_lose(self) -> bool {
        self.fronts_die && !matches!(self.way, Way::Promoted | Way::StockDeleted)
    }

    /// Whether something acknowledged is gone for certain; a power cut may have come just after an fsync.
    fn loses(self) -> bool {
        self.may_lose() && self.way != Way::Cut
    }

    fn level(self) -> &'static str {
        match self.way {
            Way::Cut => "memory",
            Way::Promoted => "replica",
            _ => "fsync",
        }
    }
}

fn ways(fault: &str) -> &'static [Way] {
    match fault {
        "F7" => &[Way::Cut],
        "F8" => &[Way::Wiped],
        "F10" => &[Way::Promoted, Way::PromotedStale],
        _ => &[Way::Flushed, Way::Restored, Way::StockDeleted],
    }
}

/// # Errors
/// If the round cannot be held at all.
pub(super) async fn round(task: &Task, name: &str) -> Result<Outcome> {
    let act = Act::of(task);
    let redises = match act.way {
        Way::Promoted | Way::PromotedStale => Redises::WithReplica,
        _ => Redises::One,
    };
    let ground = Ground::start(act.level(), redises, task.planted).await?;
    let mut plan = plan(task, name);
    if act.fronts_die {
        // A confirmed cancel may be lost too, and no receipt tells of it.
        plan.mix.cancel = 0.0;
    }
    setup::open(&ground.target, &plan.offer, ground.sources.redis()).await?;
    let mut crowd = rush::crowd(&plan, &ground.target);
    let (market, header) = rush::market(&plan, &ground.target).await?;
    let turn = (task.outage, task.turn());
    let scene = Scene::new(&ground, &plan.offer.live, &market, Company::Alone, turn);
    let (stop, mut rng) = (AtomicBool::new(false), StdRng::seed_from_u64(task.seed));
    let (clients, lost) = tokio::join!(rush::walk_all(&market, crowd.by_ref(), &stop), async {
        let lost = lose(&scene, act, &mut rng).await;
        stop.store(true, Ordering::Relaxed);
        // Nobody waits for a sale that stays shut.
        market.over.store(lost.is_err(), Ordering::Relaxed);
        lost
    });
    let (mut clients, mut outcome) = (clients?, Outcome::default());
    outcome.clients(&clients, true);
    outcome.none_sold_out(&clients);
    scene.note(|notes| notes.cycles += 1);
    outcome.take(scene.into_notes());
    let loss = match lost {
        Ok(loss) => loss,
        Err(error) => {
            let rebuild = setup::rebuild(&ground.target, &plan.offer).await;
            outcome
                .broken
                .push(format!("{error:#}; the rebuild: {rebuild:?}"));
            outcome.broken.extend(ground.panics()?);
            return Ok(outcome);
        }
    };
    let began = clock::instant();
    let told = rebuilt(&ground, act, &loss, &plan.offer, &mut outcome).await?;
    let sale = Sale {
        ground: &ground,
        offer: &plan.offer,
        market: &market,
        header,
        epoch: loss.epoch_now,
    };
    let listed = lost::give_again(&sale, &loss, &mut clients, &mut outcome).await?;
    if listed != told || (told > 0) != (ground.alarms("lost")? > 0) {
        let text = format!("the rebuild tells of {told} lost events, the books of {listed}");
        outcome.broken.push(text);
    }
    if act.loses() && outcome.listed == 0 {
        let text = "nothing acknowledged was lost: the drill has missed";
        outcome.broken.push(text.into());
    }
    if told > 0 {
        // As many units as were lost are for receipts alone for a while; the last buyers come after it.
        sleep(RECEIPT_GRACE.saturating_sub(began.elapsed())).await;
    }
    sale.finish(clients, &mut crowd, task, &mut outcome).await?;
    Ok(outcome)
}

/// What the rebuild says that is lost; it must have been noticed and told, and be in the books.
async fn rebuilt(
    ground: &Ground,
    act: Act,
    loss: &Loss,
    offer: &Offer,
    outcome: &mut Outcome,
) -> Result<u64> {
    let rebuild = setup::rebuild(&ground.target, offer).await?;
    if loss.is_rebuilt() {
        let lost = rebuild["report"]["lost"].as_u64();
        if rebuild["state"] != "done" || lost.is_none() {
            outcome
                .broken
                .push(format!("it sells, and its rebuild is {rebuild}"));
        }
        return Ok(lost.unwrap_or(0));
    }
    // A power cut may have taken nothing, and a replica may have it all.
    if !matches!(act.way, Way::Cut | Way::Promoted) {
        outcome
            .broken
            .push("it sells on as if nothing had been lost".into());
    }
    Ok(0)
}

/// Loses it, and waits until units are sold again.
async fn lose(scene: &Scene<'_>, act: Act, rng: &mut StdRng) -> Result<Loss> {
    let ground = scene.ground;
    sleep(DRILL_WARM_UP).await;
    scene.sells().await.context("before the loss")?;
    let epoch = ground.sources.redis().snapshot(scene.live).await?.epoch;
    prepare(scene, act.way).await?;
    if act.fronts_die {
        // Frozen for less than their sessions' life.
        for writer in &ground.writers {
            writer.act(|server| server.freeze()).await?;
        }
        sleep(some_ms(rng, 400, 1_200)).await;
    }
    let noticed = ground.alarms("rewind")?;
    let at_us = take_away(scene, act).await?;
    let mut noted = 0;
    if act.fronts_die {
        let mut operator = ground.session().await?;
        noted = operator.noted(scene.live, epoch).await?;
        operator.end().await;
        for writer in &ground.writers {
            writer.act(|server| server.thaw()).await?;
        }
    }
    if matches!(act.way, Way::Promoted | Way::PromotedStale) {
        ground.demote().await?;
    }
    if act.fronts_die {
        for front in &ground.fronts {
            processes::start_again(front).await?;
        }
    }
    let back = clock::instant();
    let epoch_now = selling(scene, epoch, back, noticed).await?;
    Ok(Loss {
        epoch,
        epoch_now,
        at_us,
        may_lose: act.may_lose(),
        noted,
    })
}

/// Waits for the next sales; returns the generation in which they are.
async fn selling(scene: &Scene<'_>, epoch: u32, back: Instant, before: usize) -> Result<u32> {
    let ground = scene.ground;
    // Answers that were on their way count for nothing.
    sleep(Duration::from_millis(200)).await;
    let alarm = async {
        while ground.alarms("rewind")? == before {
            sleep(POLL_STEP).await;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        alarm = alarm => {
            alarm?;
            scene.recovered(Goal::Noticed, back.elapsed());
            scene.sells().await?;
        }
        sold = scene.sells() => sold?,
    }
    let took = back.elapsed();
    let now = ground.sources.redis().snapshot(scene.live).await?;
    if now.epoch == epoch {
        scene.recovered(Goal::Selling, took);
        return Ok(epoch);
    }
    scene.recovered(Goal::Rebuilt, took);
    if ground.alarms("rewind")? == before {
        bail!("rebuilt, and no writer has raised an alarm");
    }
    Ok(now.epoch)
}

/// What a loss needs while Redis still runs.
async fn prepare(scene: &Scene<'_>, way: Way) -> Result<()> {
    let ground = scene.ground;
    match way {
        Way::Restored => {
            let dir = ground.stage.dir().join("redis");
            let (from, to) = (dir.join("appendonlydir"), dir.join("yesterday"));
            // Whole up to the last write, whose tail Redis cuts off.
            blocking(move || copy_dir(&from, &to)).await?;
        }
        Way::PromotedStale => ground.replica(|replica| replica.kill9()).await?,
        _ => return Ok(()),
    }
    scene.sells().await?;
    sleep(DRILL_WARM_UP).await;
    Ok(())
}

/// Takes it away; returns when it was gone, in µs of the market's time. Redis is back afterwards.
async fn take_away(scene: &Scene<'_>, act: Act) -> Result<u64> {
    let ground = scene.ground;
    let (dir, port) = (
        ground.stage.dir().join("redis"),
        ground.stage.redis().port(),
    );
    let data = dir.join("appendonlydir");
    match act.way {
        Way::Flushed => {
            kill(ground, act).await?;
            talk::redis(port, &["FLUSHALL"]).await?;
            return Ok(scene.market.now_us());
        }
        Way::StockDeleted => {
            kill(ground, act).await?;
            talk::redis(port, &["DEL", &Keys::of(scene.live).stock]).await?;
            return Ok(scene.market.now_us());
        }
        _ => ground.redis(|redis| redis.kill9()).await?,
    }
    kill(ground, act).await?;
    let at_us = scene.market.now_us();
    match act.way {
        Way::Cut => drop(ground.shim.cut_power()?),
        Way::Wiped => blocking(move || Ok(fs::remove_dir_all(data)?)).await?,
        Way::Restored => {
            let copy = dir.join("yesterday");
            blocking(move || {
                fs::remove_dir_all(&data)?;
                Ok(fs::rename(&copy, &data)?)
            })
            .await?;
        }
        Way::PromotedStale => ground.replica(|replica| replica.start()).await?,
        Way::Promoted | Way::Flushed | Way::StockDeleted => {}
    }
    if matches!(act.way, Way::Promoted | Way::PromotedStale) {
        ground.promote().await?;
    } else {
        ground.redis(|redis| redis.start()).await?;
    }
    Ok(at_us)
}

/// The fronts die, where they do.
async fn kill(ground: &Ground, act: Act) -> Result<()> {
    for front in ground.fronts.iter().filter(|_| act.fronts_die) {
        front.act(|server| server.kill9()).await?;
    }
    Ok(())
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::faults::{FAULTS, Kind};
    use crate::drill::round::Twist;

    #[test]
    fn the_cycles_of_a_fault_go_through_all_its_ways_with_fronts_that_live_and_that_die() {
        for fault in FAULTS.iter().filter(|fault| fault.kind == Kind::Loss) {
            let acts = (7..7 + u64::from(fault.cycles)).map(|seed| {
                let outage = Duration::ZERO;
                let (strikes, rate) = (1, 1);
                let act = Act::of(&Task {
                    fault,
                    seed,
                    strikes,
                    rate,
                    outage,
                    twist: Twist::Nothing,
                    planted: None,
                });
                (
                    ways(fault.id).iter().position(|way| *way == act.way),
                    act.fronts_die,
                )
            });
            let all: std::collections::HashSet<_> = acts.collect();
            assert_eq!(all.len(), 2 * ways(fault.id).len(), "{}", fault.id);
        }
    }
}
