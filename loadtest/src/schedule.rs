//! When everyone arrives: drawn before the start, so that no slow answer can hold back those who come later.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// How a crowd arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    AtOnce,
    /// At equal distances over the given time.
    Even(Duration),
    /// Independently of each other over the given time, as a Poisson process does once its count is known.
    Poisson(Duration),
}

impl Arrivals {
    /// When each of `count` arrives, earliest first; the same for the same seed.
    pub fn starts(self, count: usize, seed: u64) -> Vec<Duration> {
        match self {
            Arrivals::AtOnce => vec![Duration::ZERO; count],
            Arrivals::Even(over) => (0..count)
                .map(|i| over.mul_f64(i as f64 / count as f64))
                .collect(),
            Arrivals::Poisson(over) => poisson(over, count, seed),
        }
    }
}

fn poisson(over: Duration, count: usize, seed: u64) -> Vec<Duration> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut starts: Vec<Duration> = (0..count)
        .map(|_| over.mul_f64(rng.random::<f64>()))
        .collect();
    starts.sort_unstable();
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn at_once_is_now_for_everyone() {
        assert_eq!(Arrivals::AtOnce.starts(3, 1), [Duration::ZERO; 3]);
    }

    #[test]
    fn even_arrivals_keep_their_distance() {
        let starts = Arrivals::Even(TEN).starts(4, 1);
        assert_eq!(
            starts.iter().map(Duration::as_millis).collect::<Vec<_>>(),
            [0, 2_500, 5_000, 7_500]
        );
        assert!(Arrivals::Even(TEN).starts(0, 1).is_empty());
    }

    #[test]
    fn poisson_arrivals_are_sorted_within_the_time_and_repeat_with_their_seed() {
        let starts = Arrivals::Poisson(TEN).starts(20_000, 7);
        assert!(starts.is_sorted() && starts.iter().all(|start| *start < TEN));
        assert_eq!(starts, Arrivals::Poisson(TEN).starts(20_000, 7));
        assert_ne!(starts, Arrivals::Poisson(TEN).starts(20_000, 8));
    }

    #[test]
    fn poisson_gaps_vary_as_much_as_they_are_long() {
        let starts = Arrivals::Poisson(TEN).starts(20_000, 7);
        let gaps: Vec<f64> = starts
            .windows(2)
            .map(|w| (w[1] - w[0]).as_secs_f64())
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((0.9..1.1).contains(&(variance.sqrt() / mean)));
    }
}
