//! Redis and its file: killed, cut off, torn, without room, slow.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use doorbuster_core::clock;
use rand::Rng;
use rand::rngs::StdRng;
use tokio::time::{sleep, timeout};

use super::ground::Ground;
use super::scene::{Scene, some_ms};
use super::shim::Knob;
use super::talk;
use crate::limits::{DRILL_CRASH_BOUND, POLL_STEP};

/// What is counted.
pub(super) const KILLED: &str = "kill -9 of redis";
pub(super) const CUT_OFF: &str = "power cuts of redis";

/// A script that takes longer holds everybody up.
const SLOW: Duration = Duration::from_millis(200);

/// The beginning of a write that a power cut has parted.
const TORN: &[u8] = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$4\r\nto";

pub(super) async fn redis_killed(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    ground.redis(|redis| redis.kill9()).await?;
    scene.ended(KILLED);
    sleep(some_ms(rng, 0, 500)).await;
    back(scene, ground).await
}

/// Starts Redis and waits for the sale.
async fn back(scene: &Scene<'_>, ground: &Ground) -> Result<()> {
    ground.redis(|redis| redis.start()).await?;
    scene.selling_again(clock::instant()).await
}

pub(super) async fn power_cut(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    ground.redis(|redis| redis.kill9()).await?;
    ground.shim.cut_power()?;
    scene.ended(CUT_OFF);
    sleep(some_ms(rng, 0, 500)).await;
    back(scene, ground).await
}

pub(super) async fn torn(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    ground.redis(|redis| redis.kill9()).await?;
    ground.shim.cut_power()?;
    let (file, synced) = ground.shim.synced()?;
    if scene.turn().is_multiple_of(2) {
        let torn = rng.random_range(1..=TORN.len());
        let mut file = OpenOptions::new().append(true).open(file)?;
        file.write_all(&TORN[..torn])?;
        return back(scene, ground).await;
    }
    let at = spoil(&file, synced)?;
    let refused = ground.redis(|redis| redis.start()).await;
    scene.check(refused.is_err(), || {
        "redis started with a file that has a bad byte in its middle".into()
    });
    ground.redis(|redis| redis.kill9()).await?;
    restore(&file, at)?;
    back(scene, ground).await
}

/// Makes a command near the middle begin with a byte that none begins with; returns where.
fn spoil(file: &Path, size: u64) -> Result<u64> {
    const BEGINNING: &[u8] = b"\r\n*3\r\n$4\r\nHSET\r\n";
    let bytes = fs::read(file)?;
    let from = usize::try_from(size / 2)?.min(bytes.len());
    let found = bytes[from..]
        .windows(BEGINNING.len())
        .position(|window| window[..3] == BEGINNING[..3] && window[4] == b'\r')
        .context("no command in the second half of the file")?;
    let at = (from + found + 2) as u64;
    let file = OpenOptions::new().write(true).open(file)?;
    file.write_all_at(b"!", at)?;
    Ok(at)
}

fn restore(file: &Path, at: u64) -> Result<()> {
    let file = OpenOptions::new().write(true).open(file)?;
    Ok(file.write_all_at(b"*", at)?)
}

pub(super) async fn full(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    ground.shim.turn(Knob::DiskFull, 1)?;
    ground
        .redis(|redis| redis.wait_exit(DRILL_CRASH_BOUND).map(drop))
        .await
        .context("redis with a full disk")?;
    sleep(some_ms(rng, 100, 1_500)).await;
    ground.shim.turn(Knob::DiskFull, 0)?;
    back(scene, ground).await
}

pub(super) async fn slow(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    let port = ground.stage.redis().port();
    if !scene.turn().is_multiple_of(2) {
        // A script cannot tell the time, so it counts: for some seconds.
        let script = "for i = 1, ARGV[1] do end return ARGV[1]";
        let count = rng.random_range(100_000_000..=400_000_000).to_string();
        let began = clock::instant();
        talk::redis(port, &["EVAL", script, "0", &count]).await?;
        ensure!(began.elapsed() >= SLOW, "the script was not slow");
        return scene.selling_again(clock::instant()).await;
    }
    ground
        .shim
        .turn(Knob::SyncMicros, rng.random_range(10_000..=60_000))?;
    let rewritten = async {
        let before = talk::info(port, "stats", "total_forks").await?;
        talk::redis(port, &["BGREWRITEAOF"]).await?;
        sleep(some_ms(rng, 1_500, 3_000)).await;
        let after = talk::info(port, "stats", "total_forks").await?;
        ensure!(after > before, "the file was not rewritten");
        anyhow::Ok(())
    };
    let rewritten = rewritten.await;
    let since = clock::instant();
    ground.shim.turn(Knob::SyncMicros, 0)?;
    rewritten?;
    // The rewrite's own end, so that the next fault meets one file.
    let done = async {
        while talk::info(port, "persistence", "aof_rewrite_in_progress").await? != 0 {
            sleep(POLL_STEP).await;
        }
        anyhow::Ok(())
    };
    timeout(Duration::from_secs(30), done)
        .await
        .context("the rewrite does not end")??;
    scene.selling_again(since).await
}
