//! The audit of money must be able to fail: each test spoils one thing of an order that is paid, and looks for its number.

use std::collections::HashMap;

use doorbuster_core::ids::ReservationId;
use doorbuster_core::record::{Reason, Status};

use super::facts::{Charge, Money, Order};
use super::judge;
use crate::audit::facts::Holding;
use crate::audit::money::MoneyNumbers;
use crate::audit::money::facts::Attempt;
use crate::audit::tests::client;
use crate::checkout::Purchase;
use crate::history::Client;

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
    let told_otherwise =
        numbers(|case| case.clients[0].purchase.as_mut().unwrap().state = Some("cancelled".into()));
    assert_eq!(told_otherwise, MoneyNumbers { lost: 1, ..none() });
    let two =
        numbers(|case| case.clients[0].purchase.as_mut().unwrap().other_order = Some("p".into()));
    assert_eq!(
        two,
        MoneyNumbers {
            phantom: 1,
            ..none()
        }
    );
}
