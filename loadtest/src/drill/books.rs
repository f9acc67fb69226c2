//! The database: away, slow, locked, its sessions ended.

use std::time::Duration;

use anyhow::Result;
use doorbuster_core::clock;
use rand::Rng;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::ground::Ground;
use super::scene::{Scene, some_ms};
use crate::wire::Toxic;

/// How often all sessions are ended, one after the other.
const CUTS: u32 = 5;

pub(super) async fn away(scene: &Scene<'_>) -> Result<()> {
    let ground = scene.ground;
    ground.mariadb(|mariadb| mariadb.kill9()).await?;
    let began = clock::instant();
    while began.elapsed() < scene.outage {
        // The sale goes on without its books.
        scene.sells().await?;
        sleep(Duration::from_millis(500)).await;
    }
    ground.mariadb(|mariadb| mariadb.start()).await?;
    scene.drained(clock::instant()).await
}

pub(super) async fn in_trouble(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    let lasting = some_ms(rng, 2_000, 5_000);
    match scene.turn() % 4 {
        0 => {
            let late = Toxic::Slow(some_ms(rng, 100, 1_000));
            set_all(ground, late);
            sleep(lasting).await;
            set_all(ground, Toxic::Nothing);
        }
        1 => {
            let mut person = ground.session().await?;
            person.lock_cursor(scene.live).await?;
            sleep(lasting).await;
            person.end().await;
        }
        2 => {
            let mut person = ground.session().await?;
            person.stop_commits().await?;
            sleep(lasting).await;
            person.end().await;
        }
        _ => {
            let mut person = ground.session().await?;
            for _ in 0..CUTS {
                person.end_others().await?;
                sleep(Duration::from_millis(rng.random_range(50..=400))).await;
            }
            person.end().await;
        }
    }
    let since = clock::instant();
    scene.sells().await?;
    scene.drained(since).await
}

fn set_all(ground: &Ground, toxic: Toxic) {
    ground.members().for_each(|member| member.books.set(toxic));
}
