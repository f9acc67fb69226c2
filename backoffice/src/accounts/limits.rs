//! Every bound of hashing passwords and of waiting for it. Part of the crate's limits, in a file of its own beside them.

use std::time::Duration;

use crate::limits::{LOCK_WAIT_S, MYSQL_CONNECTIONS_MAX, REQUEST_TIMEOUT};

/// Memory and passes of one hash: the least that OWASP's password storage advice asks for argon2id.
pub const ARGON2_MEMORY_KIB: u32 = 19_456;
pub const ARGON2_PASSES: u32 = 2;
/// Threads that hash. One, because the machine may be an engine's too; it hashes some thirty a second.
pub const PASSWORD_THREADS: usize = 1;
/// Their niceness: whatever buys and sells goes first.
pub const PASSWORD_THREADS_NICE: i32 = 10;
/// Those whose password is looked at or who wait for it: no more than are served in a turn's wait. And how many of them may come from one address:
/// whoever floods leaves room for others.
pub const PASSWORD_QUEUE_MAX: usize = 64;
pub const PASSWORD_QUEUE_PER_ADDRESS_MAX: usize = PASSWORD_QUEUE_MAX / 4;
/// Of those, the ones at a time that cost statements and a hash: one is hashed, and two are made ready meanwhile.
pub const PASSWORD_TURNS_MAX: usize = PASSWORD_THREADS + 2;
/// How long somebody waits for his turn, and until it has been counted what he tries.
pub const PASSWORD_TURN_WAIT: Duration = Duration::from_secs(3);
pub const PASSWORD_COUNT_TIMEOUT: Duration = Duration::from_secs(3);
/// Who looks at a time whether he may wait for a turn at all, a statement or two each; who waits for that, in all and of one address; for how long, and
/// how long it may take.
pub const PASSWORD_LOOKS_MAX: usize = 2;
pub const PASSWORD_LOOKS_WAITING_MAX: usize = 256;
pub const PASSWORD_LOOKS_PER_ADDRESS_MAX: usize = PASSWORD_LOOKS_WAITING_MAX / 4;
pub const PASSWORD_LOOK_WAIT: Duration = Duration::from_secs(1);
pub const PASSWORD_LOOK_TIMEOUT: Duration = Duration::from_secs(2);

const _: () = {
    assert!(
        PASSWORD_TURNS_MAX <= PASSWORD_QUEUE_MAX
            && PASSWORD_LOOKS_MAX <= PASSWORD_LOOKS_WAITING_MAX
    );
    assert!(
        PASSWORD_TURNS_MAX
            * (LOCK_WAIT_S as usize).div_ceil(PASSWORD_COUNT_TIMEOUT.as_secs() as usize)
            + PASSWORD_LOOKS_MAX
            < MYSQL_CONNECTIONS_MAX as usize,
        "turns that one after the other meet a row that is held leave connections for others"
    );
    assert!(
        PASSWORD_LOOK_WAIT.as_millis()
            + PASSWORD_LOOK_TIMEOUT.as_millis()
            + PASSWORD_TURN_WAIT.as_millis()
            + PASSWORD_COUNT_TIMEOUT.as_millis()
            < REQUEST_TIMEOUT.as_millis(),
        "whoever waits is told so, and not that nobody knows"
    );
};
