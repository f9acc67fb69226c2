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
    let turn = turn(sellers.len(), round);
    let (mut rushes, mut shelves, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for seller in turn.iter().map(|at| &sellers[*at]) {
        rushes.push(cells::rush(ground, seller, plan.lasting).await?);
    }
    for seller in turn.iter().map(|at| &sellers[*at]) {
        shelves.push(cells::shelf(ground, seller, plan.cut).await?);
    }
    for seller in turn.iter().map(|at| &sellers[*at]) {
        late.push(cells::scarce(ground, seller, plan.cut, plan.lasting / 2).await?);
    }
    let cells = rushes.into_iter().zip(shelves).zip(late);
    let rounds = turn.into_iter().zip(cells).map(|(at, cells)| {
        let ((rush, shelf), (scarce, sold_out)) = cells;
        let round = Round {
            way: sellers[at].way,
            round,
            rush,
            shelf,
            scarce,
            sold_out,
        };
        (at, round)
    });
    let mut rounds: Vec<(usize, Round)> = rounds.collect();
    rounds.sort_by_key(|(at, _)| *at);
    Ok(rounds.into_iter().map(|(_, round)| round).collect())
}

/// Who comes when, as indices. Nobody is always first, or always after the same: every other round goes backwards, and every
/// two begin one further.
fn turn(sellers: usize, round: u32) -> Vec<usize> {
    let before = round as usize - 1;
    let mut turn: Vec<usize> = (0..sellers).collect();
    turn.rotate_left(before / 2 % sellers.max(1));
    if before % 2 == 1 {
        turn.reverse();
    }
    turn
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nobody_is_always_first_or_always_after_the_same() {
        for sellers in 2..=10 {
            for rounds in 2..=20 {
                let turns: Vec<_> = (1..=rounds).map(|round| turn(sellers, round)).collect();
                let firsts: HashSet<usize> = turns.iter().map(|turn| turn[0]).collect();
                assert!(firsts.len() > 1, "{sellers} in {rounds} rounds");
                for seller in 0..sellers {
                    let before = turns.iter().map(|turn| {
                        let at = turn.iter().position(|at| *at == seller).unwrap();
                        at.checked_sub(1).map(|before| turn[before])
                    });
                    let before: HashSet<Option<usize>> = before.collect();
                    assert!(before.len() > 1, "{seller} of {sellers}: {before:?}");
                }
            }
        }
    }

    #[test]
    fn everyone_takes_part_once_and_is_first_as_often_as_anyone() {
        assert!(turn(0, 1).is_empty());
        let turns: Vec<_> = (1..=10).map(|round| turn(5, round)).collect();
        for seller in 0..5 {
            let firsts = turns.iter().filter(|turn| turn[0] == seller);
            assert_eq!(firsts.count(), 2);
            assert!(turns.iter().all(|turn| turn.contains(&seller)));
        }
        assert!(turns.iter().all(|turn| turn.len() == 5));
    }
}
