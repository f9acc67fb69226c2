//! Wires between programs, and the doors at their ends.

use std::time::Duration;

use anyhow::{Context, Result};
use doorbuster_core::clock;
use rand::Rng;
use rand::rngs::StdRng;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::scene::{Scene, some_ms};
use crate::limits::DRILL_IDLE_CONNECTIONS;
use crate::wire::{Toxic, Wire};

/// Files that a front may still open when it has as good as none left.
const SPARE_FILES: u64 = 4;

fn some_toxic(turn: usize, rng: &mut StdRng) -> Toxic {
    match turn % 6 {
        0 => Toxic::Refuse,
        1 => Toxic::Reset,
        2 => Toxic::BlackHole,
        3 => Toxic::Slow(some_ms(rng, 50, 300)),
        4 => Toxic::Dribble,
        _ => Toxic::DropReplies,
    }
}

pub(super) async fn partition(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    let (toxic, to_redis) = (some_toxic(scene.turn(), rng), rng.random_bool(0.5));
    let fronts = ground.fronts.iter().map(|front| &front.redis);
    let writers = ground.writers.iter().map(|writer| &writer.redis);
    let rest = ground
        .fronts
        .iter()
        .flat_map(|front| [&front.clients, &front.books]);
    let rest = rest.chain(ground.writers.iter().map(|writer| &writer.books));
    let wires: Vec<&Wire> = if to_redis {
        fronts.chain(writers).collect()
    } else {
        rest.collect()
    };
    // One of them, or all: a machine that is cut off, or a switch that fails.
    let first = rng.random_range(0..wires.len());
    let hit = if rng.random_bool(0.3) {
        &wires[..]
    } else {
        &wires[first..=first]
    };
    hit.iter().for_each(|wire| wire.set(toxic));
    sleep(some_ms(rng, 800, 3_500)).await;
    let since = clock::instant();
    hit.iter().for_each(|wire| wire.heal());
    scene.selling_again(since).await?;
    scene.drained(since).await
}

pub(super) async fn answers_lost(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let fronts = &scene.ground.fronts;
    let wire = &fronts[rng.random_range(0..fronts.len())].clients;
    wire.set(Toxic::DropReplies);
    sleep(some_ms(rng, 200, 800)).await;
    let since = clock::instant();
    wire.heal();
    scene.selling_again(since).await
}

pub(super) async fn no_descriptors(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let fronts = &scene.ground.fronts;
    let front = &fronts[rng.random_range(0..fronts.len())];
    let pid = front.server.pid().context("the front runs")?;
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
    let process = Pid::from_raw(pid.cast_signed()).context("a pid")?;
    let limit = |files: Option<u64>| {
        let before = prlimit(
            Some(process),
            Resource::Nofile,
            Rlimit {
                current: files,
                maximum: rustix::process::getrlimit(Resource::Nofile).maximum,
            },
        );
        before.context("the limit of open files")
    };
    let before = limit(Some(open + SPARE_FILES))?;
    let mut idle = Vec::new();
    for _ in 0..DRILL_IDLE_CONNECTIONS {
        let opened = TcpStream::connect(("127.0.0.1", front.server.port()));
        idle.extend(
            tokio::time::timeout(Duration::from_millis(20), opened)
                .await
                .ok()
                .and_then(Result::ok),
        );
    }
    sleep(some_ms(rng, 500, 2_000)).await;
    limit(before.current)?;
    drop(idle);
    let since = clock::instant();
    front.ready().await?;
    scene.selling_again(since).await
}
