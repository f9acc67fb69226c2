//! Nothing stays behind: neither a process nor the directory, in whatever way a stage's owner goes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::Result;
use doorbuster_stage::{Stage, StageOptions, eventually};
use rustix::process::{Pid, Signal, kill_process};

use crate::owner::Owner;
use crate::talk::{BOUND, is_alive, pid};

#[test]
fn a_dropped_stage_leaves_nothing() -> Result<()> {
    let stage = Stage::start(&StageOptions::servers())?;
    let pids = [pid(stage.redis())?, pid(stage.mariadb())?];
    let dir = stage.dir().to_owned();
    assert!(pids.into_iter().all(is_alive) && dir.is_dir());

    drop(stage);

    assert!(!pids.into_iter().any(is_alive));
    assert!(!dir.exists());
    Ok(())
}

#[test]
fn a_stage_with_a_frozen_server_leaves_nothing() -> Result<()> {
    let stage = Stage::start(&StageOptions::redis_only())?;
    let redis = pid(stage.redis())?;
    let dir = stage.dir().to_owned();
    stage.redis().freeze()?;

    drop(stage);

    assert!(!is_alive(redis));
    assert!(!dir.exists());
    Ok(())
}

#[test]
fn a_panic_leaves_nothing() {
    let mut seen = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let stage = Stage::start(&StageOptions::redis_only()).unwrap();
        seen = Some((pid(stage.redis()).unwrap(), stage.dir().to_owned()));
        panic!("a test that fails, with its stage still running");
    }));

    assert!(outcome.is_err());
    let (redis, dir) = seen.unwrap();
    assert!(!is_alive(redis));
    assert!(!dir.exists());
}

#[test]
fn an_owner_killed_with_sigkill_leaves_nothing() -> Result<()> {
    owner_struck_by(Signal::KILL)
}

#[test]
fn an_interrupted_owner_leaves_nothing() -> Result<()> {
    owner_struck_by(Signal::INT)
}

fn owner_struck_by(signal: Signal) -> Result<()> {
    let mut owner = Owner::start()?;
    assert!(owner.pids.iter().copied().all(is_alive) && owner.dir.is_dir());

    kill_process(Pid::from_child(&owner.process), signal)?;
    owner.process.wait()?;

    let is_clean = || !owner.pids.iter().copied().any(is_alive) && !owner.dir.exists();
    let clean = eventually(BOUND, || is_clean().then_some(()));
    assert!(
        clean.is_some(),
        "left behind: {}",
        left(&owner.pids, &owner.dir)
    );
    Ok(())
}

fn left(pids: &[u32], dir: &Path) -> String {
    let alive: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
    format!("processes {alive:?}, directory: {}", dir.exists())
}
