//! What came of the orders of a run, in numbers. Counted from what buyers were told and from what the audit read.

use serde::{Deserialize, Serialize};

use crate::audit::money::facts::Money;
use crate::audit::money::{MoneyNumbers, Verdict};
use crate::history::Client;
use crate::record::{Latencies, Latency};

/// The figures of money: in the summary, the report and `--json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MoneyFigures {
    /// Buyers with a hold who went to the till.
    pub ordered: u64,
    /// Orders by their end.
    pub paid: u64,
    pub cancelled: u64,
    pub refunded: u64,
    /// Those that wait for a person.
    pub parked: u64,
    /// Buyers who were not told the end of their order in time.
    pub unanswered: u64,
    /// Requests sent for all that.
    pub sent: u64,
    /// From the first request for an order to the news of its end.
    pub order_ms: Latency,
    /// Orders that came to their end per second, between the first request and the last such news.
    pub orders_per_second: f64,
    /// Minor units that the provider took, and gave back.
    pub captured: i64,
    pub given_back: i64,
    pub audit: MoneyNumbers,
}

/// Counts everything.
pub fn sum_up(clients: &[Client], money: &Money, verdict: &Verdict) -> MoneyFigures {
    let purchases = || {
        clients
            .iter()
            .filter_map(|client| client.purchase.as_deref())
    };
    let mut latencies = Latencies::default();
    let (mut ended, mut first_us, mut last_us) = (0_u64, u64::MAX, 0);
    for purchase in purchases() {
        first_us = first_us.min(purchase.began_us);
        if let Some(done_us) = purchase.ended_us {
            latencies.add(std::time::Duration::from_micros(
                done_us.saturating_sub(purchase.began_us),
            ));
            last_us = last_us.max(done_us);
            ended += 1;
        }
    }
    let seconds = last_us.saturating_sub(first_us) as f64 / 1e6;
    let of = |state: &str| {
        money
            .orders
            .iter()
            .filter(|order| order.state == state)
            .count() as u64
    };
    MoneyFigures {
        ordered: purchases().count() as u64,
        paid: of("paid"),
        cancelled: of("cancelled"),
        refunded: of("refunded"),
        parked: of("parked"),
        unanswered: purchases()
            .filter(|purchase| purchase.ended_us.is_none())
            .count() as u64,
        sent: purchases().map(|purchase| u64::from(purchase.sent)).sum(),
        order_ms: latencies.latency_ms(),
        orders_per_second: if seconds > 0.0 {
            ended as f64 / seconds
        } else {
            0.0
        },
        captured: money.charges.iter().map(|charge| charge.captured).sum(),
        given_back: money.charges.iter().map(|charge| charge.refunded).sum(),
        audit: verdict.numbers,
    }
}
