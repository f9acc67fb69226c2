//! Processes of ours killed, frozen and told to stop.

use std::time::Duration;

use anyhow::{Context, Result};
use doorbuster_core::clock;
use doorbuster_stage::Server;
use rand::Rng;
use rand::rngs::StdRng;
use tokio::time::{sleep, timeout};

use super::member::Member;
use super::scene::{Company, Goal, Scene, some_ms};
use crate::limits::{DRILL_CRASH_BOUND, DRILL_HEALED_BOUND, POLL_STEP};

/// Where a front may end, beside anywhere.
pub(super) const FRONT_POINTS: [&str; 3] = [
    "front.after_call",
    "front.before_call",
    "front.before_answer",
];

/// Anywhere.
pub(super) const FRONT_KILLED: &str = "kill -9 of a front";

/// Where a writer may end. Those of a vouch come with a restart of Redis, those of a sweep with a restart of the writer.
pub(super) const WRITER_POINTS: [&str; 10] = [
    "writer.before_read",
    "writer.after_read",
    "writer.mid_transaction",
    "writer.before_commit",
    "writer.after_commit",
    "writer.after_trim",
    "writer.before_vouch",
    "writer.after_vouch",
    "sweeper.before_sweep",
    "sweeper.after_sweep",
];

fn one<'a>(members: &'a [Member], rng: &mut StdRng) -> &'a Member {
    &members[rng.random_range(0..members.len())]
}

pub(super) async fn front_killed(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let front = one(&scene.ground.fronts, rng);
    let turn = scene.turn() % (FRONT_POINTS.len() + 1);
    if let Some(point) = FRONT_POINTS.get(turn) {
        front.arm(point, rng.random_range(1..=20))?;
        let ended = front.wait_exit(DRILL_CRASH_BOUND).await;
        ended.with_context(|| format!("crash point {point}"))?;
        scene.ended(point);
    } else {
        front.act(|server| server.kill9()).await?;
        scene.ended(FRONT_KILLED);
    }
    sleep(some_ms(rng, 0, 400)).await;
    start_again(front).await?;
    scene.selling_again(clock::instant()).await
}

pub(super) async fn start_again(member: &Member) -> Result<()> {
    member.disarm();
    member
        .act(|server| {
            if server.is_running() {
                return Ok(());
            }
            server.start()
        })
        .await?;
    member.ready().await
}

pub(super) async fn front_frozen(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let front = one(&scene.ground.fronts, rng);
    front.act(|server| server.freeze()).await?;
    // Shorter than a client waits, so that nobody is left without an answer.
    sleep(some_ms(rng, 2_000, 6_000)).await;
    let since = clock::instant();
    front.act(|server| server.thaw()).await?;
    front.ready().await?;
    scene.selling_again(since).await
}

pub(super) async fn writer_killed(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let writers = &scene.ground.writers;
    let point = WRITER_POINTS[scene.turn() % WRITER_POINTS.len()];
    let times = if point.contains("vouch") || point.contains("sweep") {
        1
    } else {
        rng.random_range(1..=4)
    };
    for writer in writers {
        writer.arm(point, times)?;
    }
    if point.contains("vouch") {
        scene.ground.redis(|redis| redis.restart()).await?;
    } else if point.contains("sweep") {
        // It may be at its end before it is seen to have begun.
        let restart = |server: &Server| match server.restart() {
            Err(error) if server.is_running() => Err(error),
            _ => Ok(()),
        };
        one(writers, rng).act(restart).await?;
    }
    let one_is_gone = async {
        while writers.iter().all(|writer| writer.server.is_running()) {
            sleep(POLL_STEP).await;
        }
    };
    let gone = timeout(DRILL_CRASH_BOUND, one_is_gone).await;
    writers.iter().for_each(Member::disarm);
    gone.with_context(|| format!("crash point {point}"))?;
    scene.ended(point);
    sleep(some_ms(rng, 0, 500)).await;
    for writer in writers {
        start_again(writer).await?;
    }
    let since = clock::instant();
    scene.drained(since).await?;
    scene.sells().await
}

pub(super) async fn writer_frozen(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    let zombie = one(&ground.writers, rng);
    zombie.act(|server| server.freeze()).await?;
    // Whatever lock it holds goes with its session, which the database ends after five seconds.
    let since = clock::instant();
    let taken_over = ground.sources.wait_flushed(scene.live, since).await?;
    let in_time = taken_over <= Duration::from_secs(10) || scene.company == Company::Among;
    scene.check(in_time, || {
        format!("the other writer took over after {taken_over:?}")
    });
    sleep(Duration::from_secs(6).saturating_sub(since.elapsed()) + some_ms(rng, 0, 2_000)).await;
    let since = clock::instant();
    zombie.act(|server| server.thaw()).await?;
    zombie.ready().await?;
    scene.drained(since).await
}

pub(super) async fn restarted(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    let all: Vec<&Member> = ground.fronts.iter().chain(&ground.writers).collect();
    let member = all[scene.turn() % all.len()];
    let since = clock::instant();
    if rng.random_bool(0.3) {
        let hasty = member.act(|server| {
            let told = server.terminate(Duration::from_secs(1));
            server.kill9()?;
            Ok(told.is_ok())
        });
        hasty.await?;
    } else {
        let status = member
            .act(|server| server.terminate(DRILL_HEALED_BOUND))
            .await?;
        scene.recovered(Goal::Stopped, since.elapsed());
        scene.check(status.success(), || {
            format!("{} ended with {status} after SIGTERM", member.server.name())
        });
    }
    start_again(member).await?;
    scene.sells().await
}
