//! The goals of a comparison: ours held against the best that decides in MySQL, round by round. Pure.

use super::rounds::Round;
use super::way::{Decider, Way};
use crate::bench::goals::Goal;

/// None where ours did not take part, or nobody that decides in MySQL did.
pub(super) fn goals(rounds: &[Round]) -> Vec<Goal> {
    let accepted = |is_rival: fn(Way) -> bool| ratios(rounds, is_rival, f64::max, goodput);
    let p99 = ratios(rounds, decides_in_mysql, f64::min, |round| {
        round.shelf.latency_ms.p99
    });
    let goals = [
        Goal::at_least(
            "accepted beside the best that decides in MySQL",
            10.0,
            &accepted(decides_in_mysql),
            "×",
        ),
        Goal::at_least(
            "accepted beside the best that decides in MySQL order by order",
            10.0,
            &accepted(decides_order_by_order),
            "×",
        ),
        Goal::at_most(
            "p99 of 10,000 orders beside the best that decides in MySQL",
            1.0,
            &p99,
            "×",
        ),
    ];
    let mut goals = Vec::from(goals);
    goals.retain(|goal| !goal.rounds.is_empty());
    goals
}

fn decides_in_mysql(way: Way) -> bool {
    way.decider() == Decider::MySql && way.is_safe()
}

fn decides_order_by_order(way: Way) -> bool {
    way.is_safe() && way.decides_in_mysql_order_by_order()
}

pub(super) fn goodput(round: &Round) -> f64 {
    round.rush.goodput
}

/// Of each round, ours over the rival that `better` picks.
pub(super) fn ratios(
    rounds: &[Round],
    is_rival: impl Fn(Way) -> bool,
    better: fn(f64, f64) -> f64,
    value: fn(&Round) -> f64,
) -> Vec<f64> {
    let ours = rounds.iter().filter(|round| round.way == Way::Ours);
    ours.filter_map(|ours| {
        let beside = rounds
            .iter()
            .filter(|round| round.round == ours.round && is_rival(round.way));
        let best = beside.map(value).reduce(better)?;
        (best > 0.0).then(|| value(ours) / best)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{GUARDED, round};
    use super::*;
    use crate::rivals::Name;

    const COMBINED: Way = Way::Rival(Name::GuardedCombined);
    const UNCONTROLLED: Way = Way::Rival(Name::Uncontrolled);

    #[test]
    fn ours_is_held_against_the_best_of_each_round() {
        let rounds = [
            round(GUARDED, 1, 1_000.0),
            round(COMBINED, 1, 10_000.0),
            // Sells units twice: no rival.
            round(UNCONTROLLED, 1, 90_000.0),
            round(Way::Ours, 1, 20_000.0),
            round(GUARDED, 2, 500.0),
            round(COMBINED, 2, 5_000.0),
            round(Way::Ours, 2, 10_000.0),
        ];
        let goals = goals(&rounds);
        let rounds: Vec<&[f64]> = goals.iter().map(|goal| &goal.rounds[..]).collect();
        assert_eq!(rounds, [[2.0, 2.0], [20.0, 20.0], [0.5, 0.5]]);
        let met: Vec<bool> = goals.iter().map(|goal| goal.met).collect();
        assert_eq!(met, [false, true, true]);
    }

    #[test]
    fn without_anyone_to_hold_it_against_there_is_no_goal() {
        assert!(goals(&[round(Way::Ours, 1, 1.0)]).is_empty());
        assert!(goals(&[round(GUARDED, 1, 1.0)]).is_empty());
    }
}
