//! Whether and when a user tries again: same request, same key. Called by `course` after each exchange.

use std::time::Duration;

use rand::Rng;

use crate::history::Seen;
use crate::limits::{
    BACKOFF_MAX, BACKOFF_MIN, PATIENCE, RETRY_AFTER_DEFAULT, RETRY_AFTER_MAX, TRIES_MAX,
};

/// What to do after an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The answer settles it.
    Done,
    AgainAfter(Duration),
    /// Tries or patience are used up.
    GiveUp,
}

/// Decides after the `tries`-th exchange, `waited` after the user wanted to start.
pub fn after(seen: &Seen, tries: u32, waited: Duration, rng: &mut impl Rng) -> Next {
    let pause = match seen {
        Seen::Answered(answer) if answer.is_final() => return Next::Done,
        Seen::Answered(answer) => jittered_upwards(retry_after(answer.retry_after_s), rng),
        Seen::Lost => jittered(BACKOFF_MIN, rng),
        Seen::Broken(_) => jittered(backoff(tries), rng),
    };
    if tries >= TRIES_MAX || waited + pause > PATIENCE {
        Next::GiveUp
    } else {
        Next::AgainAfter(pause)
    }
}

fn retry_after(seconds: Option<u32>) -> Duration {
    seconds
        .map_or(RETRY_AFTER_DEFAULT, |seconds| {
            Duration::from_secs(seconds.into())
        })
        .min(RETRY_AFTER_MAX)
}

/// 20 ms, 40 ms, … up to 1 s.
fn backoff(tries: u32) -> Duration {
    BACKOFF_MIN
        .saturating_mul(1 << tries.clamp(1, 16).saturating_sub(1))
        .min(BACKOFF_MAX)
}

/// From half of `pause` to all of it.
fn jittered(pause: Duration, rng: &mut impl Rng) -> Duration {
    pause.mul_f64(rng.random_range(0.5..1.0))
}

/// Never before what the server asked for, and up to twice as late, so that those who were sent away together do not
/// come back together.
fn jittered_upwards(pause: Duration, rng: &mut impl Rng) -> Duration {
    pause.mul_f64(rng.random_range(1.0..2.0))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;
    use crate::history::{Answer, Broken};

    fn answered(status: u16, retry_after_s: Option<u32>) -> Seen {
        Seen::Answered(Box::new(Answer {
            status,
            retry_after_s,
            ..Answer::default()
        }))
    }

    fn decide(seen: &Seen, tries: u32, waited: Duration) -> Next {
        after(seen, tries, waited, &mut SmallRng::seed_from_u64(1))
    }

    #[test]
    fn refusals_and_acceptances_settle_it() {
        for status in [200, 201, 400, 401, 404, 409, 422] {
            assert_eq!(
                decide(&answered(status, None), 1, Duration::ZERO),
                Next::Done,
                "{status}"
            );
        }
    }

    #[test]
    fn retry_after_is_a_lower_bound() {
        for (status, asked, least_s) in [
            (429, Some(3), 3),
            (503, None, 1),
            (503, Some(0), 0),
            (503, Some(999), 10),
        ] {
            let Next::AgainAfter(pause) = decide(&answered(status, asked), 1, Duration::ZERO)
            else {
                panic!("{status}")
            };
            assert!(
                pause >= Duration::from_secs(least_s) && pause <= Duration::from_secs(2 * least_s),
                "{pause:?}"
            );
        }
    }

    #[test]
    fn broken_connections_back_off_up_to_a_second() {
        for tries in [1, 5, 40] {
            let Next::AgainAfter(pause) =
                decide(&Seen::Broken(Broken::Reset), tries, Duration::ZERO)
            else {
                panic!()
            };
            assert!(pause >= BACKOFF_MIN / 2 && pause <= BACKOFF_MAX);
        }
    }

    #[test]
    fn tries_and_patience_end() {
        assert_eq!(decide(&Seen::Lost, TRIES_MAX, Duration::ZERO), Next::GiveUp);
        assert_eq!(decide(&Seen::Lost, 1, PATIENCE), Next::GiveUp);
    }
}
