//! Which strike is behind which number. Called by `round`, for one fault or several at once.

use anyhow::{Result, bail};
use rand::rngs::StdRng;

use super::faults::Fault;
use super::scene::Scene;
use super::{books, disk, money, network, processes, settings};

/// Strikes once and heals. What does not hold is noted in the scene.
///
/// # Errors
/// If the fault could not be made or healed.
pub(super) async fn strike(fault: &Fault, scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    match fault.id {
        "calm" => Ok(()),
        "F1" => processes::front_killed(scene, rng).await,
        "F2" => processes::front_frozen(scene, rng).await,
        "F3" => processes::writer_killed(scene, rng).await,
        "F4" => processes::writer_frozen(scene, rng).await,
        "F17" => processes::restarted(scene, rng).await,
        "F5" => disk::redis_killed(scene, rng).await,
        "F6" => disk::power_cut(scene, rng).await,
        "F9" => disk::torn(scene, rng).await,
        "F15" => disk::full(scene, rng).await,
        "F25" => disk::slow(scene, rng).await,
        "F12" => books::away(scene).await,
        "F13" => books::in_trouble(scene, rng).await,
        "F14" => network::partition(scene, rng).await,
        "F21" => network::answers_lost(scene, rng).await,
        "F24" => network::no_descriptors(scene, rng).await,
        "F26" => money::struck(scene, rng).await,
        "F16" => settings::clock_jumps(scene, rng).await,
        "F22" => settings::out_of_memory(scene, rng).await,
        "F27" => settings::below_the_level(scene, rng).await,
        other => bail!("{other} is no strike"),
    }?;
    scene.note(|notes| notes.cycles += 1);
    Ok(())
}
