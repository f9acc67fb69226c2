//! Every bound of the back-office, in one place: sizes, waits and counts. What it shares with the engine is in `doorbuster_core::limits`.

use std::time::Duration;

use doorbuster_core::limits::SCRIPT_TIMEOUT;

/// Bytes of a request body.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a request's head; more is answered by 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// From the first byte of a connection, or of a further request on it, to the end of the head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// From the head to the last byte of the body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// From the head to the answer. Past it the client is told that the outcome is unknown.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A change goes on after its client has gone, so that script and audit row stay together; past this it is given up.
pub const WORK_TIMEOUT: Duration = Duration::from_secs(30);
/// A request id that a proxy gives is taken if it is no longer than this; the audit log has room for it.
pub const REQUEST_ID_CHARS_MAX: usize = 64;

/// From SIGTERM to the end of the last request under way; the process ends within 10 s.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);
/// Pause after an accept that failed for want of file descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often the metrics library sorts its samples.
pub const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Connections to MySQL.
pub const MYSQL_CONNECTIONS_MAX: u32 = 10;
/// Waiting for one of them.
pub const MYSQL_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Waiting for a row lock, in whole seconds as MySQL counts it.
pub const LOCK_WAIT_S: u32 = 5;
/// One look of /readyz at one server.
pub const READY_TIMEOUT: Duration = Duration::from_secs(1);
/// Waiting for another `migrate` to finish, in whole seconds.
pub const MIGRATE_LOCK_WAIT_S: u32 = 60;

/// How long `open` waits for a writer to vouch for the sale before it answers.
pub const VOUCH_WAIT: Duration = Duration::from_secs(2);
/// Pause between two looks during that wait.
pub const VOUCH_POLL: Duration = Duration::from_millis(20);
/// Sales that `pause` of all takes; more are on no calendar that we know of.
pub const PAUSE_ALL_SALES_MAX: u32 = 10_000;
/// Of these, script calls under way at once.
pub const PAUSE_ALL_AT_ONCE: usize = 32;
/// Journal entries read to tell the age of the oldest that MySQL has not got: the cursor's own, and the next.
pub const LAG_ENTRIES: usize = 2;

/// Characters of the title of a sale or an item.
pub const TITLE_CHARS_MAX: usize = 200;
/// Characters of the reason of an adjustment, or of a discard.
pub const REASON_CHARS_MAX: usize = 200;
/// Characters that are kept of why MySQL refused an event; its column has room for them.
pub const ERROR_CHARS_MAX: usize = 1_000;
/// Seconds of a hold, and of its one extension for payment.
pub const HOLD_SECONDS_MAX: u32 = 86_400;
/// Stock of a sku, and limit per user.
pub const UNITS_MAX: u32 = doorbuster_core::limits::UNITS_MAX;
/// Price of a unit, in minor units: an order of every unit there is still fits a signed 64-bit sum.
pub const AMOUNT_MAX: i64 = 9_000_000_000;

/// Reservations on one page of a buyer's own.
pub const PAGE_ROWS_MAX: u32 = 100;
/// The same, where the client does not say.
pub const PAGE_ROWS_DEFAULT: u32 = 20;

/// Entries of a draw in one answer: some 60 bytes each.
pub const DRAW_ENTRIES_MAX: u32 = 20_000;
/// The same, where the client does not say.
pub const DRAW_ENTRIES_DEFAULT: u32 = 10_000;
/// Draws of which the order is kept: 8 MB for a million.
pub const RANKINGS_KEPT: usize = 4;

/// Invites that one call makes.
pub const INVITES_MAX: u32 = 1_000_000;

/// Rows, or records, that reconcile compares at a time.
pub const RECONCILE_CHUNK: u32 = 500;
/// Rows that one run repairs in a sale, all in one transaction under the cursor's lock, which keeps the writer waiting: some
/// seconds. What is left over, the next run does.
pub const REPAIRS_MAX: usize = 10_000;
/// Journal entries that it reads from Redis at a time; each has up to 128 events.
pub const RECONCILE_ENTRIES: usize = 200;

/// Between two looks at how far a rebuild is.
pub const REBUILD_POLL: Duration = Duration::from_millis(100);
/// For a writer to take a request up: it looks twice a second. Past it the command starts one of its own.
pub const REBUILD_BEGIN_WAIT: Duration = Duration::from_secs(5);
/// For a rebuild; a million reservations take a tenth of it.
pub const REBUILD_WAIT: Duration = Duration::from_secs(180);

const _: () = {
    assert!(
        SCRIPT_TIMEOUT.as_millis() < REQUEST_TIMEOUT.as_millis(),
        "a script's outcome is known before its request is given up"
    );
    assert!(VOUCH_WAIT.as_millis() + SCRIPT_TIMEOUT.as_millis() < REQUEST_TIMEOUT.as_millis());
    assert!((LOCK_WAIT_S as u128) * 1_000 < REQUEST_TIMEOUT.as_millis());
    assert!(REQUEST_TIMEOUT.as_millis() < WORK_TIMEOUT.as_millis());
    assert!(
        AMOUNT_MAX.checked_mul(UNITS_MAX as i64).is_some(),
        "a sale's whole turnover fits 64 bits"
    );
    assert!(PAGE_ROWS_DEFAULT <= PAGE_ROWS_MAX);
    assert!(DRAW_ENTRIES_DEFAULT <= DRAW_ENTRIES_MAX && RANKINGS_KEPT > 0);
};
