//! How right a way was: what its clients were told, held against what its store says. Pure.
//!
//! Of a rival only counts are known, so these numbers say less than our own audit, which holds every field of every
//! answer against both stores; they never accuse a rival of what ours would be forgiven.

use std::collections::HashSet;

use serde::Serialize;

use crate::audit::Numbers;
use crate::history::{Client, Verb};
use crate::rivals::State;

/// What is wrong; all zero where nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Wrongs {
    /// Units sold above what there was.
    pub(super) oversold: u64,
    /// Units left although someone was told that none was; `None` where not everyone could ask.
    pub(super) undersold: Option<u64>,
    /// Keys with two orders.
    pub(super) duplicates: u64,
    /// Yes told, and no order.
    pub(super) lost: u64,
    /// Units by which stock, sold and left do not add up: a lost update is on the shelf again, to be sold twice.
    pub(super) miscounted: u64,
}

/// Whether everyone in a crowd got to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Finished,
    Cut,
}

/// What clients were told, counted by key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) accepted: u64,
    /// Never told yes, and told that nothing was left.
    pub(super) sold_out: u64,
    /// Told yes with two different orders.
    pub(super) twice: u64,
}

impl Told {
    pub(super) fn count(clients: &[Client]) -> Self {
        let mut told = Self::default();
        for client in clients {
            let answers = || client.answers(Verb::Take).map(|(_, answer)| answer);
            let orders: HashSet<_> = answers()
                .filter_map(|answer| answer.told.as_ref())
                .map(|told| (told.id, told.seq))
                .collect();
            let is_accepted = answers().any(|answer| answer.is_acceptance());
            let is_sold_out = answers().any(|answer| answer.code.as_deref() == Some("sold_out"));
            told.accepted += u64::from(is_accepted);
            told.sold_out += u64::from(is_sold_out && !is_accepted);
            told.twice += u64::from(orders.len() > 1);
        }
        told
    }
}

impl Wrongs {
    /// Of a rival. Every order is for one unit.
    pub(super) fn of_state(told: &Told, state: &State, course: Course) -> Self {
        let positive = |number: i64| u64::try_from(number).unwrap_or(0);
        let stock = positive(state.stock);
        let sold = positive(state.units).max(told.accepted);
        let doubled = positive(state.orders - state.orders_by_distinct_key);
        Self {
            oversold: sold.saturating_sub(stock),
            undersold: (course == Course::Finished)
                .then(|| positive(state.left).min(told.sold_out)),
            duplicates: doubled.max(told.twice),
            lost: told
                .accepted
                .saturating_sub(positive(state.orders_by_distinct_key)),
            miscounted: (state.stock - state.left - state.units).unsigned_abs(),
        }
    }

    /// Of ours, whose every other fault is a difference too.
    pub(super) fn of_audit(numbers: &Numbers, course: Course) -> Self {
        Self {
            oversold: numbers.oversold,
            undersold: (course == Course::Finished).then_some(numbers.undersold),
            duplicates: numbers.duplicated,
            lost: numbers.lost,
            miscounted: numbers.differences + numbers.phantom + numbers.limit_breaches,
        }
    }

    /// The worse of each.
    pub(super) fn or_worse(self, other: Self) -> Self {
        Self {
            oversold: self.oversold.max(other.oversold),
            undersold: self.undersold.max(other.undersold),
            duplicates: self.duplicates.max(other.duplicates),
            lost: self.lost.max(other.lost),
            miscounted: self.miscounted.max(other.miscounted),
        }
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::ids::{ReservationId, UserId};

    use super::*;
    use crate::crowd::Behaviour;
    use crate::history::{self, Answer, Ask, Seen};

    /// A client whose sends were answered with these: the number of an order, or a code.
    fn client(answers: &[Result<u64, &str>]) -> Client {
        let user = UserId::parse("ann").unwrap();
        let answer = |heard: &Result<u64, &str>| match heard {
            Ok(seq) => Answer {
                status: 201,
                told: Some(history::Told {
                    id: ReservationId::from_bytes([1; 16]),
                    seq: *seq,
                    user: user.clone(),
                    of: "s".into(),
                    lines: Vec::new(),
                    status: "held".into(),
                    reason: None,
                    deadline_ms: None,
                    receipt: None,
                }),
                ..Answer::default()
            },
            Err(code) => Answer {
                status: 409,
                code: Some((*code).to_owned()),
                ..Answer::default()
            },
        };
        let ask = |heard| Ask {
            verb: Verb::Take,
            engine: 0,
            sent_us: 0,
            done_us: 0,
            seen: Seen::Answered(Box::new(answer(heard))),
        };
        Client {
            user: user.clone(),
            key: "k".into(),
            behaviour: Behaviour::Plain,
            due_us: 0,
            asks: answers.iter().map(ask).collect(),
            purchase: None,
        }
    }

    fn state(stock: i64, left: i64, orders: i64, keys: i64) -> State {
        State {
            stock,
            left,
            orders,
            orders_by_distinct_key: keys,
            units: orders,
            written_back: None,
        }
    }

    #[test]
    fn answers_are_counted_by_key() {
        let told = Told::count(&[
            client(&[Ok(1), Ok(1)]),
            client(&[Ok(2), Ok(3)]),
            client(&[Err("sold_out"), Err("sold_out")]),
            client(&[Err("overloaded")]),
            client(&[Err("sold_out"), Ok(4)]),
        ]);
        let (accepted, sold_out, twice) = (3, 1, 1);
        assert_eq!(
            told,
            Told {
                accepted,
                sold_out,
                twice
            }
        );
    }

    #[test]
    fn a_right_way_has_nothing_wrong() {
        let told = Told {
            accepted: 10,
            sold_out: 90,
            twice: 0,
        };
        let right = Wrongs::of_state(&told, &state(10, 0, 10, 10), Course::Finished);
        let undersold = Some(0);
        assert_eq!(
            right,
            Wrongs {
                undersold,
                ..Wrongs::default()
            }
        );
        let cut = Wrongs::of_state(&told, &state(10, 0, 10, 10), Course::Cut);
        assert_eq!(cut, Wrongs::default());
    }

    #[test]
    fn each_fault_has_its_number() {
        let told = |accepted, sold_out, twice| Told {
            accepted,
            sold_out,
            twice,
        };
        let judge = |told, state| Wrongs::of_state(&told, &state, Course::Finished);
        // Lost updates: ten sold, the counter went down by four.
        assert_eq!(judge(told(10, 0, 0), state(10, 6, 10, 10)).miscounted, 6);
        assert_eq!(judge(told(14, 0, 0), state(10, 0, 14, 14)).oversold, 4);
        assert_eq!(judge(told(8, 5, 0), state(10, 2, 8, 8)).undersold, Some(2));
        assert_eq!(judge(told(8, 0, 0), state(10, 2, 8, 7)).duplicates, 1);
        assert_eq!(judge(told(8, 0, 2), state(10, 2, 8, 8)).duplicates, 2);
        assert_eq!(judge(told(8, 0, 0), state(10, 3, 7, 7)).lost, 1);
    }

    #[test]
    fn the_worse_of_two_is_kept_field_by_field() {
        let one = Wrongs {
            oversold: 3,
            undersold: None,
            ..Wrongs::default()
        };
        let other = Wrongs {
            lost: 2,
            undersold: Some(0),
            ..Wrongs::default()
        };
        let worse = one.or_worse(other);
        assert_eq!(
            (worse.oversold, worse.undersold, worse.lost),
            (3, Some(0), 2)
        );
    }
}
