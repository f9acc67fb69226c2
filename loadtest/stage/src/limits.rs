//! Every bound of the stage, in one place: waits, retries and sizes.
//! The waits are generous, because a loaded machine is slow; none of them is reached when all is well.

use std::time::Duration;

/// Redis answers at once, unless it loads a long append-only file after a restart.
pub(crate) const REDIS_START_BOUND: Duration = Duration::from_secs(60);
/// Python takes half a second to start, and more on a busy machine.
pub(crate) const MAIL_START_BOUND: Duration = Duration::from_secs(30);
/// Includes InnoDB's crash recovery after a kill.
pub(crate) const DATABASE_START_BOUND: Duration = Duration::from_secs(60);
pub(crate) const PROGRAM_START_BOUND: Duration = Duration::from_secs(20);
/// Making a data directory: about 1 s with MariaDB, several with MySQL.
pub(crate) const DATABASE_INSTALL_BOUND: Duration = Duration::from_secs(120);
/// From SIGTERM to the end of a database server in order.
pub(crate) const DATABASE_STOP_BOUND: Duration = Duration::from_secs(60);
/// `migrate` and every other back-office command that the stage runs to its end.
pub(crate) const JOB_BOUND: Duration = Duration::from_secs(120);
/// From SIGKILL to a process that can be reaped, and from SIGSTOP to one that stands still.
pub(crate) const SIGNAL_BOUND: Duration = Duration::from_secs(10);
/// The guardian's whole work; it needs some 20 ms.
pub(crate) const GUARDIAN_BOUND: Duration = Duration::from_secs(20);

/// Pause between two looks at a condition.
pub(crate) const POLL_STEP: Duration = Duration::from_millis(5);
/// One attempt to connect, write or read while a server starts.
pub(crate) const PROBE_BOUND: Duration = Duration::from_secs(2);
/// An answer of a probe is never longer than this.
pub(crate) const PROBE_ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// What a hop passes on at once, and how often it looks whether it is still to do so.
pub(crate) const HOP_CHUNK_BYTES: usize = 16 * 1024;
pub(crate) const HOP_LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes of requests that a hop remembers, to be searched by a test.
pub(crate) const HOP_SEEN_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A port can be taken by someone else between our look and the server's bind; then another one is tried.
pub(crate) const PORT_TRIES_MAX: usize = 20;
/// Candidates looked at for one free port.
pub(crate) const PORT_CANDIDATES_MAX: usize = 1000;

/// Lines of each log shown when a start fails or a test panics.
pub(crate) const LOG_TAIL_LINES: usize = 15;
/// Only the end of a log is read, however long it has grown.
pub(crate) const LOG_TAIL_BYTES_MAX: u64 = 64 * 1024;

/// The kernel's limit for the path of a Unix socket.
pub(crate) const SOCKET_PATH_BYTES_MAX: usize = 107;

pub(crate) const TOKEN_SECRET_BYTES: usize = 32;
