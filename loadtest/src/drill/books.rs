//! The database: away, slow, locked, its sessions ended.

use std::time::Duration;

use anyhow::Result;
use doorbuster_core::clock;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::ground::Ground;
use super::scene::{Scene, some_ms};
use super::store::{CONNECTIONS_FEW, Session};
use crate::limits::DRILL_OUTAGE_SECONDS;
use crate::wire::Toxic;

/// What is counted.
pub(super) const KILLED: &str = "kill -9 of mariadb";
pub(super) const LONG_AWAY: &str = "mariadb away for a minute, books complete in time";

/// How often all sessions are ended, one after the other.
const CUTS: u32 = 5;
/// Kinds of trouble.
const TROUBLES: usize = 8;
/// How often the journal's locks are taken the wrong way round.
const CROSSINGS: u32 = 10;

pub(super) async fn away(scene: &Scene<'_>) -> Result<()> {
    let ground = scene.ground;
    ground.mariadb(|mariadb| mariadb.kill9()).await?;
    scene.ended(KILLED);
    let began = clock::instant();
    while began.elapsed() < scene.outage {
        // The sale goes on without its books.
        scene.sells().await?;
        sleep(Duration::from_millis(500)).await;
    }
    ground.mariadb(|mariadb| mariadb.start()).await?;
    scene.drained(clock::instant()).await?;
    if scene.outage.as_secs() >= DRILL_OUTAGE_SECONDS {
        scene.ended(LONG_AWAY);
    }
    Ok(())
}

pub(super) async fn in_trouble(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let ground = scene.ground;
    let lasting = some_ms(rng, 2_000, 5_000);
    let turn = scene.turn() % TROUBLES;
    if turn == 0 {
        set_all(ground, Toxic::Slow(some_ms(rng, 100, 1_000)));
        sleep(lasting).await;
        set_all(ground, Toxic::Nothing);
    } else {
        let mut person = ground.session().await?;
        trouble(scene, &mut person, (turn, lasting), rng).await?;
        person.end().await;
    }
    let since = clock::instant();
    scene.sells().await?;
    scene.drained(since).await
}

/// What a person with a session does to a database, on purpose or not.
async fn trouble(
    scene: &Scene<'_>,
    person: &mut Session,
    (which, lasting): (usize, Duration),
    rng: &mut StdRng,
) -> Result<()> {
    match which {
        1 => {
            person.lock_cursor(scene.live).await?;
            sleep(lasting).await;
        }
        2 => {
            person.stop_commits().await?;
            sleep(lasting).await;
        }
        3 => {
            let before = person.deadlocks().await?;
            for _ in 0..CROSSINGS {
                person.cross_writers(scene.live).await?;
                sleep(some_ms(rng, 20, 200)).await;
            }
            let after = person.deadlocks().await?;
            scene.check(after.is_none() || after > before, || {
                "no transaction was given up for a deadlock".into()
            });
        }
        4 => {
            person.stop_writes().await?;
            sleep(lasting).await;
            person.set_right().await?;
        }
        5 => {
            let mut people = Vec::new();
            for _ in 0..CONNECTIONS_FEW {
                people.push(scene.ground.session().await?);
            }
            person.close_doors().await?;
            person.end_others().await?;
            sleep(lasting).await;
            person.set_right().await?;
            for one in people {
                one.end().await;
            }
        }
        6 => {
            person.shrink_packets().await?;
            person.end_others().await?;
            sleep(lasting).await;
            person.set_right().await?;
            // A session keeps the bound with which it was opened.
            person.end_others().await?;
        }
        _ => {
            for _ in 0..CUTS {
                person.end_others().await?;
                sleep(some_ms(rng, 50, 400)).await;
            }
        }
    }
    Ok(())
}

fn set_all(ground: &Ground, toxic: Toxic) {
    ground.members().for_each(|member| member.books.set(toxic));
}
