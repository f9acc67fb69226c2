//! The judgement on money: pure, so that each of its rules has a test with what would break it.

use std::collections::{HashMap, HashSet};

use doorbuster_core::ids::ReservationId;
use doorbuster_core::record::{Reason, Status};

use super::Verdict;
use super::facts::{Charge, Money, Order};
use crate::audit::facts::Holding;
use crate::history::Client;

/// Judges what has come to rest.
pub fn judge(
    clients: &[Client],
    money: &Money,
    holdings: &HashMap<ReservationId, Holding>,
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut charges: HashMap<&str, Vec<&Charge>> = HashMap::new();
    for charge in &money.charges {
        charges.entry(&charge.order).or_default().push(charge);
    }
    let mut reservations = HashSet::new();
    for order in &money.orders {
        let of = charges.remove(order.id.as_str()).unwrap_or_default();
        alone(order, &mut reservations, &mut verdict);
        captures(order, &of, &mut verdict);
        hold(order, holdings.get(&order.reservation), &mut verdict);
    }
    for charge in charges.into_values().flatten() {
        verdict.note(
            |n| &mut n.phantom,
            || {
                format!(
                    "the provider captured {} under {} for {:?}, which is no order",
                    charge.captured, charge.key, charge.order
                )
            },
        );
    }
    for _ in 0..money.open_refunds {
        verdict.note(
            |n| &mut n.stuck,
            || "a refund has not come to an end".into(),
        );
    }
    told(clients, money, &mut verdict);
    verdict
}

/// An order by itself.
fn alone<'a>(
    order: &'a Order,
    reservations: &mut HashSet<&'a ReservationId>,
    verdict: &mut Verdict,
) {
    if !order.is_at_rest() || order.state == "parked" {
        verdict.note(
            |n| &mut n.stuck,
            || format!("order {} is {} ({:?})", order.id, order.state, order.reason),
        );
    }
    if !reservations.insert(&order.reservation) {
        verdict.note(
            |n| &mut n.overcharged,
            || format!("{} has two orders", order.reservation),
        );
    }
}

/// An order against the provider.
fn captures(order: &Order, charges: &[&Charge], verdict: &mut Verdict) {
    if charges.len() > 1 {
        verdict.note(
            |n| &mut n.overcharged,
            || format!("order {} was charged {} times", order.id, charges.len()),
        );
    }
    let captured: i64 = charges.iter().map(|charge| charge.captured).sum();
    let refunded: i64 = charges.iter().map(|charge| charge.refunded).sum();
    for charge in charges {
        let asked = order.attempt.as_ref();
        if asked.is_none_or(|asked| asked.key != charge.key || asked.amount != charge.captured)
            || charge.currency != order.currency
        {
            verdict.note(
                |n| &mut n.overcharged,
                || {
                    format!(
                        "order {}: {asked:?} was asked for, and {charge:?} captured",
                        order.id
                    )
                },
            );
        }
    }
    if refunded > captured {
        verdict.note(
            |n| &mut n.overcharged,
            || {
                format!(
                    "order {}: {captured} captured, {refunded} given back",
                    order.id
                )
            },
        );
    }
    if (order.captured, order.refunded) != (captured, refunded) {
        verdict.note(|n| &mut n.differences, || {
            format!(
                "order {}: {} captured and {} given back by the books, {captured} and {refunded} by the provider",
                order.id, order.captured, order.refunded
            )
        });
    }
    let gone_back = captured > 0 && refunded == captured;
    let settled = match order.state.as_str() {
        "paid" => captured == order.total && !gone_back,
        "refunded" => gone_back,
        _ => captured == 0 || gone_back,
    };
    if !settled {
        verdict.note(
            |n| &mut n.unsettled,
            || {
                format!(
                    "order {} is {}, {captured} of {} captured, {refunded} given back",
                    order.id, order.state, order.total
                )
            },
        );
    }
}

