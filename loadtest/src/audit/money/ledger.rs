//! The judgement on the ledger: every event that moves money is posted once, its legs sum to 0, and an order's come to what the provider has of it.
//! Pure. Called by `judge`. It knows of the rules of posting only what follows from the words: which events move money, and what the provider has.

use std::collections::HashMap;

use super::Verdict;
use super::facts::{Charge, Event, Ledger, Order, Transaction};

/// The ledger by orders.
pub(super) struct Posted<'a> {
    of: HashMap<&'a str, Of<'a>>,
    unbalanced: &'a [(String, i64)],
}

#[derive(Default)]
struct Of<'a> {
    events: Vec<&'a Event>,
    transactions: HashMap<u32, Vec<&'a Transaction>>,
}

/// Whether an event must be in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    Be,
    NotBe,
    /// It depends on what came back.
    Either,
}

impl<'a> Posted<'a> {
    pub(super) fn new(ledger: &'a Ledger) -> Self {
        let mut of: HashMap<&str, Of<'_>> = HashMap::new();
        for event in &ledger.events {
            of.entry(&event.order).or_default().events.push(event);
        }
        for transaction in &ledger.transactions {
            let order = of.entry(&transaction.order).or_default();
            let same = order.transactions.entry(transaction.n).or_default();
            same.push(transaction);
        }
        Self {
            of,
            unbalanced: &ledger.unbalanced,
        }
    }

    /// All of it.
    pub(super) fn all(&self, verdict: &mut Verdict) {
        for (currency, sum) in self.unbalanced {
            wrong(verdict, || {
                format!("the ledger sums to {sum} {currency}, not to 0")
            });
        }
    }

    /// One order's part.
    pub(super) fn holds(&self, order: &Order, charges: &[&Charge], verdict: &mut Verdict) {
        let nothing = Of::default();
        let of = self.of.get(order.id.as_str()).unwrap_or(&nothing);
        let paid_n = of.events.iter().find(|event| event.kind == "paid");
        let paid_n = paid_n.map(|event| event.n);
        for event in &of.events {
            let posted = of.transactions.get(&event.n);
            let times = posted.map_or(0, Vec::len);
            let fits = match must(event, paid_n) {
                Must::Be => times == 1,
                Must::NotBe => times == 0,
                Must::Either => times <= 1,
            };
            if !fits || event.is_refused {
                wrong(verdict, || format!("{event:?} is posted {times} times"));
            }
            for transaction in posted.into_iter().flatten() {
                alone(transaction, event, order, verdict);
            }
        }
        let is_there = |n: &u32| of.events.iter().any(|event| event.n == *n);
        for (n, _) in of.transactions.iter().filter(|(n, _)| !is_there(n)) {
            wrong(verdict, || {
                format!("order {}: event {n} is posted and never happened", order.id)
            });
        }
        let all = || of.transactions.values().flatten();
        let clearing: i64 = all().map(|one| one.clearing).sum();
        let has: i64 = charges.iter().map(|one| one.captured - one.refunded).sum();
        if clearing != has {
            wrong(verdict, || {
                format!(
                    "order {}: the provider has {has}, and the ledger {clearing}",
                    order.id
                )
            });
        }
        let open: i64 = all().map(|one| one.open).sum();
        let returning: i64 = all().map(|one| one.returning).sum();
        if order.is_at_rest() && order.state != "parked" && (open, returning) != (0, 0) {
            wrong(verdict, || {
                format!(
                    "order {} is {}, and of it {open} is open and {returning} on its way back",
                    order.id, order.state
                )
            });
        }
    }
}

/// A transaction against its event.
fn alone(transaction: &Transaction, event: &Event, order: &Order, verdict: &mut Verdict) {
    let clearing = match event.kind.as_str() {
        "charged" => event.amount,
        "refunded" => -event.amount,
        _ => 0,
    };
    if transaction.sum != 0
        || transaction.legs < 2
        || transaction.clearing != clearing
        || transaction.currency.as_ref() != Some(&order.currency)
    {
        wrong(verdict, || {
            format!("{event:?} is not what was posted of it: {transaction:?}")
        });
    }
}

fn must(event: &Event, paid_n: Option<u32>) -> Must {
    let is_paid = paid_n.is_some_and(|paid| paid < event.n);
    match event.kind.as_str() {
        "returned" => Must::Either,
        // What the coupon had paid came back with its lines.
        "coupon_returned" if is_paid => Must::NotBe,
        "charged" | "refunded" | "paid" | "points_spent" | "points_returned" | "points_earned"
        | "points_taken_back" | "coupon_used" | "coupon_returned"
            if event.amount != 0 =>
        {
            Must::Be
        }
        _ => Must::NotBe,
    }
}

fn wrong(verdict: &mut Verdict, text: impl FnOnce() -> String) {
    verdict.note(|n| &mut n.misposted, text);
}
