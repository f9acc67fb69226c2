//! Latencies, measured from the moment at which a user wanted to start: who is kept waiting is counted, and nobody is left
//! out because the harness was waiting too (no coordinated omission).

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::history::{Client, Seen};
use crate::limits::PATIENCE;

/// Microseconds up to four times the patience of a user, to three digits.
const HIGHEST_US: u64 = 4 * PATIENCE.as_micros() as u64;
const DIGITS: u8 = 3;

/// The percentiles that the contract names.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// A histogram of fixed size.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(
            Histogram::new_with_bounds(1, HIGHEST_US, DIGITS)
                .expect("constants within the library's bounds"),
        )
    }
}

impl Latencies {
    pub fn add(&mut self, latency: Duration) {
        self.0.saturating_record(
            u64::try_from(latency.as_micros())
                .unwrap_or(u64::MAX)
                .max(1),
        );
    }

    /// In milliseconds; zeros where nothing was measured.
    pub fn latency_ms(&self) -> Latency {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1_000.0;
        Latency {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max() as f64 / 1_000.0,
        }
    }

    /// How many answers took at most each of `bounds`, in milliseconds; the last counts all.
    pub fn counts_within_ms(&self, bounds: &[u64]) -> Vec<u64> {
        bounds
            .iter()
            .map(|bound| self.0.count_between(0, bound.saturating_mul(1_000)))
            .collect()
    }
}

/// From the due time to the first answer, of everyone who got one.
pub fn first_answers(clients: &[Client]) -> Latencies {
    gather(clients, |seen| matches!(seen, Seen::Answered(_)))
}

/// From the due time to the first answer that settles the matter.
pub fn final_answers(clients: &[Client]) -> Latencies {
    gather(
        clients,
        |seen| matches!(seen, Seen::Answered(answer) if answer.is_final()),
    )
}

fn gather(clients: &[Client], counts: impl Fn(&Seen) -> bool) -> Latencies {
    let mut latencies = Latencies::default();
    for client in clients {
        let first_us = client
            .asks
            .iter()
            .filter(|ask| counts(&ask.seen))
            .map(|ask| ask.done_us)
            .min();
        if let Some(done_us) = first_us {
            latencies.add(Duration::from_micros(done_us.saturating_sub(client.due_us)));
        }
    }
    latencies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_milliseconds_to_three_digits() {
        let mut latencies = Latencies::default();
        (1..=1_000).for_each(|ms| latencies.add(Duration::from_millis(ms)));
        let Latency {
            p50,
            p99,
            p999,
            max,
        } = latencies.latency_ms();
        for (found, expected) in [(p50, 500.0), (p99, 990.0), (p999, 999.0), (max, 1_000.0)] {
            assert!(
                (found - expected).abs() / expected < 0.002,
                "{found} is not {expected}"
            );
        }
        assert_eq!(latencies.counts_within_ms(&[100, u64::MAX])[1], 1_000);
    }

    #[test]
    fn nothing_measured_is_zero_and_what_is_out_of_range_is_the_highest() {
        assert_eq!(
            Latencies::default().latency_ms(),
            Latency {
                p50: 0.0,
                p99: 0.0,
                p999: 0.0,
                max: 0.0
            }
        );
        let mut latencies = Latencies::default();
        latencies.add(Duration::from_secs(100_000));
        assert!(latencies.latency_ms().max >= 4.0 * PATIENCE.as_millis() as f64);
    }
}