/// An order against its hold.
fn hold(order: &Order, holding: Option<&Holding>, verdict: &mut Verdict) {
    let Some(holding) = holding else {
        return verdict.note(
            |n| &mut n.phantom,
            || {
                format!(
                    "order {} is for {}, which nobody holds",
                    order.id, order.reservation
                )
            },
        );
    };
    let fits = match order.state.as_str() {
        "paid" => holding.status == Status::Paid,
        "refunded" => matches!(holding.status, Status::Released(_)),
        "cancelled" => matches!(
            holding.status,
            Status::Released(Reason::PaymentFailed | Reason::Expired | Reason::Cancelled)
        ),
        _ => true,
    };
    if !fits || holding.user.as_str() != order.user {
        verdict.note(
            |n| &mut n.differences,
            || {
                format!(
                    "order {} of {} is {}, its hold {:?} of {}",
                    order.id, order.user, order.state, holding.status, holding.user
                )
            },
        );
    }
}

/// What buyers were told.
fn told(clients: &[Client], money: &Money, verdict: &mut Verdict) {
    let orders: HashMap<&str, &Order> = money
        .orders
        .iter()
        .map(|order| (order.id.as_str(), order))
        .collect();
    for client in clients {
        let Some(purchase) = &client.purchase else {
            continue;
        };
        if let Some(other) = &purchase.other_order {
            verdict.note(
                |n| &mut n.phantom,
                || {
                    format!(
                        "{}: orders {:?} and {other} under one key",
                        client.user, purchase.order
                    )
                },
            );
        }
        let Some(id) = &purchase.order else {
            continue;
        };
        let Some(order) = orders.get(id.as_str()) else {
            verdict.note(
                |n| &mut n.lost,
                || format!("{} was told of order {id}, which is not there", client.user),
            );
            continue;
        };
        if order.user != client.user.as_str() {
            verdict.note(
                |n| &mut n.differences,
                || format!("order {id} of {} is {}'s", client.user, order.user),
            );
        }
        let was = purchase.state.as_deref().unwrap_or("");
        if purchase.has_ended() && was != order.state && was != "parked" {
            verdict.note(
                |n| &mut n.lost,
                || {
                    format!(
                        "{} was told that order {id} is {was}, and it is {}",
                        client.user, order.state
                    )
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::money::MoneyNumbers;
    use crate::audit::money::facts::Attempt;
    use crate::audit::tests::client;
    use crate::checkout::Purchase;

    fn id() -> ReservationId {
        ReservationId::from_bytes([7; 16])
    }

    fn holding(status: Status) -> Holding {
        Holding {
            seq: 1,
            user: client(0, Vec::new()).user,
            status,
            at_ms: 0,
            lines: Vec::new(),
            body: None,
        }
    }

    /// One order that is paid, with all that belongs to it.
    struct Case {
        clients: Vec<Client>,
        money: Money,
        holding: Holding,
    }

    fn paid() -> Case {
        let mut buyer = client(0, Vec::new());
        buyer.purchase = Some(Box::new(Purchase {
            order: Some("o".into()),
            state: Some("paid".into()),
            ..Purchase::default()
        }));
        let order = Order {
            id: "o".into(),
            user: buyer.user.as_str().into(),
            reservation: id(),
            state: "paid".into(),
            reason: None,
            currency: "KRW".into(),
            total: 100,
            captured: 100,
            refunded: 0,
            attempt: Some(Attempt {
                key: "k".into(),
                amount: 100,
            }),
        };
        let charge = Charge {
            key: "k".into(),
            order: "o".into(),
            currency: "KRW".into(),
            captured: 100,
            refunded: 0,
        };
        Case {
            clients: vec![buyer],
            money: Money {
                orders: vec![order],
                charges: vec![charge],
                ..Money::default()
            },
            holding: holding(Status::Paid),
        }
    }

    fn numbers(change: impl FnOnce(&mut Case)) -> MoneyNumbers {
        let mut case = paid();
        change(&mut case);
        let holdings = HashMap::from([(id(), case.holding)]);
        judge(&case.clients, &case.money, &holdings).numbers
    }

    fn none() -> MoneyNumbers {
        MoneyNumbers::default()
    }

    #[test]
    fn what_is_paid_and_what_has_gone_back_in_full_is_right() {
        assert_eq!(numbers(|_| ()), none());
        let refunded = numbers(|case| {
            case.money.orders[0].state = "refunded".into();
            case.money.orders[0].refunded = 100;
            case.money.charges[0].refunded = 100;
            case.holding.status = Status::Released(Reason::Refunded);
            case.clients.clear();
        });
        assert_eq!(refunded, none());
        let declined = numbers(|case| {
            case.money.orders[0].state = "cancelled".into();
            case.money.orders[0].captured = 0;
            case.money.charges.clear();
            case.holding.status = Status::Released(Reason::PaymentFailed);
            case.clients.clear();
        });
        assert_eq!(declined, none());
    }

    #[test]
    fn money_that_is_nobodys_is_found() {
        let kept = numbers(|case| {
            case.money.orders[0].state = "cancelled".into();
            case.holding.status = Status::Released(Reason::Expired);
            case.clients.clear();
        });
        assert_eq!(
            kept,
            MoneyNumbers {
                unsettled: 1,
                ..none()
            }
        );
        let both = numbers(|case| {
            case.money.orders[0].refunded = 100;
            case.money.charges[0].refunded = 100;
        });
        assert_eq!(
            both,
            MoneyNumbers {
                unsettled: 1,
                ..none()
            }
        );
        let never_taken = numbers(|case| {
            case.money.charges.clear();
            case.money.orders[0].captured = 0;
        });
        assert_eq!(
            never_taken,
            MoneyNumbers {
                unsettled: 1,
                ..none()
            }
        );
        let of_nobody = numbers(|case| {
            case.money.charges.push(Charge {
                order: "x".into(),
                ..case.money.charges[0].clone()
            });
        });
        assert_eq!(
            of_nobody,
            MoneyNumbers {
                phantom: 1,
                ..none()
            }
        );
    }

    #[test]
    fn two_charges_a_wrong_amount_and_too_large_a_refund_are_found() {
        let twice = numbers(|case| {
            case.money.charges.push(Charge {
                key: "other".into(),
                ..case.money.charges[0].clone()
            });
        });
        assert!(twice.overcharged >= 2 && twice.unsettled == 1, "{twice:?}");
        let wrong = numbers(|case| case.money.charges[0].captured = 99);
        assert!(wrong.overcharged == 1 && wrong.unsettled == 1, "{wrong:?}");
        let foreign = numbers(|case| case.money.charges[0].currency = "XTS".into());
        assert_eq!(foreign.overcharged, 1);
        let too_much = numbers(|case| case.money.charges[0].refunded = 101);
        assert_eq!(too_much.overcharged, 1);
    }

    #[test]
    fn what_has_not_ended_is_stuck_and_so_is_what_waits_for_a_person() {
        for state in ["charging", "undoing", "captured", "parked"] {
            let stuck = numbers(|case| {
                case.money.orders[0].state = state.into();
                case.clients.clear();
            });
            assert_eq!(stuck.stuck, 1, "{state}");
        }
        assert_eq!(numbers(|case| case.money.open_refunds = 2).stuck, 2);
    }

    #[test]
    fn holds_and_orders_tell_one_story_and_so_do_buyers() {
        let unsold = numbers(|case| case.holding.status = Status::Released(Reason::Expired));
        assert_eq!(
            unsold,
            MoneyNumbers {
                differences: 1,
                ..none()
            }
        );
        let gone = numbers(|case| case.money = Money::default());
        assert_eq!(gone, MoneyNumbers { lost: 1, ..none() });
        let told_otherwise = numbers(|case| {
            case.clients[0].purchase.as_mut().unwrap().state = Some("cancelled".into())
        });
        assert_eq!(told_otherwise, MoneyNumbers { lost: 1, ..none() });
        let two = numbers(|case| {
            case.clients[0].purchase.as_mut().unwrap().other_order = Some("p".into())
        });
        assert_eq!(
            two,
            MoneyNumbers {
                phantom: 1,
                ..none()
            }
        );
    }
}
