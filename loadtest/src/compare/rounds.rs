//! All ways in turn, cell by cell, so that what the machine does otherwise meets neighbours alike. Called by `compare`.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::Plan;
use super::cells::{self, Crowd, Rush, SoldOut};
use super::ground::Ground;
use super::seller::Seller;
use super::stand::Judged;
use super::way::Way;
use crate::audit::Numbers;
use crate::limits::COMPARE_WARM_UP_SECONDS;
use crate::rush::say;

/// All that was measured of one way in one round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Round {
    pub(super) way: Way,
    /// Counted from 1.
    pub(super) round: u32,
    pub(super) rush: Rush,
    /// 10,000 orders on 10,000 units.
    pub(super) shelf: Crowd,
    /// 10,000 users for 100 units.
    pub(super) scarce: Crowd,
    pub(super) sold_out: SoldOut,
}

impl Round {
    pub(super) fn judged(&self) -> [Judged; 3] {
        [self.rush.judged, self.shelf.judged, self.scarce.judged]
    }

    /// Audits of ours.
    pub(super) fn audits(&self) -> impl Iterator<Item = Numbers> {
        self.judged().into_iter().filter_map(|judged| judged.audit)
    }
}

/// Lets every way prepare its statements and fill its caches.
///
/// # Errors
/// If a way fails altogether.
pub(super) async fn warm_up(ground: &Ground, sellers: &[Seller]) -> Result<()> {
    for seller in sellers {
        cells::rush(
            ground,
            seller,
            Duration::from_secs_f64(COMPARE_WARM_UP_SECONDS),
        )
        .await?;
    }
    Ok(())
}

/// One round, of every way.
///
/// # Errors
/// If a way fails altogether.
pub(super) async fn run(
    ground: &Ground,
    sellers: &[Seller],
    plan: &Plan,
    round: u32,
) -> Result<Vec<Round>> {
    say(&format!("round {round} of {}", plan.rounds));
    // Nobody is always first, or always after the same.
    let begin = (round as usize - 1) % sellers.len().max(1);
    let turn = || sellers[begin..].iter().chain(&sellers[..begin]);
    let (mut rushes, mut shelves, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for seller in turn() {
        rushes.push(cells::rush(ground, seller, plan.lasting).await?);
    }
    for seller in turn() {
        shelves.push(cells::shelf(ground, seller, plan.cut).await?);
    }
    for seller in turn() {
        late.push(cells::scarce(ground, seller, plan.cut, plan.lasting / 2).await?);
    }
    let cells = rushes.into_iter().zip(shelves).zip(late);
    let rounds = turn().zip(cells).map(|(seller, ((rush, shelf), late))| {
        let (scarce, sold_out) = late;
        Round {
            way: seller.way,
            round,
            rush,
            shelf,
            scarce,
            sold_out,
        }
    });
    let mut rounds: Vec<Round> = rounds.collect();
    rounds.rotate_right(begin);
    Ok(rounds)
}
