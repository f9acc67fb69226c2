//! The one place that reads the machine's clock (clippy bans it elsewhere).
//!
//! [`now_ms`] is the caller's clock of the scripts' clock rule (design §3, Time): the wall at start plus monotonic time,
//! so that a step of this machine's wall clock while we run does not move it.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};

struct Start {
    wall: Duration,
    instant: Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
fn start() -> &'static Start {
    static START: OnceLock<Start> = OnceLock::new();
    START.get_or_init(|| Start {
        wall: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
        instant: Instant::now(),
    })
}

/// Milliseconds since the Unix epoch: wall clock when first asked, plus monotonic time since.
pub fn now_ms() -> u64 {
    ms_at(instant())
}

/// The same at `instant`: for one who needs both, and reads the clock once.
pub fn ms_at(instant: Instant) -> u64 {
    let start = start();
    let since = instant.saturating_duration_since(start.instant);
    u64::try_from((start.wall + since).as_millis()).unwrap_or(u64::MAX)
}

/// A monotonic instant, for durations.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub fn instant() -> Instant {
    Instant::now()
}

/// Seconds since the Unix epoch.
pub fn now_s() -> u64 {
    now_ms() / 1_000
}

/// The same as a date.
pub fn now() -> DateTime<Utc> {
    from_ms(now_ms())
}

/// The date of `ms` milliseconds since the epoch; the epoch itself where `ms` is out of chrono's range.
pub fn from_ms(ms: u64) -> DateTime<Utc> {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Utc.timestamp_millis_opt(ms).single())
        .unwrap_or_default()
}

/// Milliseconds since the epoch of `date`; 0 before the epoch.
pub fn to_ms(date: DateTime<Utc>) -> u64 {
    u64::try_from(date.timestamp_millis()).unwrap_or(0)
}

/// RFC 3339 in UTC with milliseconds, e.g. `2026-11-21T00:00:00.000Z`.
pub fn rfc3339(ms: u64) -> String {
    from_ms(ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_in_utc_with_milliseconds_and_read_back() {
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(to_ms(from_ms(1_700_000_000_123)), 1_700_000_000_123);
    }

    #[test]
    fn time_does_not_go_back() {
        let first = now_ms();
        assert!(now_ms() >= first);
    }
}
