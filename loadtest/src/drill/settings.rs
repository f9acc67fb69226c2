//! What an operator, or the machine, sets wrong on a Redis that runs: its clock, its memory, its durability.

use std::time::Duration;

use anyhow::Result;
use doorbuster_core::clock;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::scene::{Scene, some_ms};
use super::shim::Knob;
use super::talk;

/// Engines look at the settings of Redis every two seconds; and what was under way ends.
const NOTICED: Duration = Duration::from_millis(3_500);
/// Requests that were under way when a fault came have ended.
const SETTLED: Duration = Duration::from_millis(700);
/// Seconds by which the clock jumps: an hour, a day, both ways.
const JUMPS: [i64; 4] = [3_600, -3_600, 86_400, -86_400];
/// Settings that an acknowledgement at level fsync rules out, and what they must be.
const WRONG: [[&str; 3]; 3] = [
    ["appendfsync", "everysec", "always"],
    ["maxmemory-policy", "allkeys-lru", "noeviction"],
    ["no-appendfsync-on-rewrite", "yes", "no"],
];

pub(super) async fn clock_jumps(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    let jump = JUMPS[scene.turn() % JUMPS.len()];
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

pub(super) async fn out_of_memory(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let port = scene.ground.stage.redis().port();
    talk::redis(port, &["CONFIG", "SET", "maxmemory", "1"]).await?;
    sleep(SETTLED).await;
    let nothing = scene.sells_nothing(some_ms(rng, 800, 2_000)).await;
    scene.check(nothing, || {
        "units were sold while redis had no memory".into()
    });
    let since = clock::instant();
    talk::redis(port, &["CONFIG", "SET", "maxmemory", "0"]).await?;
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
