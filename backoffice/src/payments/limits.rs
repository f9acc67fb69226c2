//! Every bound of payments: tries, waits, sizes. Part of the crate's limits, in a file of its own beside them.

use std::time::Duration;

use crate::limits::REQUEST_TIMEOUT;

/// Calls to the provider under way at once: at 20 ms each, 6,400 a second.
pub const CALLS_MAX: usize = 128;
/// Connections kept open between calls.
pub const CONNECTIONS_IDLE_MAX: usize = CALLS_MAX;
/// For how long: shorter than servers keep them, so that few are used just as they are closed.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(20);
/// For a connection to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// One try of one call, where the configuration does not say.
pub const ATTEMPT_MS_DEFAULT: u64 = 3_000;
/// And what it may say.
pub const ATTEMPT_MS_MAX: u64 = 60_000;
/// All tries of one call, however late the caller's deadline is.
pub const BUDGET: Duration = Duration::from_secs(15);
/// Tries of one call.
pub const TRIES_MAX: u32 = 3;
/// The pause before the second, at most; it doubles, and each is drawn from nothing to that.
pub const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Bytes of an answer; more is none of the provider's.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Characters that are kept of the provider's own words: its reference, and why it declined.
pub const REF_CHARS_MAX: usize = 64;
pub const REASON_CHARS_MAX: usize = 64;

/// Failures in a row that open the breaker. One call in twenty may fail for years without it.
pub const BREAKER_FAILURES: u32 = 5;
/// How long it then lets nobody through, first and at most: a provider that is back is noticed within the latter.
pub const BREAKER_PAUSE_FIRST: Duration = Duration::from_millis(500);
pub const BREAKER_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Probes at once, while it is half-open.
pub const BREAKER_PROBES_MAX: u32 = 2;
/// Of them, how many must succeed in a row to close it.
pub const BREAKER_SUCCESSES: u32 = 3;

/// Bytes of a webhook.
pub const WEBHOOK_BYTES_MAX: usize = 16 * 1024;
/// How far its time may be from ours; a copy is worth nothing later.
pub const WEBHOOK_SKEW_MAX: Duration = Duration::from_secs(300);
/// Signatures of one that are looked at.
pub const WEBHOOK_SIGNATURES_MAX: usize = 4;
/// Characters of an event's id and kind; the columns have room for them.
pub const EVENT_CHARS_MAX: usize = 64;
/// Webhooks that wait to be written; more are answered by 503, and come again.
pub const WEBHOOKS_WAITING_MAX: usize = 1_024;
/// Of them, how many one statement writes.
pub const WEBHOOKS_PER_STATEMENT: usize = 256;
/// Rows of the inbox that one look takes; the provider is asked about them at once.
pub const INBOX_ROWS: u32 = 256;
/// How long a webhook is left alone: mostly the answer to the charge itself comes first, and there is nothing to ask.
pub const INBOX_DELAY: Duration = Duration::from_secs(1);
/// Between two looks.
pub const INBOX_EVERY: Duration = Duration::from_secs(1);
/// For how long a back-office that has taken a row is left alone with it: longer than it may ask.
pub const INBOX_LEASE: Duration = Duration::from_secs(30);
/// The pause after a provider that could not be asked, doubled each time, and the longest.
pub const INBOX_RETRY_FIRST: Duration = Duration::from_secs(1);
pub const INBOX_RETRY_MAX: Duration = Duration::from_secs(30);
/// Rows are kept for so long, against copies: the provider sends none that is older.
pub const INBOX_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

const _: () = {
    assert!(CONNECT_TIMEOUT.as_millis() < ATTEMPT_MS_DEFAULT as u128);
    assert!(BUDGET.as_millis() >= ATTEMPT_MS_DEFAULT as u128 * TRIES_MAX as u128);
    assert!(BUDGET.as_millis() < INBOX_LEASE.as_millis());
    assert!(BREAKER_PAUSE_FIRST.as_millis() <= BREAKER_PAUSE_MAX.as_millis());
    assert!(
        WEBHOOKS_PER_STATEMENT * 8 < 65_535,
        "placeholders of a statement"
    );
    assert!(
        WEBHOOK_SKEW_MAX.as_millis() < INBOX_KEPT.as_millis(),
        "a copy that is still believed is still known"
    );
    assert!(CONNECT_TIMEOUT.as_millis() < REQUEST_TIMEOUT.as_millis());
};
