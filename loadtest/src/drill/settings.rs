//! What an operator, or the machine, sets wrong on a Redis that runs: its clock, its memory, its durability.

use std::time::Duration;

use anyhow::{Context, Result};
use doorbuster_core::clock;
use rand::rngs::StdRng;
use tokio::time::{sleep, timeout};

use super::faults::Part;
use super::member::Member;
use super::scene::{Company, Scene, some_ms};
use super::shim::Knob;
use super::talk;

/// Engines look at the settings of Redis every two seconds; and what was under way ends.
const NOTICED: Duration = Duration::from_millis(3_500);
/// Requests that were under way when a fault came have ended.
const SETTLED: Duration = Duration::from_millis(700);
/// For one hold to be cancelled by a buyer who does not hesitate long.
const CANCELLED: Duration = Duration::from_secs(3);
/// Seconds by which the clock jumps: an hour, a day, both ways.
const JUMPS: [i64; 4] = [3_600, -3_600, 86_400, -86_400];
/// Seconds by which the clock of a front or a writer is wrong. A front that is behind by more than half a minute takes tokens for
/// ones from the future.
const SKEWS: [(Part, i64); 4] = [
    (Part::Front, 3_600),
    (Part::Front, -20),
    (Part::Writer, 3_600),
    (Part::Writer, -3_600),
];
/// Settings that an acknowledgement at level fsync rules out, and what they must be.
const WRONG: [[&str; 3]; 3] = [
    ["appendfsync", "everysec", "always"],
    ["maxmemory-policy", "allkeys-lru", "noeviction"],
    ["no-appendfsync-on-rewrite", "yes", "no"],
];

pub(super) async fn clock_jumps(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    let turn = scene.turn() % (JUMPS.len() + SKEWS.len());
    let Some(&jump) = JUMPS.get(turn) else {
        let (of, seconds) = SKEWS[turn - JUMPS.len()];
        let members = match of {
            Part::Writer => &ground.writers,
            _ => &ground.fronts,
        };
        return skewed(scene, &members[0], seconds, rng).await;
    };
    ground.shim.turn(Knob::ClockSeconds, jump)?;
    if jump > 0 {
        sleep(SETTLED).await;
        let nothing = scene.sells_nothing(some_ms(rng, 800, 2_000)).await;
        scene.check(nothing, || {
            format!("units were sold while the clock of redis was {jump} s ahead")
        });
    } else {
        scene.sells().await?;
    }
    let since = clock::instant();
    ground.shim.turn(Knob::ClockSeconds, 0)?;
    scene.selling_again(since).await
}

/// The machine of one of our programs has a wrong clock, before and after the program starts. Time is told by Redis.
async fn skewed(scene: &Scene<'_>, member: &Member, seconds: i64, rng: &mut StdRng) -> Result<()> {
    let clock = member.clock.as_ref().context("a clock that can jump")?;
    clock.turn(Knob::ClockSeconds, seconds)?;
    scene.sells().await?;
    member.act(|server| server.restart()).await?;
    member.ready().await?;
    scene.sells().await?;
    sleep(some_ms(rng, 800, 2_000)).await;
    clock.turn(Knob::ClockSeconds, 0)?;
    scene.sells().await?;
    member.act(|server| server.restart()).await?;
    member.ready().await?;
    let since = clock::instant();
    scene.selling_again(since).await?;
    scene.drained(since).await
}

pub(super) async fn out_of_memory(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let port = scene.ground.stage.redis().port();
    let guest = scene.guest().await?;
    talk::redis(port, &["CONFIG", "SET", "maxmemory", "1"]).await?;
    sleep(SETTLED).await;
    let nothing = scene.sells_nothing(some_ms(rng, 800, 2_000)).await;
    scene.check(nothing, || {
        "units were sold while redis had no memory".into()
    });
    let mut cancels = Box::pin(scene.cancels(guest));
    let cancelled = timeout(CANCELLED, &mut cancels).await;
    let alone = scene.company == Company::Alone;
    scene.check(matches!(cancelled, Ok(true)) || !alone, || {
        "a hold could not be cancelled while redis had no memory".into()
    });
    let since = clock::instant();
    talk::redis(port, &["CONFIG", "SET", "maxmemory", "0"]).await?;
    if cancelled.is_err() {
        cancels.await;
    }
    scene.selling_again(since).await
}

pub(super) async fn below_the_level(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let port = scene.ground.stage.redis().port();
    let [name, wrong, right] = WRONG[scene.turn() % WRONG.len()];
    talk::redis(port, &["CONFIG", "SET", name, wrong]).await?;
    sleep(NOTICED).await;
    let nothing = scene.sells_nothing(some_ms(rng, 500, 1_000)).await;
    scene.check(nothing, || {
        format!("units were sold while redis had {name} {wrong}")
    });
    let since = clock::instant();
    talk::redis(port, &["CONFIG", "SET", name, right]).await?;
    scene.selling_again(since).await
}
