//! The audit of money must be able to fail: each test spoils one thing of an order that is paid, and looks for its number.

use std::collections::HashMap;

use doorbuster_core::ids::ReservationId;
use doorbuster_core::record::{Reason, Status};

use super::facts::{Charge, Event, Ledger, Money, Order, Transaction};
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

/// An event of the order, posted: its parts of clearing, and of what is open.
fn post(ledger: &mut Ledger, n: u32, (kind, amount): (&str, i64), (clearing, open): (i64, i64)) {
    ledger.events.push(Event {
        order: "o".into(),
        n,
        kind: kind.into(),
        amount,
        is_refused: false,
    });
    ledger.transactions.push(Transaction {
        order: "o".into(),
        n,
        legs: 2,
        sum: 0,
        currency: Some("KRW".into()),
        clearing,
        open,
        returning: 0,
    });
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
    let mut ledger = Ledger::default();
    post(&mut ledger, 1, ("charged", 100), (100, -100));
    post(&mut ledger, 3, ("paid", 100), (0, 100));
    Case {
        clients: vec![buyer],
        money: Money {
            orders: vec![order],
            charges: vec![charge],
            ledger,
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
        let ledger = &mut case.money.ledger;
        post(ledger, 4, ("refunded", 100), (-100, 0));
        ledger.transactions[2].returning = 100;
        post(ledger, 5, ("returned", 0), (0, 0));
        ledger.transactions[3].returning = -100;
        case.holding.status = Status::Released(Reason::Refunded);
        case.clients.clear();
    });
    assert_eq!(refunded, none());
    let declined = numbers(|case| {
        case.money.orders[0].state = "cancelled".into();
        case.money.orders[0].captured = 0;
        case.money.charges.clear();
        case.money.ledger = Ledger::default();
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
            misposted: 1,
            ..none()
        }
    );
    let never_taken = numbers(|case| {
        case.money.charges.clear();
        case.money.orders[0].captured = 0;
        case.money.ledger = Ledger::default();
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

/// What is wrong with the ledger alone.
fn misposted(spoil: impl FnOnce(&mut Ledger)) -> u64 {
    let numbers = numbers(|case| spoil(&mut case.money.ledger));
    let misposted = numbers.misposted;
    assert_eq!(
        numbers,
        MoneyNumbers {
            misposted,
            ..none()
        }
    );
    misposted
}

#[test]
fn what_is_not_posted_once_and_as_it_happened_is_found() {
    // A leg that was altered: its transaction does not sum to 0, and neither does the whole.
    let altered = misposted(|ledger| {
        ledger.transactions[1].sum = -1;
        ledger.unbalanced.push(("KRW".into(), -1));
    });
    assert_eq!(altered, 2);
    // Both of its legs: it sums to 0, and the provider has another amount.
    let both_legs = misposted(|ledger| {
        ledger.transactions[0].clearing = 90;
        ledger.transactions[0].open = -90;
    });
    assert_eq!(both_legs, 3);
    let not_at_all = misposted(|ledger| ledger.transactions.truncate(1));
    assert_eq!(not_at_all, 2);
    let twice = misposted(|ledger| {
        let again = ledger.transactions[1].clone();
        ledger.transactions.push(again);
    });
    assert_eq!(twice, 2);
    let of_nothing = misposted(|ledger| {
        let transaction = Transaction {
            n: 7,
            open: 0,
            ..ledger.transactions[1].clone()
        };
        ledger.transactions.push(transaction);
    });
    assert_eq!(of_nothing, 1);
    let refused = misposted(|ledger| {
        ledger.events.push(Event {
            n: 4,
            kind: "returned".into(),
            amount: 0,
            is_refused: true,
            ..ledger.events[0].clone()
        });
    });
    assert_eq!(refused, 1);
    let one_leg = misposted(|ledger| ledger.transactions[1].legs = 1);
    let two_currencies = misposted(|ledger| ledger.transactions[1].currency = None);
    assert_eq!((one_leg, two_currencies), (1, 1));
}

#[test]
fn what_moves_money_is_known_by_its_word_and_by_where_its_order_stands() {
    let silent = |kind: &str, amount| Event {
        order: "o".into(),
        n: 4,
        kind: kind.into(),
        amount,
        is_refused: false,
    };
    for kind in ["points_spent", "points_earned", "coupon_used"] {
        assert_eq!(misposted(|ledger| ledger.events.push(silent(kind, 5))), 1);
        assert_eq!(misposted(|ledger| ledger.events.push(silent(kind, 0))), 0);
    }
    for (kind, amount) in [("shipped", 0), ("returned", 0), ("coupon_returned", 5)] {
        assert_eq!(
            misposted(|ledger| ledger.events.push(silent(kind, amount))),
            0
        );
    }
    let before_it_was_paid = misposted(|ledger| {
        ledger.events.push(Event {
            n: 2,
            ..silent("coupon_returned", 5)
        });
    });
    assert_eq!(before_it_was_paid, 1);
}
