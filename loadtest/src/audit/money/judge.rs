//! The judgement on money: pure, so that each of its rules has a test with what would break it.

use std::collections::{HashMap, HashSet};

use doorbuster_core::ids::ReservationId;
use doorbuster_core::record::{Reason, Status};

use super::Verdict;
use super::facts::{Charge, Money, Order};
use super::ledger::Posted;
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
    let ledger = Posted::new(&money.ledger);
    for order in &money.orders {
        let of = charges.remove(order.id.as_str()).unwrap_or_default();
        alone(order, &mut reservations, &mut verdict);
        captures(order, &of, &mut verdict);
        ledger.holds(order, &of, &mut verdict);
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
    ledger.all(&mut verdict);
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
